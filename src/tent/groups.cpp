// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/publish.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

Result<bool> is_group(store::ReadTx& tx, const Self& self, const std::string& id)
{
    auto post = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, id, ""))));
    return post && TRY(parse_type(post->type)).base == type::kGroupBase;
}

constexpr size_t kNameBytes = 100;

std::string name_of(const Post& group)
{
    Json content = content_of(group);
    auto name = string_member(content, "name");
    return name.ok() ? *name : std::string();
}

Result<int64_t> count_members(store::ReadTx& tx, const Self& self, const std::string& group)
{
    auto select = tx.prepare("SELECT count(*) FROM group_members WHERE owner = :owner AND group_post = :group");
    select.bind(":owner", self.id).bind(":group", group);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

// The group post once more, so that whoever looks at its versions sees that something has changed.
Result<void> note_change(store::WriteTx& tx, const Self& self, const std::string& group)
{
    auto current = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, group, ""))));
    if (!current)
        return {};
    Post draft = private_draft(current->type);
    draft.id = current->id;
    draft.content = current->content;
    draft.permissions = current->permissions;
    Parent parent;
    parent.version = current->version.id;
    draft.version.parents.push_back(std::move(parent));
    TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    return {};
}

}  // namespace

Result<void> check_groups(store::ReadTx& tx, const Self& self, const Post& post)
{
    if (post.permissions.is_public)
        return {};
    for (const auto& group : post.permissions.groups)
        if (!TRY(is_group(tx, self, group)))
            return fail(ErrorKind::Invalid, "Invalid Attributes: /permissions/groups names a group that is not here");
    return {};
}

Result<void> member_stored(store::WriteTx& tx, const Self& self, const Post& post)
{
    Json content = content_of(post);
    const std::string member = self.current(TRY(string_member(content, "entity")));
    std::string group;
    for (const auto& mention : post.mentions)
        if (post.mention_entity(mention) == self.entity && !mention.post.empty() && group.empty() &&
            TRY(is_group(tx, self, mention.post)))
            group = mention.post;
    if (member.empty() || group.empty())
        return fail(ErrorKind::Invalid, "a group-member post names an entity and mentions a group post");
    TRY(member_deleted(tx, self, post.id));
    return store::add_group_member(tx, self.id, group, member, post.id);
}

Result<void> member_deleted(store::WriteTx& tx, const Self& self, const std::string& post_id)
{
    auto remove = tx.prepare("DELETE FROM group_members WHERE owner = :owner AND member_post = :post");
    return remove.bind(":owner", self.id).bind(":post", post_id).run();
}

Result<void> group_deleted(store::WriteTx& tx, const Self& self, const std::string& post_id)
{
    auto remove = tx.prepare("DELETE FROM group_members WHERE owner = :owner AND group_post = :post");
    return remove.bind(":owner", self.id).bind(":post", post_id).run();
}

Result<std::vector<Group>> list_groups(store::ReadTx& tx, const Self& self)
{
    std::vector<Group> out;
    std::vector<std::string> ids;
    {
        auto select = tx.prepare(R"(
            SELECT p.public_id FROM types t JOIN versions v ON v.type = t.id AND v.owner = :owner AND v.latest = 1
            JOIN posts p ON p.id = v.post JOIN names n ON n.id = v.author
            WHERE t.base = :base AND n.entity = :self)");
        select.bind(":owner", self.id).bind(":base", type::kGroupBase).bind(":self", self.entity);
        while (TRY(select.step()))
            ids.push_back(select.text(0));
    }
    for (const auto& id : ids)
        if (auto post = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, id, "")))))
            out.push_back({id, id == self.followers_group ? "followers" : name_of(*post),
                           TRY(count_members(tx, self, id))});
    std::sort(out.begin(), out.end(), [&](const Group& a, const Group& b) {
        const bool first = a.id == self.followers_group, second = b.id == self.followers_group;
        return first != second ? first : a.name != b.name ? a.name < b.name : a.id < b.id;
    });
    return out;
}

