// SPDX-License-Identifier: BSD-3-Clause
#include "peer_client.h"

#include <bivouac/auth/hawk.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/log.h>
#include <bivouac/model/canonical_json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tent/succession.h>
#include <bivouac/tor/reach.h>

#include <algorithm>

namespace bivouac::relay {

namespace {

constexpr int kMostRedirects = 5;
constexpr size_t kMostClockOffsets = 10'000;
constexpr size_t kMostDetours = 10'000;

std::vector<std::string_view> values_of(const InResponse& response, std::string_view name)
{
    std::vector<std::string_view> out;
    for (const auto& header : response.headers)
        if (net::find_header({header}, name))
            out.push_back(header.value);
    return out;
}

bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

tor::Isolation PeerClient::way_to(const tent::Self& self, const std::string& peer) const
{
    auto found = detours_.find(self.entity + " " + peer);
    return isolation_.for_pair(self.entity, peer, found == detours_.end() ? "" : "detour " + std::to_string(found->second));
}

// Tor may hold on to a circuit that leads nowhere any more, and would put the next stream on it.
void PeerClient::leave_circuit(const std::string& pair, uint32_t used)
{
    if (detours_.size() >= kMostDetours)
        detours_.clear();
    // Of several requests that failed on one circuit the first one leaves it.
    if (uint32_t& now = detours_[pair]; now == used)
        ++now;
}

Task<Result<InResponse>> PeerClient::request(const tent::Self& self, std::string peer, PeerRequest request)
{
    SplitUrl split = split_url(request.url);
    for (int attempt = 0;; ++attempt) {
        OutRequest out;
        out.method = request.method;
        out.url = request.url;
        out.body = request.body;
        out.isolation = way_to(self, peer);
        const std::string pair = self.entity + " " + peer;
        const auto left = detours_.find(pair);
        const uint32_t detour = left == detours_.end() ? 0 : left->second;
        out.direct_loopback = request.direct_loopback || tor::way_to(split.host) == tor::Way::Direct;
        out.timeout_ms = request.timeout_ms;
        out.limit_bytes = request.limit_bytes;
        if (request.to_spool)
            out.spool_directory = spool_directory_;
        if (!request.accept.empty())
            out.headers.push_back({"Accept", request.accept});
        if (!request.content_type.empty())
            out.headers.push_back({"Content-Type", request.content_type});
        if (!request.link.empty())
            out.headers.push_back({"Link", request.link});
        auth::HawkHeader header;
        auth::HawkTarget target;
        if (!request.key.empty()) {
            auto parsed = auth::hawk_target(request.method, split.target, split.host);
            if (!parsed.ok())
                co_return std::move(parsed).error();
            target = *parsed;
            header.id = request.key.id;
            auto offset = clock_offsets_.find(header.id);
            header.ts = clock_.now_ms() / 1000 + (offset == clock_offsets_.end() ? 0 : offset->second);
            header.nonce = to_base64url(system_random().bytes(12));
            if (!request.body.empty())
                header.hash = auth::hawk_payload_hash(request.content_type, request.body);
            header.mac = auth::hawk_mac(auth::HawkKind::Header, request.key.key, header, target);
            out.headers.push_back({"Authorization", auth::write_hawk_header(header)});
        }
        auto fetched = co_await http_.fetch(std::move(out));
        if (!fetched.ok()) {
            if (fetched.error().kind == ErrorKind::Unavailable)
                leave_circuit(pair, detour);
            co_return std::move(fetched).error();
        }
        InResponse response = std::move(*fetched);
        if (request.key.empty())
            co_return std::move(response);

        if (response.status == 401 && attempt == 0) {
            auto challenge = response.header("WWW-Authenticate");
            auto theirs = challenge ? auth::read_stale_challenge(*challenge, request.key.key) : std::nullopt;
            if (theirs) {
                if (clock_offsets_.size() >= kMostClockOffsets)
                    clock_offsets_.clear();
                clock_offsets_[header.id] = *theirs - clock_.now_ms() / 1000;
                continue;
            }
        }
        // Old servers send no Server-Authorization; one that is there must fit (section 5.4).
        if (auto proof = response.header("Server-Authorization")) {
            const std::string hash =
                auth::hawk_payload_hash(response.header("Content-Type").value_or(""), response.body);
            // A spooled body is checked against its digest instead, which we know beforehand.
            bool fits = response.spool ||
                        auth::verify_server_authorization(*proof, request.key.key, header, target, hash);
            if (!fits)
                co_return fail(ErrorKind::Unavailable, "the answer is not from the peer that holds the key");
        }
        co_return std::move(response);
    }
}

Task<Result<InResponse>> PeerClient::get_following_redirects(const tent::Self& self, std::string peer,
                                                             PeerRequest request, std::string& final_url,
                                                             int64_t until)
{
    const int64_t step_ms = request.timeout_ms;
    for (int redirects = 0;; ++redirects) {
        final_url = request.url;
        if (until != 0) {
            request.timeout_ms = std::min(step_ms, until - clock_.monotonic_ms());
            if (request.timeout_ms <= 0)
                co_return too_late();
        }
        CO_TRY(response, co_await this->request(self, peer, request));
        if (!is_redirect(response.status))
            co_return std::move(response);
        std::string next = resolve_url(request.url, response.header("Location").value_or(""));
        if (next.empty() || redirects == kMostRedirects)
            co_return fail(ErrorKind::Invalid, "discovery was redirected to where we do not go");
        request.url = next;
    }
}

Result<Json> PeerClient::post_in(const InResponse& response)
{
    if (response.status != 200)
        return fail(ErrorKind::Unavailable, "answered " + std::to_string(response.status));
    Json envelope = TRY(parse_json(response.body));
    if (!envelope.is_object() || !envelope.contains("post") || !envelope["post"].is_object())
        return fail(ErrorKind::Invalid, "the answer is not a post");
    return Json(std::move(envelope["post"]));
}

Result<Discovered> PeerClient::read_meta(const InResponse& response, const std::string& entity)
{
    Json json = TRY(post_in(response));
    Discovered out;
    out.meta = TRY(post_from_json(json));
    if (TRY(parse_type(out.meta.type)).base != type::kMetaBase || out.meta.id.empty() ||
        !version_id_verifies(json, out.meta.version.id))
        return fail(ErrorKind::Invalid, "the meta post is not valid");
    Json content = out.meta.content.empty() ? Json::object() : Json::parse(out.meta.content);
    const std::string named = content.value("entity", Json()).is_string() ? content["entity"].get<std::string>() : std::string();
    if (named != entity && named == out.meta.entity && tent::way_from(out.meta, entity, named, clock_.now_ms()))
        out.moved_to = named;
    else if (named != entity || out.meta.entity != entity)
        return fail(ErrorKind::Invalid, "Entity mismatch!");
    auto servers = content.find("servers");
    if (servers == content.end())
        return fail(ErrorKind::Invalid, "the meta post names no servers");
    out.servers = servers->dump();
    out.usable = tent::usable_servers(*servers);
    if (out.usable.empty())
        return fail(ErrorKind::Invalid, "the meta post names no server that can be reached through tor");
    int64_t now = clock_.now_ms();
    out.meta.received_at = out.meta.version.received_at = now;
    out.meta.app.id.clear();
    return out;
}

Task<Result<Discovered>> PeerClient::discover(const tent::Self& self, std::string entity, int64_t step_timeout_ms,
                                              int64_t total_ms)
{
    const int64_t until = total_ms == 0 ? 0 : clock_.monotonic_ms() + total_ms;
    PeerRequest head;
    head.method = "HEAD";
    head.url = entity;
    head.timeout_ms = step_timeout_ms;
    std::string base;
    CO_TRY(first, co_await get_following_redirects(self, entity, head, base, until));
    if (first.status < 200 || first.status > 299)
        co_return fail(first.status >= 500 ? ErrorKind::Unavailable : ErrorKind::Invalid,
                       "discovery was answered " + std::to_string(first.status));
    std::vector<std::string> links = tent::links_with_rel(values_of(first, "Link"), rel::kMetaPost);
    if (links.empty()) {
        PeerRequest get = head;
        get.method = "GET";
        get.accept = "text/html";
        CO_TRY(page, co_await get_following_redirects(self, entity, get, base, until));
        links = tent::links_with_rel(values_of(page, "Link"), rel::kMetaPost);
        for (auto& link : tent::html_links_with_rel(page.body, rel::kMetaPost))
            links.push_back(std::move(link));
    }
    Error problem = fail(ErrorKind::Invalid, "discovery found no link to a meta post");
    for (const auto& link : links) {
        PeerRequest get;
        get.url = resolve_url(base, link);
        get.accept = std::string(mime::kPost) + "; type=\"" + type::kMeta + "\"";
        get.timeout_ms = step_timeout_ms;
        if (get.url.empty())
            continue;
        std::string meta_url;
        auto response = co_await get_following_redirects(self, entity, get, meta_url, until);
        if (!response.ok()) {
            problem = response.error();
            continue;
        }
        if (response->status >= 500) {
            problem = fail(ErrorKind::Unavailable, "the meta post was answered " + std::to_string(response->status));
            continue;
        }
        auto discovered = read_meta(*response, entity);
        if (discovered.ok())
            co_return std::move(discovered);
        problem = discovered.error();
    }
    co_return problem;
}

}  // namespace bivouac::relay
