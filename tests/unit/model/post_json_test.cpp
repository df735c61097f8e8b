// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/post_json.h>
#include <bivouac/model/schemas.h>

using namespace bivouac;

namespace {

const char* kFull = R"({
  "id":"abc","entity":"http://a.onion","original_entity":"http://z.onion","type":"https://tent.io/types/status/v0#reply",
  "content":{"text":"hi","n":9223372036854775807},"published_at":1,"received_at":2,
  "version":{"id":"v1","parents":[{"version":"v0","post":"q"}],"message":"m","published_at":3,"received_at":4},
  "mentions":[{"entity":"http://b.onion","post":"x","public":false},{"entity":"http://c.onion"}],
  "refs":[{"post":"x","type":"https://tent.io/types/status/v0#"}],
  "licenses":[{"url":"https://l.example/"}],
  "attachments":[{"category":"photo","content_type":"image/png","name":"d.png","size":17,
    "digest":"sha512t256-e75cea7f8c10d2150dca0f314532dd1ab3b190c66bac742a1a5101eb95afd909"}],
  "app":{"id":"app1","name":"Notepad","url":"https://n.example"},
  "permissions":{"public":false,"entities":["http://b.onion"],"groups":[{"post":"g1"}]}})";

}  // namespace

TEST_CASE("a whole post goes through the struct and back unchanged, for its owner")
{
    auto post = parse_post(kFull);
    REQUIRE(post.ok());
    CHECK(post_to_json(*post, Audience::owner()) == Json::parse(kFull));
}

