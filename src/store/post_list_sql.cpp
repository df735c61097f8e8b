// SPDX-License-Identifier: BSD-3-Clause
#include "post_list_sql.h"

#include <bivouac/model/protocol.h>
#include <bivouac/store/entities.h>

#include <algorithm>

namespace bivouac::store {

namespace {

bool sees_received_at(const Viewer& viewer)
{
    return viewer.kind == Viewer::Kind::Everything || viewer.kind == Viewer::Kind::Types;
}

// May she read private posts of that type? (section 4.4: then private mentions of such a post, too)
bool reads_type(const Viewer& viewer, const std::string& type)
{
    if (viewer.kind == Viewer::Kind::Everything)
        return true;
    auto parsed = parse_type(type);
    const bool credentials = parsed.ok() && parsed->base == type::kCredentialsBase;
    return viewer.kind == Viewer::Kind::Types &&
           std::any_of(viewer.types.begin(), viewer.types.end(), [&](const std::string& selector) {
               return type_matches(selector, type) && !(credentials && selector == kAllTypes);
           });
}

// Nobody writes under our posts by sending us something: what others see there is by people whom the owner knows.
constexpr const char* kAuthorsKnown = R"( AND (v.author = (SELECT n.id FROM names n JOIN entities e ON e.entity = n.entity
        WHERE e.id = v.owner)
    OR EXISTS (SELECT 1 FROM entities e WHERE e.id = v.owner AND e.door = 'open')
       AND NOT EXISTS (SELECT 1 FROM relationships r WHERE r.owner = v.owner AND r.peer = v.author AND r.follower = 'blocked')
    OR EXISTS (SELECT 1 FROM relationships r WHERE r.owner = v.owner AND r.peer = v.author AND r.follower <> 'blocked'
               AND (r.follower = 'approved' OR r.following IN ('requested', 'approved')))))";

// Which of the mentions the viewer is told about, and by which posts.
Result<std::string> mentions_shown(ReadTx& tx, Sql& sql, int64_t owner, const PostText& of, const Viewer& viewer)
{
    if (viewer.kind == Viewer::Kind::Everything)
        return std::string(" AND v.latest = 1");
    if (viewer.shut_out)
        return std::string(" AND v.public > 1");
    if (!sees_received_at(viewer))
        return " AND m.public = 1 AND v.public = 1" + newest_condition("v.public = 1", "latest_published") +
               kAuthorsKnown;
    Sql visible = TRY(visible_condition(tx, owner, viewer));
    sql.bindings.insert(sql.bindings.end(), visible.bindings.begin(), visible.bindings.end());
    const char* which = reads_type(viewer, of.type) ? " AND (m.public = 1 OR m.own = 1)" : " AND m.public = 1";
    return " AND " + visible.text + which + newest_condition(visible.text, "latest");
}

}  // namespace

Result<ListSource> mention_source(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer)
{
    const bool received = sees_received_at(viewer);
    ListSource out;
    out.time = received ? "m.post_received_at" : "m.post_published_at";
    out.is_public = "m.public";
    out.from.text = std::string("mentions m INDEXED BY mentions_target_") + (received ? "1" : "2") +
                    " CROSS JOIN versions v WHERE m.owner = :owner AND m.entity = :entity AND m.post = :post AND m." +
                    (received ? "latest" : "latest_published") + " > 0 AND v.id = m.version" +
                    TRY(mentions_shown(tx, out.from, owner, of, viewer));
    out.from.bind(":owner", owner);
    out.from.bind(":entity", TRY(find_name(tx, of.author)));
    out.from.bind(":post", of.id);
    return out;
}

Result<ListSource> version_source(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer)
{
    ListSource out;
    out.time = sees_received_at(viewer) ? "v.received_at" : "v.published_at";
    out.from = TRY(visible_condition(tx, owner, viewer));
    out.from.text =
        "versions v WHERE v.post = (SELECT post FROM versions WHERE id = :of) AND " + out.from.text;
    out.from.bind(":of", of.version_row);
    return out;
}

Result<ListSource> child_source(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer)
{
    ListSource out;
    out.time = sees_received_at(viewer) ? "v.received_at" : "v.published_at";
    out.from = TRY(visible_condition(tx, owner, viewer));
    out.from.text = "versions v WHERE v.id IN (SELECT version FROM parents WHERE parent_version = :parent"
                    " AND entity = :entity AND post = :post) AND v.owner = :owner AND " +
                    out.from.text;
    out.from.bind(":parent", of.version_id);
    out.from.bind(":entity", TRY(find_name(tx, of.author)));
    out.from.bind(":post", of.id);
    out.from.bind(":owner", owner);
    return out;
}

bool is_ascending(ListPosition::Side side)
{
    return side == ListPosition::Side::Newer || side == ListPosition::Side::Oldest;
}

Sql list_page(const ListSource& source, const std::optional<ListPosition>& position, int limit)
{
    Sql sql = source.from;
    const bool ascending = position && is_ascending(position->side);
    sql.text = "SELECT " + source.time + " AS time, v.version_id AS version_id, v.id AS id, " + source.is_public +
               " FROM " + sql.text;
    if (position) {
        const bool older = position->side == ListPosition::Side::Older || position->side == ListPosition::Side::Oldest;
        const std::string compare = older ? "<" : ">";
        // The first half is for the index.
        sql.text += " AND " + source.time + " " + compare + "= :at_time AND (" + source.time + " " + compare +
                    " :at_time OR v.version_id " + compare + " :at_version)";
        sql.bind(":at_time", position->at.time);
        sql.bind(":at_version", position->at.version);
    }
    const std::string direction = ascending ? " ASC" : " DESC";
    sql.text += " ORDER BY time" + direction + ", version_id" + direction + ", id" + direction + " LIMIT :limit";
    sql.bind(":limit", int64_t(limit));
    return sql;
}

Sql list_count(const ListSource& source)
{
    Sql sql = source.from;
    sql.text = "SELECT count(*) FROM " + sql.text;
    return sql;
}

}  // namespace bivouac::store
