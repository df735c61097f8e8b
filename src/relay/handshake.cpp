// SPDX-License-Identifier: BSD-3-Clause
#include "handshake.h"

#include <bivouac/auth/hawk.h>
#include <bivouac/base/bytes.h>
#include <bivouac/model/canonical_json.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/tent/moving.h>

#include <algorithm>

namespace bivouac::relay {

namespace {

constexpr int64_t kBewitSeconds = 3600;  // ruling 40

std::string post_content_type(const std::string& type, const char* rel = nullptr)
{
    std::string out = std::string(mime::kPost) + "; type=\"" + type + "\"";
    if (rel)
        out += std::string("; rel=\"") + rel + "\"";
    return out;
}

std::string credentials_link(const tent::Self& self, const std::string& hawk_id, int64_t now_ms)
{
    return "<" + credentials_url(self, hawk_id, now_ms) + ">; rel=\"" + rel::kCredentials + "\"";
}

// scheme://host[:port] of a URL, default port left out.
std::string origin_of(std::string_view url)
{
    size_t slash = url.find('/', 7);
    std::string origin(url.substr(0, slash));
    if (origin.ends_with(":80"))
        origin.resize(origin.size() - 3);
    return origin;
}

// The credentials post behind a Link (steps 4 and 8).
struct TheirKey {
    Key key;
    std::string relationship_post;
};

Result<TheirKey> read_credentials(const InResponse& response, const std::string& entity,
                                  const std::string& mentioned_type)
{
    Json json = TRY(PeerClient::post_in(response));
    Post post = TRY(post_from_json(json));
    if (TRY(parse_type(post.type)).base != type::kCredentialsBase || post.entity != entity)
        return fail(ErrorKind::Invalid, "Invalid credentials post!");
    Json content = post.content.empty() ? Json::object() : Json::parse(post.content);
    TheirKey out;
    out.key.id = post.id;
    out.key.key = TRY(string_member(content, "hawk_key"));
    std::string algorithm = TRY(string_member(content, "hawk_algorithm"));
    if (out.key.key.empty() || out.key.key.size() > 1024 || algorithm != kHawkAlgorithm || out.key.id.empty())
        return fail(ErrorKind::Invalid, "Invalid credentials post format!");
    for (const auto& mention : post.mentions)
        if (post.mention_entity(mention) == entity && mention.type == mentioned_type)
            out.relationship_post = mention.post;
    if (out.relationship_post.empty())
        return fail(ErrorKind::Invalid, "Invalid credentials post!");
    return out;
}

bool is_of_a_server(const std::string& url, const std::vector<tent::ServerUrls>& servers)
{
    return std::any_of(servers.begin(), servers.end(),
                       [&](const tent::ServerUrls& s) { return origin_of(s.post) == origin_of(url); });
}

Task<Result<InResponse>> get(Hands hands, tent::Self self, std::string peer, std::string url, std::string type,
                             Key key)
{
    PeerRequest request;
    request.url = std::move(url);
    request.accept = post_content_type(type);
    request.key = std::move(key);
    request.timeout_ms = limits::kHandshakeStepMs;
    co_return co_await hands.peers.request(self, std::move(peer), std::move(request));
}

net::HttpResponse error_response(int status, const std::string& text)
{
    net::HttpResponse response;
    response.status = status;
    response.body = Json({{"error", text}}).dump();
    response.with("Content-Type", mime::kError);
    return response;
}

// Steps 3 to 5: is she who she says, and does she hold what she links to?
Task<Result<tent::TheirSide>> verify_initiator(Hands hands, tent::Self self, std::string entity, std::string post_id,
                                               std::string link_header)
{
    auto discovered = co_await hands.peers.discover(self, entity, limits::kHandshakeStepMs);
    if (!discovered.ok())
        co_return discovered.error().detail == "Entity mismatch!"
            ? discovered.error()
            : fail(ErrorKind::Invalid, "Discovery of entity failed!");
    if (!discovered->moved_to.empty())
        co_return fail(ErrorKind::Invalid, "Entity mismatch!");
    auto links = tent::links_with_rel({link_header}, rel::kCredentials);
    if (links.empty())
        co_return fail(ErrorKind::Invalid, "Expected link to credentials post!");
    if (resolve_url(entity, links[0]) != links[0] || !is_of_a_server(links[0], discovered->usable))
        co_return fail(ErrorKind::Invalid, "Matching server not found!");

    const Key unsigned_request;
    auto response = co_await get(hands, self, entity, links[0], type::kCredentialsBase, unsigned_request);
    if (!response.ok() || response->status != 200)
        co_return fail(ErrorKind::Invalid, "Failed to fetch credentials post");
    CO_TRY(theirs, read_credentials(*response, entity, type::kRelationshipInitial));
    if (theirs.relationship_post != post_id)
        co_return fail(ErrorKind::Invalid, "Invalid credentials post!");

    std::string url = tent::expand_template(discovered->usable[0].post, {{"entity", entity}, {"post", post_id}});
    auto signed_get = co_await get(hands, self, entity, url, type::kRelationshipInitial, theirs.key);
    if (!signed_get.ok())
        co_return fail(ErrorKind::Invalid, "Failed to fetch relationship post");
    auto json = PeerClient::post_in(*signed_get);
    auto post = json.ok() ? post_from_json(*json) : Result<Post>(json.error());
    if (!post.ok() || post->entity != entity || post->id != post_id || post->type != type::kRelationshipInitial ||
        !version_id_verifies(*json, post->version.id))
        co_return fail(ErrorKind::Invalid, "Failed to fetch relationship post");
    post->received_at = post->version.received_at = hands.clock.now_ms();
    post->app.id.clear();
    tent::TheirSide side{entity, discovered->servers, discovered->meta, std::move(*post), theirs.key.id,
                         theirs.key.key};
    co_return side;
}

}  // namespace

std::string credentials_url(const tent::Self& self, const std::string& hawk_id, int64_t now_ms)
{
    std::string target = "/posts/" + percent_encode(self.entity) + "/" + hawk_id;
    int64_t exp = now_ms / 1000 + kBewitSeconds;
    auto signed_target = auth::hawk_target("GET", target, self.host()).value();
    auth::Bewit bewit{self.bewit_id, exp, auth::bewit_mac(self.bewit_key, exp, "", signed_target), ""};
    return self.entity + target + "?bewit=" + auth::write_bewit(bewit);
}

Task<Result<bool>> start_handshake(Hands hands, tent::Self self, std::string peer, tent::FailureReason& reason)
{
    reason = tent::FailureReason::RelationshipFailed;
    // 0. Ours.
    std::function<Result<tent::OurSide>(store::WriteTx&)> prepare = [self, peer](store::WriteTx& tx) {
        return tent::initiate(tx, self, peer);
    };
    CO_TRY(ours, co_await write_to<tent::OurSide>(hands.loop, hands.store, prepare));
    // 1. Discovery.
    auto found = co_await hands.peers.discover(self, peer, limits::kPeerRequestMs);
    if (!found.ok()) {
        reason = found.error().kind == ErrorKind::Unavailable ? tent::FailureReason::Unreachable
                                                              : tent::FailureReason::DiscoveryFailed;
        co_return std::move(found).error();
    }
    Discovered discovered = std::move(*found);
    if (!discovered.moved_to.empty()) {
        std::function<Result<bool>(store::WriteTx&)> note = [&](store::WriteTx& tx) {
            return tent::follow_move(tx, self, discovered.meta, peer);
        };
        CO_TRY(noted, co_await write_to<bool>(hands.loop, hands.store, note));
        co_return fail(noted ? ErrorKind::Unavailable : ErrorKind::Invalid, "she has another address now");
    }

    // 2. The request; the target asks us back (3 to 5) before it answers, hence the long wait.
    const std::string& post_url = discovered.usable[0].post;
    PeerRequest put;
    put.method = "PUT";
    put.url = tent::expand_template(post_url, {{"entity", self.entity}, {"post", ours.relationship.id}});
    put.content_type = post_content_type(type::kRelationshipInitial, rel::kNotification);
    put.link = credentials_link(self, ours.hawk_id, hands.clock.now_ms());
    put.body = write_post(ours.relationship, Audience::peer(peer));
    put.timeout_ms = limits::kPeerRequestMs;
    auto answered = co_await hands.peers.request(self, peer, put);
    if (!answered.ok() || answered->status > 500)
        reason = tent::FailureReason::Unreachable;
    if (!answered.ok())
        co_return std::move(answered).error();
    InResponse answer = std::move(*answered);
    if (answer.status == 403)
        co_return fail(ErrorKind::Forbidden, "refused: the other side does not accept us");
    if (answer.status != 200)
        co_return fail(ErrorKind::Unavailable, "the handshake was answered " + std::to_string(answer.status));
    std::vector<std::string_view> link_values;
    for (const auto& header : answer.headers)
        if (net::find_header({header}, "Link"))
            link_values.push_back(header.value);
    auto links = tent::links_with_rel(link_values, rel::kCredentials);
    if (links.empty() || resolve_url(peer, links[0]) != links[0] || !is_of_a_server(links[0], discovered.usable))
        co_return fail(ErrorKind::Unavailable, "the handshake was answered without credentials");

    // 8. Their key, 9. and that it opens their relationship post.
    const Key unsigned_request;
    CO_TRY(credentials, co_await get(hands, self, peer, links[0], type::kCredentialsBase, unsigned_request));
    CO_TRY(theirs, read_credentials(credentials, peer, type::kRelationship));
    std::string url = tent::expand_template(post_url, {{"entity", peer}, {"post", theirs.relationship_post}});
    CO_TRY(response, co_await get(hands, self, peer, url, type::kRelationship, theirs.key));
    CO_TRY(json, PeerClient::post_in(response));
    CO_TRY(post, post_from_json(json));
    if (!post.type.starts_with(type::kRelationship) || post.type == type::kRelationshipInitial ||
        post.entity != peer || post.id != theirs.relationship_post || !version_id_verifies(json, post.version.id))
        co_return fail(ErrorKind::Unavailable, "the other side's relationship post is not valid");
    post.received_at = post.version.received_at = hands.clock.now_ms();
    post.app.id.clear();

    // 10. Active. 11 and 12 are in the outbox now.
    tent::TheirSide side{peer, discovered.servers, discovered.meta, post, theirs.key.id, theirs.key.key};
    std::function<Result<bool>(store::WriteTx&)> finish = [self, side](store::WriteTx& tx) -> Result<bool> {
        TRY(tent::complete(tx, self, side));
        return true;
    };
    co_return co_await write_to<bool>(hands.loop, hands.store, finish);
}

bool Strangers::enter(std::optional<uint32_t> circuit)
{
    constexpr size_t kCircuitsRemembered = 10'000;  // tor counts on, so old ones do not come back
    if (now_ >= limits::kInboundHandshakes)
        return false;
    if (circuit) {
        if (by_circuit_.size() >= kCircuitsRemembered)
            by_circuit_.clear();
        if (size_t& came = by_circuit_[*circuit]; ++came > limits::kStrangersPerCircuit)
            return false;
    }
    ++now_;
    return true;
}

Task<net::HttpResponse> answer_handshake(Hands hands, Relay::InitialRequest request, Strangers& strangers)
{
    const tent::Self self = request.self;
    auto body = post_from_json(request.body);
    if (!body.ok())
        co_return error_response(400, "Invalid relationship post!");
    Post initial = std::move(*body);
    if (initial.entity.empty())
        initial.entity = request.url_entity;
    if (initial.id.empty())
        initial.id = request.url_post;
    bool mentions_us = std::any_of(initial.mentions.begin(), initial.mentions.end(), [&](const Mention& m) {
        return initial.mention_entity(m) == self.entity;
    });
    if (initial.type != type::kRelationshipInitial || initial.entity != request.url_entity ||
        initial.id != request.url_post || initial.entity == self.entity || !mentions_us ||
        !tent::peer_host(initial.entity))
        co_return error_response(400, "Invalid relationship post!");

    if (self.current(initial.entity) != initial.entity)
        co_return error_response(403, "Forbidden");  // left, and its successor is known
    // Somebody we blocked is refused before we talk to her, and so is a stranger too many.
    enum class Who { Known, Stranger, Blocked, TooMany };
    std::function<Result<Who>(store::WriteTx&)> ask = [&](store::WriteTx& tx) -> Result<Who> {
        auto known = TRY(store::find_relationship(tx, self.id, initial.entity));
        if (known)
            return known->follower == "blocked" ? Who::Blocked : Who::Known;
        const auto today = TRY(store::strangers_today(tx, self.id));
        return today.contacts >= limits::kStrangersPerDay ? Who::TooMany : Who::Stranger;
    };
    auto who = co_await write_to<Who>(hands.loop, hands.store, ask);
    if (!who.ok())
        co_return error_response(503, "Unavailable");
    if (*who == Who::Blocked)
        co_return error_response(403, "Forbidden");
    if (*who == Who::TooMany)
        co_return error_response(429, "Try again later");
    if (*who == Who::Stranger && !strangers.enter(request.circuit))
        co_return error_response(503, "Try again later");
    auto theirs = co_await verify_initiator(hands, self, initial.entity, initial.id, request.link);
    if (*who == Who::Stranger)
        strangers.leave();
    if (!theirs.ok())
        co_return error_response(400, theirs.error().detail);
    // 6.
    tent::TheirSide side = std::move(*theirs);
    std::function<Result<tent::OurSide>(store::WriteTx&)> store_it = [&](store::WriteTx& tx) {
        return tent::accept(tx, self, side);
    };
    auto ours = co_await write_to<tent::OurSide>(hands.loop, hands.store, store_it);
    if (!ours.ok())
        co_return error_response(ours.error().kind == ErrorKind::Forbidden ? 403
                                 : ours.error().kind == ErrorKind::TooMany ? 429 : 503, "Unavailable");
    // 2'.
    net::HttpResponse response;
    response.body = Json({{"post", request.body}}).dump();
    response.with("Content-Type", post_content_type(type::kRelationshipInitial));
    response.with("Link", credentials_link(self, ours->hawk_id, hands.clock.now_ms()));
    co_return response;
}

}  // namespace bivouac::relay
