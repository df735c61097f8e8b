// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/canonical_json.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/catch_ups.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/quotas.h>
#include <bivouac/store/relationships.h>
#include <bivouac/store/strangers.h>
#include <bivouac/tent/follow_message.h>
#include <bivouac/tent/invites.h>
#include <bivouac/tent/moving.h>
#include <bivouac/tent/notifications.h>
#include <bivouac/tent/receive.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

bool mentions_us(const Self& self, const Post& post)
{
    return std::any_of(post.mentions.begin(), post.mentions.end(),
                       [&](const Mention& m) { return post.mention_entity(m) == self.entity; });
}

// Types by which servers keep their relationship in order; everything else is content.
bool is_between_servers(const std::string& base)
{
    return base == type::kRelationshipBase || base == type::kSubscriptionBase || base == type::kDeleteBase ||
           base == type::kMetaBase;
}

Result<void> on_delete(store::WriteTx& tx, const Self& self, const Post& post)
{
    for (const auto& ref : post.refs) {
        if (!ref.entity.empty() && ref.entity != post.entity)
            continue;  // nobody deletes other people's posts (section 7.8)
        TRY(store::delete_post(tx, self.id, post.entity, ref.post, ref.version));
        if (!ref.version.empty())
            continue;
        auto relationship = TRY(store::find_relationship(tx, self.id, post.entity));
        if (relationship && relationship->their_post == ref.post)
            TRY(end_relationship(tx, self, std::move(*relationship)));
        auto ended = TRY(store::remove_subscription_by_post(tx, self.id, post.entity, ref.post));
        if (!ended || ended->target != self.entity)
            continue;
        bool still_follows = false;
        for (const auto& left : TRY(store::subscriptions_of(tx, self.id, post.entity, self.entity)))
            still_follows = still_follows || !type_matches(left.selector, type::kMeta) || left.selector == kAllTypes;
        if (!still_follows)
            TRY(follower_left(tx, self, post.entity));
    }
    return {};
}

// Nothing of a wish is kept that comes with an invite which is worth nothing to her; who is approved needs none.
Result<bool> admit(store::WriteTx& tx, const Self& self, store::Relationship& peer, const FollowMessage& message)
{
    auto admission = TRY(redeem_invite(tx, self, peer, message.invite));
    if (!admission && peer.follower == "approved")
        return false;
    if (!admission)
        return fail(ErrorKind::Gone, "the invite is not valid");
    if (peer.follower.empty()) {
        peer.follower = "pending";
        peer.follower_since = tx.now_ms();
    }
    if (!message.note.empty())
        peer.note = message.note;
    TRY(store::save_relationship(tx, peer));
    std::vector<std::string> groups;
    if (!admission->group.empty())
        groups.push_back(admission->group);
    TRY(approve(tx, self, peer.peer, groups));
    return true;
}

Result<void> on_subscription(store::WriteTx& tx, const Self& self, const Post& post, store::Relationship& peer)
{
    if (!mentions_us(self, post))
        return {};
    Json content = content_of(post);
    std::string selector = TRY(string_member(content, "type"));
    if (selector.empty())
        return fail(ErrorKind::Invalid, "Invalid Attributes: /content/type is required");
    TRY(store::add_subscription(tx, self.id, {post.entity, self.entity, selector, post.id}));
    // Every server subscribes to the meta posts of those it knows: that is no wish to follow.
    if (selector != kAllTypes && type_matches(selector, type::kMeta))
        return {};
    const FollowMessage message = parse_follow_message(post.version.message);
    const std::string& note = message.note;
    if (!message.invite.empty() && TRY(admit(tx, self, peer, message)))
        return {};
    if (!peer.follower.empty()) {
        // Denied, removed and blocked stay so; approved needs no second question. What she says now is what counts.
        if (!note.empty() && note != peer.note && peer.follower != "blocked") {
            peer.note = note;
            TRY(store::save_relationship(tx, peer));
        }
        // Approved before she asked (by an import, or by an earlier wish): she does not know it yet.
        return peer.follower == "approved" ? confirm_follower(tx, self, peer) : Result<void>();
    }
    if (TRY(store::count_followers(tx, self.id, "pending")) >= limits::kPendingFollowers)
        return fail(ErrorKind::TooMany, "too many wait to be approved");
    peer.follower = "pending";
    peer.note = note;
    peer.follower_since = tx.now_ms();
    TRY(store::save_relationship(tx, peer));
    if (*self.door == store::Door::Open)
        TRY(approve(tx, self, post.entity));
    return {};
}

Result<void> on_meta(store::WriteTx& tx, const Self& self, const Post& post, store::Relationship& peer)
{
    Json content = content_of(post);
    if (content.value("entity", Json()) != post.entity) {
        // Section 1.6: signed by the keys of the relationship, as everything here, and by both addresses.
        auto moved = follow_move(tx, self, post, post.entity);
        if (moved.ok() && *moved)
            return {};
        return moved.ok() || moved.error().kind == ErrorKind::Forbidden ? fail(ErrorKind::Invalid, "Entity mismatch!")
                                                                        : std::move(moved).error();
    }
    auto servers = content.find("servers");
    if (servers == content.end() || !servers->is_array())
        return fail(ErrorKind::Invalid, "Invalid Attributes: /content/servers is required");
    peer.servers = servers->dump();
    return store::save_relationship(tx, peer);
}

