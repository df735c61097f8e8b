// SPDX-License-Identifier: BSD-3-Clause
#include "feed_sql.h"

#include <bivouac/model/protocol.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/relationships.h>

#include <algorithm>
#include <set>

namespace bivouac::store {

namespace {

// More walks than this are not merged: then all posts are walked by time and filtered.
constexpr size_t kFewWalks = 20;

Result<int64_t> find_type(ReadTx& tx, const std::string& base)
{
    auto select = tx.prepare("SELECT id FROM types WHERE base = :base");
    select.bind(":base", base);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

// "(v.type = :t0 AND v.fragment = :f0) OR v.type = :t1 ..."; "0" when nothing can match.
Result<std::string> types_condition(ReadTx& tx, Sql& sql, const std::vector<std::string>& selectors,
                                    const std::string& prefix)
{
    std::string out;
    size_t index = 0;
    for (const auto& selector : selectors) {
        TypeUri type = TRY(parse_type(selector));
        int64_t id = TRY(find_type(tx, type.base));
        if (id == 0)
            continue;
        std::string number = prefix + std::to_string(index++);
        out += (out.empty() ? "(v.type = :t" : " OR (v.type = :t") + number;
        sql.bind(":t" + number, id);
        if (type.has_fragment) {
            out += " AND v.fragment = :f" + number;
            sql.bind(":f" + number, type.fragment);
        }
        out += ")";
    }
    return out.empty() ? std::string("0") : "(" + out + ")";
}

Result<std::vector<int64_t>> type_rows(ReadTx& tx, const std::vector<std::string>& selectors)
{
    std::set<int64_t> out;
    for (const auto& selector : selectors) {
        if (selector == kAllTypes)
            continue;
        TypeUri type = TRY(parse_type(selector));
        if (int64_t id = TRY(find_type(tx, type.base)); id != 0)
            out.insert(id);
    }
    return std::vector<int64_t>(out.begin(), out.end());
}

Result<int64_t> self_row(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare("SELECT n.id FROM entities e JOIN names n ON n.entity = e.entity WHERE e.id = :id");
    select.bind(":id", owner);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

struct SortKey {
    const char* column;  // of versions and of mentions
    const char* latest;
    const char* number;  // of the indexes
};

SortKey key_of(FeedQuery::Sort sort)
{
    switch (sort) {
    case FeedQuery::Sort::ReceivedAt: return {"post_received_at", "latest", "1"};
    case FeedQuery::Sort::PublishedAt: return {"post_published_at", "latest_published", "2"};
    case FeedQuery::Sort::VersionReceivedAt: return {"received_at", "latest", "3"};
    case FeedQuery::Sort::VersionPublishedAt: return {"published_at", "latest_published", "4"};
    }
    return {"post_received_at", "latest", "1"};
}

const char* people_select(People people)
{
    switch (people) {
    case People::Followings: return "SELECT peer FROM relationships WHERE owner = :owner AND following <> ''";
    case People::Followers: return "SELECT peer FROM relationships WHERE owner = :owner AND follower = 'approved'";
    case People::Friends:
        return "SELECT peer FROM relationships WHERE owner = :owner AND following <> '' AND follower = 'approved'";
    }
    return "";
}

// Entities of a filter: rows of names, and words whose people are too many to name.
struct Names {
    std::vector<int64_t> rows;
    std::vector<People> crowds;

    bool empty() const { return rows.empty() && crowds.empty(); }
    bool few() const { return crowds.empty() && rows.size() <= kFewWalks; }
};

class FeedBuilder {
public:
    FeedBuilder(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer)
        : tx_(tx)
        , owner_(owner)
        , query_(query)
        , viewer_(viewer)
        , key_(key_of(query.sort))
    {
    }

    // The walks, joined, without order. Empty text: nothing can match.
    Result<Sql> build()
    {
        self_ = TRY(self_row(tx_, owner_));
        TRY(resolve_entities());
        TRY(resolve_mentions());
        types_ = TRY(type_rows(tx_, query_.types));
        // A condition that is plainly false would leave no use for the index that is named.
        if (nothing_ || (types_.empty() && !query_.types.empty()))
            return Sql();
        TRY(choose_walks());
        if (walks_.empty())
            return Sql();
        sql_.bind(":owner", owner_);
        std::string rest = TRY(residual());
        for (const auto& walk : walks_) {
            std::string time = walk.alias + "." + key_.column;
            sql_.text += sql_.text.empty() ? "" : by_mention_ ? " UNION " : " UNION ALL ";
            sql_.text += "SELECT " + time + " AS time, v.version_id AS version_id, v.id AS id FROM " + walk.from +
                         cursors(time) + rest;
        }
        bind_cursors();
        return std::move(sql_);
    }

private:
    struct Walk {
        std::string from;  // FROM and WHERE of the index
        std::string alias;
    };
    struct Item {
        int64_t entity = 0;
        std::string post;
    };
    struct Group {
        std::vector<Item> items;
        std::vector<People> crowds;
        bool few() const { return crowds.empty() && items.size() <= kFewWalks; }
        bool posts_only() const
        {
            return few() && std::all_of(items.begin(), items.end(), [](const Item& i) { return !i.post.empty(); });
        }
    };

    bool full() const { return viewer_.kind == Viewer::Kind::Everything || viewer_.kind == Viewer::Kind::Types; }

    Result<void> add_people(People people, Names& names)
    {
        if (!full())
            return {};
        auto select = tx_.prepare(std::string(people_select(people)) + " LIMIT :few");
        select.bind(":owner", owner_).bind(":few", int64_t(kFewWalks) + 1);
        std::vector<int64_t> rows;
        while (TRY(select.step()))
            rows.push_back(select.integer(0));
        if (rows.size() > kFewWalks)
            names.crowds.push_back(people);
        else
            names.rows.insert(names.rows.end(), rows.begin(), rows.end());
        return {};
    }

    Result<void> resolve_entities()
    {
        for (const auto& entity : query_.entities) {
            if (auto people = people_of(entity)) {
                TRY(add_people(*people, authors_));
                continue;
            }
            int64_t row = TRY(find_name(tx_, entity));
            if (row != 0)
                authors_.rows.push_back(row);
        }
        nothing_ = nothing_ || (viewer_.shut_out && viewer_.kind == Viewer::Kind::Anonymous);
        if (!full()) {
            // Strangers are shown our own posts only (section 4.2).
            bool own = query_.entities.empty() ||
                       std::find(authors_.rows.begin(), authors_.rows.end(), self_) != authors_.rows.end();
            authors_.rows = {self_};
            nothing_ = nothing_ || !own;
            return {};
        }
        std::sort(authors_.rows.begin(), authors_.rows.end());
        authors_.rows.erase(std::unique(authors_.rows.begin(), authors_.rows.end()), authors_.rows.end());
        nothing_ = nothing_ || (!query_.entities.empty() && authors_.empty());
        return {};
    }

    Result<void> resolve_mentions()
    {
        for (const auto& wanted : query_.mentions) {
            Group group;
            for (const auto& item : wanted) {
                Names names;
                if (auto people = people_of(item.entity))
                    TRY(add_people(*people, names));
                else if (int64_t row = TRY(find_name(tx_, item.entity)); row != 0)
                    names.rows.push_back(row);
                for (int64_t row : names.rows)
                    group.items.push_back({row, item.post});
                group.crowds.insert(group.crowds.end(), names.crowds.begin(), names.crowds.end());
            }
            nothing_ = nothing_ || (group.items.empty() && group.crowds.empty());
            groups_.push_back(std::move(group));
        }
        return {};
    }

    // Whether private versions can be visible at all: then a second walk goes over them.
    bool sees_private() const
    {
        return viewer_.kind != Viewer::Kind::Anonymous &&
               (viewer_.kind != Viewer::Kind::Types || !viewer_.types.empty());
    }

    void walk_versions(const char* index, const std::string& condition, bool is_public)
    {
        walks_.push_back({std::string("versions v INDEXED BY versions_") + index + "_" + key_.number +
                              " WHERE v.owner = :owner" + condition + " AND v.public = " +
                              (is_public ? "1" : "0") + " AND v." + key_.latest + " > 0",
                          "v"});
    }

    void walk_mentions(const Group& group)
    {
        by_mention_ = group.items.size() > 1;
        const bool published = std::string_view(key_.latest) == "latest_published";
        const bool own = !full() && published;
        for (size_t i = 0; i < group.items.size(); ++i) {
            std::string number = std::to_string(i);
            sql_.bind(":me" + number, group.items[i].entity);
            sql_.bind(":mp" + number, group.items[i].post);
            walks_.push_back({std::string("mentions m INDEXED BY mentions_") + (own ? "own_" : "target_") + key_.number +
                                  " CROSS JOIN versions v WHERE m.owner = :owner AND m.entity = :me" + number +
                                  " AND m.post = :mp" + number + (own ? " AND m.own = 1" : "") + " AND m." +
                                  key_.latest + " > 0 AND v.id = m.version" + mention_visible("m"),
                              "m"});
        }
    }

    void walk_authors()
    {
        for (size_t i = 0; i < authors_.rows.size(); ++i) {
            std::string name = ":author" + std::to_string(i);
            sql_.bind(name, authors_.rows[i]);
            walk_versions("author", " AND v.author = " + name, true);
            if (sees_private())
                walk_versions("author", " AND v.author = " + name, false);
        }
    }

    Result<void> walk_types(const std::vector<int64_t>& rows)
    {
        const bool all = viewer_.kind == Viewer::Kind::Everything ||
                         std::find(viewer_.types.begin(), viewer_.types.end(), kAllTypes) != viewer_.types.end();
        const auto granted = TRY(type_rows(tx_, viewer_.types));
        for (size_t i = 0; i < rows.size(); ++i) {
            std::string name = ":type" + std::to_string(i);
            sql_.bind(name, rows[i]);
            walk_versions("type", " AND v.type = " + name, true);
            if (all || std::find(granted.begin(), granted.end(), rows[i]) != granted.end())
                walk_versions("type", " AND v.type = " + name, false);
        }
        return {};
    }

    // An app that may read a few types: what is public, and the private posts of those types.
    Result<void> walk_by_time()
    {
        walk_versions("time", "", true);
        if (!sees_private())
            return {};
        const auto granted = TRY(type_rows(tx_, viewer_.types));
        const bool all = std::find(viewer_.types.begin(), viewer_.types.end(), kAllTypes) != viewer_.types.end();
        if (viewer_.kind != Viewer::Kind::Types || all || granted.size() > kFewWalks) {
            walk_versions("time", "", false);
            return {};
        }
        for (size_t i = 0; i < granted.size(); ++i) {
            std::string name = ":type" + std::to_string(i);
            sql_.bind(name, granted[i]);
            walk_versions("type", " AND v.type = " + name, false);
        }
        return {};
    }

    // What is likely the narrowest comes first.
    Result<void> choose_walks()
    {
        auto group = std::find_if(groups_.begin(), groups_.end(), [](const Group& g) { return g.posts_only(); });
        const bool published = std::string_view(key_.latest) == "latest_published";
        if (group == groups_.end() && !full() && published)
            group = std::find_if(groups_.begin(), groups_.end(), [](const Group& g) { return g.few(); });
        if (group == groups_.end() && (authors_.empty() || !authors_.few()))
            group = std::find_if(groups_.begin(), groups_.end(), [](const Group& g) { return g.few(); });
        if (group != groups_.end()) {
            walk_mentions(*group);
            driving_group_ = static_cast<size_t>(group - groups_.begin());
            return {};
        }
        if (!authors_.empty() && authors_.few()) {
            walk_authors();
            authors_ = {};
            return {};
        }
        if (!types_.empty() && types_.size() <= kFewWalks)
            return walk_types(types_);
        return walk_by_time();
    }

    // What the viewer may not see of mentions does not count for her.
    std::string mention_visible(const std::string& alias) const
    {
        if (viewer_.kind == Viewer::Kind::Anonymous)
            return " AND " + alias + ".public = 1";
        if (viewer_.kind == Viewer::Kind::Peer)
            return " AND (" + alias + ".public = 1 OR " + alias + ".entity = :viewer)";
        return "";
    }

    std::string authors_condition()
    {
        std::string list;
        for (size_t i = 0; i < authors_.rows.size(); ++i) {
            std::string name = ":author" + std::to_string(i);
            sql_.bind(name, authors_.rows[i]);
            list += (i == 0 ? "" : ", ") + name;
        }
        std::string out = "v.author IN (" + list + ")";
        for (People people : authors_.crowds)
            out += std::string(" OR v.author IN (") + people_select(people) + ")";
        return " AND (" + out + ")";
    }

    std::string mentions_condition(const Group& group, size_t number)
    {
        std::string any;
        for (size_t i = 0; i < group.items.size(); ++i) {
            std::string suffix = std::to_string(number) + "_" + std::to_string(i);
            sql_.bind(":ge" + suffix, group.items[i].entity);
            sql_.bind(":gp" + suffix, group.items[i].post);
            any += std::string(any.empty() ? "" : " OR ") + "(x.entity = :ge" + suffix + " AND x.post = :gp" + suffix + ")";
        }
        for (People people : group.crowds)
            any += std::string(any.empty() ? "" : " OR ") + "(x.post = '' AND x.entity IN (" + people_select(people) +
                   "))";
        return " AND EXISTS (SELECT 1 FROM mentions x WHERE x.version = v.id AND (" + any + ")" +
               mention_visible("x") + ")";
    }

    // The newest version that this viewer may see: it is the latest one, or every newer one is hidden.
    Result<std::string> newest_visible()
    {
        const std::string latest = key_.latest;
        if (viewer_.kind == Viewer::Kind::Everything)
            return " AND v." + latest + " = 1";
        Sql visible = TRY(visible_condition(tx_, owner_, viewer_, Place::Feed));
        for (auto& binding : visible.bindings)
            sql_.bindings.push_back(std::move(binding));
        return " AND " + visible.text + newest_condition(visible.text, latest);
    }

    Result<std::string> residual()
    {
        std::string out = TRY(newest_visible());
        if (!query_.types.empty())
            out += " AND " + TRY(types_condition(tx_, sql_, query_.types, "q"));
        if (query_.for_person) {
            sql_.bind(":me", self_);
            out += " AND v.type NOT IN (SELECT id FROM types WHERE bookkeeping = 1)"
                   " AND (v.author = :me OR v.author IN (SELECT peer FROM relationships WHERE owner = :owner"
                   " AND follower <> 'blocked' AND (following <> '' OR follower = 'approved')))";
        }
        if (full() && !authors_.empty())
            out += authors_condition();
        for (size_t i = 0; i < groups_.size(); ++i)
            if (driving_group_ != i)
                out += mentions_condition(groups_[i], i);
        return out;
    }

    std::string cursor(const std::string& time, const std::optional<Cursor>& at, const char* compare,
                       const std::string& name) const
    {
        if (!at)
            return "";
        if (at->version.empty())
            return " AND " + time + " " + compare + " :" + name + "_time";
        // The first half is for the index.
        return " AND " + time + " " + compare + "= :" + name + "_time AND (" + time + " " + compare + " :" + name +
               "_time OR v.version_id " + compare + " :" + name + "_version)";
    }

    std::string cursors(const std::string& time) const
    {
        return cursor(time, query_.since, ">", "since") + cursor(time, query_.until, ">", "until") +
               cursor(time, query_.before, "<", "before");
    }

    void bind_cursors()
    {
        for (auto [name, at] : {std::pair("since", &query_.since), std::pair("until", &query_.until),
                                std::pair("before", &query_.before)}) {
            if (!*at)
                continue;
            sql_.bind(std::string(":") + name + "_time", (*at)->time);
            if (!(*at)->version.empty())
                sql_.bind(std::string(":") + name + "_version", (*at)->version);
        }
    }

    ReadTx& tx_;
    int64_t owner_;
    const FeedQuery& query_;
    const Viewer& viewer_;
    SortKey key_;
    Sql sql_;
    int64_t self_ = 0;
    Names authors_;
    std::vector<int64_t> types_;
    std::vector<Group> groups_;
    std::vector<Walk> walks_;
    std::optional<size_t> driving_group_;
    bool by_mention_ = false;  // several walks over mentions can meet the same version
    bool nothing_ = false;
};

}  // namespace

const char* const kVersionUpdates[2] = {
    R"(
        WITH ranked AS (
            SELECT v.id,
                row_number() OVER (ORDER BY v.received_at DESC, v.version_id DESC) AS received,
                row_number() OVER (PARTITION BY v.public ORDER BY v.received_at DESC, v.version_id DESC)
                    AS received_open,
                row_number() OVER (PARTITION BY v.type, v.fragment ORDER BY v.received_at DESC, v.version_id DESC)
                    AS received_type,
                row_number() OVER (ORDER BY v.published_at DESC, v.version_id DESC) AS published,
                row_number() OVER (PARTITION BY v.public ORDER BY v.published_at DESC, v.version_id DESC)
                    AS published_open,
                row_number() OVER (PARTITION BY v.type, v.fragment ORDER BY v.published_at DESC, v.version_id DESC)
                    AS published_type,
                v.public AS open,
                v.public = 0 AND (EXISTS (SELECT 1 FROM version_entities e WHERE e.version = v.id)
                                  OR EXISTS (SELECT 1 FROM version_groups g WHERE g.version = v.id)) AS listed
            FROM versions v WHERE v.post = :post),
        r AS (
            SELECT id,
                CASE WHEN received = 1 THEN 1
                     WHEN (open AND received_open = 1) OR received_type = 1 OR listed THEN 2 ELSE 0 END AS a,
                CASE WHEN published = 1 THEN 1
                     WHEN (open AND published_open = 1) OR published_type = 1 OR listed THEN 2 ELSE 0 END AS b
            FROM ranked)
        UPDATE versions SET latest = r.a, latest_published = r.b FROM r
        WHERE r.id = versions.id AND versions.post = :post AND (latest <> r.a OR latest_published <> r.b))",
    R"(
        UPDATE mentions SET latest = v.latest, latest_published = v.latest_published FROM versions v
        WHERE v.post = :post AND v.id = mentions.version
          AND (mentions.latest <> v.latest OR mentions.latest_published <> v.latest_published))",
};

Statement Sql::prepare(ReadTx& tx) const
{
    Statement statement = tx.prepare(text);
    for (const auto& binding : bindings)
        binding(statement);
    return statement;
}

std::string newest_condition(const std::string& visible, const std::string& latest)
{
    const std::string time = latest == "latest" ? "received_at" : "published_at";
    std::string of_other = visible;
    for (size_t at = 0; (at = of_other.find("v.", at)) != std::string::npos; at += 2)
        of_other.replace(at, 1, "w");
    return " AND (v." + latest + " = 1 OR NOT EXISTS (SELECT 1 FROM versions w WHERE w.post = v.post AND w." + latest +
           " > 0 AND (w." + time + ", w.version_id) > (v." + time + ", v.version_id) AND " + of_other + "))";
}

namespace {

// What of ours everybody may see. Behind a sealed door it is where to ask: the newest public version of the meta post.
std::string open_to(const Viewer& viewer, Place place)
{
    if (viewer.shut_out && place == Place::Feed)
        return "v.public > 1";  // none
    return viewer.shut_out ? R"((v.public = 1 AND v.meta = 1 AND NOT EXISTS (SELECT 1 FROM versions y
            WHERE y.post = v.post AND y.public = 1 AND (y.received_at, y.version_id) > (v.received_at, v.version_id))))"
                           : "v.public = 1";
}

}  // namespace

