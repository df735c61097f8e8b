// SPDX-License-Identifier: BSD-3-Clause
#include "feed_sql.h"

#include <bivouac/model/protocol.h>
#include <bivouac/store/entities.h>

namespace bivouac::store {

namespace {

template <typename T>
void bind_later(Sql& sql, std::string name, T value)
{
    sql.bindings.push_back(
        [name = std::move(name), value = std::move(value)](Statement& s) { s.bind(name.c_str(), value); });
}

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
        bind_later(sql, ":t" + number, id);
        if (type.has_fragment) {
            out += " AND v.fragment = :f" + number;
            bind_later(sql, ":f" + number, type.fragment);
        }
        out += ")";
    }
    return out.empty() ? std::string("0") : "(" + out + ")";
}

Result<std::string> own_name_condition(ReadTx& tx, Sql& sql, int64_t owner)
{
    auto select = tx.prepare("SELECT n.id FROM entities e JOIN names n ON n.entity = e.entity WHERE e.id = :id");
    select.bind(":id", owner);
    bind_later(sql, ":self", TRY(select.step()) ? select.integer(0) : int64_t(0));
    return std::string("v.author = :self");
}

const char* sort_column(FeedQuery::Sort sort)
{
    switch (sort) {
    case FeedQuery::Sort::ReceivedAt: return "v.post_received_at";
    case FeedQuery::Sort::PublishedAt: return "v.post_published_at";
    case FeedQuery::Sort::VersionReceivedAt: return "v.received_at";
    case FeedQuery::Sort::VersionPublishedAt: return "v.published_at";
    }
    return "v.post_received_at";
}

void add_cursor(Sql& sql, std::string& where, const char* column, const std::optional<Cursor>& cursor,
                const char* compare, const char* name)
{
    if (!cursor)
        return;
    std::string time = std::string(":") + name + "_time";
    bind_later(sql, time, cursor->time);
    if (cursor->version.empty()) {
        where += std::string(" AND ") + column + " " + compare + " " + time;
        return;
    }
    std::string version = std::string(":") + name + "_version";
    bind_later(sql, version, cursor->version);
    where += std::string(" AND (") + column + ", v.version_id) " + compare + " (" + time + ", " + version + ")";
}

Result<std::string> where_of(ReadTx& tx, Sql& sql, int64_t owner, const FeedQuery& query, const Viewer& viewer)
{
    bind_later(sql, ":owner", owner);
    std::string where = " WHERE v.owner = :owner";
    Sql visible = TRY(visible_condition(tx, owner, viewer));
    for (auto& binding : visible.bindings)
        sql.bindings.push_back(std::move(binding));
    if (viewer.kind == Viewer::Kind::Everything) {
        where += " AND v.latest = 1";
    } else {
        // The newest version that this viewer may see: it is the latest one, or every newer one is hidden.
        std::string newer = visible.text;
        for (size_t at = 0; (at = newer.find("v.", at)) != std::string::npos; at += 3)
            newer.replace(at, 2, "w.");
        where += " AND " + visible.text +
                 " AND (v.latest = 1 OR NOT EXISTS (SELECT 1 FROM versions w WHERE w.post = v.post AND "
                 "(w.received_at, w.version_id) > (v.received_at, v.version_id) AND " +
                 newer + "))";
    }
    if (!query.types.empty())
        where += " AND " + TRY(types_condition(tx, sql, query.types, "q"));
    if (query.for_person) {
        TRY(own_name_condition(tx, sql, owner));
        where += " AND v.type NOT IN (SELECT id FROM types WHERE bookkeeping = 1)"
                 " AND (v.author = :self OR v.author IN (SELECT peer FROM relationships WHERE owner = :owner"
                 " AND follower <> 'blocked' AND (following <> '' OR follower = 'approved')))";
    }
    if (!query.entities.empty()) {
        std::string list;
        for (size_t i = 0; i < query.entities.size(); ++i) {
            std::string name = ":e" + std::to_string(i);
            bind_later(sql, name, TRY(find_name(tx, query.entities[i])));
            list += (i == 0 ? "" : ", ") + name;
        }
        where += " AND v.author IN (" + list + ")";
    }
    const char* column = sort_column(query.sort);
    add_cursor(sql, where, column, query.since, ">", "since");
    add_cursor(sql, where, column, query.until, ">", "until");
    add_cursor(sql, where, column, query.before, "<", "before");
    return where;
}

}  // namespace

Result<Sql> visible_condition(ReadTx& tx, int64_t owner, const Viewer& viewer)
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
            bind_later(sql, ":credentials", TRY(find_type(tx, type::kCredentialsBase)));
        }
        sql.text += ")";
        return sql;
    }
    case Viewer::Kind::Peer: {
        std::string own = TRY(own_name_condition(tx, sql, owner));
        bind_later(sql, ":viewer", TRY(find_name(tx, viewer.entity)));
        bind_later(sql, ":own_post", viewer.own_post);
        sql.text = "(" + own + R"( AND (v.public = 1
            OR EXISTS (SELECT 1 FROM version_entities x WHERE x.version = v.id AND x.entity = :viewer)
            OR EXISTS (SELECT 1 FROM version_groups x JOIN group_members m ON m.owner = v.owner
                       AND m.group_post = x.group_post AND m.member = :viewer WHERE x.version = v.id)
            OR v.post IN (SELECT id FROM posts WHERE owner = v.owner AND author = :self AND public_id = :own_post)))";
        sql.text += ")";
        return sql;
    }
    case Viewer::Kind::Anonymous:
        sql.text = "(" + TRY(own_name_condition(tx, sql, owner)) + " AND v.public = 1)";
        return sql;
    }
    return sql;
}

Result<FeedSql> feed_select(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer)
{
    FeedSql out;
    out.ascending = query.since.has_value();  // `since` asks for the oldest of what is newer
    std::string where = TRY(where_of(tx, out.sql, owner, query, viewer));
    std::string column = sort_column(query.sort);
    std::string direction = out.ascending ? " ASC" : " DESC";
    out.sql.text = "SELECT v.id FROM versions v" + where + " ORDER BY " + column + direction + ", v.version_id" +
                   direction + " LIMIT :limit";
    bind_later(out.sql, ":limit", int64_t(query.limit) + 1);
    return out;
}

Result<Sql> feed_count(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer)
{
    Sql sql;
    std::string where = TRY(where_of(tx, sql, owner, query, viewer));
    sql.text = "SELECT count(*) FROM versions v" + where;
    return sql;
}

}  // namespace bivouac::store
