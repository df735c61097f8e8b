-- What people whom the owner has not let in have left with us, by the day (UTC): bounded, whatever number of onions
-- they come from.
CREATE TABLE stranger_days (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    day INTEGER NOT NULL,       -- since 1970
    contacts INTEGER NOT NULL,  -- entities that made themselves known
    posts INTEGER NOT NULL,     -- that are held until their author is let in
    bytes INTEGER NOT NULL,     -- of those posts
    PRIMARY KEY (owner, day)
) STRICT, WITHOUT ROWID;
-- When it was last tried in vain. What waited while the node itself was off is tried before it is given up.
ALTER TABLE relationships ADD COLUMN failed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fetches ADD COLUMN failed_at INTEGER NOT NULL DEFAULT 0;