Result<Sql> visible_condition(ReadTx& tx, int64_t owner, const Viewer& viewer, Place place)
{
    Sql sql;
    switch (viewer.kind) {
    case Viewer::Kind::Everything: sql.text = "1"; return sql;
    case Viewer::Kind::Types: {
        // Everything public, and private posts of these types; credentials only when named, never by "all"
        // (section 5.8).
        std::vector<std::string> selectors;
        bool all = false;
        for (const auto& selector : viewer.types) {
            if (selector == kAllTypes)
                all = true;
            else
                selectors.push_back(selector);
        }
        std::string types = TRY(types_condition(tx, sql, selectors, "a"));
        sql.text = "(v.public = 1 OR " + types;
        if (all) {
            sql.text += " OR v.type <> :credentials";
            sql.bind(":credentials", TRY(find_type(tx, type::kCredentialsBase)));
        }
        sql.text += ")";
        if (TRY(anybody_blocked(tx, owner))) {
            sql.text += " AND v.author NOT IN (SELECT peer FROM relationships WHERE owner = :blocker AND follower = 'blocked')";
            sql.bind(":blocker", owner);
        }
        return sql;
    }
    case Viewer::Kind::Peer: {
        sql.bind(":self", TRY(self_row(tx, owner)));
        sql.bind(":viewer", TRY(find_name(tx, viewer.entity)));
        sql.bind(":own_post", viewer.own_post);
        sql.text = "(v.author = :self AND (" + open_to(viewer, place) + R"(
            OR EXISTS (SELECT 1 FROM version_entities x WHERE x.version = v.id AND x.entity = :viewer)
            OR EXISTS (SELECT 1 FROM version_groups x CROSS JOIN group_members m ON m.owner = v.owner
                       AND m.group_post = x.group_post AND m.member = :viewer WHERE x.version = v.id)
            OR v.post IN (SELECT id FROM posts WHERE owner = v.owner AND author = :self AND public_id = :own_post))))";
        return sql;
    }
    case Viewer::Kind::Anonymous:
        sql.bind(":self", TRY(self_row(tx, owner)));
        sql.text = "(v.author = :self AND " + open_to(viewer, place) + ")";
        return sql;
    }
    return sql;
}

Result<FeedSql> feed_select(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer)
{
    FeedSql out;
    out.ascending = query.since.has_value();  // `since` asks for the oldest of what is newer
    out.sql = TRY(FeedBuilder(tx, owner, query, viewer).build());
    if (out.sql.text.empty())
        out.sql.text = "SELECT 0 AS time, '' AS version_id, 0 AS id WHERE 0";
    const std::string direction = out.ascending ? " ASC" : " DESC";
    out.sql.text += " ORDER BY time" + direction + ", version_id" + direction + ", id" + direction + " LIMIT :limit";
    out.sql.bind(":limit", int64_t(query.limit) + 1);
    return out;
}

Result<Sql> feed_count(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer)
{
    Sql sql = TRY(FeedBuilder(tx, owner, query, viewer).build());
    sql.text = sql.text.empty() ? "SELECT 0" : "SELECT count(*) FROM (" + sql.text + ")";
    return sql;
}

}  // namespace bivouac::store
