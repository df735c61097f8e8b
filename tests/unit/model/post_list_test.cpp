// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/base/bytes.h>
#include <bivouac/model/post_list.h>

using namespace bivouac;

TEST_CASE("list cursors come back as they were, and garbage is refused (section 4.4)")
{
    using Side = ListPosition::Side;
    for (Side side : {Side::Older, Side::Newer, Side::Oldest, Side::Newest})
        for (int64_t time : {int64_t(0), int64_t(1'700'000'000'123), INT64_MAX}) {
            std::string token = write_position({side, {time, "sha512t256-00ff"}});
            CHECK(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
                  std::string::npos);
            auto back = parse_position(token);
            REQUIRE(back.ok());
            CHECK(back->side == side);
            CHECK(back->at.time == time);
            CHECK(back->at.version == "sha512t256-00ff");
        }
    for (const char* text : {"", "o", "o1", "o1.", "x1.a", "o-1.a", "o01.a", "o1 .a", "o.a", "o1.a b",
                             "o99999999999999999999.a", "1.a", "o1.\xff"}) {
        CAPTURE(text);
        auto parsed = parse_position(to_base64url(text));
        REQUIRE_FALSE(parsed.ok());
        CHECK(parsed.error().kind == ErrorKind::Invalid);
    }
    for (const char* token : {"", "*", "bzEuYQ==", "bzEuYR", " bzEuYQ"})
        CHECK_FALSE(parse_position(token).ok());
    CHECK(parse_position("bzEuYQ").ok());
    CHECK_FALSE(parse_position(to_base64url("o1." + std::string(200, 'a'))).ok());
}

TEST_CASE("list links keep the other parameters and lead back to the same list (section 4.4)")
{
    auto query = parse_list_query("limit=2&version=sha512t256-aa&profiles=entity&bewit=x&page=" +
                                  write_position({ListPosition::Side::Older, {5, "v"}}));
    REQUIRE(query.ok());
    CHECK(query->limit == 2);
    CHECK(query->version == "sha512t256-aa");
    FeedEnds ends;
    CHECK(list_links(*query, ends).next.empty());
    ends.empty = false;
    ends.older = ends.newer = true;
    ends.first = {9, "v9"};
    ends.last = {8, "v8"};
    FeedLinks links = list_links(*query, ends);
    auto side_of = [](const std::string& link) {
        auto parsed = parse_list_query(link.substr(1));
        REQUIRE(parsed.ok());
        CHECK(parsed->limit == 2);
        CHECK(parsed->version == "sha512t256-aa");
        CHECK(parsed->profiles == profiles_of::kEntity);
        return *parsed->page;
    };
    CHECK(side_of(links.next).side == ListPosition::Side::Older);
    CHECK(side_of(links.next).at.version == "v8");
    CHECK(side_of(links.last).side == ListPosition::Side::Oldest);
    CHECK(side_of(links.prev).side == ListPosition::Side::Newer);
    CHECK(side_of(links.prev).at.time == 9);
    CHECK(side_of(links.first).side == ListPosition::Side::Newest);
    ends.older = false;
    CHECK(list_links(*query, ends).next.empty());
    CHECK(list_links(*query, ends).last.empty());
}

TEST_CASE("list parameters have defaults and bounds (section 4.4)")
{
    CHECK(parse_list_query("")->limit == 25);
    CHECK(parse_list_query("limit=9999")->limit == 200);
    CHECK(parse_list_query("version=latest")->version.empty());
    for (const char* bad : {"limit=0", "limit=x", "page=x", "page=", "profiles=age", "version=%zz"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_list_query(bad).ok());
    }
}

TEST_CASE("list elements leave out what the request says already (section 4.4)")
{
    Json mentions = mentions_to_json({{"http://a", "p1", "https://t/x/v0#", true},
                                      {"http://b", "p2", "https://t/x/v0#r", false}},
                                     "http://a");
    CHECK(mentions == Json::parse(R"([{"post":"p1","type":"https://t/x/v0#"},
        {"post":"p2","type":"https://t/x/v0#r","entity":"http://b","public":false}])"));

    VersionEntry own{"http://a", "p1", "https://t/x/v0#", {}};
    own.version.id = "v2";
    own.version.message = "typo";
    own.version.published_at = 5;
    own.version.received_at = 6;
    own.version.parents = {{"v1", "http://a", "", "p1"}, {"w1", "http://b", "", "p1"}, {"u1", "", "", "p3"}};
    VersionEntry other{"http://a", "p9", "https://t/x/v0#", {}};
    other.version.id = "v9";
    other.version.parents = {{"v2", "", "", "p1"}};
    VersionEntry foreign{"http://b", "p1", "https://t/x/v0#", {}};
    foreign.version.id = "w9";
    Json versions = versions_to_json({own, other, foreign}, "http://a", "p1", ReceivedAt::Shown);
    CHECK(versions[0] == Json::parse(R"({"id":"v2","type":"https://t/x/v0#","message":"typo","published_at":5,
        "received_at":6,"parents":[{"version":"v1"},{"version":"w1","entity":"http://b","post":"p1"},
                                   {"version":"u1","post":"p3"}]})"));
    CHECK(versions[1]["post"] == "p9");
    CHECK_FALSE(versions[1].contains("entity"));
    CHECK(versions[1]["parents"][0]["post"] == "p1");
    CHECK(versions[2]["entity"] == "http://b");
    CHECK_FALSE(versions[2].contains("parents"));
    CHECK_FALSE(versions_to_json({own}, "http://a", "p1", ReceivedAt::Hidden)[0].contains("received_at"));
    CHECK(pages_to_json({}) == Json::object());
}

TEST_CASE("profiles come from meta posts, without empty members (section 4.2)")
{
    Post meta;
    meta.content = R"({"entity":"http://a","profile":{"name":"A","bio":7,"location":""}})";
    Attachment avatar;
    avatar.digest = "sha512t256-aa";
    meta.attachments = {avatar};
    Profile profile = profile_of(meta);
    CHECK(profiles_to_json({{"http://a", profile}}) ==
          Json::parse(R"({"http://a":{"name":"A","avatar_digest":"sha512t256-aa"}})"));
    CHECK(profile_of(Post()).empty());
}

TEST_CASE("the entities of a page are those of the relations asked for, each once (section 4.2)")
{
    Post post;
    post.entity = "http://a";
    post.mentions.resize(2);
    post.mentions[0].entity = "http://m";
    post.refs.resize(1);
    post.refs[0].entity = "http://r";
    post.version.parents.resize(2);
    post.version.parents[0].entity = "http://p";
    post.permissions.entities = {"http://e", "http://m"};
    using Names = std::vector<std::string>;
    CHECK(entities_of({post, post}, profiles_of::kEntity) == Names{"http://a"});
    CHECK(entities_of({post}, profiles_of::kMentions) == Names{"http://m", "http://a"});
    CHECK(entities_of({post}, profiles_of::kRefs) == Names{"http://r"});
    CHECK(entities_of({post}, profiles_of::kParents) == Names{"http://p", "http://a"});
    CHECK(entities_of({post}, profiles_of::kPermissions | profiles_of::kMentions) ==
          Names{"http://m", "http://a", "http://e"});
    CHECK(entities_of({post}, 0).empty());
}
