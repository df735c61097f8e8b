// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/auth/hawk.h>

#include "vectors.h"

using namespace bivouac;
using namespace bivouac::auth;

TEST_CASE("MACs, hashes, bewits and time proofs are those of the protocol's vectors (Tent 0.3, section 5.10)")
{
    for (const auto& v : load_vectors("hawk.json")) {
        CAPTURE(v["name"].get<std::string>());
        const std::string key = v["key"];
        const std::string kind = v["kind"];
        HawkTarget target{v["method"], v["target"], v["host"], v["port"].get<uint16_t>()};
        HawkHeader header;
        header.id = v["id"];
        header.ts = v["ts"];
        header.nonce = v["nonce"];
        header.hash = v["hash"];
        header.ext = v["ext"];
        header.app = v["app"];
        const std::string body = v["body"];
        if (!body.empty() && !header.hash.empty())
            CHECK(hawk_payload_hash(v["content_type"].get<std::string>(), body) == header.hash);
        if (kind == "header")
            CHECK(hawk_mac(HawkKind::Header, key, header, target) == v["mac"].get<std::string>());
        else if (kind == "response")
            CHECK(hawk_mac(HawkKind::Response, key, header, target) == v["mac"].get<std::string>());
        else if (kind == "ts")
            CHECK(hawk_tsm(key, header.ts) == v["tsm"].get<std::string>());
        else if (kind == "bewit")
            CHECK(bewit_mac(key, header.ts, header.ext, target) == v["mac"].get<std::string>());
        else
            FAIL("unknown kind");
        if (kind == "bewit" && !v["bewit"].get<std::string>().empty()) {
            CHECK(write_bewit({header.id, header.ts, v["mac"], header.ext}) == v["bewit"].get<std::string>());
            auto parsed = parse_bewit(v["bewit"].get<std::string>());
            REQUIRE(parsed.ok());
            CHECK(parsed->id == header.id);
            CHECK(parsed->exp == header.ts);
        }
    }
}

TEST_CASE("a Hawk header is read in any order of its fields, and written so that it reads the same (section 5.1)")
{
    auto header = parse_hawk_header("hawk mac=\"m+/=\", nonce=\"n\" ,ts=\"17\",id=\"i\", app=\"a\", hash=\"h\", ext=\"\"");
    REQUIRE(header.ok());
    CHECK(header->id == "i");
    CHECK(header->ts == 17);
    CHECK(header->app == "a");
    auto again = parse_hawk_header(write_hawk_header(*header));
    REQUIRE(again.ok());
    CHECK(again->mac == header->mac);
    CHECK(again->hash == "h");
}

TEST_CASE("malformed Hawk headers are refused (section 5.1)")
{
    for (const std::string& bad :
         {std::string(""), std::string("Hawk"), std::string("Hawk "), std::string("Basic id=\"x\""),
          std::string("Hawk id=\"i\""), std::string("Hawk id=\"i\", ts=\"x\", nonce=\"n\", mac=\"m\""),
          std::string("Hawk id=\"i\", ts=\"1\", nonce=\"n\", mac=\"m\", id=\"j\""),
          std::string("Hawk id=\"i\", ts=\"1\", nonce=\"n\", mac=\"m\", other=\"j\""),
          std::string("Hawk id=\"i\" ts=\"1\" nonce=\"n\" mac=\"m\""), std::string("Hawk id=\"i, ts=\"1\""),
          std::string("Hawk id=\"i\", ts=\"1\", nonce=\"n\", mac=\"m\","),
          std::string("Hawk id=\"i\", ts=\"-1\", nonce=\"n\", mac=\"m\""),
          "Hawk id=\"i\", ts=\"1\", nonce=\"" + std::string(5000, 'n') + "\", mac=\"m\"",
          std::string("Hawk id=\"i\x01\", ts=\"1\", nonce=\"n\", mac=\"m\"")}) {
        CAPTURE(bad.substr(0, 80));
        CHECK_FALSE(parse_hawk_header(bad).ok());
    }
}

TEST_CASE("an answer's proof fits its request, its body and its key only (section 5.4)")
{
    HawkHeader request;
    request.id = "i";
    request.ts = 17;
    request.nonce = "n";
    HawkTarget target{"GET", "/posts", "a.onion", 80};
    std::string hash = hawk_payload_hash("application/json", "{}");
    std::string proof = write_server_authorization("key", request, target, hash);
    CHECK(verify_server_authorization(proof, "key", request, target, hash));
    CHECK_FALSE(verify_server_authorization(proof, "other", request, target, hash));
    CHECK_FALSE(verify_server_authorization(proof, "key", request, target, hawk_payload_hash("application/json", "{} ")));
    HawkHeader other = request;
    other.nonce = "m";
    CHECK_FALSE(verify_server_authorization(proof, "key", other, target, hash));
    CHECK_FALSE(verify_server_authorization("Hawk", "key", request, target, hash));
    CHECK_FALSE(verify_server_authorization("", "key", request, target, ""));
}

TEST_CASE("a stale challenge tells the clock only to whoever can prove it (section 5.5)")
{
    std::string challenge = write_stale_challenge("key", 1700000000);
    CHECK(read_stale_challenge(challenge, "key") == 1700000000);
    CHECK_FALSE(read_stale_challenge(challenge, "other"));
    CHECK_FALSE(read_stale_challenge("Hawk", "key"));
}

TEST_CASE("the bewit parameter leaves the target with the separator that goes with it (section 5.7)")
{
    CHECK(split_bewit("/a?bewit=x").target == "/a");
    CHECK(split_bewit("/a?bewit=x").bewit == "x");
    CHECK(split_bewit("/a?b=1&bewit=x").target == "/a?b=1");
    CHECK(split_bewit("/a?bewit=x&b=1").target == "/a?b=1");
    CHECK(split_bewit("/a?b=1").bewit.empty());
    CHECK(split_bewit("/a").target == "/a");
    CHECK(split_bewit("/a?").target == "/a?");
    for (const char* bad : {"", "!!!!", "YQ", "YVxiXGNcZA"})
        CHECK_FALSE(parse_bewit(bad).ok());
}

TEST_CASE("host and port are those the client saw (section 5.2)")
{
    CHECK(hawk_target("GET", "/", "A.Onion")->host == "a.onion");
    CHECK(hawk_target("GET", "/", "a.onion")->port == 80);
    CHECK(hawk_target("GET", "/", "127.0.0.1:8080")->port == 8080);
    CHECK_FALSE(hawk_target("GET", "/", "a.onion:0").ok());
    CHECK_FALSE(hawk_target("GET", "/", "a.onion:x").ok());
    CHECK_FALSE(hawk_target("GET", "/", "a.onion:70000").ok());
}
