-- Notifications of apps (Tent 0.3, section 6.7).

-- Apps that want to be told, from their app posts; an app without a usable address has no row.
CREATE TABLE app_hooks (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    app_post TEXT NOT NULL,
    url TEXT NOT NULL,
    types TEXT NOT NULL,  -- JSON array of selectors
    -- The queue of this app.
    tries INTEGER NOT NULL DEFAULT 0,
    next_try_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (owner, app_post)
) STRICT, WITHOUT ROWID;

INSERT INTO app_hooks (owner, app_post, url, types)
SELECT v.owner, p.public_id, json_extract(b.body, '$.content.notification_url'),
       coalesce(json_extract(b.body, '$.content.notification_types'), '[]')
FROM types t JOIN versions v ON v.type = t.id AND v.latest = 1 JOIN posts p ON p.id = v.post
JOIN bodies b ON b.version = v.id JOIN entities e ON e.id = v.owner JOIN names n ON n.id = v.author
WHERE t.base = 'https://tent.io/types/app/v0' AND n.entity = e.entity
  AND coalesce(json_extract(b.body, '$.content.notification_url'), '') != '';

-- Written in the transaction that stores the version.
CREATE TABLE app_notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    app_post TEXT NOT NULL,
    version INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    UNIQUE (version, owner, app_post)
) STRICT;
CREATE INDEX app_notifications_by_app ON app_notifications (owner, app_post, id);