Result<void> on_relationship(store::WriteTx& tx, const Self& self, const Post& post, store::Relationship& peer)
{
    if (!mentions_us(self, post))
        return {};
    if (peer.their_post.empty())
        peer.their_post = post.id;
    // "subscriber": she has us as a subscriber, so she approved us (section 7.1).
    bool subscriber = post.type == type::kRelationshipSubscriber || post.type == type::kRelationshipMutual;
    const std::string before = peer.following;
    if (!peer.following.empty())
        peer.following = subscriber                     ? "approved"
                         : peer.following == "approved" ? "requested"
                                                        : peer.following;
    TRY(store::save_relationship(tx, peer));
    // Approved just now: what she may see from here on she sees at once, not only what is posted later.
    if (peer.following == "approved" && before != "approved")
        TRY(store::want_catch_up(tx, self.id, peer.peer, store::Begin::Anew));
    return {};
}

}  // namespace

Result<Received> receive(store::WriteTx& tx, const Self& self, const std::string& peer,
                         const std::string& url_entity, const std::string& url_post, const Json& body,
                         int64_t received_at)
{
    Received out;
    Post& post = out.post;
    post = TRY(post_from_json(body));
    if (post.entity.empty())
        post.entity = url_entity;  // the Go client sends neither (section 7.5)
    if (post.id.empty())
        post.id = url_post;
    // A peer that has moved may have been told us by its old address, or be told so now.
    if (self.current(post.entity) != peer || self.current(url_entity) != peer || post.id != url_post)
        return fail(ErrorKind::Forbidden, "not the entity behind these credentials");
    const std::string base = TRY(parse_type(post.type)).base;
    if (base == type::kCredentialsBase || base == type::kAppBase || base == type::kAppAuthBase)
        return fail(ErrorKind::Forbidden, "such posts are not delivered");

    post.received_at = post.version.received_at = received_at == 0 ? tx.now_ms() : received_at;
    post.app.id.clear();
    if (post.version.id.empty()) {
        if (post.published_at == 0)
            post.published_at = tx.now_ms();
        if (post.version.published_at == 0)
            post.version.published_at = tx.now_ms();
        post.version.id = version_id_of(post);
    } else {
        Json complete = body;
        complete["entity"] = post.entity;
        complete["id"] = post.id;
        if (!version_id_verifies(complete, post.version.id))
            return fail(ErrorKind::Invalid, "Invalid version id");
        if (post.published_at == 0 || post.version.published_at == 0)
            return fail(ErrorKind::Invalid, "Invalid Attributes: /published_at is required");
    }
    bring_up_to_date(self, post);
    // Who else may read it is her business; we only know that it is not public (section 2.3).
    post.permissions.entities.clear();
    post.permissions.groups.clear();
    if (has_schema(post.type))
        TRY(validate_content(post, MetaOf::Others));
    for (const auto& a : post.attachments)
        if (a.digest.empty())
            return fail(ErrorKind::Invalid, "Invalid Attributes: an attachment needs a digest");

    if (TRY(store::find_version(tx, self.id, post.entity, post.id, post.version.id)) != 0 ||
        TRY(store::is_deleted(tx, self.id, post.entity, post.id, post.version.id)))
        return out;

    auto known = TRY(store::find_relationship(tx, self.id, peer));
    if (!known)
        return fail(ErrorKind::Forbidden, "no relationship");
    store::Relationship relationship = std::move(*known);
    const bool wanted = !relationship.following.empty() || relationship.follower == "approved";
    if (!is_between_servers(base) && !wanted) {
        if (!mentions_us(self, post))
            return out;
        // Held: it shows once its author is approved (or followed). Bounded, and told, so nothing is lost.
        if (TRY(store::count_versions_by(tx, self.id, peer)) >= limits::kHeldPostsPerPeer)
            return fail(ErrorKind::TooMany, "too many posts from somebody who is not approved");
        const auto today = TRY(store::strangers_today(tx, self.id));
        const auto size = static_cast<int64_t>(body.dump().size());
        if (today.posts >= limits::kHeldPostsPerDay || today.bytes + size > limits::kHeldBytesPerDay)
            return fail(ErrorKind::TooMany, "too many posts from strangers today");
        TRY(store::count_strangers(tx, self.id, {0, 1, size}));
    }
    if (!is_bookkeeping(base)) {
        int64_t bytes = static_cast<int64_t>(post.content.size());
        for (const auto& a : post.attachments)
            bytes += a.size;
        TRY(store::check_quota(tx, self.id, bytes));
    }
    // Relationships and subscriptions are never pulled, so they come in order; what their clock says does not count.
    std::optional<int64_t> late;
    if (base != type::kRelationshipBase && base != type::kSubscriptionBase)
        late = TRY(store::late_received_at(tx, self.id, post));
    if (late)
        post.version.received_at = *late;
    TRY(notify_apps(tx, self, post, TRY(store::insert_version(tx, self.id, post))));
    out.stored = true;

    if (base == type::kDeleteBase)
        TRY(on_delete(tx, self, post));
    else if (base == type::kSubscriptionBase)
        TRY(on_subscription(tx, self, post, relationship));
    else if (base == type::kMetaBase && !late)
        TRY(on_meta(tx, self, post, relationship));
    else if (base == type::kRelationshipBase)
        TRY(on_relationship(tx, self, post, relationship));
    if (wanted) {
        for (const auto& a : post.attachments) {
            if (a.size > static_cast<int64_t>(limits::kAttachmentBytes) || TRY(store::has_blob(tx, self.id, a.digest)))
                continue;
            TRY(store::enqueue_fetch(tx, self.id, peer, a.digest, a.size));
            out.fetches = true;
        }
    }
    return out;
}

}  // namespace bivouac::tent
