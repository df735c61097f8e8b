// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/auth/authenticator.h>
#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/store/credentials.h>
#include <bivouac/store/relationships.h>

#include <algorithm>

#include "nonces.h"

namespace bivouac::auth {

namespace {

using Outcome = std::variant<Authenticated, AuthFailure>;

AuthFailure refused()
{
    // One answer for a wrong key, an unknown id and a replay: nothing to learn.
    return {403, "", "Authentication failure"};
}

struct Known {
    store::Credentials credentials;
    std::optional<store::AppGrant> grant;
    bool blocked = false;
    bool approved = false;
    bool untold = false;
};

Principal principal_of(const Known& known)
{
    const store::Credentials& credentials = known.credentials;
    const auto& grant = known.grant;
    Principal p;
    p.owner = credentials.owner;
    p.target_post = credentials.target_post;
    if (credentials.kind == "relationship") {
        p.kind = Principal::Kind::Peer;
        p.entity = credentials.peer;
        p.approved = known.approved;
        p.untold = known.untold;
    } else if (credentials.kind == "app") {
        p.kind = Principal::Kind::AppItself;
    } else {
        p.kind = Principal::Kind::App;
        if (grant) {
            p.read_types = grant->read_types;
            p.write_types = grant->write_types;
            p.scopes = grant->scopes;
            p.app_post = grant->app_post;
            p.app_name = grant->name;
            p.app_url = grant->url;
        }
    }
    return p;
}

// The app that a key belongs to (section 5.1); no app's id is empty.
std::string app_behind(const Known& who)
{
    if (who.credentials.kind == "app")
        return who.credentials.target_post;
    return who.grant ? who.grant->app_post : std::string();
}

Result<std::optional<Known>> look_up(store::Store& store, int64_t owner, const std::string& id)
{
    return store.read([&](store::ReadTx& tx) -> Result<std::optional<Known>> {
        auto credentials = TRY(store::find_credentials(tx, owner, id));
        if (!credentials)
            return std::optional<Known>();
        Known known{std::move(*credentials), {}, false, false, false};
        if (known.credentials.kind == "app-auth")
            known.grant = TRY(store::find_app_grant(tx, owner, known.credentials.target_post));
        if (known.credentials.kind == "relationship") {
            auto relationship = TRY(store::find_relationship(tx, owner, known.credentials.peer));
            known.blocked = relationship && relationship->follower == "blocked";
            known.approved = relationship && relationship->follower == "approved";
            known.untold = relationship && !relationship->knows_us_as.empty();
        }
        return std::optional<Known>(std::move(known));
    });
}

// Hashes a body of any size in pieces.
Result<std::string> payload_hash(const net::HttpRequest& request)
{
    Sha256 hash;
    hash.update(hawk_payload_prefix(request.header("Content-Type").value_or("")));
    Spool::Reader reader(*request.body);
    for (;;) {
        std::string piece = TRY(reader.next());
        if (piece.empty())
            break;
        hash.update(piece);
    }
    hash.update("\n");
    return to_base64(hash.finish());
}

// HEAD has its own name in a header's MAC, but a bewit is signed for GET (section 5.7).
bool bewit_method(const std::string& method)
{
    return method == "GET" || method == "HEAD";
}

}  // namespace

Authenticator::Authenticator(store::Store& store, Clock& clock)
    : store_(store)
    , clock_(clock)
    , started_at_(clock.now_ms() / 1000)
    , nonces_(std::make_unique<Nonces>(limits::kNoncesRemembered))
{
}

Authenticator::~Authenticator() = default;

std::variant<Authenticated, AuthFailure> Authenticator::authenticate(const net::HttpRequest& request,
                                                                     int64_t owner, std::string_view bewit_id,
                                                                     std::string_view bewit_key)
{
    const int64_t now = clock_.now_ms() / 1000;
    SplitTarget split = split_bewit(request.target);
    auto authorization = request.header("Authorization");

    auto by_header = [&]() -> Outcome {
        auto header = parse_hawk_header(*authorization);
        auto target = hawk_target(request.method, request.target, request.host);
        if (!header.ok() || !target.ok())
            return refused();
        auto known = look_up(store_, owner, header->id);
        if (!known.ok())
            return AuthFailure{500, "", "Internal error"};
        // An unknown id costs the same MAC as a known one.
        std::string key = *known ? (**known).credentials.hawk_key : std::string(64, 'x');
        bool right = equal_constant_time(hawk_mac(HawkKind::Header, key, *header, *target), header->mac);
        if (!*known || !right || (**known).blocked)
            return refused();
        const Known& who = **known;
        if (!header->app.empty() && header->app != app_behind(who))
            return refused();
        // A request from before this process started could be a replay of one that the last process has seen:
        // its nonces are gone. Such a request is stale, and the client tries again with our clock.
        if (header->ts < now - limits::kHawkSkewSeconds || header->ts > now + limits::kHawkSkewSeconds ||
            header->ts <= started_at_)
            return AuthFailure{401, write_stale_challenge(key, std::max(now, started_at_ + 1)), "Stale timestamp"};
        if (!nonces_->first_time(header->id, header->ts, header->nonce, now))
            return refused();
        if (!header->hash.empty()) {
            auto hash = payload_hash(request);
            if (!hash.ok())
                return AuthFailure{500, "", "Internal error"};
            if (!equal_constant_time(*hash, header->hash))
                return refused();
        }
        Authenticated out;
        out.principal = principal_of(who);
        out.target = split.target;
        out.sign = [key, header = *header, target = *target](std::string_view type, const std::string* body) {
            std::string hash = body && !body->empty() ? hawk_payload_hash(type, *body) : std::string();
            return write_server_authorization(key, header, target, hash);
        };
        return out;
    };

    auto by_bewit = [&]() -> Outcome {
        auto bewit = parse_bewit(split.bewit);
        auto target = hawk_target(request.method, split.target, request.host);
        if (!bewit.ok() || !target.ok() || !bewit_method(request.method))
            return refused();
        std::string key;
        Authenticated out;
        if (bewit->id == bewit_id) {
            key = std::string(bewit_key);
            out.principal.kind = Principal::Kind::Server;
            out.principal.owner = owner;
        } else {
            auto known = look_up(store_, owner, bewit->id);
            if (!known.ok())
                return AuthFailure{500, "", "Internal error"};
            if (!*known || (**known).blocked)
                return refused();
            key = (**known).credentials.hawk_key;
            out.principal = principal_of(**known);
        }
        if (!equal_constant_time(bewit_mac(key, bewit->exp, bewit->ext, *target), bewit->mac) || bewit->exp <= now)
            return refused();
        out.target = split.target;
        return out;
    };

    if (authorization) {
        Outcome outcome = by_header();
        // With both, the header wins if it is valid (section 5.7).
        if (std::holds_alternative<Authenticated>(outcome) || split.bewit.empty())
            return outcome;
        return by_bewit();
    }
    if (!split.bewit.empty())
        return by_bewit();
    Authenticated anonymous;
    anonymous.principal.owner = owner;
    anonymous.target = split.target;
    return anonymous;
}

}  // namespace bivouac::auth
