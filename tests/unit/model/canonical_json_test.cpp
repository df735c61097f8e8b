// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/canonical_json.h>
#include <bivouac/model/post_json.h>

#include "vectors.h"

using namespace bivouac;

TEST_CASE("version ids and canonical forms are those of the protocol's vectors (Tent 0.3, section 3.4)")
{
    for (const auto& vector : load_vectors("canonical.json")) {
        CAPTURE(vector["name"].get<std::string>());
        auto post = parse_json(vector["post"].dump());
        REQUIRE(post.ok());
        CHECK(version_id_of(*post) == vector["version_id"].get<std::string>());
        if (vector.contains("canonical") && vector["canonical"].is_string())
            CHECK(canonical_json(reduce_post(*post)) == vector["canonical"].get<std::string>());
        // The same by way of our structs: nothing that is hashed gets lost in them.
        auto parsed = post_from_json(*post);
        REQUIRE(parsed.ok());
        CHECK(version_id_of(*parsed) == vector["version_id"].get<std::string>());
    }
}

TEST_CASE("keys are in the order of their bytes, not of their UTF-16 units (section 3.3)")
{
    Json value = {{"\xf0\x9d\x84\x9e", 1}, {"\xef\xbd\x9e", 2}, {"b", 3}, {"Z", 4}, {"10", 5}, {"2", 6}};
    CHECK(canonical_json(value) == "{\"10\":5,\"2\":6,\"Z\":4,\"b\":3,\"\xef\xbd\x9e\":2,\"\xf0\x9d\x84\x9e\":1}");
}

TEST_CASE("strings escape the quote and the backslash only; the ordinary form is an option (section 3.3)")
{
    Json value = {{"t", "a\"b\\c\nd\te\x01"}};
    CHECK(canonical_json(value) == "{\"t\":\"a\\\"b\\\\c\nd\te\x01\"}");
    CHECK(canonical_json(value, Escapes::Ordinary) == "{\"t\":\"a\\\"b\\\\c\\nd\\te\\u0001\"}");
}

TEST_CASE("a version id verifies with and without prefix, and in the ordinarily escaped form (section 3.5)")
{
    Json post = {{"id", "x"}, {"entity", "http://a.onion"}, {"type", "https://t/x/v0#"}, {"content", {{"t", "a\nb"}}}};
    std::string id = version_id_of(post);
    CHECK(version_id_verifies(post, id));
    CHECK(version_id_verifies(post, id.substr(11)));
    CHECK_FALSE(version_id_verifies(post, id.substr(0, id.size() - 1)));
    std::string wrong = id;
    wrong.back() = wrong.back() == '0' ? '1' : '0';
    CHECK_FALSE(version_id_verifies(post, wrong));
    Json escaped = post;
    escaped["content"]["t"] = "a\\nb";  // what the ordinary escaping of a line feed looks like when hashed
    CHECK_FALSE(version_id_verifies(post, version_id_of(escaped)));
}

TEST_CASE("reducing removes what is not hashed and nothing else (section 3.2)")
{
    Json post = {
        {"id", "p"},
        {"entity", "http://a.onion"},
        {"original_entity", "http://b.onion"},
        {"received_at", 5},
        {"permissions", {{"public", false}}},
        {"app", {{"id", "secret"}, {"name", ""}}},
        {"mentions", Json::array({{{"entity", "http://c.onion"}, {"public", false}}, {{"entity", "http://b.onion"}}})},
        {"content", {{"empty", Json::object()}}},
        {"version", {{"id", "v"}, {"received_at", 6}, {"published_at", 7}, {"message", ""}}},
        {"licenses", Json::array()},
    };
    CHECK(canonical_json(reduce_post(post)) ==
          R"({"content":{"empty":{}},"entity":"http://b.onion","id":"p","mentions":[{}],"version":{"published_at":7}})");
}

TEST_CASE("the version id of a post is that of its JSON, whatever its content holds (section 3.3)")
{
    std::string controls;
    for (char c = 1; c < 0x20; ++c)
        controls += c;
    for (const Json& content :
         {Json(), Json::object(), Json({{"text", controls + "\x7f\"\\/ \\n \\u0041 é \xe2\x80\xa8"}}),
          Json({{"a", Json::array({1, -1, true, nullptr, "\n", Json::object()})}, {"\\", {{"", ""}, {"\"", "\t"}}}}),
          Json({{"big", 9223372036854775807}, {"bigger", 18446744073709551615u}})}) {
        Post post;
        post.entity = "http://a.example";
        post.id = "id";
        post.type = "https://x.example/t/v0#";
        post.published_at = 1;
        post.version.published_at = 2;
        post.content = content.is_null() ? "" : content.dump();
        CAPTURE(post.content);
        CHECK(version_id_of(post) == version_id_of(post_to_json(post, Audience::owner())));
        post.original_entity = "http://b.example";
        post.mentions.push_back({});
        post.mentions.back().entity = "http://a.example";
        CHECK(version_id_of(post) == version_id_of(post_to_json(post, Audience::owner())));
    }
}