Result<Group> find_group(store::ReadTx& tx, const Self& self, const std::string& name_or_id)
{
    auto all = TRY(list_groups(tx, self));
    for (const auto& group : all)
        if (group.id == name_or_id)
            return group;
    // Apps may have made two of one name.
    std::vector<Group> named;
    for (auto& group : all)
        if (group.name == name_or_id)
            named.push_back(std::move(group));
    if (named.empty())
        return fail(ErrorKind::NotFound, "there is no such group; see: bivouac group list");
    if (named.size() > 1 && named[0].id != self.followers_group)
        return fail(ErrorKind::Conflict, "several groups have this name; say the id that `bivouac group list` shows");
    return std::move(named[0]);
}

Result<Group> make_group(store::WriteTx& tx, const Self& self, const std::string& name)
{
    const bool plain = std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (name.empty() || name.size() > kNameBytes || !plain || !is_valid_utf8(name) || name.front() == ' ' ||
        name.back() == ' ')
        return fail(ErrorKind::Invalid, "a group's name has 1 to 100 bytes of plain text");
    for (const char* taken : {"public", "followers", "me"})
        if (name == taken)
            return fail(ErrorKind::Invalid, "this name means something else already; choose another");
    if (name.find(',') != std::string::npos || name.find(':') != std::string::npos)
        return fail(ErrorKind::Invalid, "a group's name holds no comma and no colon");
    for (const auto& group : TRY(list_groups(tx, self)))
        if (group.name == name)
            return fail(ErrorKind::Conflict, "there is a group of this name already");
    Post draft = private_draft(type::kGroup);
    draft.content = Json({{"name", name}}).dump();
    Post post = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    return Group{post.id, name, 0};
}

Result<Group> remove_group(store::WriteTx& tx, const Self& self, const std::string& name_or_id)
{
    Group group = TRY(find_group(tx, self, name_or_id));
    if (group.id == self.followers_group)
        return fail(ErrorKind::Invalid, "the followers are a group that stays; see: bivouac followers");
    for (const auto& member : TRY(group_members(tx, self, group.id))) {
        auto post = TRY(store::remove_group_member(tx, self.id, group.id, member));
        TRY(store::delete_post(tx, self.id, self.entity, post, ""));
    }
    TRY(delete_own(tx, self, group.id, ""));
    return group;
}

Result<std::vector<std::string>> group_members(store::ReadTx& tx, const Self& self, const std::string& group_id)
{
    std::vector<std::string> out;
    auto select = tx.prepare(R"(
        SELECT n.entity FROM group_members m JOIN names n ON n.id = m.member
        WHERE m.owner = :owner AND m.group_post = :group ORDER BY n.entity)");
    select.bind(":owner", self.id).bind(":group", group_id);
    while (TRY(select.step()))
        out.push_back(select.text(0));
    return out;
}

Result<void> join_group(store::WriteTx& tx, const Self& self, const std::string& group_id, const std::string& entity)
{
    auto members = TRY(group_members(tx, self, group_id));
    if (std::find(members.begin(), members.end(), entity) != members.end())
        return {};
    Post member = private_draft(type::kGroupMember);
    member.content = Json({{"entity", entity}}).dump();
    Mention group;
    group.post = group_id;
    group.type = type::kGroup;
    member.mentions.push_back(std::move(group));
    Post post = TRY(publish(tx, self, std::move(member), Deliver::Nobody));
    TRY(store::add_group_member(tx, self.id, group_id, entity, post.id));
    return note_change(tx, self, group_id);
}

Result<void> leave_group(store::WriteTx& tx, const Self& self, const std::string& group_id, const std::string& entity)
{
    std::string member_post = TRY(store::remove_group_member(tx, self.id, group_id, entity));
    if (member_post.empty())
        return {};
    TRY(store::delete_post(tx, self.id, self.entity, member_post, ""));
    return note_change(tx, self, group_id);
}

Result<void> leave_all_groups(store::WriteTx& tx, const Self& self, const std::string& entity)
{
    for (const auto& group : TRY(list_groups(tx, self)))
        TRY(leave_group(tx, self, group.id, entity));
    return {};
}

}  // namespace bivouac::tent
