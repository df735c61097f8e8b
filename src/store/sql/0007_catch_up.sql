-- What we pull from those whom we follow: how far it has come, and when it is due again.
CREATE TABLE catch_ups (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    peer INTEGER NOT NULL REFERENCES names,
    due_at INTEGER NOT NULL,
    fresh INTEGER NOT NULL DEFAULT 1,         -- 1: begin with her newest posts; 0: go on after the cursor
    cursor_time INTEGER NOT NULL DEFAULT 0,   -- version.published_at
    cursor_version TEXT NOT NULL DEFAULT '',
    page_size INTEGER NOT NULL DEFAULT 100,
    pages INTEGER NOT NULL DEFAULT 0,         -- of the run that is under way
    got INTEGER NOT NULL DEFAULT 0,           -- versions that were new to us in it
    tries INTEGER NOT NULL DEFAULT 0,
    done_at INTEGER NOT NULL DEFAULT 0,
    failed_at INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (owner, peer)
) STRICT, WITHOUT ROWID;
CREATE INDEX catch_ups_due ON catch_ups (due_at);

-- Those whom we follow already.
INSERT INTO catch_ups (owner, peer, due_at)
SELECT owner, peer, 0 FROM relationships WHERE following IN ('requested', 'approved');
