-- Search. The index holds no text: what is taken out of it is made once more of the post (search_words(), by
-- store/search_words.h), so posts.indexed says of which version its words are; 0: of none. Secure-delete: words of a post
-- that is deleted leave the index at once, not when a merge comes by.
--
-- Storing a new post costs nothing here: posts after search_state.posts_to are yet to be indexed, and so are those in
-- search_queue. store/search.h does it, when nobody writes or before a search.
ALTER TABLE posts ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;

-- owner: "o" and its row, so that a search reads lists of its own entity only.
CREATE VIRTUAL TABLE search_index USING fts5(owner, words, content='', tokenize='bivouac');
INSERT INTO search_index (search_index, rank) VALUES ('secure-delete', 1);

CREATE TABLE search_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    posts_to INTEGER NOT NULL,      -- posts up to this row were looked at
    words_version INTEGER NOT NULL  -- kWordsVersion of model/post_words.h; 0: of none yet
) STRICT;
INSERT INTO search_state VALUES (1, 0, 0);

CREATE TABLE search_queue (
    post INTEGER PRIMARY KEY REFERENCES posts ON DELETE CASCADE
) STRICT;

CREATE TABLE search_tags (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    tag TEXT NOT NULL,    -- folded
    post INTEGER NOT NULL REFERENCES posts ON DELETE CASCADE,
    shown TEXT NOT NULL,  -- as it was written
    PRIMARY KEY (owner, tag, post)
) STRICT, WITHOUT ROWID;
CREATE INDEX search_tags_of ON search_tags (post);

