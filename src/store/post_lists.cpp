// SPDX-License-Identifier: BSD-3-Clause
#include "post_list_sql.h"

#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/post_lists.h>

#include <algorithm>
#include <set>

namespace bivouac::store {

namespace {

struct ListRow {
    Cursor at;
    int64_t version = 0;
    bool is_public = true;
};

struct ListRows {
    std::vector<ListRow> rows;
    FeedEnds ends;
};

Result<bool> exists(ReadTx& tx, const ListSource& source, ListPosition::Side side, const Cursor& at)
{
    return list_page(source, ListPosition{side, at}, 1).prepare(tx).step();
}

Result<ListRows> read_list(ReadTx& tx, const ListSource& source, const ListQuery& query)
{
    const bool ascending = query.page && is_ascending(query.page->side);
    ListRows out;
    Statement select = list_page(source, query.page, query.limit).prepare(tx);
    while (TRY(select.step()))
        out.rows.push_back(
            {{select.integer(0), select.text(1)}, select.integer(2), select.integer(3) != 0});
    if (out.rows.empty())
        return out;
    if (ascending)
        std::reverse(out.rows.begin(), out.rows.end());
    out.ends.empty = false;
    out.ends.first = out.rows.front().at;
    out.ends.last = out.rows.back().at;
    out.ends.older = TRY(exists(tx, source, ListPosition::Side::Older, out.ends.last));
    // Without a cursor the page begins with the newest.
    if (query.page)
        out.ends.newer = TRY(exists(tx, source, ListPosition::Side::Newer, out.ends.first));
    return out;
}

Result<int64_t> count_list(ReadTx& tx, const ListSource& source)
{
    Statement select = list_count(source).prepare(tx);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

Result<VersionList> read_versions(ReadTx& tx, const ListSource& source, const ListQuery& query)
{
    ListRows rows = TRY(read_list(tx, source, query));
    VersionList out;
    out.ends = std::move(rows.ends);
    for (const auto& row : rows.rows) {
        auto post = TRY(load_version(tx, row.version));
        if (post)
            out.entries.push_back(
                {std::move(post->entity), std::move(post->id), std::move(post->type), std::move(post->version)});
    }
    return out;
}

Result<MentionEntry> mention_entry(ReadTx& tx, const ListRow& row)
{
    auto select = tx.prepare(R"(
        SELECT n.entity, p.public_id, coalesce(v.type_text, t.base || '#' || v.fragment)
        FROM versions v JOIN posts p ON p.id = v.post JOIN names n ON n.id = v.author JOIN types t ON t.id = v.type
        WHERE v.id = :version)");
    select.bind(":version", row.version);
    MentionEntry out;
    if (TRY(select.step()))
        out = {select.text(0), select.text(1), select.text(2), row.is_public};
    return out;
}

Result<std::vector<Post>> parse_texts(const std::vector<PostText>& texts)
{
    std::vector<Post> out;
    for (const auto& text : texts)
        out.push_back(TRY(parse_post(text.json)));
    return out;
}

Result<Profile> load_profile(ReadTx& tx, int64_t owner, const std::string& entity)
{
    auto select = tx.prepare(R"(
        SELECT v.id FROM names n CROSS JOIN versions v INDEXED BY versions_meta
        WHERE n.entity = :entity AND v.owner = :owner AND v.author = n.id AND v.meta = 1
        ORDER BY v.received_at DESC, v.version_id DESC LIMIT 1)");
    select.bind(":entity", entity).bind(":owner", owner);
    if (!TRY(select.step()))
        return Profile();
    auto meta = TRY(load_version(tx, select.integer(0)));
    return meta ? profile_of(*meta) : Profile();
}

}  // namespace

Result<MentionList> load_mention_list(ReadTx& tx, int64_t owner, const PostText& of, const ListQuery& query,
                                      const Viewer& viewer)
{
    ListRows rows = TRY(read_list(tx, TRY(mention_source(tx, owner, of, viewer)), query));
    MentionList out;
    out.ends = std::move(rows.ends);
    for (const auto& row : rows.rows)
        out.entries.push_back(TRY(mention_entry(tx, row)));
    return out;
}

Result<int64_t> count_mention_list(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer)
{
    return count_list(tx, TRY(mention_source(tx, owner, of, viewer)));
}

Result<VersionList> load_version_list(ReadTx& tx, int64_t owner, const PostText& of, const ListQuery& query,
                                      const Viewer& viewer)
{
    return read_versions(tx, TRY(version_source(tx, owner, of, viewer)), query);
}

Result<int64_t> count_version_list(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer)
{
    return count_list(tx, TRY(version_source(tx, owner, of, viewer)));
}

Result<VersionList> load_child_list(ReadTx& tx, int64_t owner, const PostText& of, const ListQuery& query,
                                    const Viewer& viewer)
{
    return read_versions(tx, TRY(child_source(tx, owner, of, viewer)), query);
}

Result<int64_t> count_child_list(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer)
{
    return count_list(tx, TRY(child_source(tx, owner, of, viewer)));
}

Result<std::vector<PostText>> load_refs(ReadTx& tx, int64_t owner, const std::vector<PostText>& posts, int max_refs,
                                        const Viewer& viewer)
{
    std::vector<PostText> out;
    std::set<int64_t> seen;
    for (const auto& text : posts) {
        // Most posts have none and need no parsing.
        if (max_refs <= 0 || text.json.find("\"refs\"") == std::string::npos)
            continue;
        Post post = TRY(parse_post(text.json));
        size_t wanted = std::min(post.refs.size(), static_cast<size_t>(max_refs));
        for (size_t i = 0; i < wanted && out.size() < limits::kRefsPerAnswer; ++i) {
            const Ref& ref = post.refs[i];
            auto found = TRY(load_post_text(tx, owner, ref.entity.empty() ? post.entity : ref.entity, ref.post,
                                            ref.version, viewer, Audience::owner()));
            if (found && seen.insert(found->version_row).second)
                out.push_back(std::move(*found));
        }
    }
    return out;
}

Result<std::vector<std::string>> profile_entities(const std::vector<PostText>& posts, unsigned profiles)
{
    return entities_of(TRY(parse_texts(posts)), profiles);
}

Result<std::map<std::string, Profile>> load_profiles(ReadTx& tx, int64_t owner,
                                                     const std::vector<std::string>& entities)
{
    std::map<std::string, Profile> out;
    for (const auto& entity : entities) {
        Profile profile = TRY(load_profile(tx, owner, entity));
        if (!profile.empty())
            out.emplace(entity, std::move(profile));
    }
    return out;
}

}  // namespace bivouac::store
