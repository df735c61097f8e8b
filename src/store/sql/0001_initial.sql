-- The first schema. docs/storage.md explains it table by table. All times are milliseconds since 1970.

-- Who lives on this node. Each has an onion and a listener of its own.
CREATE TABLE entities (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    entity TEXT NOT NULL UNIQUE,
    onion TEXT NOT NULL UNIQUE,
    onion_seed BLOB NOT NULL,
    bewit_id TEXT NOT NULL UNIQUE,
    bewit_key TEXT NOT NULL,
    door TEXT NOT NULL DEFAULT 'vetted',
    followers_group TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Entity URLs and post type bases, each stored once: they stand in every index.
CREATE TABLE names (id INTEGER PRIMARY KEY, entity TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE types (
    id INTEGER PRIMARY KEY,
    base TEXT NOT NULL UNIQUE,
    bookkeeping INTEGER NOT NULL  -- a type of the protocol itself, which no person wants to read
) STRICT;

-- owner: in whose store the post is. author: who published it.
CREATE TABLE posts (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    author INTEGER NOT NULL REFERENCES names,
    public_id TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    UNIQUE (owner, author, public_id)
) STRICT;

-- Narrow rows: feeds walk these without touching bodies.
CREATE TABLE versions (
    id INTEGER PRIMARY KEY,
    post INTEGER NOT NULL REFERENCES posts ON DELETE CASCADE,
    owner INTEGER NOT NULL,
    author INTEGER NOT NULL,
    version_id TEXT NOT NULL,
    type INTEGER NOT NULL REFERENCES types,
    fragment TEXT NOT NULL,
    post_published_at INTEGER NOT NULL,
    post_received_at INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    public INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    UNIQUE (post, version_id)
) STRICT;
CREATE INDEX versions_feed_received ON versions (owner, latest, post_received_at DESC, version_id DESC);
CREATE INDEX versions_feed_published ON versions (owner, latest, post_published_at DESC, version_id DESC);
CREATE INDEX versions_by_author ON versions (owner, author, latest, post_published_at DESC, version_id DESC);
CREATE INDEX versions_by_type ON versions (owner, type, latest, post_received_at DESC, version_id DESC);

CREATE TABLE bodies (
    version INTEGER PRIMARY KEY REFERENCES versions ON DELETE CASCADE,
    body TEXT NOT NULL  -- the post as its owner sees it
) STRICT;

CREATE TABLE version_entities (
    version INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    entity INTEGER NOT NULL REFERENCES names,
    PRIMARY KEY (version, entity)
) STRICT, WITHOUT ROWID;

CREATE TABLE version_groups (
    version INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    group_post TEXT NOT NULL,
    PRIMARY KEY (version, group_post)
) STRICT, WITHOUT ROWID;

CREATE TABLE group_members (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    group_post TEXT NOT NULL,
    member INTEGER NOT NULL REFERENCES names,
    member_post TEXT NOT NULL,
    PRIMARY KEY (owner, group_post, member)
) STRICT, WITHOUT ROWID;

CREATE TABLE mentions (
    version INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    position INTEGER NOT NULL,
    entity INTEGER NOT NULL REFERENCES names,
    post TEXT NOT NULL,
    public INTEGER NOT NULL,
    PRIMARY KEY (version, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_by_target ON mentions (entity, post, version);

CREATE TABLE parents (
    version INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    position INTEGER NOT NULL,
    entity INTEGER NOT NULL REFERENCES names,
    post TEXT NOT NULL,
    parent_version TEXT NOT NULL,
    PRIMARY KEY (version, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX parents_by_parent ON parents (parent_version, version);

CREATE TABLE version_attachments (
    version INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    position INTEGER NOT NULL,
    category TEXT NOT NULL,
    content_type TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (version, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_attachments_by_digest ON version_attachments (digest, version);

-- Attachment bytes, each content once. Without a digest: still being written, removed at the next start.
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    digest TEXT UNIQUE,
    size INTEGER NOT NULL,
    stored_at INTEGER NOT NULL  -- or found to be here already: what is about to be used is no orphan
) STRICT;
CREATE TABLE blob_chunks (
    blob INTEGER NOT NULL REFERENCES blobs ON DELETE CASCADE,
    position INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (blob, position)
) STRICT;

-- What was deleted, so that a late delivery does not bring it back. version_id '' means the whole post.
CREATE TABLE tombstones (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    author INTEGER NOT NULL REFERENCES names,
    public_id TEXT NOT NULL,
    version_id TEXT NOT NULL,
    PRIMARY KEY (owner, author, public_id, version_id)
) STRICT, WITHOUT ROWID;

-- Keys that we gave out (Tent 0.3, section 5.8): hawk_id is the id of the credentials post.
CREATE TABLE credentials (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    hawk_id TEXT NOT NULL UNIQUE,
    hawk_key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('app', 'app-auth', 'relationship')),
    target_post TEXT NOT NULL,
    peer INTEGER REFERENCES names,
    created_at INTEGER NOT NULL
) STRICT;

-- What an app may do; one row an app-auth post.
CREATE TABLE app_grants (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    app_auth_post TEXT NOT NULL,
    app_post TEXT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    read_types TEXT NOT NULL,   -- JSON arrays
    write_types TEXT NOT NULL,
    scopes TEXT NOT NULL,
    PRIMARY KEY (owner, app_auth_post)
) STRICT, WITHOUT ROWID;

-- Everything about us and one other entity.
CREATE TABLE relationships (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    peer INTEGER NOT NULL REFERENCES names,
    state TEXT NOT NULL DEFAULT 'none' CHECK (state IN ('none', 'initiated', 'active')),
    our_post TEXT NOT NULL DEFAULT '',
    our_hawk_id TEXT NOT NULL DEFAULT '',
    their_post TEXT NOT NULL DEFAULT '',
    their_hawk_id TEXT NOT NULL DEFAULT '',
    their_hawk_key TEXT NOT NULL DEFAULT '',
    servers TEXT NOT NULL DEFAULT '',      -- from their meta post: JSON array
    follower TEXT NOT NULL DEFAULT '' CHECK (follower IN ('', 'pending', 'approved', 'denied', 'blocked')),
    follower_since INTEGER NOT NULL DEFAULT 0,
    following TEXT NOT NULL DEFAULT '' CHECK (following IN ('', 'connecting', 'requested', 'approved')),
    following_post TEXT NOT NULL DEFAULT '',
    -- The queue of deliveries to this peer.
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL DEFAULT 0,
    last_problem TEXT NOT NULL DEFAULT '',
    UNIQUE (owner, peer)
) STRICT;

CREATE TABLE subscriptions (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    subscriber INTEGER NOT NULL REFERENCES names,
    target INTEGER NOT NULL REFERENCES names,
    selector TEXT NOT NULL,
    post TEXT NOT NULL,
    PRIMARY KEY (owner, subscriber, target, selector)
) STRICT, WITHOUT ROWID;

-- The outbox: who is to get which version. Written in the transaction that stores the version.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    peer INTEGER NOT NULL REFERENCES names,
    version INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'refused', 'given_up')),
    tries INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    ahead INTEGER NOT NULL DEFAULT 0,  -- 1: goes before the others (the end of a handshake)
    UNIQUE (peer, version, owner)
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (owner, peer, ahead DESC, id) WHERE state = 'waiting';
CREATE INDEX deliveries_by_version ON deliveries (version);

-- Attachments of others that we have posts of but not the bytes yet.
CREATE TABLE fetches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    peer INTEGER NOT NULL REFERENCES names,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    UNIQUE (owner, peer, digest)
) STRICT;
