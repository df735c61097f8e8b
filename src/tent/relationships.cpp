// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/model/json.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/catch_ups.h>
#include <bivouac/store/credentials.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/strangers.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/moving.h>
#include <bivouac/tent/notifications.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tor/reach.h>

#include <algorithm>
#include <utility>

namespace bivouac::tent {

namespace {

Result<store::Relationship> relationship_with(store::ReadTx& tx, const Self& self, const std::string& peer)
{
    auto known = TRY(store::find_relationship(tx, self.id, peer));
    if (known)
        return std::move(*known);
    store::Relationship fresh;
    fresh.owner = self.id;
    fresh.peer = peer;
    return fresh;
}

Post draft_for(const std::string& peer, const char* type)
{
    Post draft = private_draft(type);
    Mention mention;
    mention.entity = peer;
    draft.mentions.push_back(std::move(mention));
    draft.permissions.entities.push_back(peer);
    return draft;
}

Result<std::string> selector_of(const Post& subscription)
{
    Json content = content_of(subscription);
    std::string selector = TRY(string_member(content, "type"));
    if (selector.empty())
        return fail(ErrorKind::Invalid, "Invalid Attributes: /content/type is required");
    return selector;
}

// Every server subscribes to the meta posts of those it knows: that is no following.
bool is_about_meta(const std::string& selector)
{
    return selector != kAllTypes && type_matches(selector, type::kMeta);
}

// Step 12: their meta post shall reach us whenever it changes. Before there is a relationship, its delivery makes one.
Result<void> subscribe_to_meta(store::WriteTx& tx, const Self& self, const std::string& peer)
{
    for (const auto& known : TRY(store::subscriptions_of(tx, self.id, self.entity, peer)))
        if (known.selector == type::kMeta)
            return {};
    Post draft = draft_for(peer, type::kSubscriptionMeta);
    draft.content = Json({{"type", type::kMeta}}).dump();
    Post subscription = TRY(publish(tx, self, std::move(draft)));
    return store::add_subscription(tx, self.id, {self.entity, peer, type::kMeta, subscription.id});
}

// A credentials post (section 5.8) for a relationship post, and its key in the table that authenticates.
Result<std::string> make_credentials(store::WriteTx& tx, const Self& self, const Post& target,
                                     const std::string& peer)
{
    std::string key = to_base64url(system_random().bytes(32));
    Post draft = private_draft(type::kCredentialsForRelationship);
    draft.content = Json({{"hawk_key", key}, {"hawk_algorithm", kHawkAlgorithm}}).dump();
    Mention mention;
    mention.post = target.id;
    mention.type = target.type;
    draft.mentions.push_back(std::move(mention));
    Post post = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    TRY(store::add_credentials(tx, {self.id, post.id, key, "relationship", target.id, peer}));
    return post.id;
}

// A repeated handshake leaves older keys behind. The one before the newest stays until the newest is used
// (section 7.2, "Repetition"); what is older goes.
Result<void> drop_old_keys(store::WriteTx& tx, const Self& self, const std::string& peer)
{
    std::vector<std::pair<std::string, std::string>> old;
    {
        auto select = tx.prepare(R"(
            SELECT c.hawk_id, c.target_post FROM credentials c JOIN names n ON n.id = c.peer
            WHERE c.owner = :owner AND n.entity = :peer AND c.kind = 'relationship'
            ORDER BY c.id DESC LIMIT -1 OFFSET 2)");
        select.bind(":owner", self.id).bind(":peer", peer);
        while (TRY(select.step()))
            old.emplace_back(select.text(0), select.text(1));
    }
    for (const auto& [hawk_id, target] : old) {
        TRY(store::remove_credentials_of(tx, self.id, target));
        TRY(store::delete_post(tx, self.id, self.entity, hawk_id, ""));
        TRY(store::delete_post(tx, self.id, self.entity, target, ""));
    }
    return {};
}

Result<void> store_theirs(store::WriteTx& tx, const Self& self, const TheirSide& theirs)
{
    for (const Post* post : {&theirs.meta, &theirs.relationship})
        if (!post->id.empty() &&
            TRY(store::find_version(tx, self.id, post->entity, post->id, post->version.id)) == 0)
            TRY(notify_apps(tx, self, *post, TRY(store::insert_version(tx, self.id, *post))));
    return {};
}

void take_theirs(store::Relationship& relationship, const TheirSide& theirs)
{
    relationship.state = "active";
    relationship.servers = theirs.servers;
    relationship.their_post = theirs.relationship.id;
    relationship.their_hawk_id = theirs.hawk_id;
    relationship.their_hawk_key = theirs.hawk_key;
    relationship.tries = 0;
    relationship.next_try_at = 0;
    relationship.last_problem.clear();
}

// Our relationship post with a new fragment, as a new version (section 7.1). It is delivered by its mention.
enum class Say { News, Again };  // Again: also when the newest version says it already
Result<void> publish_relationship(store::WriteTx& tx, const Self& self, const store::Relationship& relationship,
                                  const char* type, store::Order order = store::Order::InTurn, Say say = Say::News)
{
    int64_t row = TRY(store::find_version(tx, self.id, self.entity, relationship.our_post, ""));
    auto current = TRY(store::load_version(tx, row));
    if (!current || (current->type == type && say == Say::News))
        return {};
    Post draft = draft_for(relationship.peer, type);
    draft.id = current->id;
    draft.mentions[0].post = relationship.their_post;
    draft.mentions[0].type = relationship.their_post.empty() ? "" : type::kRelationship;
    Parent parent;
    parent.version = current->version.id;
    draft.version.parents.push_back(std::move(parent));
    Post post = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    int64_t version = TRY(store::find_version(tx, self.id, self.entity, post.id, post.version.id));
    return store::enqueue_delivery(tx, self.id, relationship.peer, version, order);
}

// The wish to follow once more, as a new version: should the invite be worth nothing, the wish stands as it was.
Result<void> say_again(store::WriteTx& tx, const Self& self, const store::Relationship& relationship,
                       const std::string& message)
{
    const int64_t row = TRY(store::find_version(tx, self.id, self.entity, relationship.following_post, ""));
    auto current = TRY(store::load_version(tx, row));
    if (!current || current->version.message == message)
        return {};
    Post draft = draft_for(relationship.peer, current->type.c_str());
    draft.id = current->id;
    draft.content = current->content;
    draft.version.message = message;
    Parent parent;
    parent.version = current->version.id;
    draft.version.parents.push_back(std::move(parent));
    TRY(publish(tx, self, std::move(draft)));
    return {};
}

Result<store::Relationship> asked_to_follow(store::ReadTx& tx, const Self& self, const std::string& entity)
{
    auto known = TRY(store::find_relationship(tx, self.id, entity));
    if (!known || known->follower.empty())
        return fail(ErrorKind::NotFound, "she has not asked to follow; see: bivouac followers");
    return std::move(*known);
}

}  // namespace

Result<std::string> peer_entity(std::string_view text)
{
    std::string entity(text);
    std::transform(entity.begin(), entity.end(), entity.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (entity.find("://") == std::string::npos)
        entity = "http://" + entity;
    if (entity.ends_with('/'))
        entity.pop_back();
    if (!peer_host(entity))
        return fail(ErrorKind::Invalid, "not an onion address: it looks like http://<56 letters and digits>.onion "
                                        "(check that all of it was copied)");
    return entity;
}

Result<std::string> peer_entity(const Self& self, std::string_view text)
{
    return self.current(TRY(peer_entity(text)));
}

Result<store::Relationship> follow(store::WriteTx& tx, const Self& self, const std::string& entity,
                                   const FollowMessage& message)
{
    auto relationship = TRY(relationship_with(tx, self, entity));
    const std::string said = write_follow_message(message);
    // Who was refused, or has something new to say, asks again.
    const bool invited = !message.invite.empty();
    if (relationship.following == "refused" || (!said.empty() && !invited && relationship.following == "requested")) {
        TRY(unfollow(tx, self, entity));
        relationship = TRY(relationship_with(tx, self, entity));
    }
    if (!relationship.following.empty() && invited)
        TRY(say_again(tx, self, relationship, said));
    if (!relationship.following.empty())
        return relationship;
    Post draft = draft_for(entity, type::kSubscriptionAll);
    draft.version.message = said;
    draft.content = Json({{"type", kAllTypes}}).dump();
    TRY(subscribe(tx, self, std::move(draft)));
    return relationship_with(tx, self, entity);
}

Result<Post> subscribe(store::WriteTx& tx, const Self& self, Post draft)
{
    const std::string entity = draft.mentions.empty() ? std::string() : draft.mentions[0].entity;
    if (entity.empty())
        return fail(ErrorKind::Invalid, "Subscription must mention an entity!");
    if (entity == self.entity)
        return fail(ErrorKind::Invalid, "this is your own address");
    auto relationship = TRY(relationship_with(tx, self, entity));
    if (relationship.follower == "blocked")
        return fail(ErrorKind::Conflict, "this entity is blocked; approve or deny it first");
    const std::string selector = TRY(selector_of(draft));
    for (const auto& known : TRY(store::subscriptions_of(tx, self.id, self.entity, entity)))
        if (known.selector == selector)
            if (auto post = TRY(store::load_version(
                    tx, TRY(store::find_version(tx, self.id, self.entity, known.post, "")))))
                return std::move(*post);
    Post subscription = TRY(publish(tx, self, std::move(draft)));  // its mention delivers it
    TRY(store::add_subscription(tx, self.id, {self.entity, entity, selector, subscription.id}));
    if (is_about_meta(selector))
        return subscription;
    if (relationship.following.empty()) {
        relationship = TRY(relationship_with(tx, self, entity));
        relationship.following = "connecting";
        relationship.following_post = subscription.id;
        relationship.next_try_at = 0;
        TRY(store::save_relationship(tx, relationship));
    }
    TRY(store::enqueue_missing_fetches(tx, self.id, entity, static_cast<int64_t>(limits::kAttachmentBytes)));
    return subscription;
}

Result<void> check_subscription(const Post& current, const Post& draft)
{
    const bool same_target = !draft.mentions.empty() && !current.mentions.empty() &&
                             draft.mentions[0].entity == current.mentions[0].entity;
    if (!same_target || TRY(selector_of(draft)) != TRY(selector_of(current)))
        return fail(ErrorKind::Invalid, "a subscription cannot change its target or its type; delete it and make "
                                        "another");
    return {};
}

Result<void> subscription_deleted(store::WriteTx& tx, const Self& self, const Post& post)
{
    auto ended = TRY(store::remove_subscription_by_post(tx, self.id, self.entity, post.id));
    if (!ended)
        return {};
    auto relationship = TRY(relationship_with(tx, self, ended->target));
    std::string left;
    for (const auto& other : TRY(store::subscriptions_of(tx, self.id, self.entity, ended->target)))
        if (!is_about_meta(other.selector))
            left = other.post;
    if (relationship.following.empty() || (!left.empty() && relationship.following_post != post.id))
        return {};
    relationship.following_post = left;
    if (left.empty()) {
        relationship.following.clear();
        TRY(store::drop_catch_up(tx, self.id, relationship.peer));
    }
    return store::save_relationship(tx, relationship);
}

Result<void> end_relationship(store::WriteTx& tx, const Self& self, store::Relationship relationship)
{
    relationship.state = "none";
    for (std::string* gone : {&relationship.our_post, &relationship.our_hawk_id, &relationship.their_post,
                              &relationship.their_hawk_id, &relationship.their_hawk_key})
        gone->clear();
    TRY(store::save_relationship(tx, relationship));
    return store::drop_deliveries(tx, self.id, relationship.peer);
}

Result<void> meet_anew(store::WriteTx& tx, const Self& self, const std::string& peer)
{
    auto relationship = TRY(relationship_with(tx, self, peer));
    relationship.state = "none";
    for (std::string* gone : {&relationship.our_post, &relationship.our_hawk_id, &relationship.their_post,
                              &relationship.their_hawk_id, &relationship.their_hawk_key})
        gone->clear();
    if (!relationship.following.empty() && relationship.following != "refused")
        relationship.following = "connecting";
    TRY(store::save_relationship(tx, relationship));
    for (const auto& subscription : TRY(store::subscriptions_of(tx, self.id, self.entity, peer))) {
        const int64_t row = TRY(store::find_version(tx, self.id, self.entity, subscription.post, ""));
        if (row != 0)
            TRY(store::deliver_again(tx, self.id, peer, row));
    }
    return {};
}

Result<void> relationship_deleted(store::WriteTx& tx, const Self& self, const Post& post)
{
    std::vector<std::string> keys;
    {
        auto select = tx.prepare("SELECT hawk_id FROM credentials WHERE owner = :owner AND target_post = :post");
        select.bind(":owner", self.id).bind(":post", post.id);
        while (TRY(select.step()))
            keys.push_back(select.text(0));
    }
    TRY(store::remove_credentials_of(tx, self.id, post.id));
    for (const auto& hawk_id : keys)
        TRY(store::delete_post(tx, self.id, self.entity, hawk_id, ""));
    const std::string peer = post.mentions.empty() ? std::string() : post.mentions[0].entity;
    auto known = TRY(store::find_relationship(tx, self.id, peer));
    if (!known || known->our_post != post.id)
        return {};
    return end_relationship(tx, self, std::move(*known));
}

Result<void> introduce_to_readers(store::WriteTx& tx, const Self& self, const Post& post)
{
    if (post.permissions.is_public)
        return {};
    for (const auto& entity : post.permissions.entities) {
        if (entity == self.entity || !peer_host(entity))
            continue;
        auto relationship = TRY(relationship_with(tx, self, entity));
        const bool mentioned = std::any_of(post.mentions.begin(), post.mentions.end(), [&](const Mention& m) {
            return m.entity == entity;  // her delivery makes the relationship
        });
        if (relationship.state == "none" && relationship.follower != "blocked" && !mentioned)
            TRY(subscribe_to_meta(tx, self, entity));
    }
    return {};
}

Result<void> unfollow(store::WriteTx& tx, const Self& self, const std::string& entity)
{
    auto relationship = TRY(relationship_with(tx, self, entity));
    if (relationship.following.empty())
        return fail(ErrorKind::NotFound, "you do not follow this entity; see: bivouac following");
    for (const auto& subscription : TRY(store::subscriptions_of(tx, self.id, self.entity, entity))) {
        if (is_about_meta(subscription.selector))
            continue;
        auto deleted = delete_own(tx, self, subscription.post, "");
        if (!deleted.ok() && deleted.error().kind != ErrorKind::NotFound)
            return std::move(deleted).error();
    }
    relationship = TRY(relationship_with(tx, self, entity));
    relationship.following.clear();
    relationship.following_post.clear();
    TRY(store::drop_catch_up(tx, self.id, entity));
    return store::save_relationship(tx, relationship);
}

Result<void> approve(store::WriteTx& tx, const Self& self, const std::string& entity,
                     const std::vector<std::string>& groups)
{
    auto relationship = TRY(asked_to_follow(tx, self, entity));
    for (const auto& group : groups)
        TRY(join_group(tx, self, group, entity));
    if (relationship.follower == "approved")
        return {};
    relationship.follower = "approved";
    relationship.follower_since = tx.now_ms();
    relationship.before_block.clear();
    TRY(store::save_relationship(tx, relationship));
    TRY(join_group(tx, self, self.followers_group, entity));
    // What she left with us while she waited shows from now on, its attachments too.
    TRY(store::enqueue_missing_fetches(tx, self.id, entity, static_cast<int64_t>(limits::kAttachmentBytes)));
    // Who left and came again has taken note of what was said before.
    return publish_relationship(tx, self, relationship, type::kRelationshipSubscriber, store::Order::InTurn, Say::Again);
}

Result<void> confirm_follower(store::WriteTx& tx, const Self& self, const store::Relationship& relationship)
{
    return publish_relationship(tx, self, relationship, type::kRelationshipSubscriber, store::Order::InTurn, Say::Again);
}

Result<void> deny(store::WriteTx& tx, const Self& self, const std::string& entity)
{
    auto relationship = TRY(asked_to_follow(tx, self, entity));
    relationship.follower = "denied";
    relationship.follower_since = tx.now_ms();
    relationship.before_block.clear();
    TRY(store::save_relationship(tx, relationship));
    return leave_all_groups(tx, self, entity);
}

Result<void> block(store::WriteTx& tx, const Self& self, const std::string& entity)
{
    auto relationship = TRY(relationship_with(tx, self, entity));
    if (entity == self.entity)
        return fail(ErrorKind::Invalid, "this is your own address");
    if (!relationship.following.empty()) {
        TRY(unfollow(tx, self, entity));
        relationship = TRY(relationship_with(tx, self, entity));
    }
    if (relationship.follower == "blocked")
        return {};
    // Approved once more is a decision of its own.
    relationship.before_block = relationship.follower == "approved" ? "removed" : relationship.follower;
    relationship.follower = "blocked";
    relationship.follower_since = tx.now_ms();
    TRY(store::save_relationship(tx, relationship));
    TRY(leave_all_groups(tx, self, entity));
    return store::drop_deliveries(tx, self.id, entity);
}

Result<void> unblock(store::WriteTx& tx, const Self& self, const std::string& entity)
{
    auto relationship = TRY(relationship_with(tx, self, entity));
    if (relationship.follower != "blocked")
        return fail(ErrorKind::NotFound, "this entity is not blocked; see: bivouac followers");
    relationship.follower = std::exchange(relationship.before_block, "");
    relationship.follower_since = relationship.follower.empty() ? 0 : tx.now_ms();
    return store::save_relationship(tx, relationship);
}

Result<Held> held_by(store::ReadTx& tx, const Self& self, const std::string& entity)
{
    Held out;
    {
        auto select = tx.prepare(R"(
            SELECT count(DISTINCT v.post), coalesce(max(d.ended_at), 0) FROM deliveries d
            JOIN versions v ON v.id = d.version JOIN types t ON t.id = v.type
            WHERE d.owner = :owner AND d.peer = (SELECT id FROM names WHERE entity = :peer) AND d.state = 'delivered'
              AND t.bookkeeping = 0)");
        select.bind(":owner", self.id).bind(":peer", entity);
        if (TRY(select.step())) {
            out.delivered = select.integer(0);
            out.last_delivered_at = select.integer(1);
        }
    }
    auto select = tx.prepare(R"(
        WITH me AS (SELECT id FROM names WHERE entity = :self), her AS (SELECT id FROM names WHERE entity = :peer)
        SELECT count(DISTINCT v.post) FROM versions v JOIN types t ON t.id = v.type
        WHERE v.owner = :owner AND v.author = (SELECT id FROM me) AND v.public = 0 AND t.bookkeeping = 0
          AND (EXISTS (SELECT 1 FROM version_entities x WHERE x.version = v.id AND x.entity = (SELECT id FROM her))
               OR EXISTS (SELECT 1 FROM version_groups x JOIN group_members m ON m.owner = v.owner
                          AND m.group_post = x.group_post AND m.member = (SELECT id FROM her) WHERE x.version = v.id)))");
    select.bind(":self", self.entity).bind(":peer", entity).bind(":owner", self.id);
    if (TRY(select.step()))
        out.readable = select.integer(0);
    return out;
}

Result<Held> remove_follower(store::WriteTx& tx, const Self& self, const std::string& entity)
{
    auto relationship = TRY(asked_to_follow(tx, self, entity));
    if (relationship.follower != "approved")
        return fail(ErrorKind::Conflict, "she is not an approved follower; to keep her out: bivouac followers deny or block");
    Held held = TRY(held_by(tx, self, entity));
    relationship.follower = "removed";
    relationship.follower_since = tx.now_ms();
    TRY(store::save_relationship(tx, relationship));
    TRY(leave_all_groups(tx, self, entity));
    TRY(store::drop_deliveries(tx, self.id, entity));
    // Her keys die with the posts that they belong to, also those of earlier handshakes. If she is still known to us
    // in another way, as somebody whom we follow, the next exchange makes new ones, which open what strangers may see.
    std::vector<std::string> targets;
    {
        auto select = tx.prepare(R"(
            SELECT DISTINCT c.target_post FROM credentials c JOIN names n ON n.id = c.peer
            WHERE c.owner = :owner AND n.entity = :peer AND c.kind = 'relationship')");
        select.bind(":owner", self.id).bind(":peer", entity);
        while (TRY(select.step()))
            targets.push_back(select.text(0));
    }
    for (const auto& target : targets) {
        auto gone = delete_own(tx, self, target, "", false);
        if (!gone.ok() && gone.error().kind != ErrorKind::NotFound)
            return std::move(gone).error();
        TRY(store::remove_credentials_of(tx, self.id, target));
    }
    return held;
}

Result<void> verify(store::WriteTx& tx, const Self& self, const std::string& entity, bool verified)
{
    auto known = TRY(store::find_relationship(tx, self.id, entity));
    if (!known || (known->follower.empty() && known->following.empty()))
        return fail(ErrorKind::NotFound, "you neither follow her nor has she asked to; see: bivouac followers");
    known->verified_at = verified ? tx.now_ms() : 0;
    return store::save_relationship(tx, *known);
}

Result<void> follower_left(store::WriteTx& tx, const Self& self, const std::string& entity)
{
    auto relationship = TRY(relationship_with(tx, self, entity));
    if (relationship.follower != "pending" && relationship.follower != "approved")
        return {};
    relationship.follower.clear();
    relationship.follower_since = 0;
    TRY(store::save_relationship(tx, relationship));
    return leave_all_groups(tx, self, entity);
}

Result<OurSide> initiate(store::WriteTx& tx, const Self& self, const std::string& peer)
{
    auto relationship = TRY(relationship_with(tx, self, peer));
    if (relationship.state == "initiated") {
        // The same R_A and C_A as in the last try (section 7.2, "Failure").
        int64_t row = TRY(store::find_version(tx, self.id, self.entity, relationship.our_post, ""));
        if (auto post = TRY(store::load_version(tx, row)))
            return OurSide{std::move(*post), relationship.our_hawk_id};
    }
    Post initial = TRY(publish(tx, self, draft_for(peer, type::kRelationshipInitial), Deliver::Nobody));
    std::string hawk_id = TRY(make_credentials(tx, self, initial, peer));
    relationship.state = "initiated";
    relationship.our_post = initial.id;
    relationship.our_hawk_id = hawk_id;
    TRY(store::save_relationship(tx, relationship));
    TRY(drop_old_keys(tx, self, peer));
    return OurSide{std::move(initial), hawk_id};
}

bool strangers_are_refused(const store::StrangersToday& today, int64_t pending)
{
    return today.contacts >= limits::kStrangersPerDay || today.posts >= limits::kHeldPostsPerDay ||
           today.bytes >= limits::kHeldBytesPerDay || pending >= limits::kPendingFollowers;
}

Result<int64_t> deny_all(store::WriteTx& tx, const Self& self)
{
    int64_t denied = 0;
    for (const auto& r : TRY(store::list_relationships(tx, self.id)))
        if (r.follower == "pending") {
            TRY(deny(tx, self, r.peer));
            ++denied;
        }
    return denied;
}

Result<OurSide> accept(store::WriteTx& tx, const Self& self, const TheirSide& theirs)
{
    if (self.current(theirs.entity) != theirs.entity)
        return fail(ErrorKind::Forbidden, "an address that was left");
    TRY(follow_moves(tx, self, theirs.meta));
    const bool known = TRY(store::find_relationship(tx, self.id, theirs.entity)).has_value();
    auto relationship = TRY(relationship_with(tx, self, theirs.entity));
    if (relationship.follower == "blocked")
        return fail(ErrorKind::Forbidden, "blocked");
    if (!known) {
        if (TRY(store::strangers_today(tx, self.id)).contacts >= limits::kStrangersPerDay)
            return fail(ErrorKind::TooMany, "too many strangers today");
        TRY(store::count_strangers(tx, self.id, {1, 0, 0}));
    }
    TRY(store_theirs(tx, self, theirs));
    Post draft = draft_for(theirs.entity, type::kRelationship);
    draft.mentions[0].post = theirs.relationship.id;
    draft.mentions[0].type = type::kRelationshipInitial;
    Post ours = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    std::string hawk_id = TRY(make_credentials(tx, self, ours, theirs.entity));
    take_theirs(relationship, theirs);
    relationship.our_post = ours.id;
    relationship.our_hawk_id = hawk_id;
    TRY(store::save_relationship(tx, relationship));
    TRY(drop_old_keys(tx, self, theirs.entity));
    // Step 7: asynchronously, and before anything else that waits for her.
    int64_t version = TRY(store::find_version(tx, self.id, self.entity, ours.id, ours.version.id));
    TRY(store::enqueue_delivery(tx, self.id, theirs.entity, version, store::Order::Ahead));
    // A follower whose data was lost and who comes again stays approved: tell her new records so.
    if (relationship.follower == "approved")
        TRY(publish_relationship(tx, self, relationship, type::kRelationshipSubscriber));
    return OurSide{std::move(ours), hawk_id};
}

Result<void> complete(store::WriteTx& tx, const Self& self, const TheirSide& theirs)
{
    TRY(follow_moves(tx, self, theirs.meta));
    auto relationship = TRY(relationship_with(tx, self, theirs.entity));
    TRY(store_theirs(tx, self, theirs));
    const bool crossed = relationship.state == "active";  // they were faster with a handshake of their own
    take_theirs(relationship, theirs);
    TRY(store::save_relationship(tx, relationship));
    TRY(publish_relationship(tx, self, relationship, type::kRelationship, store::Order::Ahead));
    // As in accept(): what we have decided about her holds by the new keys, too.
    if (relationship.follower == "approved")
        TRY(publish_relationship(tx, self, relationship, type::kRelationshipSubscriber));
    if (crossed)
        return {};
    // Who lost what she knew of us, or knows us by another address, learns again that we follow her.
    for (const auto& subscription : TRY(store::subscriptions_of(tx, self.id, self.entity, theirs.entity)))
        if (const int64_t row = TRY(store::find_version(tx, self.id, self.entity, subscription.post, "")); row != 0)
            TRY(store::deliver_again(tx, self.id, theirs.entity, row));
    return subscribe_to_meta(tx, self, theirs.entity);
}

Result<void> delivered(store::WriteTx& tx, const Self& self, const std::string& peer, const Post& post)
{
    auto relationship = TRY(relationship_with(tx, self, peer));
    if (relationship.following != "connecting" || TRY(parse_type(post.type)).base != type::kSubscriptionBase ||
        is_about_meta(TRY(selector_of(post))))
        return {};
    relationship.following = "requested";
    TRY(store::save_relationship(tx, relationship));
    return store::want_catch_up(tx, self.id, peer, store::Begin::Anew);
}

Result<void> refused(store::WriteTx& tx, const Self& self, const std::string& peer, const Post& post)
{
    auto relationship = TRY(relationship_with(tx, self, peer));
    if (relationship.following != "connecting" || relationship.following_post != post.id)
        return {};
    relationship.following = "refused";
    return store::save_relationship(tx, relationship);
}

bool carries_invite(const Post& post)
{
    auto parsed = parse_type(post.type);
    return parsed.ok() && parsed->base == type::kSubscriptionBase &&
           !parse_follow_message(post.version.message).invite.empty();
}

Result<void> make_followers_group(store::WriteTx& tx, const Self& self)
{
    Post group = private_draft(type::kGroup);
    group.id = self.followers_group;
    group.content = Json({{"name", "followers"}}).dump();
    TRY(publish(tx, self, std::move(group), Deliver::Nobody));
    return {};
}

}  // namespace bivouac::tent
