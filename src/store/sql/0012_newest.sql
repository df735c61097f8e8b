-- The version that is the latest by both times, so that the next one need not look at all before it; 0: not known.
ALTER TABLE posts ADD COLUMN newest INTEGER NOT NULL DEFAULT 0;
