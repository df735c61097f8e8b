// SPDX-License-Identifier: BSD-3-Clause
// From a request to its handler (Tent 0.3, section 4), and from the handler's answer to the wire.
#include <bivouac/api/api.h>
#include <bivouac/auth/hawk.h>
#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/protocol.h>
#include <bivouac/tent/meta.h>

#include <algorithm>

#include "call.h"
#include "cors.h"

namespace bivouac::api {

namespace {

bool matches(std::string_view if_none_match, std::string_view etag)
{
    while (!if_none_match.empty()) {
        size_t comma = if_none_match.find(',');
        std::string_view item = if_none_match.substr(0, comma);
        while (!item.empty() && (item.front() == ' ' || item.front() == '\t'))
            item.remove_prefix(1);
        while (!item.empty() && (item.back() == ' ' || item.back() == '\t'))
            item.remove_suffix(1);
        if (item.starts_with("W/"))
            item.remove_prefix(2);
        if (item == "*" || item == etag)
            return true;
        if (comma == std::string_view::npos)
            return false;
        if_none_match.remove_prefix(comma + 1);
    }
    return false;
}

// Section 4.1: the same headers without the body and without what describes it.
net::HttpResponse not_modified(const net::HttpResponse& response)
{
    net::HttpResponse out;
    out.status = 304;
    for (const char* kept : {"ETag", "Vary", "Cache-Control"})
        if (auto value = response.header(kept))
            out.with(kept, std::string(*value));
    return out;
}

Answer route(const CallPtr& call)
{
    const std::string& method = call->request.method;
    switch (call->route.kind) {
    case Route::Kind::Root:
        if (call->reading())
            return discovery(call);
        break;
    case Route::Kind::Feed:
        if (call->reading())
            return feed(call);
        if (method == "POST")
            return new_post(call);
        break;
    case Route::Kind::Post:
        if (call->reading())
            return get_post(call);
        if (method == "PUT")
            return put_post(call);
        if (method == "DELETE")
            return delete_post(call);
        break;
    case Route::Kind::PostAttachment:
        if (call->reading())
            return get_post_attachment(call);
        break;
    case Route::Kind::Attachment:
        if (call->reading())
            return get_attachment(call);
        break;
    case Route::Kind::OauthAuthorize:
        if ((call->reading() || method == "POST") && !call->in_batch)
            return oauth_authorize(call);
        break;
    case Route::Kind::OauthToken:
        if (method == "POST" && !call->in_batch)
            return oauth_token(call);
        break;
    case Route::Kind::Batch:
        if (method == "POST")
            return batch(call);
        break;
    case Route::Kind::ServerInfo:
        if (call->reading())
            return server_info(call);
        break;
    case Route::Kind::Discover:
        if (call->reading())
            return discover(call);
        break;
    case Route::Kind::Unknown: break;
    }
    return not_found();
}

}  // namespace

void finish(Call& call, net::HttpResponse response)
{
    if (response.status == 200 && call.reading()) {
        auto etag = response.header("ETag");
        auto known = call.request.header("If-None-Match");
        if (etag && known && matches(*known, *etag))
            response = not_modified(response);
    }
    if (!call.page)
        add_cors_headers(call.request, response);
    if (call.caller.sign) {
        // What cannot be hashed beforehand, and what has no body, goes without a hash (section 5.4).
        bool bare = call.is_head() || response.large || response.status == 302 || response.status == 304;
        response.with("Server-Authorization", call.caller.sign(response.header("Content-Type").value_or(""),
                                                               bare ? nullptr : &response.body));
    }
    call.respond(std::move(response));
}

Api::Api(store::Store& store, auth::Authenticator& authenticator, Clock& clock, Hooks hooks, Settings settings)
    : hooks_(std::move(hooks))
    , settings_(std::move(settings))
    , services_(std::make_unique<Services>(Services{*this, store, authenticator, clock, hooks_, settings_}))
{
}

Api::~Api() = default;

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

bool Api::admit_stranger(int64_t owner)
{
    constexpr int64_t kRefillMs = 3000;
    const int64_t now = services_->clock.monotonic_ms();
    std::lock_guard lock(mutex_);
    Tokens& tokens = strangers_.try_emplace(owner, Tokens{settings_.stranger_burst, now}).first->second;
    if (const int64_t earned = (now - tokens.refill_at) / kRefillMs; earned > 0) {
        tokens.left = static_cast<int>(std::min<int64_t>(tokens.left + earned, settings_.stranger_burst));
        tokens.refill_at = now;
    }
    return tokens.left > 0 && tokens.left-- > 0;
}

net::BodyPolicy Api::body_policy(int listener, const net::RequestHead& head) const
{
    constexpr uint64_t kSmall = limits::kJsonBodyBytes + (64u << 10);
    auto authorization = net::find_header(head.headers, "Authorization");
    if (!authorization) {
        if (!hooks_.page_body || !net::find_header(head.headers, "Cookie"))
            return {kSmall, 0, {}};
        std::shared_ptr<const Site> site;
        {
            std::lock_guard lock(mutex_);
            if (auto it = sites_.find(listener); it != sites_.end())
                site = it->second;
        }
        net::BodyPolicy policy = site ? hooks_.page_body(site->self.id, head) : net::BodyPolicy();
        policy.limit_bytes = std::max(policy.limit_bytes, kSmall);
        return policy;
    }
    auto header = auth::parse_hawk_header(*authorization);
    std::lock_guard lock(mutex_);
    // The signature is checked later; the id alone is known to nobody but the app.
    bool large = header.ok() && large_ids_.find(header->id) != large_ids_.end();
    return {large ? settings_.upload_limit_bytes + kSmall : kSmall, 0, {}};
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
    if (hooks_.page && hooks_.is_for_pages(request, parse_target(request.target).kind == Route::Kind::Unknown))
        return hooks_.page(std::move(request), std::move(site), std::move(respond));
    serve(std::move(request), std::move(site), std::move(respond), false);
}

void Api::serve(net::HttpRequest request, std::shared_ptr<const Site> site, Responder respond, bool in_batch)
{
    auto call = std::make_shared<Call>(
        Call{*services_, std::move(request), std::move(site), {}, {}, std::move(respond), false, in_batch});
    if (call->request.method == "OPTIONS")
        return call->respond(preflight_response());

    const tent::Self& self = call->self();
    auto outcome = services_->authenticator.authenticate(call->request, self.id, self.bewit_id, self.bewit_key);
    if (auto* failure = std::get_if<auth::AuthFailure>(&outcome)) {
        net::HttpResponse response = error_response(failure->status, failure->error);
        if (!failure->www_authenticate.empty())
            response.with("WWW-Authenticate", failure->www_authenticate);
        return finish(*call, std::move(response));
    }
    call->caller = std::move(std::get<auth::Authenticated>(outcome));
    call->caller.principal.shut_out = *self.door == store::Door::Sealed && !tent::is_let_in(call->principal());
    if (call->principal().kind == Principal::Kind::Peer)
        hooks_.peer_seen(self.id, call->principal().entity);
    // What she reads now would be of somebody whom she does not know yet. She is told next, and comes again.
    if (call->principal().untold && call->request.method != "PUT")
        return finish(*call, error_response(503, "Try again later"));
    if (call->principal().kind == Principal::Kind::App && hooks_.owner_seen)
        hooks_.owner_seen();
    call->route = parse_target(call->caller.target);
    call->route.entity = self.current(std::move(call->route.entity));
    if (Answer answer = route(call))
        finish(*call, std::move(*answer));
}

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

net::HttpResponse json_response(const Json& body, const char* content_type)
{
    net::HttpResponse response;
    response.body = body.dump();
    response.with("Content-Type", content_type);
    return response;
}

void add_read_headers(net::HttpResponse& response, bool is_public)
{
    response.with("ETag", "\"" + to_base64url(short_digest(response.body)) + "\"");
    response.with("Vary", "Accept");
    response.with("Cache-Control", is_public ? "public, must-revalidate" : "private, must-revalidate");
}

std::string version_parameter(const Call& call)
{
    std::string version = call.parameter("version").value_or("");
    if (version == "latest")
        return {};
    std::string normal = normal_digest(version);
    return normal.empty() ? version : normal;
}

std::string signed_target(const Call& call, const std::string& target, int64_t lifetime_seconds)
{
    const tent::Self& self = call.self();
    // The host as this client sees us: her bewit is checked against it.
    auto signed_for = auth::hawk_target("GET", target, call.request.host);
    if (!signed_for.ok())
        return target;
    int64_t exp = call.services.clock.now_ms() / 1000 + lifetime_seconds;
    auth::Bewit bewit{self.bewit_id, exp, auth::bewit_mac(self.bewit_key, exp, "", *signed_for), ""};
    return target + (target.find('?') == std::string::npos ? "?" : "&") + "bewit=" + auth::write_bewit(bewit);
}

std::string signed_url(const Call& call, const std::string& target, int64_t lifetime_seconds)
{
    // An app on the same machine reaches us by another name than everybody else.
    const std::string base = call.site->local ? "http://" + call.request.host : call.self().entity;
    return base + signed_target(call, target, lifetime_seconds);
}

Answer discovery(const CallPtr& call)
{
    net::HttpResponse response;
    response.body = tent::discovery_html(call->self());
    response.with("Content-Type", "text/html; charset=utf-8");
    response.with("Link", "<" + tent::meta_path(call->self()) + ">; rel=\"" + rel::kMetaPost + "\"");
    response.with("Content-Security-Policy", "default-src 'none'");
    return response;
}

}  // namespace bivouac::api
