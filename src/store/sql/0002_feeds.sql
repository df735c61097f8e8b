-- Feeds and lists without a walk over everything. docs/storage.md says what each index is for.

-- The text that everybody may see, ready to send; NULL in older rows, computed on reading.
ALTER TABLE bodies ADD COLUMN shown TEXT;

-- The type as its author wrote it; NULL when it is base, '#' and fragment.
ALTER TABLE versions ADD COLUMN type_text TEXT;
UPDATE versions SET type_text = (
    SELECT nullif(json_extract(b.body, '$.type'), t.base || '#' || versions.fragment)
    FROM bodies b JOIN types t ON t.id = versions.type WHERE b.version = versions.id);

-- Meta posts, found for profiles.
ALTER TABLE versions ADD COLUMN meta INTEGER NOT NULL DEFAULT 0;
UPDATE versions SET meta = 1 WHERE type = (SELECT id FROM types WHERE base = 'https://tent.io/types/meta/v0');
CREATE INDEX versions_meta ON versions (owner, author, received_at) WHERE meta = 1;

-- latest goes by (received_at, version_id), latest_published by (published_at, version_id):
-- 1 the greatest of its post; 2 not that, but what some reader sees who may not see the greater ones; 0 never
-- shown in a feed.
ALTER TABLE versions ADD COLUMN latest_published INTEGER NOT NULL DEFAULT 0;
UPDATE versions SET latest = r.received, latest_published = r.published FROM (
    SELECT v.id,
        CASE WHEN row_number() OVER (PARTITION BY v.post ORDER BY v.received_at DESC, v.version_id DESC) = 1 THEN 1
             WHEN row_number() OVER (PARTITION BY v.post, v.public
                                     ORDER BY v.received_at DESC, v.version_id DESC) = 1 AND v.public = 1
               OR row_number() OVER (PARTITION BY v.post, v.type, v.fragment
                                     ORDER BY v.received_at DESC, v.version_id DESC) = 1
               OR v.public = 0 AND (EXISTS (SELECT 1 FROM version_entities e WHERE e.version = v.id)
                                    OR EXISTS (SELECT 1 FROM version_groups g WHERE g.version = v.id)) THEN 2
             ELSE 0 END AS received,
        CASE WHEN row_number() OVER (PARTITION BY v.post ORDER BY v.published_at DESC, v.version_id DESC) = 1 THEN 1
             WHEN row_number() OVER (PARTITION BY v.post, v.public
                                     ORDER BY v.published_at DESC, v.version_id DESC) = 1 AND v.public = 1
               OR row_number() OVER (PARTITION BY v.post, v.type, v.fragment
                                     ORDER BY v.published_at DESC, v.version_id DESC) = 1
               OR v.public = 0 AND (EXISTS (SELECT 1 FROM version_entities e WHERE e.version = v.id)
                                    OR EXISTS (SELECT 1 FROM version_groups g WHERE g.version = v.id)) THEN 2
             ELSE 0 END AS published
    FROM versions v) AS r
WHERE r.id = versions.id;

DROP INDEX versions_feed_received;
DROP INDEX versions_feed_published;
DROP INDEX versions_by_author;
DROP INDEX versions_by_type;

-- Ties in time are sorted by version id when read: few rows share a millisecond, and the ids would make the
-- indexes four times as large.
CREATE INDEX versions_time_1 ON versions (owner, public, post_received_at) WHERE latest > 0;
CREATE INDEX versions_time_2 ON versions (owner, public, post_published_at) WHERE latest_published > 0;
CREATE INDEX versions_time_3 ON versions (owner, public, received_at) WHERE latest > 0;
CREATE INDEX versions_time_4 ON versions (owner, public, published_at) WHERE latest_published > 0;
CREATE INDEX versions_author_1 ON versions (owner, author, public, post_received_at) WHERE latest > 0;
CREATE INDEX versions_author_2 ON versions (owner, author, public, post_published_at) WHERE latest_published > 0;
CREATE INDEX versions_author_3 ON versions (owner, author, public, received_at) WHERE latest > 0;
CREATE INDEX versions_author_4 ON versions (owner, author, public, published_at) WHERE latest_published > 0;
CREATE INDEX versions_type_1 ON versions (owner, type, public, post_received_at) WHERE latest > 0;
CREATE INDEX versions_type_2 ON versions (owner, type, public, post_published_at) WHERE latest_published > 0;
CREATE INDEX versions_type_3 ON versions (owner, type, public, received_at) WHERE latest > 0;
CREATE INDEX versions_type_4 ON versions (owner, type, public, published_at) WHERE latest_published > 0;

-- Who and what is mentioned, once a version: a mention of a post stands here twice, as that post and, with
-- post '', as its entity. The sort keys are those of the version, so that a feed can walk an index here.
CREATE TABLE mentions_by_key (
    version INTEGER NOT NULL REFERENCES versions ON DELETE CASCADE,
    entity INTEGER NOT NULL REFERENCES names,
    post TEXT NOT NULL,
    owner INTEGER NOT NULL,
    own INTEGER NOT NULL,     -- the version is by the owner
    public INTEGER NOT NULL,  -- a public mention is among those meant
    hidden INTEGER NOT NULL,  -- a private one is
    latest INTEGER NOT NULL,
    latest_published INTEGER NOT NULL,
    post_received_at INTEGER NOT NULL,
    post_published_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    PRIMARY KEY (version, entity, post)
) STRICT, WITHOUT ROWID;
INSERT INTO mentions_by_key
SELECT v.id, k.entity, k.post, v.owner,
       v.author = (SELECT n.id FROM entities e JOIN names n ON n.entity = e.entity WHERE e.id = v.owner),
       max(k.public), max(1 - k.public), v.latest, v.latest_published,
       v.post_received_at, v.post_published_at, v.received_at, v.published_at
FROM (SELECT version, entity, post, public FROM mentions
      UNION ALL SELECT version, entity, '', public FROM mentions WHERE post <> '') k
JOIN versions v ON v.id = k.version
GROUP BY k.version, k.entity, k.post;
DROP TABLE mentions;
ALTER TABLE mentions_by_key RENAME TO mentions;
CREATE INDEX mentions_target_1 ON mentions (owner, entity, post, post_received_at) WHERE latest > 0;
CREATE INDEX mentions_target_2 ON mentions (owner, entity, post, post_published_at) WHERE latest_published > 0;
CREATE INDEX mentions_target_3 ON mentions (owner, entity, post, received_at) WHERE latest > 0;
CREATE INDEX mentions_target_4 ON mentions (owner, entity, post, published_at) WHERE latest_published > 0;
CREATE INDEX mentions_own_2 ON mentions (owner, entity, post, post_published_at)
    WHERE own = 1 AND latest_published > 0;
CREATE INDEX mentions_own_4 ON mentions (owner, entity, post, published_at)
    WHERE own = 1 AND latest_published > 0;
