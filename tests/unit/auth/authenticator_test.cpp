// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/auth/authenticator.h>
#include <bivouac/store/credentials.h>
#include <bivouac/store/relationships.h>

#include "store_fixture.h"

using namespace bivouac;
using namespace bivouac::auth;

namespace {

const std::string kBob = "http://bob.onion";

struct Gate : TestStore {
    int64_t owner = 0;
    std::unique_ptr<Authenticator> authenticator;

    Gate()
    {
        owner = write([](store::WriteTx& tx) -> Result<int64_t> {
            store::LocalEntity entity;
            entity.name = "default";
            entity.entity = "http://self.onion";
            entity.onion = "self";
            entity.onion_seed = Secret(size_t(32));
            entity.bewit_id = "bewit-id";
            entity.followers_group = "g";
            int64_t id = TRY(store::add_entity(tx, entity));
            TRY(store::add_credentials(tx, {id, "bobs-id", "bobs-key", "relationship", "rel", kBob}));
            return id;
        });
        authenticator = std::make_unique<Authenticator>(*store, clock);
        clock.now += 10'000;
    }

    net::HttpRequest request(const std::string& method, const std::string& target, const std::string& body = "")
    {
        net::HttpRequest out;
        out.method = method;
        out.target = target;
        out.host = "self.onion";
        out.body = Spool::of_text(body);
        return out;
    }

    HawkHeader header()
    {
        HawkHeader out;
        out.id = "bobs-id";
        out.ts = clock.now / 1000;
        out.nonce = system_random().id();
        return out;
    }

    void sign(net::HttpRequest& request, HawkHeader header, const std::string& key = "bobs-key")
    {
        header.mac = hawk_mac(HawkKind::Header, key, header, *hawk_target(request.method, request.target, request.host));
        request.headers.push_back({"Authorization", write_hawk_header(header)});
    }

    int status(const net::HttpRequest& request)
    {
        auto outcome = authenticator->authenticate(request, owner, "bewit-id", "bewit-key");
        auto* failure = std::get_if<AuthFailure>(&outcome);
        return failure ? failure->status : 200;
    }
};

}  // namespace

TEST_CASE("a signed request is its entity's, and its answer is signed back (sections 5.1 and 5.4)")
{
    Gate gate;
    auto request = gate.request("GET", "/posts");
    HawkHeader header = gate.header();
    gate.sign(request, header);
    auto outcome = gate.authenticator->authenticate(request, gate.owner, "bewit-id", "bewit-key");
    REQUIRE(std::holds_alternative<Authenticated>(outcome));
    auto& caller = std::get<Authenticated>(outcome);
    CHECK(caller.principal.kind == Principal::Kind::Peer);
    CHECK(caller.principal.entity == kBob);
    std::string body = "{}";
    std::string proof = caller.sign("application/json", &body);
    CHECK(verify_server_authorization(proof, "bobs-key", header, *hawk_target("GET", "/posts", "self.onion"),
                                      hawk_payload_hash("application/json", body)));
}

TEST_CASE("without credentials one is anonymous")
{
    Gate gate;
    auto outcome = gate.authenticator->authenticate(gate.request("GET", "/posts"), gate.owner, "bewit-id", "bewit-key");
    CHECK(std::get<Authenticated>(outcome).principal.kind == Principal::Kind::Anonymous);
}

TEST_CASE("wrong key, unknown id, other target, other method, malformed header: all the same 403 (section 5.5)")
{
    Gate gate;
    auto wrong_key = gate.request("GET", "/posts");
    gate.sign(wrong_key, gate.header(), "other");
    CHECK(gate.status(wrong_key) == 403);
    auto unknown = gate.request("GET", "/posts");
    HawkHeader header = gate.header();
    header.id = "nobody";
    gate.sign(unknown, header);
    CHECK(gate.status(unknown) == 403);
    auto moved = gate.request("GET", "/posts");
    gate.sign(moved, gate.header());
    moved.target = "/posts?limit=2";
    CHECK(gate.status(moved) == 403);
    auto other_method = gate.request("GET", "/posts");
    gate.sign(other_method, gate.header());
    other_method.method = "DELETE";
    CHECK(gate.status(other_method) == 403);
    auto malformed = gate.request("GET", "/posts");
    malformed.headers.push_back({"Authorization", "Hawk nonsense"});
    CHECK(gate.status(malformed) == 403);
}

TEST_CASE("a Hawk request 61 seconds off is stale and is told our clock; 59 seconds are fine (section 5.5)")
{
    Gate gate;
    gate.clock.now += 1'000'000;
    for (int off : {-61, 61}) {
        auto request = gate.request("GET", "/posts");
        HawkHeader header = gate.header();
        header.ts += off;
        gate.sign(request, header);
        auto outcome = gate.authenticator->authenticate(request, gate.owner, "bewit-id", "bewit-key");
        auto* failure = std::get_if<AuthFailure>(&outcome);
        REQUIRE(failure);
        CHECK(failure->status == 401);
        CHECK(read_stale_challenge(failure->www_authenticate, "bobs-key") == gate.clock.now / 1000);
    }
    for (int off : {-59, 59}) {
        auto request = gate.request("GET", "/posts");
        HawkHeader header = gate.header();
        header.ts += off;
        gate.sign(request, header);
        CHECK(gate.status(request) == 200);
    }
}

