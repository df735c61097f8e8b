-- Who is logged in to the pages of an entity, which browsers have been, and links that log in once. Only digests of what the
-- browser holds are kept.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    kind TEXT NOT NULL,               -- 'session', 'device' or 'link'
    digest BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of ON sessions (owner, kind, seen_at);

-- What the pages remember of an entity.
CREATE TABLE page_states (
    owner INTEGER PRIMARY KEY REFERENCES entities ON DELETE CASCADE,
    read_to INTEGER NOT NULL DEFAULT 0,        -- received_at of the newest post that was shown
    read_before INTEGER NOT NULL DEFAULT 0,    -- the same at the visit before
    visited_at INTEGER NOT NULL DEFAULT 0,
    mentions_read_to INTEGER NOT NULL DEFAULT 0,
    welcomed INTEGER NOT NULL DEFAULT 0,       -- has been through the first steps
    failures INTEGER NOT NULL DEFAULT 0,       -- passphrases that were wrong, one after the other
    failed_at INTEGER NOT NULL DEFAULT 0,
    failures_unseen INTEGER NOT NULL DEFAULT 0 -- since the owner last came in
) STRICT;
