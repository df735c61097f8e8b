// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/groups.h>

namespace bivouac::tent {

namespace {

Result<bool> is_group(store::ReadTx& tx, const Self& self, const std::string& id)
{
    auto post = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, id, ""))));
    return post && TRY(parse_type(post->type)).base == type::kGroupBase;
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
    Json content = Json::parse(post.content.empty() ? "{}" : post.content, nullptr, false);
    std::string member = TRY(string_member(content, "entity"));
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

}  // namespace bivouac::tent