TEST_CASE("the same request a second time is refused, also after a restart (section 5.6)")
{
    Gate gate;
    auto request = gate.request("GET", "/posts");
    gate.sign(request, gate.header());
    CHECK(gate.status(request) == 200);
    CHECK(gate.status(request) == 403);
    gate.clock.now += 1000;
    gate.authenticator = std::make_unique<Authenticator>(*gate.store, gate.clock);
    CHECK(gate.status(request) == 401);  // stale: from before this start
}

TEST_CASE("a payload hash that is there must be right (section 5.3)")
{
    Gate gate;
    for (bool right : {true, false}) {
        auto request = gate.request("PUT", "/posts/x", "{\"a\":1}");
        request.headers.push_back({"Content-Type", "application/json; charset=utf-8"});
        HawkHeader header = gate.header();
        header.hash = hawk_payload_hash("application/json", right ? "{\"a\":1}" : "{\"a\":2}");
        gate.sign(request, header);
        CHECK(gate.status(request) == (right ? 200 : 403));
    }
}

TEST_CASE("a bewit opens exactly its URL until it expires, for reading only (section 5.7)")
{
    Gate gate;
    int64_t exp = gate.clock.now / 1000 + 60;
    HawkTarget target{"GET", "/posts/x/y", "self.onion", 80};
    std::string bewit = write_bewit({"bewit-id", exp, bewit_mac("bewit-key", exp, "", target), ""});
    CHECK(gate.status(gate.request("GET", "/posts/x/y?bewit=" + bewit)) == 200);
    CHECK(gate.status(gate.request("HEAD", "/posts/x/y?bewit=" + bewit)) == 200);
    CHECK(gate.status(gate.request("DELETE", "/posts/x/y?bewit=" + bewit)) == 403);
    CHECK(gate.status(gate.request("GET", "/posts/x/z?bewit=" + bewit)) == 403);
    CHECK(gate.status(gate.request("GET", "/posts/x/y?bewit=" + bewit + "&version=1")) == 403);
    gate.clock.now += 61'000;
    CHECK(gate.status(gate.request("GET", "/posts/x/y?bewit=" + bewit)) == 403);
}

TEST_CASE("a blocked entity's key is dead")
{
    Gate gate;
    gate.write([&](store::WriteTx& tx) {
        store::Relationship r;
        r.owner = gate.owner;
        r.peer = kBob;
        r.follower = "blocked";
        return store::save_relationship(tx, r);
    });
    auto request = gate.request("GET", "/posts");
    gate.sign(request, gate.header());
    CHECK(gate.status(request) == 403);
}

TEST_CASE("the app in a header is the one behind the key, or absent (section 5.1)")
{
    Gate gate;
    gate.write([&](store::WriteTx& tx) -> Result<void> {
        TRY(store::add_credentials(tx, {gate.owner, "app-id", "app-key", "app", "app1", ""}));
        TRY(store::add_credentials(tx, {gate.owner, "auth-id", "auth-key", "app-auth", "auth1", ""}));
        return store::set_app_grant(tx, gate.owner, {"auth1", "app1", "n", "u", {}, {}, {}});
    });
    struct Case {
        const char *id, *key, *app;
        int status;
    };
    for (const Case& c : {Case{"app-id", "app-key", "app1", 200}, Case{"app-id", "app-key", "", 200},
                          Case{"app-id", "app-key", "app2", 403}, Case{"auth-id", "auth-key", "app1", 200},
                          Case{"auth-id", "auth-key", "", 200}, Case{"auth-id", "auth-key", "auth1", 403},
                          Case{"bobs-id", "bobs-key", "app1", 403}}) {
        CAPTURE(c.id);
        CAPTURE(c.app);
        auto request = gate.request("GET", "/posts");
        auto header = gate.header();
        header.id = c.id;
        header.app = c.app;
        gate.sign(request, header, c.key);
        CHECK(gate.status(request) == c.status);
    }
}

TEST_CASE("dlg and ext take part in the signature (sections 5.1 and 5.2)")
{
    Gate gate;
    gate.write([&](store::WriteTx& tx) -> Result<void> {
        TRY(store::add_credentials(tx, {gate.owner, "auth-id", "auth-key", "app-auth", "auth1", ""}));
        return store::set_app_grant(tx, gate.owner, {"auth1", "app1", "n", "u", {}, {}, {}});
    });
    auto header = gate.header();
    header.id = "auth-id";
    header.app = "app1";
    header.dlg = "delegate";
    header.ext = "some text";
    header.has_ext = true;
    auto good = gate.request("GET", "/posts");
    gate.sign(good, header, "auth-key");
    CHECK(gate.status(good) == 200);
    for (bool in_ext : {true, false}) {
        auto bad = gate.request("GET", "/posts");
        header.nonce = system_random().id();
        header.mac = hawk_mac(HawkKind::Header, "auth-key", header, *hawk_target("GET", "/posts", "self.onion"));
        auto changed = header;
        (in_ext ? changed.ext : changed.dlg) = "other";
        bad.headers.push_back({"Authorization", write_hawk_header(changed)});
        CHECK(gate.status(bad) == 403);
    }
}

TEST_CASE("a bewit may be valid for decades (section 5.7)")
{
    Gate gate;
    auto target = *hawk_target("GET", "/posts", "self.onion");
    const int64_t exp = 4'530'669'460;  // beyond 32 bits
    auto request = gate.request("GET", "/posts?bewit=" + write_bewit({"bewit-id", exp, bewit_mac("bewit-key", exp, "", target), ""}));
    CHECK(gate.status(request) == 200);
}
