-- Apps that ask by OAuth (Tent 0.3, section 6).

-- When the owner last said what the app may do, and until when the Hawk key itself passes as a code.
ALTER TABLE app_grants ADD COLUMN granted_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE app_grants ADD COLUMN key_code_until INTEGER NOT NULL DEFAULT 0;
UPDATE app_grants SET granted_at = coalesce(
    (SELECT created_at FROM credentials c WHERE c.owner = app_grants.owner AND c.target_post = app_auth_post), 0);
CREATE INDEX app_grants_by_app ON app_grants (owner, app_post);
CREATE INDEX credentials_by_target ON credentials (owner, target_post);

-- Codes that were given out and not yet used: SHA-256, not the code.
CREATE TABLE oauth_codes (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    code_hash TEXT NOT NULL,
    app_post TEXT NOT NULL,
    app_auth_post TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (owner, code_hash)
) STRICT, WITHOUT ROWID;
