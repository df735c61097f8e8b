// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/credentials.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tent/visibility.h>
#include <bivouac/tent/writing.h>

#include <algorithm>

#include "importing.h"

namespace bivouac::tent {

namespace {

bool has_scope(const Principal& who, const char* scope)
{
    return who.kind == Principal::Kind::Owner ||
           std::find(who.scopes.begin(), who.scopes.end(), scope) != who.scopes.end();
}

Error forbidden()
{
    return fail(ErrorKind::Forbidden, "not permitted to this app");
}

// Only import may set these; a delivery or an edited post that is sent back holds them (section 4.3).
void drop_read_only(Post& draft, const Principal& who)
{
    draft.entity.clear();
    draft.original_entity.clear();
    draft.received_at = 0;
    draft.version.id.clear();
    draft.version.received_at = 0;
    draft.app = {who.app_post, who.app_name, who.app_url};
    // Without the scope an app may say public or not, but not name readers (section 6.6).
    if (!has_scope(who, "permissions")) {
        draft.permissions.entities.clear();
        draft.permissions.groups.clear();
    }
}

Result<void> check_draft(store::ReadTx& tx, const Self& self, const Post& draft)
{
    if (has_schema(draft.type))
        TRY(validate_content(draft));
    return check_groups(tx, self, draft);
}

// Files that the post lists must be ones that the app may read (section 4.5.1); after them come those that it
// brought along (section 4.6).
Result<void> take_files(store::ReadTx& tx, const Self& self, const Principal& who, Post& draft,
                        std::vector<Attachment> uploaded)
{
    TRY(store::resolve_listed_attachments(tx, self.id, viewer_of(who), draft.attachments));
    for (auto& file : uploaded) {
        for (const auto& other : draft.attachments)
            if (other.name == file.name && other.content_type == file.content_type)
                return fail(ErrorKind::Invalid, "two attachments of one name and content type");
        draft.attachments.push_back(std::move(file));
    }
    return {};
}

// Our own meta post (section 1.3): apps change the profile. Where this node is reached is not theirs to say; that
// would lead everybody who follows us to somebody else's server.
Result<void> check_meta(const Self& self, const Post& current, Post& draft)
{
    draft.permissions = {};
    if (*self.door == store::Door::Sealed)
        seal_meta(self, draft);
    Json before = content_of(current);
    Json after = content_of(draft);
    // What proves a former address stays, also when an app that does not know it leaves it out.
    for (const char* kept : {"previous_entities"})
        if (before.contains(kept) && !after.contains(kept)) {
            after[kept] = before[kept];
            draft.content = after.dump();
        }
    for (const char* fixed : {"entity", "servers", "previous_entities"})
        if (before.value(fixed, Json()) != after.value(fixed, Json()))
            return fail(ErrorKind::Invalid, std::string("Invalid Attributes: /content/") + fixed +
                                                " cannot be changed by an app");
    return {};
}

// What a stored version of ours sets going besides its delivery.
Result<void> act_on(store::WriteTx& tx, const Self& self, const Post& post, const std::string& base)
{
    if (base == type::kGroupMemberBase)
        return member_stored(tx, self, post);
    return introduce_to_readers(tx, self, post);
}

Result<Written> plain(Result<Post> post)
{
    if (!post.ok())
        return std::move(post).error();
    return Written{std::move(*post), ""};
}

Result<void> check_first_parents(const Post& draft)
{
    size_t index = 0;
    for (const auto& parent : draft.version.parents) {
        const std::string path = "/version/parents/" + std::to_string(index++);
        if (parent.post.empty())
            return fail(ErrorKind::Invalid, path + "/post is required");
    }
    return {};
}

// At least one parent is a version of this post (section 2.6).
Result<void> check_parents(store::ReadTx& tx, const Self& self, const std::string& post_id, const Post& draft)
{
    if (draft.version.parents.empty())
        return fail(ErrorKind::Invalid, "Parent version not specified");
    for (const auto& parent : draft.version.parents) {
        const bool ours = (parent.post.empty() || parent.post == post_id) &&
                          (parent.entity.empty() || parent.entity == self.entity);
        if (ours && TRY(store::find_version(tx, self.id, self.entity, post_id, parent.version)) != 0)
            return {};
    }
    return fail(ErrorKind::Invalid,
                "The field /version/parents must reference a parent version of this post");
}

}  // namespace

Result<Written> create_post(store::WriteTx& tx, const Self& self, const Principal& who, Post draft,
                            std::vector<Attachment> uploaded, size_t waiting_apps)
{
    const std::string base = TRY(parse_type(draft.type)).base;
    const bool registers = base == type::kAppBase && who.kind == Principal::Kind::Anonymous;
    TRY(check_draft(tx, self, draft));
    if (who.kind == Principal::Kind::Anonymous && !registers)
        return fail(ErrorKind::Unauthorized, "credentials are needed");
    if (!registers && !may_write(who, draft.type))
        return forbidden();
    if (base == type::kCredentialsBase || base == type::kRelationshipBase || base == type::kDeliveryFailureBase)
        return fail(ErrorKind::Forbidden, "such posts are made by the server");
    if (base == type::kMetaBase)
        return fail(ErrorKind::Invalid, "there is one meta post; change it with PUT");
    drop_read_only(draft, who);
    draft.id.clear();
    TRY(check_first_parents(draft));
    TRY(take_files(tx, self, who, draft, std::move(uploaded)));

    if (base == type::kAppBase) {
        auto app = TRY(register_app(tx, self, std::move(draft), waiting_apps));
        return Written{std::move(app.app), std::move(app.hawk_id)};
    }
    if (base == type::kAppAuthBase) {
        auto auth = TRY(post_app_auth(tx, self, std::move(draft)));
        return Written{std::move(auth.app_auth), std::move(auth.hawk_id)};
    }
    if (base == type::kSubscriptionBase)
        return plain(subscribe(tx, self, std::move(draft)));
    Post post = TRY(publish(tx, self, std::move(draft)));
    TRY(act_on(tx, self, post, base));
    return Written{std::move(post), ""};
}

Result<Written> create_version(store::WriteTx& tx, const Self& self, const Principal& who,
                               const std::string& post_id, Post draft, std::vector<Attachment> uploaded)
{
    const std::string base = TRY(parse_type(draft.type)).base;
    const bool itself = who.kind == Principal::Kind::AppItself;
    if (who.kind == Principal::Kind::Anonymous)
        return fail(ErrorKind::Unauthorized, "credentials are needed");
    if (itself ? post_id != who.target_post : !may_write(who, draft.type))
        return forbidden();
    if (base == type::kRelationshipBase || base == type::kDeliveryFailureBase || base == type::kDeleteBase)
        return fail(ErrorKind::Forbidden, "such posts are made by the server");
    // Of what it may not read an app does not learn that it is there.
    auto current = TRY(store::load_post(tx, self.id, self.entity, post_id, "", viewer_of(who)));
    if (!current)
        return fail(ErrorKind::NotFound, "there is no such post");
    if (!itself && !may_write(who, current->type))
        return forbidden();
    if ((!draft.id.empty() && draft.id != post_id) || (!draft.entity.empty() && draft.entity != self.entity))
        return fail(ErrorKind::Invalid, "Invalid Attributes: /id and /entity differ from the URL");
    if (TRY(parse_type(current->type)).base != base)
        return fail(ErrorKind::Invalid, "Invalid Attributes: /type cannot change from one version to the next");
    TRY(check_draft(tx, self, draft));
    drop_read_only(draft, who);
    if (itself)
        draft.app = current->app;
    TRY(check_parents(tx, self, post_id, draft));
    TRY(take_files(tx, self, who, draft, std::move(uploaded)));
    draft.id = post_id;

    if (base == type::kAppBase)
        return plain(update_app(tx, self, std::move(draft)));
    if (base == type::kAppAuthBase) {
        auto auth = TRY(put_app_auth(tx, self, std::move(draft)));
        return Written{std::move(auth.app_auth), std::move(auth.hawk_id)};
    }
    if (base == type::kCredentialsBase)
        return plain(put_credentials(tx, self, std::move(draft)));
    if (base == type::kMetaBase)
        TRY(check_meta(self, *current, draft));
    if (base == type::kSubscriptionBase)
        TRY(check_subscription(*current, draft));
    Post post = TRY(publish(tx, self, std::move(draft)));
    TRY(act_on(tx, self, post, base));
    return Written{std::move(post), ""};
}

Result<Post> import_post(store::WriteTx& tx, const Self& self, const Principal& who, Post post,
                         std::vector<Attachment> uploaded)
{
    if (who.kind != Principal::Kind::App && who.kind != Principal::Kind::Owner)
        return fail(who.kind == Principal::Kind::Anonymous ? ErrorKind::Unauthorized : ErrorKind::Forbidden,
                    "importing takes an app with the scope import");
    if (!has_scope(who, "import") || !may_write(who, post.type))
        return forbidden();
    for (auto& file : uploaded) {
        auto same = [&](const Attachment& a) { return a.name == file.name && a.content_type == file.content_type; };
        auto listed = std::find_if(post.attachments.begin(), post.attachments.end(), same);
        // The metadata of a post that is brought along are part of it already; its files follow.
        if (listed == post.attachments.end())
            post.attachments.push_back(std::move(file));
        else if (listed->digest.empty())
            *listed = std::move(file);
        else if (listed->digest != file.digest)
            return fail(ErrorKind::Invalid, "an attachment does not have the digest that the post says");
    }
    for (auto& attachment : post.attachments) {
        int64_t size = TRY(store::blob_size(tx, self.id, attachment.digest));
        if (size < 0)
            return fail(ErrorKind::Invalid, "Unknown attachment: its digest is not known here");
        attachment.size = size;
    }
    return import_version(tx, self, std::move(post));
}

Result<std::optional<Post>> delete_as(store::WriteTx& tx, const Self& self, const Principal& who,
                                      const std::string& entity, const std::string& post_id,
                                      const std::string& version_id, DeletePost wish)
{
    auto post = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, entity, post_id, version_id))));
    if (!post)
        return fail(ErrorKind::NotFound, "there is no such post");
    if (who.kind == Principal::Kind::Anonymous)
        return fail(ErrorKind::Unauthorized, "credentials are needed");
    if (!may_write(who, post->type))
        return forbidden();
    if (entity != self.entity) {
        // A copy of hers goes from here; hers stays hers (section 4.7).
        TRY(store::delete_post(tx, self.id, entity, post_id, version_id));
        return std::optional<Post>();
    }
    const std::string base = TRY(parse_type(post->type)).base;
    // Whoever subscribed must hear that it ended, or deliveries go on for ever (section 7.4).
    const bool make = wish == DeletePost::Make || base == type::kSubscriptionBase;
    return delete_own(tx, self, post_id, version_id, make);
}

}  // namespace bivouac::tent
