-- Links that approve whoever uses them. The secret of a link is not here: key and id are made from it, and cannot be
-- turned back.
CREATE TABLE invites (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    public_id TEXT NOT NULL,
    key BLOB NOT NULL,            -- by which the proofs of its users are checked
    group_post TEXT NOT NULL,     -- into this group as well; '': only a follower
    uses INTEGER NOT NULL,        -- by how many entities
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner, public_id)
) STRICT;
CREATE TABLE invite_uses (
    invite INTEGER NOT NULL REFERENCES invites ON DELETE CASCADE,
    peer INTEGER NOT NULL REFERENCES names,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (invite, peer)
) STRICT, WITHOUT ROWID;
