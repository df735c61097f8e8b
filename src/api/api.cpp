// SPDX-License-Identifier: BSD-3-Clause
// The routes of the Tent API (Tent 0.3, section 4).
#include <bivouac/api/api.h>
#include <bivouac/api/error_response.h>
#include <bivouac/api/post_upload.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/log.h>
#include <bivouac/model/canonical_json.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/net/multipart.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/receive.h>
#include <bivouac/tent/visibility.h>

#include <algorithm>
#include <cstring>

#include "target.h"

namespace bivouac::api {

// One request on its way through.
struct Api::Call {
    const net::HttpRequest& request;
    const Site& site;
    auth::Authenticated caller;
    Route route;
    Responder& respond;
    bool deferred = false;  // the responder has gone to somebody else

    const Principal& principal() const { return caller.principal; }
    const tent::Self& self() const { return site.self; }
    bool reading() const { return request.method == "GET" || request.method == "HEAD"; }
    bool is_signed() const { return principal().kind != Principal::Kind::Anonymous; }
    bool foreign() const { return route.entity != self().entity; }
};

namespace {

std::string post_content_type(const std::string& type)
{
    return std::string(mime::kPost) + "; type=\"" + type + "\"";
}

net::HttpResponse post_response(const Post& post, const Audience& audience)
{
    net::HttpResponse response;
    response.body = "{\"post\":" + write_post(post, audience) + "}";
    response.with("Content-Type", post_content_type(post.type));
    return response;
}

void add_read_headers(net::HttpResponse& response, bool is_public)
{
    response.with("Vary", "Accept");
    response.with("Cache-Control", is_public ? "public, must-revalidate" : "private, must-revalidate");
}

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

std::string etag_of_digest(const std::string& digest)
{
    std::string hex = digest.substr(std::strlen(kDigestPrefix));
    return "\"" + to_base64url(from_hex(hex).value_or("")) + "\"";
}

// A file name inside a quoted string, and nothing that could end it.
std::string quoted_name(const std::string& name)
{
    std::string out = "\"";
    for (char c : name) {
        auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7f || c == '"' || c == '\\' ? '_' : c;
    }
    return out + "\"";
}

// A media type as it may go into a header; anything odd becomes bytes without meaning.
std::string safe_content_type(const std::string& type)
{
    bool good = !type.empty() && std::all_of(type.begin(), type.end(), [](unsigned char c) {
        return c >= 0x20 && c < 0x7f;
    });
    return good ? type : "application/octet-stream";
}

}  // namespace

Api::Api(store::Store& store, auth::Authenticator& authenticator, Clock& clock, Hooks hooks)
    : store_(store)
    , authenticator_(authenticator)
    , clock_(clock)
    , hooks_(std::move(hooks))
{
}

void Api::add_site(int listener, Site site)
{
    std::lock_guard lock(mutex_);
    sites_[listener] = std::make_shared<const Site>(std::move(site));
}

void Api::remove_site(int listener)
{
    std::lock_guard lock(mutex_);
    sites_.erase(listener);
}

void Api::allow_large_bodies(const std::string& hawk_id)
{
    std::lock_guard lock(mutex_);
    large_ids_.insert(hawk_id);
}

uint64_t Api::body_limit(int, const std::string&, const std::vector<net::Header>& headers) const
{
    constexpr uint64_t kSmall = limits::kJsonBodyBytes + (64u << 10);
    auto authorization = net::find_header(headers, "Authorization");
    if (!authorization)
        return kSmall;
    auto header = auth::parse_hawk_header(*authorization);
    std::lock_guard lock(mutex_);
    // The signature is checked later; the id alone is known to nobody but the app.
    bool large = header.ok() && large_ids_.find(header->id) != large_ids_.end();
    return large ? limits::kAttachmentBytes + kSmall : kSmall;
}

void Api::handle(net::HttpRequest request, Responder respond)
{
    std::shared_ptr<const Site> site;
    {
        std::lock_guard lock(mutex_);
        if (auto it = sites_.find(request.listener); it != sites_.end())
            site = it->second;
    }
    // Another name than the listener's own: DNS rebinding, or somebody who tries which onions live together.
    if (!site || site->hosts.count(request.host) == 0)
        return respond(error_response(404, "Not Found"));

    auto outcome = authenticator_.authenticate(request, site->self.id, site->self.bewit_id, site->self.bewit_key);
    if (auto* failure = std::get_if<auth::AuthFailure>(&outcome)) {
        net::HttpResponse response = error_response(failure->status, failure->error);
        if (!failure->www_authenticate.empty())
            response.with("WWW-Authenticate", failure->www_authenticate);
        return respond(std::move(response));
    }
    auto& caller = std::get<auth::Authenticated>(outcome);
    if (caller.principal.kind == Principal::Kind::Peer)
        hooks_.peer_seen(site->self.id, caller.principal.entity);

    Call call{request, *site, std::move(caller), {}, respond};
    call.route = parse_target(call.caller.target);
    net::HttpResponse response = route(call);
    if (call.deferred)
        return;
    if (call.caller.sign) {
        // What cannot be hashed beforehand, and what has no body, goes without a hash (section 5.4).
        bool bare = request.method == "HEAD" || response.large || response.status == 302 || response.status == 304;
        response.with("Server-Authorization",
                      call.caller.sign(response.header("Content-Type").value_or(""),
                                       bare ? nullptr : &response.body));
    }
    respond(std::move(response));
}

net::HttpResponse Api::route(Call& call)
{
    const std::string& method = call.request.method;
    switch (call.route.kind) {
    case Route::Kind::Root:
        if (call.reading())
            return discovery(call);
        break;
    case Route::Kind::Feed:
        if (call.reading())
            return feed(call);
        if (method == "POST")
            return new_post(call);
        break;
    case Route::Kind::Post:
        if (call.reading())
            return get_post(call);
        if (method == "PUT")
            return put_post(call);
        if (method == "DELETE")
            return delete_post(call);
        break;
    case Route::Kind::PostAttachment:
        if (call.reading())
            return get_post_attachment(call);
        break;
    case Route::Kind::Attachment:
        if (call.reading())
            return get_attachment(call);
        break;
    case Route::Kind::Unknown: break;
    }
    return error_response(404, "Not Found");
}

net::HttpResponse Api::discovery(Call& call)
{
    net::HttpResponse response;
    response.body = tent::discovery_html(call.self());
    response.with("Content-Type", "text/html; charset=utf-8");
    response.with("Link", "<" + tent::meta_path(call.self()) + ">; rel=\"" + rel::kMetaPost + "\"");
    response.with("Content-Security-Policy", "default-src 'none'");
    return response;
}

net::HttpResponse Api::feed(Call& call)
{
    auto query = parse_feed_query(call.route.query);
    if (!query.ok())
        return error_response(query.error());
    const Principal& principal = call.principal();
    const bool app = principal.kind == Principal::Kind::App;
    if (!app) {
        // Where received_at is hidden, the order must not tell it either (section 4.2).
        if (query->sort == FeedQuery::Sort::ReceivedAt)
            query->sort = FeedQuery::Sort::PublishedAt;
        if (query->sort == FeedQuery::Sort::VersionReceivedAt)
            query->sort = FeedQuery::Sort::VersionPublishedAt;
    }
    const Viewer viewer = tent::viewer_of(principal);
    struct Answer {
        FeedPage page;
        int64_t count = 0;
    };
    const bool head = call.request.method == "HEAD";
    auto answer = store_.read([&](store::ReadTx& tx) -> Result<Answer> {
        Answer out;
        if (head)
            out.count = TRY(store::count_feed(tx, call.self().id, *query, viewer));
        out.page = TRY(store::load_feed(tx, call.self().id, *query, viewer));
        return out;
    });
    if (!answer.ok())
        return error_response(answer.error());
    const Audience audience = tent::audience_of(principal);
    Json posts = Json::array();
    for (const auto& post : answer->page.posts)
        posts.push_back(post_to_json(post, audience));
    Json pages = Json::object();
    FeedLinks links = feed_links(*query, answer->page);
    for (auto [name, link] : {std::pair("first", &links.first), std::pair("prev", &links.prev),
                              std::pair("next", &links.next), std::pair("last", &links.last)})
        if (!link->empty())
            pages[name] = *link;
    net::HttpResponse response;
    response.body = Json({{"pages", pages}, {"posts", posts}}).dump();
    response.with("Content-Type", mime::kFeed);
    if (head)
        response.with("Count", std::to_string(answer->count));
    add_read_headers(response, !call.is_signed());
    return response;
}

net::HttpResponse Api::new_post(Call& call)
{
    const Principal& principal = call.principal();
    // Strangers are told before their body is looked at.
    if (principal.kind == Principal::Kind::Anonymous)
        return error_response(401, "Unauthorized");
    if (principal.kind != Principal::Kind::App)
        return error_response(403, "Forbidden");
    auto upload = read_post_upload(call.request, store_);
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
    auto post = store_.write([&](store::WriteTx& tx) -> Result<Post> {
        Post made = TRY(tent::publish(tx, call.self(), *draft));
        tx.after_commit([this] { hooks_.posted(); });
        return made;
    });
    if (!post.ok())
        return error_response(post.error());
    net::HttpResponse response = post_response(*post, Audience::owner());
    response.with("Cache-Control", "private, must-revalidate");
    return response;
}

net::HttpResponse Api::get_post(Call& call)
{
    const Principal& principal = call.principal();
    // Posts of others are for full apps only, even the public ones (section 4.4).
    if (call.foreign() && principal.kind != Principal::Kind::App)
        return error_response(404, "Not Found");
    std::string version = query_parameter(call.route.query, "version").value_or("");
    if (version == "latest")
        version.clear();
    else if (std::string normal = normal_digest(version); !normal.empty())
        version = normal;
    auto post = store_.read([&](store::ReadTx& tx) {
        return store::load_post(tx, call.self().id, call.route.entity, call.route.post, version,
                                tent::viewer_of(principal));
    });
    if (!post.ok())
        return error_response(post.error());
    if (!*post)
        return error_response(404, "Not Found");
    net::HttpResponse response = post_response(**post, tent::audience_of(principal));
    add_read_headers(response, !call.is_signed() && (**post).permissions.is_public);
    return response;
}

net::HttpResponse Api::put_post(Call& call)
{
    const Principal& principal = call.principal();
    auto media = net::parse_media_type(call.request.header("Content-Type").value_or(""));
    if (!media.ok() || media->type != mime::kPost || media->parameter("rel") != rel::kNotification)
        return error_response(call.is_signed() ? 403 : 401, call.is_signed() ? "Forbidden" : "Unauthorized");

    const bool initial = media->parameter("type") == type::kRelationshipInitial;
    if (!initial && principal.kind != Principal::Kind::Peer)
        return error_response(403, "Forbidden");  // also unsigned (section 7.5)
    auto text = call.request.body->text(limits::kJsonBodyBytes);
    if (!text.ok())
        return error_response(text.error());
    auto body = parse_json(*text);
    if (!body.ok())
        return error_response(body.error());
    if (initial) {
        std::string link(call.request.header("Link").value_or(""));
        call.deferred = true;
        hooks_.initial(call.self(), call.route.entity, call.route.post, std::move(link), std::move(*body),
                       std::move(call.respond));
        return {};
    }
    auto received = store_.write([&](store::WriteTx& tx) -> Result<tent::Received> {
        auto out = TRY(tent::receive(tx, call.self(), principal.entity, call.route.entity, call.route.post, *body));
        if (out.stored)
            tx.after_commit([this] { hooks_.posted(); });
        return out;
    });
    if (!received.ok())
        return error_response(received.error());
    return post_response(received->post, Audience::peer(principal.entity));
}

net::HttpResponse Api::delete_post(Call& call)
{
    const Principal& principal = call.principal();
    const Viewer viewer = tent::viewer_of(principal);
    std::string version = normal_digest(query_parameter(call.route.query, "version").value_or(""));
    auto post = store_.read([&](store::ReadTx& tx) {
        return store::load_post(tx, call.self().id, call.route.entity, call.route.post, version, viewer);
    });
    if (!post.ok())
        return error_response(post.error());
    // Not readable: absent. Readable but anonymous: 401. Otherwise 403 (section 4.7).
    if (!*post || (call.foreign() && principal.kind != Principal::Kind::App))
        return error_response(404, "Not Found");
    if (!call.is_signed())
        return error_response(401, "Unauthorized");
    auto type = parse_type((**post).type);
    if (!tent::may_write(principal, (**post).type) || !type.ok() || call.foreign() || is_server_made(type->base))
        return error_response(403, "Forbidden");
    auto deleted = store_.write([&](store::WriteTx& tx) -> Result<Post> {
        Post made = TRY(tent::delete_own(tx, call.self(), call.route.post, version));
        TRY(store::remove_orphans(tx, store::Orphans::OlderThanAnHour));
        tx.after_commit([this] { hooks_.posted(); });
        return made;
    });
    if (!deleted.ok())
        return error_response(deleted.error());
    return post_response(*deleted, Audience::owner());
}

net::HttpResponse Api::attachment_response(Call& call, const std::string& entity, const std::string& digest)
{
    if (digest.empty() || (entity != call.self().entity && call.principal().kind != Principal::Kind::App))
        return error_response(404, "Not Found");
    auto found = store_.read([&](store::ReadTx& tx) -> Result<std::optional<Attachment>> {
        auto attachment = TRY(
            store::find_attachment(tx, call.self().id, entity, digest, tent::viewer_of(call.principal())));
        if (attachment)
            attachment->size = TRY(store::blob_size(tx, digest));
        return attachment;
    });
    if (!found.ok())
        return error_response(found.error());
    if (!*found || (**found).size < 0)
        return error_response(404, "Not Found");
    const Attachment& attachment = **found;
    net::HttpResponse response;
    response.with("Content-Type", safe_content_type(attachment.content_type));
    response.with("Content-Disposition", "inline; filename=" + quoted_name(attachment.name));
    response.with("ETag", etag_of_digest(digest));
    response.with("Cache-Control", "private, max-age=31557600");
    // Whatever an attachment is, it never runs in our origin.
    response.with("X-Content-Type-Options", "nosniff");
    response.with("Content-Security-Policy", "sandbox; default-src 'none'");
    response.large = net::BodySource{static_cast<uint64_t>(attachment.size),
                                     [this, digest](uint64_t offset, size_t limit) -> Result<std::string> {
                                         auto piece = store_.read([&](store::ReadTx& tx) {
                                             return store::read_blob(tx, digest, static_cast<int64_t>(offset));
                                         });
                                         if (piece.ok() && piece->size() > limit)
                                             piece->resize(limit);
                                         return piece;
                                     }};
    return response;
}

net::HttpResponse Api::get_attachment(Call& call)
{
    return attachment_response(call, call.route.entity, normal_digest(call.route.digest));
}

net::HttpResponse Api::get_post_attachment(Call& call)
{
    const Principal& principal = call.principal();
    if (call.foreign() && principal.kind != Principal::Kind::App)
        return error_response(404, "Not Found");
    std::string version = normal_digest(query_parameter(call.route.query, "version").value_or(""));
    auto post = store_.read([&](store::ReadTx& tx) {
        return store::load_post(tx, call.self().id, call.route.entity, call.route.post, version,
                                tent::viewer_of(principal));
    });
    if (!post.ok())
        return error_response(post.error());
    if (*post) {
        std::string spaced = call.route.name;
        std::replace(spaced.begin(), spaced.end(), '+', ' ');
        for (const auto& name : {call.route.name, spaced})
            for (const auto& attachment : (**post).attachments) {
                if (attachment.name != name)
                    continue;
                net::HttpResponse response;
                response.status = 302;
                std::string target =
                    "/attachments/" + percent_encode(call.route.entity) + "/" + attachment.digest;
                response.with("Location", target);
                response.with("Attachment-Digest", attachment.digest);
                return response;
            }
    }
    return error_response(404, "Not Found");
}

}  // namespace bivouac::api
