-- Vetting: what the desk shows of whoever asks to follow, and followers who were removed.
CREATE TABLE relationships_new (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    peer INTEGER NOT NULL REFERENCES names,
    state TEXT NOT NULL DEFAULT 'none' CHECK (state IN ('none', 'initiated', 'active')),
    our_post TEXT NOT NULL DEFAULT '',
    our_hawk_id TEXT NOT NULL DEFAULT '',
    their_post TEXT NOT NULL DEFAULT '',
    their_hawk_id TEXT NOT NULL DEFAULT '',
    their_hawk_key TEXT NOT NULL DEFAULT '',
    servers TEXT NOT NULL DEFAULT '',
    follower TEXT NOT NULL DEFAULT ''
        CHECK (follower IN ('', 'pending', 'approved', 'denied', 'blocked', 'removed')),
    follower_since INTEGER NOT NULL DEFAULT 0,
    following TEXT NOT NULL DEFAULT '' CHECK (following IN ('', 'connecting', 'requested', 'approved', 'refused')),
    following_post TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL DEFAULT 0,
    last_problem TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '',              -- what came with her wish to follow
    first_seen INTEGER NOT NULL DEFAULT 0,
    verified_at INTEGER NOT NULL DEFAULT 0,     -- when the safety phrase was compared
    before_block TEXT NOT NULL DEFAULT '',      -- follower, as it was
    UNIQUE (owner, peer)
) STRICT;
INSERT INTO relationships_new (id, owner, peer, state, our_post, our_hawk_id, their_post, their_hawk_id, their_hawk_key,
    servers, follower, follower_since, following, following_post, tries, next_try_at, last_problem, first_seen)
SELECT id, owner, peer, state, our_post, our_hawk_id, their_post, their_hawk_id, their_hawk_key, servers, follower,
    follower_since, following, following_post, tries, next_try_at, last_problem, follower_since FROM relationships;
DROP TABLE relationships;
ALTER TABLE relationships_new RENAME TO relationships;
CREATE INDEX relationships_followers ON relationships (owner, follower, peer) WHERE follower <> '';


-- Deliveries that the owner took back.
CREATE TABLE deliveries_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    peer INTEGER NOT NULL REFERENCES names,
    version INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'refused', 'given_up', 'cancelled')),
    tries INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    ahead INTEGER NOT NULL DEFAULT 0,
    told INTEGER NOT NULL DEFAULT 0,
    UNIQUE (peer, version, owner)
) STRICT;
INSERT INTO deliveries_new (id, owner, peer, version, state, tries, created_at, ended_at, problem, ahead, told)
SELECT id, owner, peer, version, state, tries, created_at, ended_at, problem, ahead, told FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE deliveries_new RENAME TO deliveries;
CREATE INDEX deliveries_waiting ON deliveries (owner, peer, ahead DESC, id) WHERE state = 'waiting';
CREATE INDEX deliveries_by_version ON deliveries (version);
-- The ledger of one peer, newest first.
CREATE INDEX deliveries_by_peer ON deliveries (owner, peer, id);
