-- When others could not reach us through tor: one row an outage, the newest hundred.
CREATE TABLE outages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    began_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL DEFAULT 0,  -- 0: not over, or not seen to be over
    repairs INTEGER NOT NULL DEFAULT 0,
    why TEXT NOT NULL
) STRICT;
CREATE INDEX outages_by_owner ON outages (owner, id);
