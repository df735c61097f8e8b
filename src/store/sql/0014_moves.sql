-- Addresses that somebody left for another one: the owner's own, and those of others. Once and for all.
CREATE TABLE moves (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    old INTEGER NOT NULL REFERENCES names,
    new INTEGER NOT NULL REFERENCES names,
    moved_at INTEGER NOT NULL,        -- as it was signed
    noticed_at INTEGER NOT NULL,
    rewritten INTEGER NOT NULL,       -- posts of versions up to this row name the new address
    rewrite_to INTEGER NOT NULL,      -- the last one to be rewritten
    UNIQUE (owner, old)
) STRICT;
CREATE INDEX moves_unfinished ON moves (owner) WHERE rewritten < rewrite_to;

-- The owner's former onions, served until then.
CREATE TABLE previous_onions (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    onion TEXT NOT NULL,
    seed BLOB NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (owner, onion)
) STRICT, WITHOUT ROWID;

-- The address by which this peer knows us; '': our present one.
ALTER TABLE relationships ADD COLUMN knows_us_as TEXT NOT NULL DEFAULT '';
-- Her address before her last move, and when we learned of it.
ALTER TABLE relationships ADD COLUMN moved_from TEXT NOT NULL DEFAULT '';
ALTER TABLE relationships ADD COLUMN moved_at INTEGER NOT NULL DEFAULT 0;
