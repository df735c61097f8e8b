// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/clock.h>
#include <bivouac/model/canonical_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/quotas.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/notifications.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tent/succession.h>

#include <algorithm>
#include <set>

namespace bivouac::tent {

namespace {

// Never leave the node by delivery, whatever their permissions say (sections 5.8 and 7.5).
bool is_internal(const std::string& base)
{
    return base == type::kCredentialsBase || base == type::kAppBase || base == type::kAppAuthBase;
}

// What a reader can work out is left out, so that one post has one form (section 2.2).
void drop_redundant(Post& post)
{
    for (auto& mention : post.mentions)
        if (mention.entity == post.entity)
            mention.entity.clear();
    for (auto& ref : post.refs)
        if (ref.entity == post.entity)
            ref.entity.clear();
    for (auto& parent : post.version.parents) {
        if (parent.entity == post.entity)
            parent.entity.clear();
        if (parent.post == post.id)
            parent.post.clear();
    }
    if (post.permissions.is_public) {
        post.permissions.entities.clear();
        post.permissions.groups.clear();
    }
    auto once = [](std::vector<std::string>& list) {
        std::sort(list.begin(), list.end());
        list.erase(std::unique(list.begin(), list.end()), list.end());
    };
    once(post.permissions.entities);
    once(post.permissions.groups);
}

// What keeps relationships in order finds its place also where people's posts do not any more.
Result<void> check_room(store::ReadTx& tx, const Self& self, const Post& post)
{
    if (is_bookkeeping(TRY(parse_type(post.type)).base))
        return {};
    int64_t bytes = static_cast<int64_t>(post.content.size());
    for (const auto& attachment : post.attachments)
        bytes += attachment.size;
    return store::check_quota(tx, self.id, bytes);
}

Result<void> queue_for(store::WriteTx& tx, const Self& self, int64_t version_row,
                       const std::vector<std::string>& peers)
{
    for (const auto& peer : peers) {
        auto known = TRY(store::find_relationship(tx, self.id, peer));
        if (known && known->follower == "blocked")
            continue;
        TRY(store::enqueue_delivery(tx, self.id, peer, version_row));
    }
    return {};
}

}  // namespace

Post private_draft(std::string type)
{
    Post draft;
    draft.type = std::move(type);
    draft.permissions.is_public = false;
    return draft;
}

Result<Post> publish(store::WriteTx& tx, const Self& self, Post post, Deliver deliver)
{
    const bool first = post.id.empty() ||
                       TRY(store::find_version(tx, self.id, self.entity, post.id, "")) == 0;
    if (post.id.empty())
        post.id = system_random().id();
    post.entity = self.entity;
    post.original_entity.clear();
    if (post.published_at == 0)
        post.published_at = tx.now_ms();
    post.received_at = tx.now_ms();
    if (!first) {
        // The post keeps the times of its first version (section 2.5).
        auto current = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, post.id, ""))));
        if (!current)
            return fail(ErrorKind::Internal, "a version without a body");
        post.published_at = current->published_at;
        post.received_at = current->received_at;
        // What proves a former address stays with the newest version (tent/succession.h).
        if (post.id == kMetaPostId)
            if (Json proofs = successions_in(current->version.message);
                !proofs.empty() && successions_in(post.version.message).empty())
                post.version.message = with_successions(post.version.message, proofs);
        // Later than the one before, also when both were made within one millisecond.
        post.version.received_at = std::max(tx.now_ms(), current->version.received_at + 1);
        if (post.version.published_at == 0)
            post.version.published_at = std::max(tx.now_ms(), current->version.published_at + 1);
    } else {
        post.version.received_at = tx.now_ms();
        if (post.version.published_at == 0)
            post.version.published_at = post.published_at;
    }
    for (auto& a : post.attachments) {
        a.size = TRY(store::blob_size(tx, self.id, a.digest));
        if (a.size < 0)
            return fail(ErrorKind::Invalid, "Unknown attachment: its digest is not known here");
    }
    TRY(check_room(tx, self, post));
    drop_redundant(post);
    post.version.id = version_id_of(post);
    int64_t row = TRY(store::insert_version(tx, self.id, post));
    TRY(notify_apps(tx, self, post, row));
    if (deliver == Deliver::ByRules)
        TRY(queue_for(tx, self, row, TRY(recipients(tx, self, post))));
    return post;
}

