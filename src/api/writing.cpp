// SPDX-License-Identifier: BSD-3-Clause
// Writing posts (Tent 0.3, sections 4.3, 4.5 and 4.7).
#include <bivouac/api/post_upload.h>
#include <bivouac/model/protocol.h>
#include <bivouac/net/multipart.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/receive.h>

#include <algorithm>

#include "call.h"

namespace bivouac::api {

namespace {

// A draft out of what an app sent: members that only import may set are ignored (section 4.3).
Result<Post> draft_of(PostUpload upload, const Principal& principal)
{
    Post draft = TRY(post_from_json(upload.post));
    draft.id.clear();
    draft.entity.clear();
    draft.original_entity.clear();
    draft.received_at = 0;
    draft.version.id.clear();
    draft.version.received_at = 0;
    draft.app = {principal.app_post, principal.app_name, principal.app_url};
    for (auto& attachment : upload.uploaded)
        draft.attachments.push_back(std::move(attachment));
    for (const auto& parent : draft.version.parents)
        if (parent.post.empty())
            return fail(ErrorKind::Invalid, "/version/parents: post is required");
    // Without the scope an app may say public or not, but not name readers (section 6.6).
    bool may_name = principal.kind == Principal::Kind::Owner ||
                    std::find(principal.scopes.begin(), principal.scopes.end(), "permissions") !=
                        principal.scopes.end();
    if (!may_name) {
        draft.permissions.entities.clear();
        draft.permissions.groups.clear();
    }
    return draft;
}

// Posts that only the server makes (section 4.3, last table), or that need a flow of their own.
bool is_server_made(const std::string& base)
{
    for (const char* made : {type::kCredentialsBase, type::kRelationshipBase, type::kDeliveryFailureBase,
                             type::kDeleteBase, type::kMetaBase, type::kAppBase, type::kAppAuthBase})
        if (base == made)
            return true;
    return false;
}

}  // namespace

Answer new_post(const CallPtr& call)
{
    const Principal& principal = call->principal();
    // Strangers are told before their body is looked at.
    if (principal.kind == Principal::Kind::Anonymous)
        return error_response(401, "Unauthorized");
    if (principal.kind != Principal::Kind::App)
        return error_response(403, "Forbidden");
    auto upload = read_post_upload(call->request, call->services.store);
    if (!upload.ok())
        return error_response(upload.error());
    auto media = net::parse_media_type(upload->content_type);
    std::string wanted = media.ok() ? media->parameter("type") : "";
    auto draft = draft_of(std::move(*upload), principal);
    if (!draft.ok())
        return error_response(draft.error());
    if (wanted != draft->type)
        return error_response(415, "the Content-Type must name the type of the post");
    if (!tent::may_write(principal, draft->type))
        return error_response(403, "Forbidden");
    auto type = parse_type(draft->type);
    if (!type.ok() || is_server_made(type->base))
        return error_response(403, "Forbidden");
    auto post = call->services.store.write([&](store::WriteTx& tx) -> Result<Post> {
        Post made = TRY(tent::publish(tx, call->self(), *draft));
        tx.after_commit([call] { call->services.hooks.posted(); });
        return made;
    });
    if (!post.ok())
        return error_response(post.error());
    net::HttpResponse response = post_response(*post, Audience::owner());
    response.with("Cache-Control", "private, must-revalidate");
    return response;
}

Answer put_post(const CallPtr& call)
{
    const Principal& principal = call->principal();
    auto media = net::parse_media_type(call->request.header("Content-Type").value_or(""));
    if (!media.ok() || media->type != mime::kPost || media->parameter("rel") != rel::kNotification)
        return error_response(call->is_signed() ? 403 : 401, call->is_signed() ? "Forbidden" : "Unauthorized");

    const bool initial = media->parameter("type") == type::kRelationshipInitial;
    if (!initial && principal.kind != Principal::Kind::Peer)
        return error_response(403, "Forbidden");  // also unsigned (section 7.5)
    auto text = call->request.body->text(limits::kJsonBodyBytes);
    if (!text.ok())
        return error_response(text.error());
    auto body = parse_json(*text);
    if (!body.ok())
        return error_response(body.error());
    if (initial) {
        std::string link(call->request.header("Link").value_or(""));
        call->services.hooks.initial(call->self(), call->route.entity, call->route.post, std::move(link), std::move(*body),
                                     [call](net::HttpResponse response) { finish(*call, std::move(response)); });
        return std::nullopt;
    }
    auto received = call->services.store.write([&](store::WriteTx& tx) -> Result<tent::Received> {
        auto out = TRY(tent::receive(tx, call->self(), principal.entity, call->route.entity, call->route.post, *body));
        if (out.stored)
            tx.after_commit([call] { call->services.hooks.posted(); });
        return out;
    });
    if (!received.ok())
        return error_response(received.error());
    return post_response(received->post, Audience::peer(principal.entity));
}

Answer delete_post(const CallPtr& call)
{
    const Principal& principal = call->principal();
    const Viewer viewer = tent::viewer_of(principal);
    std::string version = normal_digest(query_parameter(call->route.query, "version").value_or(""));
    auto post = call->services.store.read([&](store::ReadTx& tx) {
        return store::load_post(tx, call->self().id, call->route.entity, call->route.post, version, viewer);
    });
    if (!post.ok())
        return error_response(post.error());
    // Not readable: absent. Readable but anonymous: 401. Otherwise 403 (section 4.7).
    if (!*post || (call->foreign() && principal.kind != Principal::Kind::App))
        return not_found();
    if (!call->is_signed())
        return error_response(401, "Unauthorized");
    auto type = parse_type((**post).type);
    if (!tent::may_write(principal, (**post).type) || !type.ok() || call->foreign() || is_server_made(type->base))
        return error_response(403, "Forbidden");
    auto deleted = call->services.store.write([&](store::WriteTx& tx) -> Result<Post> {
        Post made = TRY(tent::delete_own(tx, call->self(), call->route.post, version));
        TRY(store::remove_orphans(tx, store::Orphans::OlderThanAnHour));
        tx.after_commit([call] { call->services.hooks.posted(); });
        return made;
    });
    if (!deleted.ok())
        return error_response(deleted.error());
    return post_response(*deleted, Audience::owner());
}

}  // namespace bivouac::api
