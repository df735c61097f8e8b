// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/post_json.h>
#include <bivouac/model/post_list.h>
#include <bivouac/model/post_words.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/post_lists.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/store/search.h>

#include <algorithm>
#include <optional>

#include "database.h"
#include "search_words.h"

namespace bivouac::store {

namespace {

constexpr int64_t kAtOnce = 100;            // in one job of the writer
constexpr int64_t kFewPosts = 500;          // of an entity: they leave the index one by one
constexpr size_t kNoteBytes = 4000;

// What the timeline shows (FeedQuery::for_person).
constexpr const char* kShown = R"(
    p.owner = :owner AND v.latest = 1 AND t.bookkeeping = 0
    AND (v.author = :me OR v.author IN (SELECT peer FROM relationships WHERE owner = :owner
         AND follower <> 'blocked' AND (following <> '' OR follower = 'approved'))))";

// A phrase for FTS5: words have no quotes in them, and a quote in a string is doubled anyway.
std::string quoted(const Wanted::Phrase& phrase)
{
    std::string out = "\"";
    for (size_t i = 0; i < phrase.words.size(); ++i) {
        out += i == 0 ? "" : " ";
        for (char c : phrase.words[i])
            out += c == '"' ? std::string("\"\"") : std::string(1, c);
    }
    return out + (phrase.is_prefix ? "\" *" : "\"");
}

std::string expression(const std::vector<Wanted::Phrase>& phrases, const std::string& column)
{
    std::string out;
    for (const auto& phrase : phrases)
        out += (out.empty() ? "" : " AND ") + column + quoted(phrase);
    return out;
}

Result<int64_t> row_of_self(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare("SELECT n.id FROM entities e JOIN names n ON n.entity = e.entity WHERE e.id = :id");
    select.bind(":id", owner);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

struct Row {
    int64_t post;
    int64_t version;
};

// Rows of one page and one more.
Result<std::vector<Row>> read_rows(ReadTx& tx, int64_t owner, const Wanted& wanted, const SearchPage& page)
{
    const bool by_words = !wanted.phrases.empty();
    const bool closest = page.order == FoundOrder::Closest && by_words;
    const bool upwards = !closest && page.after > 0;
    const char* row = by_words ? "s.rowid" : "s.post";
    std::string sql = std::string("SELECT p.id AS id, v.id AS version") + (closest ? ", closeness(search_index) AS score" : "");
    sql += by_words ? " FROM search_index s CROSS JOIN posts p ON p.id = s.rowid" : " FROM search_tags s CROSS JOIN posts p ON p.id = s.post";
    sql += " CROSS JOIN versions v ON v.id = p.indexed CROSS JOIN types t ON t.id = v.type WHERE ";
    sql += by_words ? "search_index MATCH :match" : "s.owner = :owner AND s.tag = :tag0";
    for (size_t i = by_words ? 0 : 1; i < wanted.tags.size(); ++i)
        sql += " AND EXISTS (SELECT 1 FROM search_tags g WHERE g.owner = :owner AND g.tag = :tag" + std::to_string(i) + " AND g.post = p.id)";
    sql += std::string(" AND ") + kShown;
    if (!closest && page.before > 0)
        sql += std::string(" AND ") + row + " < :before";
    if (upwards)
        sql += std::string(" AND ") + row + " > :after";
    sql += std::string(" ORDER BY ") + row + (upwards ? " ASC" : " DESC") + (closest ? " LIMIT :sorted" : " LIMIT :limit");
    if (closest)
        sql = "SELECT id, version FROM (" + sql + ") ORDER BY score DESC, id DESC LIMIT :limit OFFSET :skip";
    auto select = tx.prepare(sql);
    select.bind(":owner", owner).bind(":me", TRY(row_of_self(tx, owner))).bind(":limit", page.limit + 1);
    if (by_words)
        select.bind(":match", "owner : \"o" + std::to_string(owner) + "\" AND " + expression(wanted.phrases, "words : "));
    for (size_t i = 0; i < wanted.tags.size(); ++i)
        select.bind((":tag" + std::to_string(i)).c_str(), wanted.tags[i]);
    if (!closest && page.before > 0)
        select.bind(":before", page.before);
    if (upwards)
        select.bind(":after", page.after);
    if (closest)
        select.bind(":sorted", kSortedByCloseness).bind(":skip", page.skip);
    std::vector<Row> out;
    while (TRY(select.step()))
        out.push_back({select.integer(0), select.integer(1)});
    return out;
}

// --- indexing

struct Indexed {
    int64_t owner = 0;
    int64_t version = 0;  // that is in the index; 0: none
    int64_t latest = 0;   // that should be
};

Result<void> take_out(WriteTx& tx, int64_t post, const Indexed& state)
{
    auto remove = tx.prepare(R"(
        INSERT INTO search_index (search_index, rowid, owner, words)
        SELECT 'delete', :post, 'o' || :owner, search_words(body) FROM bodies WHERE version = :version)");
    TRY(remove.bind(":post", post).bind(":owner", state.owner).bind(":version", state.version).run());
    return tx.prepare("DELETE FROM search_tags WHERE post = :post").bind(":post", post).run();
}

// The names of the tag posts that it mentions, beside those in its text.
Result<std::vector<std::string>> tags_of(WriteTx& tx, int64_t owner, const Post& post)
{
    auto tags = tags_of_post(post);
    for (const auto& mention : post.mentions) {
        if (mention.post.empty() || !mention.type.starts_with(type::kTagBase) || tags.size() >= kTagsOfPost)
            continue;
        const int64_t version = TRY(find_version(tx, owner, post.mention_entity(mention), mention.post, ""));
        if (version == 0)
            continue;
        if (auto tag = TRY(load_version(tx, version)))
            for (auto& name : tags_of_post(*tag))
                tags.push_back(std::move(name));
    }
    return tags;
}

Result<void> index_post(WriteTx& tx, int64_t post)
{
    Indexed state;
    {
        auto select = tx.prepare(R"(
            SELECT p.owner, p.indexed, coalesce((SELECT v.id FROM versions v JOIN types t ON t.id = v.type
                WHERE v.post = p.id AND v.latest = 1 AND t.bookkeeping = 0 LIMIT 1), 0) FROM posts p WHERE p.id = :post)");
        select.bind(":post", post);
        if (!TRY(select.step()))
            return {};
        state = {select.integer(0), select.integer(1), select.integer(2)};
    }
    if (state.version == state.latest)
        return {};
    if (state.version != 0)
        TRY(take_out(tx, post, state));
    if (state.latest != 0) {
        auto add = tx.prepare(R"(
            INSERT INTO search_index (rowid, owner, words)
            SELECT :post, 'o' || :owner, search_words(body) FROM bodies WHERE version = :version)");
        TRY(add.bind(":post", post).bind(":owner", state.owner).bind(":version", state.latest).run());
        if (auto version = TRY(load_version(tx, state.latest)))
            for (const auto& tag : TRY(tags_of(tx, state.owner, *version))) {
                const std::string folded = fold_tag(tag);
                if (folded.empty())
                    continue;
                auto insert = tx.prepare("INSERT OR IGNORE INTO search_tags VALUES (:owner, :tag, :post, :shown)");
                TRY(insert.bind(":owner", state.owner).bind(":tag", folded).bind(":post", post).bind(":shown", tag).run());
            }
    }
    return tx.prepare("UPDATE posts SET indexed = :version WHERE id = :post").bind(":version", state.latest).bind(":post", post).run();
}

Result<void> index_person(WriteTx& tx, int64_t owner, int64_t person)
{
    std::string entity, note;
    bool known = false;
    {
        auto select = tx.prepare(R"(
            SELECT n.entity, r.note, r.id IS NOT NULL OR EXISTS (SELECT 1 FROM versions v INDEXED BY versions_meta
                WHERE v.owner = :owner AND v.author = n.id AND v.meta = 1)
            FROM names n LEFT JOIN relationships r ON r.owner = :owner AND r.peer = n.id WHERE n.id = :person)");
        select.bind(":owner", owner).bind(":person", person);
        if (TRY(select.step())) {
            entity = select.text(0);
            note = select.text(1);
            known = select.integer(2) != 0;
        }
    }
    TRY(tx.prepare("DELETE FROM search_people WHERE owner = :owner AND person = :person").bind(":owner", owner).bind(":person", person).run());
    if (!known)
        return {};
    auto profiles = TRY(load_profiles(tx, owner, {entity}));
    const auto profile = profiles.find(entity);
    std::string words = entity;
    if (profile != profiles.end())
        words += "\n" + std::string(cut(profile->second.name, kNoteBytes));
    words += "\n" + std::string(cut(note, kNoteBytes));
    auto insert = tx.prepare("INSERT INTO search_people (owner, person, words) VALUES (:owner, :person, :words)");
    return insert.bind(":owner", owner).bind(":person", person).bind(":words", words).run();
}

}  // namespace

Result<FoundPosts> search_posts(ReadTx& tx, int64_t owner, const Wanted& wanted, const SearchPage& page)
{
    FoundPosts out;
    if (wanted.empty())
        return out;
    auto rows = TRY(read_rows(tx, owner, wanted, page));
    const bool more = static_cast<int64_t>(rows.size()) > page.limit;
    if (more)
        rows.pop_back();
    const bool closest = page.order == FoundOrder::Closest && !wanted.phrases.empty();
    if (!closest && page.after > 0)
        std::reverse(rows.begin(), rows.end());
    auto any = [&](int64_t before, int64_t after) -> Result<bool> {
        SearchPage one;
        one.before = before;
        one.after = after;
        one.limit = 0;
        return !TRY(read_rows(tx, owner, wanted, one)).empty();
    };
    if (closest) {
        out.older = more;
        out.newer = page.skip > 0;
    } else if (!rows.empty()) {
        out.older = page.after > 0 ? TRY(any(rows.back().post, 0)) : more;
        out.newer = page.after > 0 ? more : page.before > 0 && TRY(any(0, rows.front().post));
    }
    for (const auto& row : rows)
        if (auto post = TRY(load_version(tx, row.version)))
            out.posts.push_back({row.post, std::move(*post)});
    return out;
}

Result<std::vector<FoundPerson>> search_people(ReadTx& tx, int64_t owner, const Wanted& wanted, int64_t limit, int64_t skip)
{
    std::vector<FoundPerson> out;
    if (wanted.phrases.empty())
        return out;
    {
        auto select = tx.prepare(R"(
            SELECT n.entity, coalesce(r.note, ''), coalesce(r.follower, ''), coalesce(r.following, '')
            FROM search_people_index s CROSS JOIN search_people w ON w.id = s.rowid JOIN names n ON n.id = w.person
            LEFT JOIN relationships r ON r.owner = w.owner AND r.peer = w.person
            WHERE search_people_index MATCH :match AND w.owner = :owner AND w.person <> :me
              AND coalesce(r.follower, '') <> 'blocked'
            ORDER BY s.rowid LIMIT :limit OFFSET :skip)");
        select.bind(":match", expression(wanted.phrases, ""))
            .bind(":owner", owner)
            .bind(":me", TRY(row_of_self(tx, owner)))
            .bind(":limit", limit)
            .bind(":skip", skip);
        while (TRY(select.step()))
            out.push_back({select.text(0), "", select.text(1), select.text(2), select.text(3)});
    }
    for (auto& person : out)
        if (auto profiles = TRY(load_profiles(tx, owner, {person.entity})); !profiles.empty())
            person.name = profiles.begin()->second.name;
    return out;
}

Result<std::vector<FoundTag>> search_tags(ReadTx& tx, int64_t owner, const Wanted& wanted, int64_t limit)
{
    std::string begin;
    if (!wanted.tags.empty())
        begin = wanted.tags.front();
    else if (!wanted.phrases.empty())
        for (const auto& word : wanted.phrases.front().words)
            begin += (begin.empty() ? "" : "_") + word;
    std::vector<FoundTag> out;
    if (begin.empty())
        return out;
    auto select = tx.prepare(std::string(R"(
        SELECT min(s.shown), count(*) AS posts FROM search_tags s CROSS JOIN posts p ON p.id = s.post
        CROSS JOIN versions v ON v.id = p.indexed CROSS JOIN types t ON t.id = v.type
        WHERE s.owner = :owner AND s.tag >= :begin AND s.tag < :end AND )") + kShown +
                             " GROUP BY s.tag ORDER BY posts DESC, s.tag LIMIT :limit");
    // No byte of UTF-8 is 0xff.
    select.bind(":owner", owner).bind(":begin", begin).bind(":end", begin + "\xff").bind(":me", TRY(row_of_self(tx, owner))).bind(":limit", limit);
    while (TRY(select.step()))
        out.push_back({select.text(0), select.integer(1)});
    return out;
}

Result<int64_t> count_waiting(ReadTx& tx)
{
    auto select = tx.prepare(R"(
        SELECT (SELECT coalesce(max(id), 0) FROM posts) - (SELECT posts_to FROM search_state) +
               (SELECT count(*) FROM search_queue WHERE post <= (SELECT posts_to FROM search_state)) +
               (SELECT count(*) FROM search_people_queue))");
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

Result<void> index_some(WriteTx& tx, int64_t most)
{
    std::vector<std::pair<int64_t, int64_t>> people;
    {
        auto select = tx.prepare("SELECT owner, person FROM search_people_queue LIMIT :most");
        select.bind(":most", most);
        while (TRY(select.step()))
            people.emplace_back(select.integer(0), select.integer(1));
    }
    for (const auto& [owner, person] : people) {
        TRY(index_person(tx, owner, person));
        TRY(tx.prepare("DELETE FROM search_people_queue WHERE owner = :owner AND person = :person").bind(":owner", owner).bind(":person", person).run());
    }
    most -= static_cast<int64_t>(people.size());
    std::vector<int64_t> posts;
    for (const char* sql : {"SELECT post FROM search_queue ORDER BY post LIMIT :most",
                            "SELECT id FROM posts WHERE id > (SELECT posts_to FROM search_state) ORDER BY id LIMIT :most"}) {
        posts.clear();
        {
            auto select = tx.prepare(sql);
            select.bind(":most", std::max<int64_t>(most, 0));
            while (TRY(select.step()))
                posts.push_back(select.integer(0));
        }
        for (const int64_t post : posts) {
            TRY(index_post(tx, post));
            TRY(tx.prepare("DELETE FROM search_queue WHERE post = :post").bind(":post", post).run());
        }
        most -= static_cast<int64_t>(posts.size());
    }
    if (!posts.empty())
        TRY(tx.prepare("UPDATE search_state SET posts_to = :to WHERE posts_to < :to").bind(":to", posts.back()).run());
    return {};
}

Result<int64_t> index_waiting(Store& store, std::chrono::milliseconds patience)
{
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
        const int64_t left = TRY(store.read([](ReadTx& tx) { return count_waiting(tx); }));
        if (left == 0 || std::chrono::steady_clock::now() >= until)
            return left;
        for (int64_t done = 0; done < left && std::chrono::steady_clock::now() < until; done += kAtOnce)
            TRY(store.write([](WriteTx& tx) -> Result<bool> {
                TRY(index_some(tx, kAtOnce));
                return true;
            }));
    }
}

Result<void> check_words_version(Database& database)
{
    const int64_t made_by = TRY(database.integer("SELECT words_version FROM search_state"));
    if (made_by == kWordsVersion)
        return {};
    const std::string now = "UPDATE search_state SET words_version = " + std::to_string(kWordsVersion);
    if (made_by == 0)
        return database.execute(now);
    return database.execute("BEGIN IMMEDIATE; INSERT INTO search_index (search_index) VALUES ('delete-all');"
                            "UPDATE posts SET indexed = 0 WHERE indexed <> 0; UPDATE search_state SET posts_to = 0;" +
                            now + "; COMMIT");
}

Result<int64_t> newest_post_row(ReadTx& tx)
{
    auto select = tx.prepare("SELECT coalesce(max(id), 0) FROM posts");
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

Result<void> forget_before_removal(WriteTx& tx, int64_t owner)
{
    auto count = tx.prepare("SELECT count(*) FROM (SELECT 1 FROM posts WHERE owner = :owner LIMIT :few)");
    count.bind(":owner", owner).bind(":few", kFewPosts + 1);
    if (!TRY(count.step()) || count.integer(0) <= kFewPosts)
        return {};
    // What belongs to others comes back afterwards.
    TRY(tx.prepare("INSERT INTO search_index (search_index) VALUES ('delete-all')").run());
    TRY(tx.prepare("UPDATE posts SET indexed = 0 WHERE indexed <> 0").run());
    return tx.prepare("UPDATE search_state SET posts_to = 0").run();
}

}  // namespace bivouac::store
