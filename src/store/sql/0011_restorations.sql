-- When this file came out of a backup: the node that it was made from must not run any more.
CREATE TABLE restorations (
    id INTEGER PRIMARY KEY,
    restored_at INTEGER NOT NULL,
    made_at INTEGER NOT NULL,             -- the backup
    confirmed_at INTEGER NOT NULL DEFAULT 0  -- the owner said that no other runs
) STRICT;
