-- Entities that belong to somebody else than whoever runs the node, and how much each may hold.
ALTER TABLE entities ADD COLUMN owner_passphrase TEXT NOT NULL DEFAULT '';  -- Argon2id, as crypto_pwhash_str writes it

-- Only of those who have a limit; what is held is counted from when it was set. A limit of 0 is none.
CREATE TABLE quotas (
    owner INTEGER PRIMARY KEY REFERENCES entities ON DELETE CASCADE,
    most_posts INTEGER NOT NULL,
    most_bytes INTEGER NOT NULL,
    posts INTEGER NOT NULL,
    bytes INTEGER NOT NULL  -- of the versions of posts, and of the attachments of each
) STRICT;

CREATE TRIGGER quota_post_added AFTER INSERT ON posts WHEN EXISTS (SELECT 1 FROM quotas WHERE owner = NEW.owner) BEGIN
    UPDATE quotas SET posts = posts + 1 WHERE owner = NEW.owner;
END;
CREATE TRIGGER quota_post_gone AFTER DELETE ON posts WHEN EXISTS (SELECT 1 FROM quotas WHERE owner = OLD.owner) BEGIN
    UPDATE quotas SET posts = posts - 1 WHERE owner = OLD.owner;
END;
CREATE TRIGGER quota_body_added AFTER INSERT ON bodies WHEN EXISTS (SELECT 1 FROM quotas) BEGIN
    UPDATE quotas SET bytes = bytes + octet_length(NEW.body)
    WHERE owner = (SELECT owner FROM versions WHERE id = NEW.version);
END;
CREATE TRIGGER quota_attachment_added AFTER INSERT ON version_attachments WHEN EXISTS (SELECT 1 FROM quotas) BEGIN
    UPDATE quotas SET bytes = bytes + NEW.size WHERE owner = (SELECT owner FROM versions WHERE id = NEW.version);
END;
-- Before: afterwards what hung on it is gone.
CREATE TRIGGER quota_version_gone BEFORE DELETE ON versions
WHEN EXISTS (SELECT 1 FROM quotas WHERE owner = OLD.owner) BEGIN
    UPDATE quotas SET bytes = bytes
        - coalesce((SELECT octet_length(body) FROM bodies WHERE version = OLD.id), 0)
        - coalesce((SELECT sum(size) FROM version_attachments WHERE version = OLD.id), 0)
    WHERE owner = OLD.owner;
END;

-- Bytes are kept once, but each entity knows only of what came to her: else a file sent to two of them, that only one
-- of them fetches, would tell that they live together.
CREATE TABLE blob_holders (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    blob INTEGER NOT NULL REFERENCES blobs ON DELETE CASCADE,
    PRIMARY KEY (blob, owner)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO blob_holders
SELECT v.owner, b.id FROM blobs b JOIN version_attachments a ON a.digest = b.digest JOIN versions v ON v.id = a.version;
