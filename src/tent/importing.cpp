// SPDX-License-Identifier: BSD-3-Clause
#include "importing.h"

#include <bivouac/model/canonical_json.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/store/credentials.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/notifications.h>

namespace bivouac::tent {

namespace {

Result<store::Relationship> relationship_with(store::ReadTx& tx, const Self& self, const std::string& peer)
{
    if (auto known = TRY(store::find_relationship(tx, self.id, peer)))
        return std::move(*known);
    store::Relationship fresh;
    fresh.owner = self.id;
    fresh.peer = peer;
    return fresh;
}

Result<std::optional<Post>> own_post(store::ReadTx& tx, const Self& self, const std::string& id)
{
    return store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, id, "")));
}

std::vector<std::string> strings_of(const Json& object, const char* name)
{
    std::vector<std::string> out;
    if (auto list = object.find(name); list != object.end() && list->is_array())
        for (const auto& item : *list)
            if (item.is_string())
                out.push_back(item.get<std::string>());
    return out;
}

// A mention of a post of that base; empty when there is none.
std::string mentioned(const Post& post, const std::string& base)
{
    for (const auto& mention : post.mentions) {
        auto type = parse_type(mention.type);
        if (!mention.post.empty() && type.ok() && type->base == base)
            return mention.post;
    }
    return {};
}

Result<void> app_auth_imported(store::WriteTx& tx, const Self& self, const Post& post)
{
    const std::string app_id = mentioned(post, type::kAppBase);
    auto app = TRY(own_post(tx, self, app_id));
    if (!app || TRY(parse_type(app->type)).base != type::kAppBase)
        return fail(ErrorKind::Invalid, "Post must mention an app");
    const Json about = content_of(*app);
    const Json content = content_of(post);
    const Json types = content.value("types", Json::object());
    return store::set_app_grant(tx, self.id,
                                {post.id, app_id, about.value("name", ""), about.value("url", ""),
                                 strings_of(types, "read"), strings_of(types, "write"),
                                 strings_of(content, "scopes")});
}

// Keys of ours work again; a key that somebody else gave us is used from now on.
Result<void> credentials_imported(store::WriteTx& tx, const Self& self, const Post& post)
{
    const std::string key = content_of(post).value("hawk_key", "");
    const std::string relationship_post = mentioned(post, type::kRelationshipBase);
    if (post.entity != self.entity) {
        auto relationship = TRY(relationship_with(tx, self, post.entity));
        relationship.their_hawk_id = post.id;
        relationship.their_hawk_key = key;
        if (!relationship.our_post.empty())
            relationship.state = "active";
        return store::save_relationship(tx, relationship);
    }
    if (TRY(store::find_credentials(tx, self.id, post.id)))
        return {};
    if (std::string app_auth = mentioned(post, type::kAppAuthBase); !app_auth.empty())
        return store::add_credentials(tx, {self.id, post.id, key, "app-auth", app_auth, ""});
    if (std::string app = mentioned(post, type::kAppBase); !app.empty())
        return store::add_credentials(tx, {self.id, post.id, key, "app", app, ""});
    auto ours = TRY(own_post(tx, self, relationship_post));
    if (!ours || ours->mentions.empty() || ours->mentions[0].entity.empty())
        return fail(ErrorKind::Invalid, "credentials mention an app, an app-auth or a relationship post that is here");
    const std::string peer = ours->mentions[0].entity;
    TRY(store::add_credentials(tx, {self.id, post.id, key, "relationship", relationship_post, peer}));
    auto relationship = TRY(relationship_with(tx, self, peer));
    relationship.our_hawk_id = post.id;
    return store::save_relationship(tx, relationship);
}