Result<bool> is_permitted(store::ReadTx& tx, const Self& self, const Post& post, std::string_view entity)
{
    if (post.permissions.is_public)
        return true;
    const auto& entities = post.permissions.entities;
    if (std::find(entities.begin(), entities.end(), entity) != entities.end())
        return true;
    for (const auto& group : post.permissions.groups) {
        auto select = tx.prepare(R"(
            SELECT 1 FROM group_members m JOIN names n ON n.id = m.member
            WHERE m.owner = :owner AND m.group_post = :group AND n.entity = :entity)");
        select.bind(":owner", self.id).bind(":group", group).bind(":entity", entity);
        if (TRY(select.step()))
            return true;
    }
    return false;
}

Result<std::vector<std::string>> recipients(store::ReadTx& tx, const Self& self, const Post& post)
{
    std::set<std::string> candidates;
    const std::string base = TRY(parse_type(post.type)).base;
    if (is_internal(base))
        return std::vector<std::string>();
    for (const auto& subscription : TRY(store::approved_subscriptions(tx, self.id, self.entity)))
        if (type_matches(subscription.selector, post.type))
            candidates.insert(subscription.subscriber);
    for (const auto& mention : post.mentions)
        candidates.insert(post.mention_entity(mention));
    if (base == type::kMetaBase)
        for (const auto& relationship : TRY(store::list_relationships(tx, self.id)))
            if (relationship.state == "active")
                candidates.insert(relationship.peer);
    candidates.erase(self.entity);
    std::vector<std::string> out;
    for (const auto& candidate : candidates)
        if (TRY(is_permitted(tx, self, post, candidate)))
            out.push_back(candidate);
    return out;
}

Result<bool> is_recipient(store::ReadTx& tx, const Self& self, const Post& post, const std::string& entity)
{
    const std::string base = TRY(parse_type(post.type)).base;
    auto relationship = TRY(store::find_relationship(tx, self.id, entity));
    if (is_internal(base) || (relationship && relationship->follower == "blocked"))
        return false;
    if (base == type::kDeleteBase)  // goes to those who have the deleted post, whoever they are now
        return true;
    if (!TRY(is_permitted(tx, self, post, entity)))
        return false;
    for (const auto& mention : post.mentions)
        if (post.mention_entity(mention) == entity)
            return true;
    if (base == type::kMetaBase)
        return true;
    if (!relationship || relationship->follower != "approved")
        return false;
    for (const auto& subscription : TRY(store::subscriptions_of(tx, self.id, entity, self.entity)))
        if (type_matches(subscription.selector, post.type))
            return true;
    return false;
}

namespace {

// All of it goes: what lives beside the post goes with it (section 4.7).
Result<void> undo(store::WriteTx& tx, const Self& self, const Post& post, const std::string& base)
{
    if (base == type::kSubscriptionBase)
        return subscription_deleted(tx, self, post);
    if (base == type::kAppBase || base == type::kAppAuthBase || base == type::kCredentialsBase)
        return app_post_deleted(tx, self, post);
    if (base == type::kRelationshipBase)
        return relationship_deleted(tx, self, post);
    if (base == type::kGroupMemberBase)
        return member_deleted(tx, self, post.id);
    if (base == type::kGroupBase)
        return group_deleted(tx, self, post.id);
    return {};
}

}  // namespace

Result<std::optional<Post>> delete_own(store::WriteTx& tx, const Self& self, std::string_view post_id,
                                       std::string_view version_id, bool tell)
{
    if (post_id == kMetaPostId)
        return fail(ErrorKind::Forbidden, "the meta post cannot be deleted");
    int64_t row = TRY(store::find_version(tx, self.id, self.entity, post_id, version_id));
    auto post = TRY(store::load_version(tx, row));
    if (!post)
        return fail(ErrorKind::NotFound, "there is no such post");
    const std::string base = TRY(parse_type(post->type)).base;
    auto peers = TRY(store::recipients_of(tx, self.id, self.entity, post_id, tx.now_ms()));
    TRY(store::delete_post(tx, self.id, self.entity, post_id, version_id));
    if (TRY(store::find_version(tx, self.id, self.entity, post_id, "")) == 0)
        TRY(undo(tx, self, *post, base));
    if (!tell)
        return std::optional<Post>();

    Post draft;
    draft.type = type::kDelete;
    Ref ref;
    ref.post = std::string(post_id);
    ref.version = std::string(version_id);
    draft.refs.push_back(std::move(ref));
    draft.mentions = post->mentions;
    draft.permissions = post->permissions;
    Post deleted = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    // Keys and apps are nobody else's business, and a relationship that ended has no keys to tell with.
    if (!is_internal(base) && base != type::kRelationshipBase)
        TRY(queue_for(tx, self,
                      TRY(store::find_version(tx, self.id, self.entity, deleted.id, deleted.version.id)), peers));
    return std::optional<Post>(std::move(deleted));
}

}  // namespace bivouac::tent
