// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/posts.h>

#include <algorithm>
#include <list>
#include <map>
#include <unordered_map>

#include "feed_sql.h"

namespace bivouac::store {

namespace {

// A version id without the prefix of one with it, and the other way round: old servers write none, and ids are kept
// as they came (section 3.1). Empty for no id.
std::string other_form(std::string_view version_id)
{
    const std::string_view prefix = kDigestPrefix;
    if (version_id.empty())
        return {};
    return version_id.starts_with(prefix) ? std::string(version_id.substr(prefix.size()))
                                          : std::string(prefix) + std::string(version_id);
}

Result<int64_t> type_id(WriteTx& tx, const std::string& base)
{
    auto select = tx.prepare("SELECT id FROM types WHERE base = :base");
    select.bind(":base", base);
    if (TRY(select.step()))
        return select.integer(0);
    auto insert = tx.prepare("INSERT INTO types (base, bookkeeping) VALUES (:base, :bookkeeping)");
    TRY(insert.bind(":base", base).bind(":bookkeeping", is_bookkeeping(base)).run());
    return tx.last_insert_id();
}

struct PostRow {
    int64_t id = 0;
    bool is_new = false;
    int64_t author = 0;
    int64_t published_at = 0;
    int64_t received_at = 0;
};

Result<PostRow> find_or_add_post(WriteTx& tx, int64_t owner, const Post& post)
{
    PostRow row;
    row.author = TRY(name_id(tx, post.entity));
    auto select = tx.prepare(R"(
        SELECT id, published_at, received_at FROM posts
        WHERE owner = :owner AND author = :author AND public_id = :id)");
    select.bind(":owner", owner).bind(":author", row.author).bind(":id", post.id);
    if (TRY(select.step())) {
        row.id = select.integer(0);
        row.published_at = select.integer(1);
        row.received_at = select.integer(2);
        return row;
    }
    auto insert = tx.prepare(R"(
        INSERT INTO posts (owner, author, public_id, published_at, received_at)
        VALUES (:owner, :author, :id, :published_at, :received_at))");
    TRY(insert.bind(":owner", owner)
            .bind(":author", row.author)
            .bind(":id", post.id)
            .bind(":published_at", post.published_at)
            .bind(":received_at", post.received_at)
            .run());
    row.id = tx.last_insert_id();
    row.is_new = true;
    row.published_at = post.published_at;
    row.received_at = post.received_at;
    return row;
}

// Which versions feeds can show (section 2.6): sql/0002_feeds.sql says what the numbers mean.
Result<void> mark_latest(WriteTx& tx, int64_t post_row)
{
    for (const char* sql : kVersionUpdates)
        TRY(tx.prepare(sql).bind(":post", post_row).run());
    auto newest = tx.prepare(R"(
        UPDATE posts SET newest = coalesce((SELECT v.id FROM versions v WHERE v.post = :post AND v.latest = 1
            AND v.latest_published = 1), 0) WHERE id = :post)");
    return newest.bind(":post", post_row).run();
}

// The same after a new version, at once in the usual case: it is newer than the newest by both times, of the same type
// and as public, so it takes over all that one stood for. Posts of apps can have very many versions.
Result<void> mark_new_version(WriteTx& tx, int64_t post_row, int64_t version)
{
    auto select = tx.prepare(R"(
        SELECT n.id, n.public = 0 AND (EXISTS (SELECT 1 FROM version_entities e WHERE e.version = n.id)
                                       OR EXISTS (SELECT 1 FROM version_groups g WHERE g.version = n.id))
        FROM posts p JOIN versions n ON n.id = p.newest AND n.post = p.id JOIN versions v ON v.id = :version
        WHERE p.id = :post AND n.latest = 1 AND n.latest_published = 1
          AND v.type = n.type AND v.fragment = n.fragment AND v.public = n.public
          AND (v.received_at, v.version_id) > (n.received_at, n.version_id)
          AND (v.published_at, v.version_id) > (n.published_at, n.version_id))");
    select.bind(":post", post_row).bind(":version", version);
    if (!TRY(select.step()))
        return mark_latest(tx, post_row);
    const int64_t before = select.integer(0);
    const int64_t left = select.integer(1) != 0 ? 2 : 0;  // some may still see it who may not see the new one
    for (auto [row, rank] : {std::pair(before, left), std::pair(version, int64_t(1))})
        for (const char* sql : {"UPDATE versions SET latest = :rank, latest_published = :rank WHERE id = :row",
                                "UPDATE mentions SET latest = :rank, latest_published = :rank WHERE version = :row"})
            TRY(tx.prepare(sql).bind(":rank", rank).bind(":row", row).run());
    return tx.prepare("UPDATE posts SET newest = :version WHERE id = :post")
        .bind(":version", version)
        .bind(":post", post_row)
        .run();
}

// One row a key: table mentions in sql/0002_feeds.sql.
Result<void> insert_mentions(WriteTx& tx, int64_t version, const Post& post)
{
    struct Seen {
        bool is_public = false;
        bool hidden = false;
    };
    std::map<std::pair<std::string, std::string>, Seen> keys;
    for (const auto& m : post.mentions)
        for (const auto& target : {std::string(), m.post}) {
            Seen& seen = keys[{post.mention_entity(m), target}];
            (m.is_public ? seen.is_public : seen.hidden) = true;
        }
    for (const auto& [key, seen] : keys) {
        auto insert = tx.prepare(R"(
            INSERT INTO mentions
            SELECT v.id, :entity, :post, v.owner,
                   n.entity = (SELECT e.entity FROM entities e WHERE e.id = v.owner), :public, :hidden, v.latest,
                   v.latest_published, v.post_received_at, v.post_published_at, v.received_at, v.published_at
            FROM versions v JOIN names n ON n.id = v.author WHERE v.id = :version)");
        TRY(insert.bind(":entity", TRY(name_id(tx, key.first)))
                .bind(":post", key.second)
                .bind(":public", seen.is_public)
                .bind(":hidden", seen.hidden)
                .bind(":version", version)
                .run());
    }
    return {};
}

Result<void> insert_lists(WriteTx& tx, int64_t version, const Post& post)
{
    TRY(insert_mentions(tx, version, post));
    int64_t position = 0;
    for (const auto& p : post.version.parents) {
        auto insert = tx.prepare("INSERT INTO parents VALUES (:version, :position, :entity, :post, :parent)");
        TRY(insert.bind(":version", version)
                .bind(":position", position++)
                .bind(":entity", TRY(name_id(tx, p.entity.empty() ? post.entity : p.entity)))
                .bind(":post", p.post.empty() ? post.id : p.post)
                .bind(":parent", p.version)
                .run());
    }
    position = 0;
    for (const auto& a : post.attachments) {
        auto insert = tx.prepare(R"(
            INSERT INTO version_attachments
            VALUES (:version, :position, :category, :content_type, :name, :digest, :size))");
        TRY(insert.bind(":version", version)
                .bind(":position", position++)
                .bind(":category", a.category)
                .bind(":content_type", a.content_type)
                .bind(":name", a.name)
                .bind(":digest", a.digest)
                .bind(":size", a.size)
                .run());
    }
    for (const auto& entity : post.permissions.entities) {
        auto insert = tx.prepare("INSERT OR IGNORE INTO version_entities VALUES (:version, :entity)");
        TRY(insert.bind(":version", version).bind(":entity", TRY(name_id(tx, entity))).run());
    }
    for (const auto& group : post.permissions.groups) {
        auto insert = tx.prepare("INSERT OR IGNORE INTO version_groups VALUES (:version, :post)");
        TRY(insert.bind(":version", version).bind(":post", group).run());
    }
    return {};
}

// The row, 0 when there is none, or when she may not see it.
Result<int64_t> find_readable(ReadTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                              std::string_view version_id, const Viewer& viewer)
{
    Sql sql = TRY(visible_condition(tx, owner, viewer));
    sql.text = R"(
        SELECT v.id FROM names n JOIN posts p ON p.owner = :owner AND p.author = n.id AND p.public_id = :post
        JOIN versions v ON v.post = p.id
        WHERE n.entity = :author AND (:version = '' OR v.version_id IN (:version, :other)) AND )" +
               sql.text + " ORDER BY v.received_at DESC, v.version_id DESC LIMIT 1";
    Statement select = sql.prepare(tx);
    select.bind(":owner", owner).bind(":author", author).bind(":post", post_id).bind(":version", version_id);
    select.bind(":other", other_form(version_id));
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

struct PageRows {
    std::vector<int64_t> versions;  // newest first
    FeedEnds ends;
};

// Is there anything beyond, within the filters? (section 4.2, `pages`)
Result<bool> exists(ReadTx& tx, int64_t owner, FeedQuery probe, const Viewer& viewer,
                    std::optional<Cursor> newer_than, std::optional<Cursor> older_than)
{
    probe.limit = 1;
    probe.since.reset();
    probe.until = std::move(newer_than);
    probe.before = std::move(older_than);
    FeedSql feed = TRY(feed_select(tx, owner, probe, viewer));
    return feed.sql.prepare(tx).step();
}

Result<PageRows> read_page(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer)
{
    FeedSql feed = TRY(feed_select(tx, owner, query, viewer));
    Statement select = feed.sql.prepare(tx);
    PageRows page;
    bool more = false;
    while (TRY(select.step())) {
        if (page.versions.size() == static_cast<size_t>(query.limit)) {
            more = true;
            break;
        }
        Cursor at{select.integer(0), select.text(1)};
        if (page.versions.empty())
            page.ends.first = at;
        page.ends.last = std::move(at);
        page.versions.push_back(select.integer(2));
    }
    page.ends.empty = page.versions.empty();
    if (page.ends.empty)
        return page;
    if (feed.ascending) {
        std::reverse(page.versions.begin(), page.versions.end());
        std::swap(page.ends.first, page.ends.last);
    }
    page.ends.older = !feed.ascending && more;
    if (feed.ascending || query.until)
        page.ends.older = TRY(exists(tx, owner, query, viewer, {}, page.ends.last));
    page.ends.newer = feed.ascending && more;
    if (!page.ends.newer && query.before)
        page.ends.newer = TRY(exists(tx, owner, query, viewer, page.ends.first, {}));
    return page;
}

constexpr const char* kTextColumns =
    "SELECT n.entity, p.public_id, coalesce(v.type_text, t.base || '#' || v.fragment), v.version_id, v.public, ";
constexpr const char* kTextFrom =
    " FROM versions v JOIN posts p ON p.id = v.post JOIN names n ON n.id = v.author JOIN types t ON t.id = v.type"
    " JOIN bodies b ON b.version = v.id WHERE v.id = :version";
constexpr const char* kHasHidden =
    "EXISTS (SELECT 1 FROM mentions m JOIN names x ON x.id = m.entity"
    " WHERE m.version = v.id AND m.post = '' AND m.hidden = 1 AND x.entity = :reader)";

Statement prepare_text(ReadTx& tx, const Audience& audience)
{
    // The sixth column is what is stored, the seventh whether it must still be cut for the reader.
    std::string columns = "b.body, 0";
    if (audience.kind == Audience::Kind::Public)
        columns = "coalesce(b.shown, b.body), b.shown IS NULL";
    if (audience.kind == Audience::Kind::Peer) {
        std::string cut = std::string("b.shown IS NULL OR ") + kHasHidden;
        columns = "CASE WHEN " + cut + " THEN b.body ELSE b.shown END, " + cut;
    }
    Statement select = tx.prepare(kTextColumns + columns + kTextFrom);
    if (audience.kind == Audience::Kind::Peer)
        select.bind(":reader", audience.entity);
    return select;
}

Result<std::optional<PostText>> read_text(Statement& select, int64_t version_row, const Audience& audience)
{
    select.bind(":version", version_row);
    if (!TRY(select.step()))
        return std::optional<PostText>();
    PostText out;
    out.version_row = version_row;
    out.author = select.text(0);
    out.id = select.text(1);
    out.type = select.text(2);
    out.version_id = select.text(3);
    out.is_public = select.integer(4) != 0;
    out.json = select.text(5);
    if (select.integer(6) != 0) {
        Post post = TRY(parse_post(out.json));
        out.json = write_post(post, audience);
    }
    return std::optional<PostText>(std::move(out));
}

}  // namespace

Result<void> order_versions(WriteTx& tx, int64_t post_row)
{
    return mark_latest(tx, post_row);
}

Result<int64_t> insert_version(WriteTx& tx, int64_t owner, const Post& post)
{
    TypeUri type = TRY(parse_type(post.type));
    PostRow row = TRY(find_or_add_post(tx, owner, post));
    if (!row.is_new && TRY(find_version(tx, owner, post.entity, post.id, post.version.id)) != 0)
        return fail(ErrorKind::Conflict, "this version is there already");
    auto insert = tx.prepare(R"(
        INSERT INTO versions (post, owner, author, version_id, type, fragment, post_published_at,
                              post_received_at, published_at, received_at, public, latest, latest_published,
                              type_text, meta)
        VALUES (:post, :owner, :author, :version_id, :type, :fragment, :post_published_at,
                :post_received_at, :published_at, :received_at, :public, :latest, :latest,
                nullif(:type_text, :usual_text), :meta))");
    TRY(insert.bind(":post", row.id)
            .bind(":owner", owner)
            .bind(":author", row.author)
            .bind(":version_id", post.version.id)
            .bind(":type", TRY(type_id(tx, type.base)))
            .bind(":fragment", type.fragment)
            .bind(":post_published_at", row.published_at)
            .bind(":post_received_at", row.received_at)
            .bind(":published_at", post.version.published_at)
            .bind(":received_at", post.version.received_at)
            .bind(":public", post.permissions.is_public)
            .bind(":latest", row.is_new)
            .bind(":type_text", post.type)
            .bind(":usual_text", type.base + "#" + type.fragment)
            .bind(":meta", type.base == type::kMetaBase)
            .run());
    int64_t version = tx.last_insert_id();
    auto body = tx.prepare("INSERT INTO bodies (version, body, shown) VALUES (:version, :body, :shown)");
    TRY(body.bind(":version", version)
            .bind(":body", write_post(post, Audience::owner()))
            .bind(":shown", write_post(post, Audience::everybody()))
            .run());
    TRY(insert_lists(tx, version, post));
    if (!row.is_new)
        TRY(mark_new_version(tx, row.id, version));
    return version;
}

Result<int64_t> find_version(ReadTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                             std::string_view version_id)
{
    auto select = tx.prepare(R"(
        SELECT v.id FROM names n JOIN posts p ON p.owner = :owner AND p.author = n.id AND p.public_id = :post
        JOIN versions v ON v.post = p.id
        WHERE n.entity = :author
            AND (v.version_id IN (:version, :other) OR (:version = '' AND v.latest = 1)))");
    select.bind(":owner", owner).bind(":author", author).bind(":post", post_id).bind(":version", version_id);
    select.bind(":other", other_form(version_id));
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

namespace {

// Posts that this thread has parsed of late, the newest first. To parse a page of posts costs more than all else that is
// done for it, and what is looked at is looked at again. A text always means the same post, so nobody has to say when
// one changes.
class Parsed {
public:
    Result<Post> parse(std::string text)
    {
        if (auto found = by_text_.find(text); found != by_text_.end()) {
            kept_.splice(kept_.begin(), kept_, found->second);
            return found->second->second;
        }
        Post post = TRY(parse_post(text));
        if (text.size() > kLargest)
            return post;
        bytes_ += text.size();
        kept_.emplace_front(std::move(text), post);
        by_text_.emplace(kept_.front().first, kept_.begin());
        while (bytes_ > kBytes) {
            bytes_ -= kept_.back().first.size();
            by_text_.erase(kept_.back().first);
            kept_.pop_back();
        }
        return post;
    }

private:
    static constexpr size_t kLargest = 16u << 10;
    static constexpr size_t kBytes = 256u << 10;  // of texts; the posts take some times that

    using Kept = std::list<std::pair<const std::string, Post>>;
    Kept kept_;
    std::unordered_map<std::string_view, Kept::iterator> by_text_;
    size_t bytes_ = 0;
};

Result<Post> parsed(std::string text)
{
    thread_local Parsed lately;
    return lately.parse(std::move(text));
}

}  // namespace

Result<std::optional<Post>> load_version(ReadTx& tx, int64_t version_row)
{
    auto select = tx.prepare("SELECT body FROM bodies WHERE version = :version");
    select.bind(":version", version_row);
    if (!TRY(select.step()))
        return std::optional<Post>();
    Post post = TRY(parsed(select.text(0)));
    return std::optional<Post>(std::move(post));
}

Result<std::optional<Post>> load_post(ReadTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                                      std::string_view version_id, const Viewer& viewer)
{
    return load_version(tx, TRY(find_readable(tx, owner, author, post_id, version_id, viewer)));
}

Result<std::optional<PostText>> load_version_text(ReadTx& tx, int64_t version_row, const Audience& audience)
{
    Statement select = prepare_text(tx, audience);
    return read_text(select, version_row, audience);
}

Result<std::optional<PostText>> load_post_text(ReadTx& tx, int64_t owner, std::string_view author,
                                               std::string_view post_id, std::string_view version_id,
                                               const Viewer& viewer, const Audience& audience)
{
    int64_t version = TRY(find_readable(tx, owner, author, post_id, version_id, viewer));
    return load_version_text(tx, version, audience);
}

Result<FeedPage> load_feed(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer)
{
    PageRows rows = TRY(read_page(tx, owner, query, viewer));
    FeedPage page;
    page.older = rows.ends.older;
    page.newer = rows.ends.newer;
    for (int64_t version : rows.versions)
        if (auto post = TRY(load_version(tx, version)))
            page.posts.push_back(std::move(*post));
    return page;
}

Result<FeedText> load_feed_text(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer,
                                const Audience& audience)
{
    PageRows rows = TRY(read_page(tx, owner, query, viewer));
    FeedText page;
    page.ends = std::move(rows.ends);
    page.posts.reserve(rows.versions.size());
    Statement select = prepare_text(tx, audience);
    for (int64_t version : rows.versions) {
        if (auto post = TRY(read_text(select, version, audience)))
            page.posts.push_back(std::move(*post));
        select.reset();
    }
    return page;
}

Result<std::map<std::string, int64_t>> count_types(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare(R"(
        SELECT t.base, (SELECT count(*) FROM versions v INDEXED BY versions_type_1
                        WHERE v.owner = :owner AND v.type = t.id AND v.latest > 0) AS count
        FROM types t WHERE count > 0)");
    select.bind(":owner", owner);
    std::map<std::string, int64_t> out;
    while (TRY(select.step()))
        out[select.text(0)] = select.integer(1);
    return out;
}

Result<int64_t> count_feed(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer)
{
    Sql sql = TRY(feed_count(tx, owner, query, viewer));
    Statement select = sql.prepare(tx);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

Result<bool> delete_post(WriteTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                         std::string_view version_id)
{
    int64_t author_id = TRY(name_id(tx, author));
    auto tombstone = tx.prepare("INSERT OR IGNORE INTO tombstones VALUES (:owner, :author, :post, :version)");
    TRY(tombstone.bind(":owner", owner)
            .bind(":author", author_id)
            .bind(":post", post_id)
            .bind(":version", version_id)
            .run());
    auto select = tx.prepare("SELECT id FROM posts WHERE owner = :owner AND author = :author AND public_id = :post");
    select.bind(":owner", owner).bind(":author", author_id).bind(":post", post_id);
    if (!TRY(select.step()))
        return false;
    int64_t post_row = select.integer(0);
    if (!version_id.empty()) {
        auto one = tx.prepare("DELETE FROM versions WHERE post = :post AND version_id IN (:version, :other)");
        TRY(one.bind(":post", post_row).bind(":version", version_id).bind(":other", other_form(version_id)).run());
        if (tx.changes() == 0)
            return false;
        TRY(mark_latest(tx, post_row));
        auto left = tx.prepare("SELECT 1 FROM versions WHERE post = :post LIMIT 1");
        left.bind(":post", post_row);
        if (TRY(left.step()))
            return true;
    }
    auto all = tx.prepare("DELETE FROM posts WHERE id = :post");
    TRY(all.bind(":post", post_row).run());
    return true;
}

Result<bool> is_deleted(ReadTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                        std::string_view version_id)
{
    auto select = tx.prepare(R"(
        SELECT 1 FROM tombstones t JOIN names n ON n.id = t.author
        WHERE t.owner = :owner AND n.entity = :author AND t.public_id = :post 
            AND t.version_id IN ('', :version, :other))");
    select.bind(":owner", owner).bind(":author", author).bind(":post", post_id).bind(":version", version_id);
    select.bind(":other", other_form(version_id));
    return select.step();
}

Result<std::vector<StoredVersion>> versions_after(ReadTx& tx, int64_t owner, int64_t last, int64_t limit)
{
    auto select = tx.prepare(
        "SELECT id, received_at FROM versions WHERE owner = :owner AND id > :last ORDER BY id LIMIT :limit");
    select.bind(":owner", owner).bind(":last", last).bind(":limit", limit);
    std::vector<StoredVersion> out;
    while (TRY(select.step()))
        out.push_back({select.integer(0), select.integer(1)});
    return out;
}

Result<int64_t> count_versions_by(ReadTx& tx, int64_t owner, std::string_view author)
{
    auto select = tx.prepare(R"(
        SELECT count(*) FROM names n JOIN posts p ON p.owner = :owner AND p.author = n.id
        JOIN versions v ON v.post = p.id WHERE n.entity = :author)");
    select.bind(":owner", owner).bind(":author", author);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

Result<int64_t> next_received_at(ReadTx& tx, int64_t owner)
{
    constexpr int64_t kFarMs = 10'000;  // imported posts say what they like
    int64_t newest = 0;
    for (int64_t is_public : {0, 1}) {
        auto select = tx.prepare(R"(
            SELECT max(received_at) FROM versions INDEXED BY versions_time_3
            WHERE owner = :owner AND public = :public AND latest > 0)");
        select.bind(":owner", owner).bind(":public", is_public);
        if (TRY(select.step()) && !select.is_null(0))
            newest = std::max(newest, select.integer(0));
    }
    return newest > tx.now_ms() + kFarMs ? tx.now_ms() : std::max(tx.now_ms(), newest + 1);
}

Result<std::optional<int64_t>> late_received_at(ReadTx& tx, int64_t owner, const Post& post)
{
    Json parents = Json::array();
    for (const auto& parent : post.version.parents)
        parents.push_back(parent.version);
    auto select = tx.prepare(R"(
        WITH RECURSIVE
          mine (id, version_id, published_at, received_at) AS MATERIALIZED (
            SELECT v.id, v.version_id, v.published_at, v.received_at
            FROM names n JOIN posts p ON p.owner = :owner AND p.author = n.id AND p.public_id = :post
            JOIN versions v ON v.post = p.id WHERE n.entity = :author),
          above (id, version_id) AS (
            SELECT m.id, m.version_id FROM parents p JOIN mine m ON m.id = p.version WHERE p.parent_version = :version
            UNION SELECT m.id, m.version_id FROM above a JOIN parents p ON p.parent_version = a.version_id
            JOIN mine m ON m.id = p.version),
          below (id) AS (
            SELECT m.id FROM mine m WHERE m.version_id IN (SELECT value FROM json_each(:parents))
            UNION SELECT m.id FROM below b JOIN parents p ON p.version = b.id
            JOIN mine m ON m.version_id = p.parent_version)
        SELECT min(received_at) FROM mine
        WHERE id IN (SELECT id FROM above)
           OR (published_at > :published_at AND id NOT IN (SELECT id FROM below)))");
    select.bind(":owner", owner)
        .bind(":author", post.entity)
        .bind(":post", post.id)
        .bind(":version", post.version.id)
        .bind(":published_at", post.version.published_at)
        .bind(":parents", parents.dump());
    if (!TRY(select.step()) || select.is_null(0))
        return std::optional<int64_t>();
    // When it was published is also the order of several that come late.
    return std::optional<int64_t>(std::max<int64_t>(0, std::min(select.integer(0) - 1, post.version.published_at)));
}

Result<void> add_group_member(WriteTx& tx, int64_t owner, std::string_view group_post, std::string_view member,
                              std::string_view member_post)
{
    auto insert = tx.prepare("INSERT OR REPLACE INTO group_members VALUES (:owner, :group, :member, :post)");
    return insert.bind(":owner", owner)
        .bind(":group", group_post)
        .bind(":member", TRY(name_id(tx, member)))
        .bind(":post", member_post)
        .run();
}

Result<std::string> remove_group_member(WriteTx& tx, int64_t owner, std::string_view group_post,
                                        std::string_view member)
{
    auto remove = tx.prepare(R"(
        DELETE FROM group_members WHERE owner = :owner AND group_post = :group
            AND member = (SELECT id FROM names WHERE entity = :member) RETURNING member_post)");
    remove.bind(":owner", owner).bind(":group", group_post).bind(":member", member);
    std::string post;
    while (TRY(remove.step()))
        post = remove.text(0);
    return post;
}

}  // namespace bivouac::store