TEST_CASE("the text of a post is that of its JSON, for every reader")
{
    for (const char* text : {kFull, R"({"type":"https://x.example/t#","content":{}})", R"({"type":"https://x.example/t#"})",
                             R"({"id":"a","type":"https://x.example/t#z","content":{"é":"\u0001\"\\/","n":-1}})"}) {
        auto post = parse_post(text);
        REQUIRE(post.ok());
        for (const auto& audience : {Audience::owner(), Audience::everybody(), Audience::peer("http://b.onion")})
            CHECK(write_post(*post, audience) == post_to_json(*post, audience).dump());
    }
}

TEST_CASE("others see neither times of receipt, app id, reader lists nor private mentions (section 2.3)")
{
    auto post = parse_post(kFull);
    REQUIRE(post.ok());
    for (const auto& audience : {Audience::everybody(), Audience::peer("http://c.onion")}) {
        Json seen = post_to_json(*post, audience);
        CHECK_FALSE(seen.contains("received_at"));
        CHECK_FALSE(seen["version"].contains("received_at"));
        CHECK_FALSE(seen["app"].contains("id"));
        CHECK(seen["permissions"] == Json({{"public", false}}));
        CHECK(seen["mentions"].size() == 1);
        CHECK(seen.dump().find("b.onion") == std::string::npos);
    }
    // The entity that is mentioned privately sees her own mention.
    CHECK(post_to_json(*post, Audience::peer("http://b.onion"))["mentions"].size() == 2);
}

TEST_CASE("a public post is written without permissions, and permissions without `public` mean private")
{
    auto open = parse_post(R"({"type":"https://t/x/v0#"})");
    REQUIRE(open.ok());
    CHECK(open->permissions.is_public);
    CHECK_FALSE(post_to_json(*open, Audience::owner()).contains("permissions"));
    auto closed = parse_post(R"({"type":"https://t/x/v0#","permissions":{"entities":["http://b.onion"]}})");
    REQUIRE(closed.ok());
    CHECK_FALSE(closed->permissions.is_public);
}

TEST_CASE("members that are unknown or of a wrong type are refused, at every level")
{
    for (const char* bad : {
             R"([])", R"("x")", R"({})", R"({"type":"status"})", R"({"type":"https://t/x/v0"})",
             R"({"type":"https://t/x/v0#","extra":1})", R"({"type":"https://t/x/v0#","content":"x"})",
             R"({"type":"https://t/x/v0#","content":[]})", R"({"type":"https://t/x/v0#","published_at":"1"})",
             R"({"type":"https://t/x/v0#","published_at":-1})", R"({"type":"https://t/x/v0#","version":[]})",
             R"({"type":"https://t/x/v0#","version":{"x":1}})", R"({"type":"https://t/x/v0#","version":{"parents":[{}]}})",
             R"({"type":"https://t/x/v0#","mentions":{}})", R"({"type":"https://t/x/v0#","mentions":[1]})",
             R"({"type":"https://t/x/v0#","mentions":[{"public":"no"}]})", R"({"type":"https://t/x/v0#","refs":[{}]})",
             R"({"type":"https://t/x/v0#","mentions":[{"entity":"ftp://x"}]})",
             R"({"type":"https://t/x/v0#","id":"a/b"})", R"({"type":"https://t/x/v0#","id":"../x"})",
             R"({"type":"https://t/x/v0#","permissions":{"public":1}})",
             R"({"type":"https://t/x/v0#","permissions":{"entities":[5]}})",
             R"({"type":"https://t/x/v0#","attachments":[{"name":"x"}]})",
             R"({"type":"https://t/x/v0#","licenses":["x"]})", R"({"type":"https://t/x/v0#","app":{"x":1}})"}) {
        CAPTURE(bad);
        auto post = parse_post(bad);
        REQUIRE_FALSE(post.ok());
        CHECK(post.error().kind == ErrorKind::Invalid);
    }
}

TEST_CASE("null members count as absent, and groups may be plain strings (section 8.1)")
{
    auto post = parse_post(
        R"({"type":"https://t/x/v0#","content":null,"refs":null,"permissions":{"public":false,"groups":["g1"]}})");
    REQUIRE(post.ok());
    CHECK(post->permissions.groups == std::vector<std::string>{"g1"});
}

TEST_CASE("type selectors match as section 2.4 says")
{
    const std::string status = "https://tent.io/types/status/v0";
    CHECK(type_matches("all", status + "#reply"));
    CHECK(type_matches(status, status + "#"));
    CHECK(type_matches(status, status + "#reply"));
    CHECK(type_matches(status + "#", status + "#"));
    CHECK_FALSE(type_matches(status + "#", status + "#reply"));
    CHECK_FALSE(type_matches(status, "https://tent.io/types/status/v1#"));
    // An inner '#' arrives percent-encoded and is compared decoded.
    CHECK(type_matches("https://t/sub/v0#https://t/x/v0%23reply", "https://t/sub/v0#https://t/x/v0#reply"));
}

TEST_CASE("entity URLs are http or https, without query or fragment")
{
    CHECK(is_entity_url("http://alice.onion"));
    CHECK(is_entity_url("https://example.com/ana"));
    CHECK(is_entity_url("https://example.com/.ana/..b/"));
    for (const char* bad : {"", "alice.onion", "ftp://a", "http://", "http:///x", "http://a?b", "http://a#b",
                            "http://a b", "http://a,b", "http://a\"b", "http://..", "http://a/..", "http://a/../b", "http://a/./b"})
        CHECK_FALSE(is_entity_url(bad));
    CHECK_FALSE(is_entity_url("http://" + std::string(600, 'a')));
}

TEST_CASE("digests are known with and without prefix (section 3.6)")
{
    const std::string hex(64, 'a');
    CHECK(normal_digest(hex) == "sha512t256-" + hex);
    CHECK(normal_digest("sha512t256-" + hex) == "sha512t256-" + hex);
    CHECK(normal_digest("sha512t256-" + hex + "a").empty());
    CHECK(normal_digest(std::string(64, 'A')).empty());
    CHECK(normal_digest("").empty());
}

TEST_CASE("the error about an unknown member can go out as JSON, however long its name is")
{
    Json post = {{"type", "https://t/x/v0#"}, {std::string(63, 'x') + "\xc3\xa9tail", 1}};
    auto result = post_from_json(post);
    REQUIRE_FALSE(result.ok());
    CHECK_NOTHROW(Json(result.error().detail).dump());
}

TEST_CASE("a type has a host in front of its fragment (section 2.4)")
{
    for (const char* good : {"https://x", "http://x/v0#", "https://x/types/a/v0#https://y/v0%23z"})
        CHECK_MESSAGE(parse_type(good).ok(), good);
    for (const char* bad : {"", "https://", "https://#", "http://#x", "https:#//x", "x", "ftp://x", "https://x y#"})
        CHECK_FALSE_MESSAGE(parse_type(bad).ok(), bad);
}

TEST_CASE("the content as an object, the base of a type")
{
    Post post;
    post.type = "https://tent.io/types/status/v0#reply";
    CHECK(base_of(post) == "https://tent.io/types/status/v0");
    CHECK(content_of(post) == Json::object());
    CHECK_FALSE(validate_content(post).ok());  // a status without a text
    post.content = R"({"text":"Hi","n":1})";
    CHECK(content_of(post)["n"] == 1);
    CHECK(text_in(content_of(post), "text") == "Hi");
    CHECK(text_in(content_of(post), "n").empty());
    CHECK(text_in(content_of(post), "none").empty());
    CHECK_FALSE(validate_content(post).ok());
    post.content = R"({"text":"Hi"})";
    CHECK(validate_content(post).ok());
    post.type = "https://example.org/plain";
    CHECK(base_of(post) == post.type);
}