Result<void> relationship_imported(store::WriteTx& tx, const Self& self, const Post& post)
{
    const bool ours = post.entity == self.entity;
    const std::string peer = !ours ? post.entity : post.mentions.empty() ? "" : post.mentions[0].entity;
    if (peer.empty())
        return fail(ErrorKind::Invalid, "a relationship post mentions an entity");
    auto relationship = TRY(relationship_with(tx, self, peer));
    (ours ? relationship.our_post : relationship.their_post) = post.id;
    if (!relationship.our_post.empty() && !relationship.their_hawk_key.empty())
        relationship.state = "active";
    return store::save_relationship(tx, relationship);
}

Result<void> subscription_imported(store::WriteTx& tx, const Self& self, const Post& post)
{
    const std::string selector = content_of(post).value("type", "");
    const std::string target = post.mentions.empty() ? "" : post.mention_entity(post.mentions[0]);
    const bool ours = post.entity == self.entity;
    if (target.empty() || (!ours && target != self.entity))
        return {};
    TRY(store::add_subscription(tx, self.id, {post.entity, target, selector, post.id}));
    if (selector != kAllTypes && type_matches(selector, type::kMeta))
        return {};
    auto relationship = TRY(relationship_with(tx, self, ours ? target : post.entity));
    if (ours) {
        relationship.following = "requested";
        relationship.following_post = post.id;
        return store::save_relationship(tx, relationship);
    }
    // The owner brings her followers along: she has decided about them before.
    if (relationship.follower.empty()) {
        relationship.follower = "approved";
        relationship.follower_since = tx.now_ms();
    }
    return store::save_relationship(tx, relationship);
}

Result<void> meta_imported(store::WriteTx& tx, const Self& self, const Post& post)
{
    if (post.entity == self.entity)
        return {};
    auto relationship = TRY(relationship_with(tx, self, post.entity));
    relationship.servers = content_of(post).value("servers", Json::array()).dump();
    return store::save_relationship(tx, relationship);
}

Result<void> rebuild(store::WriteTx& tx, const Self& self, const Post& post, const std::string& base)
{
    if (base == type::kCredentialsBase)
        return credentials_imported(tx, self, post);
    if (base == type::kRelationshipBase)
        return relationship_imported(tx, self, post);
    if (base == type::kSubscriptionBase)
        return subscription_imported(tx, self, post);
    if (base == type::kMetaBase)
        return meta_imported(tx, self, post);
    if (base == type::kAppAuthBase && post.entity == self.entity)
        return app_auth_imported(tx, self, post);
    if (base == type::kGroupMemberBase && post.entity == self.entity)
        return member_stored(tx, self, post);
    return {};
}

}  // namespace

Result<Post> import_version(store::WriteTx& tx, const Self& self, Post post)
{
    const std::string base = TRY(parse_type(post.type)).base;
    const bool ours = post.entity == self.entity;
    TRY(validate_content(post, ours ? MetaOf::Ourselves : MetaOf::Others));
    if (ours && base == type::kMetaBase &&
        (post.id != kMetaPostId || content_of(post).value("entity", "") != self.entity))
        return fail(ErrorKind::Invalid, "the meta post of this entity has the id meta and names this entity");
    if (post.published_at == 0)
        post.published_at = tx.now_ms();
    if (post.version.published_at == 0)
        post.version.published_at = post.published_at;
    if (post.received_at == 0)
        post.received_at = tx.now_ms();
    if (post.version.received_at == 0)
        post.version.received_at = post.received_at;
    if (post.version.id.empty())
        post.version.id = version_id_of(post);
    else if (!version_id_verifies(post_to_json(post, Audience::owner()), post.version.id))
        return fail(ErrorKind::Invalid, "Invalid version id");
    if (TRY(store::find_version(tx, self.id, post.entity, post.id, post.version.id)) != 0)
        return post;
    TRY(store::insert_version(tx, self.id, post));
    // Apps are not told of what moves in (section 4.5.2), but an app may be among it.
    if (ours && base == type::kAppBase)
        TRY(follow_app_hook(tx, self, post));
    TRY(rebuild(tx, self, post, base));
    return post;
}

}  // namespace bivouac::tent
