-- What apps were told about a delivery that fails: 0 nothing, 1 that it failed for now, 2 that it failed for good.
ALTER TABLE deliveries ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