CREATE TABLE search_people (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES names,
    words TEXT NOT NULL,  -- address, display name, note of her wish to follow
    UNIQUE (owner, person)
) STRICT;
CREATE VIRTUAL TABLE search_people_index USING fts5(words, content='search_people', content_rowid='id', tokenize='bivouac');
INSERT INTO search_people_index (search_people_index, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER search_person_added AFTER INSERT ON search_people BEGIN
    INSERT INTO search_people_index (rowid, words) VALUES (NEW.id, NEW.words);
END;
CREATE TRIGGER search_person_gone AFTER DELETE ON search_people BEGIN
    INSERT INTO search_people_index (search_people_index, rowid, words) VALUES ('delete', OLD.id, OLD.words);
END;
CREATE TRIGGER search_person_changed AFTER UPDATE ON search_people BEGIN
    INSERT INTO search_people_index (search_people_index, rowid, words) VALUES ('delete', OLD.id, OLD.words);
    INSERT INTO search_people_index (rowid, words) VALUES (NEW.id, NEW.words);
END;

CREATE TABLE search_people_queue (
    owner INTEGER NOT NULL REFERENCES entities ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES names,
    PRIMARY KEY (owner, person)
) STRICT, WITHOUT ROWID;
INSERT INTO search_people_queue
SELECT owner, peer FROM relationships UNION SELECT owner, author FROM versions WHERE meta = 1;

-- (Not INSERT OR IGNORE: in a trigger the statement that fires it decides about conflicts.)

-- The newest version is another one.
CREATE TRIGGER search_other_version AFTER UPDATE OF latest ON versions WHEN NEW.latest = 1 AND OLD.latest <> 1 BEGIN
    INSERT INTO search_queue SELECT NEW.post WHERE NOT EXISTS (SELECT 1 FROM search_queue WHERE post = NEW.post);
END;

-- What is indexed goes.
CREATE TRIGGER search_version_gone BEFORE DELETE ON versions
WHEN OLD.id = (SELECT indexed FROM posts WHERE id = OLD.post) BEGIN
    INSERT INTO search_index (search_index, rowid, owner, words)
        SELECT 'delete', OLD.post, 'o' || OLD.owner, search_words(body) FROM bodies WHERE version = OLD.id;
    DELETE FROM search_tags WHERE post = OLD.post;
    UPDATE posts SET indexed = 0 WHERE id = OLD.post;
    INSERT INTO search_queue SELECT OLD.post WHERE NOT EXISTS (SELECT 1 FROM search_queue WHERE post = OLD.post);
END;
CREATE TRIGGER search_post_gone BEFORE DELETE ON posts WHEN OLD.indexed <> 0 BEGIN
    INSERT INTO search_index (search_index, rowid, owner, words)
        SELECT 'delete', OLD.id, 'o' || OLD.owner, search_words(body) FROM bodies WHERE version = OLD.indexed;
END;
-- Rows that are free are used again: a new post must not be taken for one that was looked at.
CREATE TRIGGER search_last_post_gone AFTER DELETE ON posts
WHEN OLD.id <= (SELECT posts_to FROM search_state) AND OLD.id > (SELECT coalesce(max(id), 0) FROM posts) BEGIN
    UPDATE search_state SET posts_to = (SELECT coalesce(max(id), 0) FROM posts);
END;

-- A version that comes to another post (a move), or whose text is another one.
CREATE TRIGGER search_version_moved BEFORE UPDATE OF post ON versions WHEN NEW.post <> OLD.post BEGIN
    INSERT INTO search_index (search_index, rowid, owner, words)
        SELECT 'delete', p.id, 'o' || p.owner, search_words(b.body) FROM posts p JOIN bodies b ON b.version = p.indexed
        WHERE p.id = OLD.post AND p.indexed = OLD.id;
    DELETE FROM search_tags WHERE post = OLD.post AND EXISTS (SELECT 1 FROM posts WHERE id = OLD.post AND indexed = OLD.id);
    UPDATE posts SET indexed = 0 WHERE id = OLD.post AND indexed = OLD.id;
    INSERT INTO search_queue SELECT OLD.post WHERE NOT EXISTS (SELECT 1 FROM search_queue WHERE post = OLD.post);
    INSERT INTO search_queue SELECT NEW.post WHERE NOT EXISTS (SELECT 1 FROM search_queue WHERE post = NEW.post);
END;
CREATE TRIGGER search_body_changed BEFORE UPDATE OF body ON bodies
WHEN EXISTS (SELECT 1 FROM versions v JOIN posts p ON p.id = v.post WHERE v.id = OLD.version AND p.indexed = v.id)
    AND search_words(OLD.body) <> search_words(NEW.body) BEGIN
    INSERT INTO search_index (search_index, rowid, owner, words)
        SELECT 'delete', v.post, 'o' || v.owner, search_words(OLD.body) FROM versions v WHERE v.id = OLD.version;
    UPDATE posts SET indexed = 0 WHERE id = (SELECT post FROM versions WHERE id = OLD.version);
    INSERT INTO search_queue SELECT post FROM versions WHERE id = OLD.version AND post NOT IN (SELECT post FROM search_queue);
END;

-- People: their notes, and their profiles, which are meta posts.
CREATE TRIGGER search_relationship_added AFTER INSERT ON relationships BEGIN
    INSERT INTO search_people_queue SELECT NEW.owner, NEW.peer
        WHERE NOT EXISTS (SELECT 1 FROM search_people_queue WHERE owner = NEW.owner AND person = NEW.peer);
END;
CREATE TRIGGER search_relationship_changed AFTER UPDATE OF peer, note ON relationships
WHEN NEW.peer <> OLD.peer OR NEW.note <> OLD.note BEGIN
    INSERT INTO search_people_queue SELECT OLD.owner, OLD.peer
        WHERE NOT EXISTS (SELECT 1 FROM search_people_queue WHERE owner = OLD.owner AND person = OLD.peer);
    INSERT INTO search_people_queue SELECT NEW.owner, NEW.peer
        WHERE NOT EXISTS (SELECT 1 FROM search_people_queue WHERE owner = NEW.owner AND person = NEW.peer);
END;
CREATE TRIGGER search_relationship_gone AFTER DELETE ON relationships
WHEN EXISTS (SELECT 1 FROM entities WHERE id = OLD.owner) BEGIN
    DELETE FROM search_people WHERE owner = OLD.owner AND person = OLD.peer;
    INSERT INTO search_people_queue SELECT OLD.owner, OLD.peer
        WHERE NOT EXISTS (SELECT 1 FROM search_people_queue WHERE owner = OLD.owner AND person = OLD.peer);
END;
CREATE TRIGGER search_profile_added AFTER INSERT ON versions WHEN NEW.meta = 1 BEGIN
    INSERT INTO search_people_queue SELECT NEW.owner, NEW.author
        WHERE NOT EXISTS (SELECT 1 FROM search_people_queue WHERE owner = NEW.owner AND person = NEW.author);
END;
CREATE TRIGGER search_profile_moved AFTER UPDATE OF author ON versions WHEN NEW.meta = 1 AND NEW.author <> OLD.author BEGIN
    INSERT INTO search_people_queue SELECT OLD.owner, OLD.author
        WHERE NOT EXISTS (SELECT 1 FROM search_people_queue WHERE owner = OLD.owner AND person = OLD.author);
    INSERT INTO search_people_queue SELECT NEW.owner, NEW.author
        WHERE NOT EXISTS (SELECT 1 FROM search_people_queue WHERE owner = NEW.owner AND person = NEW.author);
END;
CREATE TRIGGER search_profile_gone AFTER DELETE ON versions
WHEN OLD.meta = 1 AND EXISTS (SELECT 1 FROM entities WHERE id = OLD.owner) BEGIN
    DELETE FROM search_people WHERE owner = OLD.owner AND person = OLD.author;
    INSERT INTO search_people_queue SELECT OLD.owner, OLD.author
        WHERE NOT EXISTS (SELECT 1 FROM search_people_queue WHERE owner = OLD.owner AND person = OLD.author);
END;
