// SPDX-License-Identifier: BSD-3-Clause
#include "proxying.h"

#include <bivouac/base/bytes.h>
#include <bivouac/base/log.h>
#include <bivouac/model/post_list.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/post_lists.h>

#include <algorithm>
#include <mutex>
#include <set>

namespace bivouac::api {

namespace {

using tent::RemoteAnswer;
using tent::RemoteRequest;
using Outcome = RemoteAnswer::Outcome;

constexpr size_t kErrorBodyBytes = 64u << 10;
// A fetched file may take longer than the one who asked waits: it is here when she asks again.
constexpr int64_t kLongestFetchMs = 600'000;
constexpr int64_t kRedirectSeconds = 600;

RemoteRequest request_for(const Call& call, RemoteRequest::What what)
{
    RemoteRequest out;
    out.what = what;
    out.self = call.self();
    out.entity = call.route.entity;
    return out;
}

// The parameters that the other server understands as we do.
std::string passed_query(const Call& call, std::initializer_list<const char*> names)
{
    std::string out;
    for (const char* name : names)
        if (auto value = call.parameter(name); value && !value->empty())
            out += (out.empty() ? "" : "&") + std::string(name) + "=" + percent_encode(*value);
    return out;
}

bool reads_every_type(const Call& call)
{
    const Viewer viewer = tent::viewer_of(call.principal());
    return viewer.kind == Viewer::Kind::Everything ||
           std::find(viewer.types.begin(), viewer.types.end(), kAllTypes) != viewer.types.end();
}

bool may_read(const Viewer& viewer, const Post& post)
{
    auto type = parse_type(post.type);
    const bool credentials = !type.ok() || type->base == type::kCredentialsBase;
    return post.permissions.is_public ||
           std::any_of(viewer.types.begin(), viewer.types.end(), [&](const std::string& selector) {
               return type_matches(selector, post.type) && !(credentials && selector == kAllTypes);
           });
}

net::HttpResponse failed_to_proxy(const Call& call, const RemoteAnswer& answer, int status)
{
    const std::string& url = is_valid_utf8(answer.url) ? answer.url : call.self().entity;
    return error_response(status, "Failed to proxy request: " + call.request.method + " " + url);
}

// What came is not what was asked for: nothing of it is kept or shown.
net::HttpResponse not_as_asked(const Call& call, const RemoteAnswer& answer, const std::string& why)
{
    net::HttpResponse response = failed_to_proxy(call, answer, 502);
    response.body = Json({{"error", Json::parse(response.body)["error"].get<std::string>() + ": " + why}}).dump();
    return response;
}

// Everything but a 200.
net::HttpResponse failure(const Call& call, const RemoteAnswer& answer)
{
    switch (answer.outcome) {
    case Outcome::TimedOut: return failed_to_proxy(call, answer, 504);
    case Outcome::Unreachable: return failed_to_proxy(call, answer, 502);
    case Outcome::NotDiscovered: return not_found();
    case Outcome::Busy: return error_response(503, "Try again later");
    case Outcome::Answered: break;
    }
    if (answer.status < 400 || answer.status > 599)
        return not_as_asked(call, answer, "it answered " + std::to_string(answer.status));
    net::HttpResponse response =
        error_response(answer.status, "The other server answered " + std::to_string(answer.status));
    if (answer.body.size() > kErrorBodyBytes)
        return response;
    auto body = parse_json(answer.body);
    if (body.ok() && body->is_object() && body->contains("error") && (*body)["error"].is_string())
        response.body = answer.body;
    return response;
}

bool is_ok(const RemoteAnswer& answer)
{
    return answer.outcome == Outcome::Answered && answer.status == 200;
}

Result<Post> post_of(const Call& call, const RemoteAnswer& answer, const RemoteRequest& request,
                     const std::string& version)
{
    Json json = TRY(parse_json(answer.body));
    if (!json.is_object() || !json.contains("post") || !json["post"].is_object())
        return fail(ErrorKind::Invalid, "the answer is not a post");
    return tent::read_fetched(json["post"], request.entity, request.post, version, call.services.clock.now_ms());
}

void keep_all(const Call& call, const std::vector<Post>& posts)
{
    if (posts.empty())
        return;
    auto kept = call.services.store.write([&](store::WriteTx& tx) -> Result<void> {
        for (const auto& post : posts)
            TRY(tent::keep_fetched(tx, call.self(), post));
        return {};
    });
    if (!kept.ok())
        log::warning("what was read elsewhere could not be kept: " + kept.error().detail);
}

std::vector<Post> posts_of_feed(const Call& call, const RemoteAnswer& answer, const std::string& entity)
{
    std::vector<Post> out;
    auto json = parse_json(answer.body);
    if (!json.ok() || !json->is_object() || !json->contains("posts") || !(*json)["posts"].is_array())
        return out;
    for (const auto& item : (*json)["posts"]) {
        if (out.size() == limits::kFeedLimitMaximum)
            break;
        if (!item.is_object())
            continue;
        auto id = string_member(item, "id");
        if (!id.ok())
            continue;
        auto post = tent::read_fetched(item, entity, *id, "", call.services.clock.now_ms());
        if (post.ok())
            out.push_back(std::move(*post));
    }
    return out;
}

// What of one answer may enter the store.
std::vector<Post> posts_in(const Call& call, const RemoteRequest& request, RemoteAnswer answer)
{
    std::vector<Post> out;
    if (!is_ok(answer))
        return out;
    if (answer.meta) {
        out.push_back(std::move(*answer.meta));
    } else if (request.what == RemoteRequest::What::Feed) {
        out = posts_of_feed(call, answer, request.entity);
    } else if (auto post = post_of(call, answer, request, ""); post.ok()) {
        out.push_back(std::move(*post));
    }
    return out;
}

// A post that was not kept; shown under the same rule as those that are.
net::HttpResponse passing_post(const Call& call, const Post& post)
{
    if (!may_read(tent::viewer_of(call.principal()), post))
        return not_found();
    net::HttpResponse response = post_response(post, Audience::owner());
    add_read_headers(response, false);
    return response;
}

Answer answer_fetched_post(const CallPtr& call, const RemoteRequest& request, const RemoteAnswer& answer)
{
    if (!is_ok(answer))
        return failure(*call, answer);
    auto post = post_of(*call, answer, request, version_parameter(*call));
    if (!post.ok())
        return not_as_asked(*call, answer, post.error().detail);
    auto kept = call->services.store.write(
        [&](store::WriteTx& tx) { return tent::keep_fetched(tx, call->self(), *post); });
    if (!kept.ok() || !*kept)
        return passing_post(*call, *post);
    return answer_post(call, post->version.id, proxy_mode(*call, ProxyMode::IfMiss));
}

net::HttpResponse answer_fetched_list(const Call& call, const RemoteAnswer& answer, const char* media_type)
{
    if (!is_ok(answer))
        return failure(call, answer);
    net::HttpResponse response;
    response.with("Content-Type", media_type);
    if (call.is_head()) {
        const bool digits = !answer.count.empty() && answer.count.size() < 16 &&
                            std::all_of(answer.count.begin(), answer.count.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (digits)
            response.with("Count", answer.count);
        add_read_headers(response, false);
        return response;
    }
    const char* member = std::string_view(media_type) == mime::kMentions ? "mentions" : "versions";
    auto json = parse_json(answer.body);
    if (!json.ok() || !json->is_object() || !json->contains(member) || !(*json)[member].is_array())
        return not_as_asked(call, answer, "the answer is not such a list");
    response.body = answer.body;
    add_read_headers(response, false);
    return response;
}

Result<void> keep_file(store::Store& store, int64_t owner, const Spool& spool, const std::string& digest)
{
    // The digest first: what does not fit must not enter the store.
    Sha512Half sum;
    Spool::Reader check(spool);
    for (std::string piece; !(piece = TRY(check.next())).empty();)
        sum.update(piece);
    if (kDigestPrefix + to_hex(sum.finish()) != digest)
        return fail(ErrorKind::Invalid, "the bytes do not have the digest that was asked for");
    store::BlobWriter writer(store, owner);
    Spool::Reader reader(spool);
    for (std::string piece; !(piece = TRY(reader.next())).empty();)
        TRY(writer.append(piece));
    TRY(writer.finish());
    return {};
}

net::HttpResponse answer_fetched_file(const Call& call, const RemoteAnswer& answer, const std::string& digest)
{
    if (!is_ok(answer) || !answer.spool)
        return failure(call, answer);
    auto kept = keep_file(call.services.store, call.self().id, *answer.spool, digest);
    if (!kept.ok())
        return kept.error().kind == ErrorKind::Invalid ? not_as_asked(call, answer, kept.error().detail)
                                                       : error_response(kept.error());
    return fetched_attachment(call, digest, answer.content_type);
}

net::HttpResponse answer_redirect(const Call& call, const RemoteAnswer& answer)
{
    const bool redirect = answer.outcome == Outcome::Answered && answer.status >= 301 && answer.status <= 308;
    if (!redirect)
        return is_ok(answer) ? not_found() : failure(call, answer);
    const std::string digest = normal_digest(answer.attachment_digest);
    if (answer.location.empty() || digest.empty())
        return not_found();
    net::HttpResponse response;
    response.status = 302;
    response.with("Location", signed_target(call, "/attachments/" + percent_encode(call.route.entity) + "/" + digest,
                                            kRedirectSeconds));
    response.with("Attachment-Digest", digest);
    response.with("Vary", "Accept");
    return response;
}

// The relationship's keys open more than an app of few types may see; what it says of a post that is not here cannot
// be told from outside. So it asks as a stranger then.
bool may_sign(const Call& call)
{
    return reads_every_type(call) || is_here(call);
}

}  // namespace

ProxyMode proxy_mode(const Call& call, ProxyMode otherwise)
{
    const bool allowed = call.is_app() || call.principal().kind == Principal::Kind::Server;
    if (!allowed || !call.services.hooks.ask_remote)
        return ProxyMode::Local;
    const std::string_view value = call.header("Cache-Control");
    auto says = [&](const char* word) { return value.find(word) != std::string_view::npos; };
    if (says("proxy-if-miss"))
        return ProxyMode::IfMiss;
    if (says("no-proxy"))
        return ProxyMode::Local;
    return says("proxy") ? ProxyMode::Always : otherwise;
}

bool is_here(const Call& call)
{
    auto found = call.services.store.read([&](store::ReadTx& tx) {
        return store::load_post_text(tx, call.self().id, call.route.entity, call.route.post, version_parameter(call),
                                     tent::viewer_of(call.principal()), Audience::owner());
    });
    return !found.ok() || found->has_value();  // a store that fails says so by itself
}

void proxy_post(const CallPtr& call)
{
    if (!is_valid_post_id(call->route.post))
        return finish(*call, not_found());
    RemoteRequest request = request_for(*call, RemoteRequest::What::Post);
    request.post = call->route.post;
    request.accept = mime::kPost;
    request.query = passed_query(*call, {"version"});
    call->services.hooks.ask_remote(request, [call, request](RemoteAnswer answer) {
        if (Answer response = answer_fetched_post(call, request, answer))
            finish(*call, std::move(*response));
    });
}

void proxy_list(const CallPtr& call, const char* media_type)
{
    if (!is_valid_post_id(call->route.post))
        return finish(*call, not_found());
    RemoteRequest request = request_for(*call, RemoteRequest::What::Post);
    request.post = call->route.post;
    request.accept = media_type;
    request.method = call->request.method;
    request.query = passed_query(*call, {"version", "limit", "page"});
    request.sign = may_sign(*call);
    call->services.hooks.ask_remote(std::move(request), [call, media_type](RemoteAnswer answer) {
        finish(*call, answer_fetched_list(*call, answer, media_type));
    });
}

void proxy_post_attachment(const CallPtr& call)
{
    if (!is_valid_post_id(call->route.post))
        return finish(*call, not_found());
    RemoteRequest request = request_for(*call, RemoteRequest::What::PostAttachment);
    request.post = call->route.post;
    request.name = call->route.name;
    request.accept = std::string(call->header("Accept"));
    request.query = passed_query(*call, {"version"});
    request.sign = may_sign(*call);
    call->services.hooks.ask_remote(std::move(request), [call](RemoteAnswer answer) {
        finish(*call, answer_redirect(*call, answer));
    });
}

void proxy_attachment(const CallPtr& call, const std::string& digest, int64_t size)
{
    const auto most = static_cast<int64_t>(limits::kAttachmentBytes);
    if (size > most)
        return finish(*call, not_found());
    RemoteRequest request = request_for(*call, RemoteRequest::What::Attachment);
    request.digest = digest;
    request.sign = size >= 0 || reads_every_type(*call);
    request.limit_bytes = static_cast<uint64_t>(size >= 0 ? size : most) + 1;
    // A slow circuit gives some 50 KB/s.
    request.timeout_ms = std::min(limits::kPeerRequestMs + (size >= 0 ? size : most) / 20, kLongestFetchMs);
    call->services.hooks.ask_remote(std::move(request), [call, digest](RemoteAnswer answer) {
        finish(*call, answer_fetched_file(*call, answer, digest));
    });
}

std::vector<RemoteRequest> feeds_elsewhere(const Call& call, const FeedQuery& query)
{
    std::vector<RemoteRequest> out;
    std::set<std::string> seen;
    const std::string filters =
        passed_query(call, {"types", "sort_by", "limit", "since", "until", "before"});
    for (const auto& entity : query.entities) {
        if (people_of(entity) || entity == call.self().entity || !seen.insert(entity).second)
            continue;
        if (out.size() == limits::kProxiedPerAnswer)
            break;
        RemoteRequest request = request_for(call, RemoteRequest::What::Feed);
        request.entity = entity;
        request.accept = mime::kFeed;
        request.query = "entities=" + percent_encode(entity) + (filters.empty() ? "" : "&" + filters);
        // Commas mean "or", several parameters "and": as they came.
        for (const auto& group : query.mentions) {
            std::string items;
            for (const auto& item : group)
                items += (items.empty() ? "" : ",") + percent_encode(item.entity) +
                         (item.post.empty() ? "" : "+" + percent_encode(item.post));
            request.query += "&mentions=" + items;
        }
        out.push_back(std::move(request));
    }
    return out;
}

std::vector<RemoteRequest> extras_elsewhere(const Call& call, const std::vector<store::PostText>& posts,
                                            std::optional<int> max_refs, unsigned profiles, ProxyMode mode)
{
    std::vector<RemoteRequest> out;
    if (mode == ProxyMode::Local || (!max_refs && profiles == 0))
        return out;
    std::set<std::string> seen;
    auto add = [&](RemoteRequest::What what, const std::string& entity, const std::string& post,
                   const std::string& version) {
        if (entity == call.self().entity || out.size() >= limits::kProxiedPerAnswer ||
            !seen.insert(entity + " " + post + " " + version).second)
            return;
        RemoteRequest request = request_for(call, what);
        request.entity = entity;
        request.post = post;
        request.accept = mime::kPost;
        request.timeout_ms = limits::kProxiedExtrasMs;
        if (!version.empty())
            request.query = "version=" + percent_encode(version);
        out.push_back(std::move(request));
    };
    const Viewer viewer = tent::viewer_of(call.principal());
    auto looked = call.services.store.read([&](store::ReadTx& tx) -> Result<void> {
        for (const auto& text : posts) {
            Post post = TRY(parse_post(text.json));
            const size_t wanted = std::min(post.refs.size(), static_cast<size_t>(max_refs.value_or(0)));
            for (size_t i = 0; i < wanted; ++i) {
                const Ref& ref = post.refs[i];
                const std::string& author = ref.entity.empty() ? post.entity : ref.entity;
                const bool here = mode == ProxyMode::IfMiss &&
                                  TRY(store::load_post_text(tx, call.self().id, author, ref.post, ref.version, viewer,
                                                            Audience::owner()));
                if (!here && is_valid_post_id(ref.post))
                    add(RemoteRequest::What::Post, author, ref.post, ref.version);
            }
        }
        const auto entities = TRY(store::profile_entities(posts, profiles));
        const auto known = TRY(store::load_profiles(tx, call.self().id, entities));
        for (const auto& entity : entities)
            if (mode == ProxyMode::Always || known.count(entity) == 0)
                add(RemoteRequest::What::Meta, entity, "", "");
        return {};
    });
    if (!looked.ok())
        log::warning("refs could not be looked for: " + looked.error().detail);
    return out;
}

void fetch_all(const CallPtr& call, std::vector<RemoteRequest> requests, std::function<void()> then)
{
    struct Rest {
        std::mutex mutex;
        size_t left;
    };
    auto rest = std::make_shared<Rest>();
    rest->left = requests.size();
    auto next = std::make_shared<std::function<void()>>(std::move(then));
    for (auto& request : requests) {
        call->services.hooks.ask_remote(request, [call, request, rest, next](RemoteAnswer answer) {
            keep_all(*call, posts_in(*call, request, std::move(answer)));
            bool last = false;
            {
                std::lock_guard lock(rest->mutex);
                last = --rest->left == 0;
            }
            if (last)
                (*next)();
        });
    }
}

Answer discover(const CallPtr& call)
{
    if (!call->is_app())
        return error_response(403, "Forbidden");
    auto entity = call->parameter("entity");
    if (!entity || !is_entity_url(*entity))
        return error_response(400, "Invalid entity");
    call->route.entity = *entity;
    call->route.post = kMetaPostId;
    if (!call->foreign())
        return answer_post(call, "", ProxyMode::Local);
    if (!call->services.hooks.ask_remote)
        return not_found();
    RemoteRequest request = request_for(*call, RemoteRequest::What::Meta);
    call->services.hooks.ask_remote(request, [call](RemoteAnswer answer) {
        if (!is_ok(answer) || !answer.meta)
            return finish(*call, failure(*call, answer));
        keep_all(*call, {*answer.meta});
        finish(*call, passing_post(*call, *answer.meta));
    });
    return std::nullopt;
}

}  // namespace bivouac::api
