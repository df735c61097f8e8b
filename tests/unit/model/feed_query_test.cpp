// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/feed_query.h>

using namespace bivouac;

TEST_CASE("feed parameters are read as section 4.2 has them")
{
    auto query = parse_feed_query(
        "types=https%3A%2F%2Ft%2Fx%2Fv0%23,https%3A%2F%2Ft%2Fy%2Fv0&entities=http%3A%2F%2Fa.onion&limit=500"
        "&before=17+sha512t256-aa&sort_by=published_at&sortBy=ignored&empty");
    REQUIRE(query.ok());
    CHECK(query->types == std::vector<std::string>{"https://t/x/v0#", "https://t/y/v0"});
    CHECK(query->entities == std::vector<std::string>{"http://a.onion"});
    CHECK(query->limit == 200);
    REQUIRE(query->before);
    CHECK(query->before->time == 17);
    CHECK(query->before->version == "sha512t256-aa");
    CHECK(query->sort == FeedQuery::Sort::PublishedAt);
    CHECK(parse_feed_query("")->limit == 25);
    CHECK(parse_feed_query("since=0%20x")->since->version == "x");
    CHECK(parse_feed_query("types=all")->types.empty());
}

TEST_CASE("malformed feed parameters are refused")
{
    for (const char* bad : {"limit=0", "limit=x", "limit=", "since=1&until=2", "since=x", "before=1+", "sort_by=age",
                            "types=status", "entities=alice", "types=%zz", "before=-1", "mentions=alice", "max_refs=x",
                            "max_refs=-1", "profiles=friends", "mentions=http%3A%2F%2Fa%20a%2Fb",
                            "mentions=followers+p1", "entities=everybody"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_feed_query(bad).ok());
    }
}

TEST_CASE("page links carry the filters and a cursor, and hold only the characters allowed in them")
{
    FeedQuery query = *parse_feed_query("types=https%3A%2F%2Ft%2Fx%2Fv0%23&limit=2");
    FeedPage page;
    Post post;
    post.received_at = 9;
    post.version.id = "sha512t256-aa";
    page.posts = {post};
    page.older = page.newer = true;
    FeedLinks links = feed_links(query, page);
    CHECK(links.next == "?before=9+sha512t256-aa&types=https%3A%2F%2Ft%2Fx%2Fv0%23&limit=2");
    CHECK(links.last == "?before=9+sha512t256-aa&since=0&types=https%3A%2F%2Ft%2Fx%2Fv0%23&limit=2");
    CHECK(links.prev.starts_with("?since=9+"));
    CHECK(links.first.starts_with("?until=9+"));
    for (char c : links.next)
        CHECK(std::string("/#< ").find(c) == std::string::npos);
    page.older = page.newer = false;
    CHECK(feed_links(query, page).next.empty());
}

TEST_CASE("mentions: commas are OR, several parameters are AND (section 4.2)")
{
    auto query = parse_feed_query("mentions=http%3A%2F%2Fa.onion,http%3A%2F%2Fb.onion%20p1&mentions=&mentions=friends");
    REQUIRE(query.ok());
    REQUIRE(query->mentions.size() == 2);
    REQUIRE(query->mentions[0].size() == 2);
    CHECK(query->mentions[0][0].entity == "http://a.onion");
    CHECK(query->mentions[0][0].post.empty());
    CHECK(query->mentions[0][1].entity == "http://b.onion");
    CHECK(query->mentions[0][1].post == "p1");
    CHECK(query->mentions[1][0].entity == "friends");
}

TEST_CASE("special words stand beside entities, refs are cut at 10, profiles name relations (section 4.2)")
{
    auto query = parse_feed_query("entities=followings,following,http%3A%2F%2Fa.onion,followers,friends&max_refs=50"
                                  "&profiles=entity,permissions");
    REQUIRE(query.ok());
    CHECK(query->entities ==
          std::vector<std::string>{"followings", "following", "http://a.onion", "followers", "friends"});
    CHECK(query->max_refs == 10);
    CHECK(query->profiles == (profiles_of::kEntity | profiles_of::kPermissions));
    CHECK_FALSE(parse_feed_query("")->max_refs);
    CHECK(parse_feed_query("max_refs=0")->max_refs == 0);
    CHECK(parse_feed_query("")->profiles == 0);
    CHECK(people_of("following") == People::Followings);
    CHECK(people_of("friends") == People::Friends);
    CHECK_FALSE(people_of("http://a.onion"));
}

TEST_CASE("a feed has a bounded number of filters")
{
    auto many = [](const std::string& name, size_t count) {
        std::string out = name + "=";
        for (size_t i = 0; i < count; ++i)
            out += (i == 0 ? "" : ",") + std::string("http%3A%2F%2Fa") + std::to_string(i) + "%2Fx";
        return out;
    };
    for (const char* name : {"types", "entities", "mentions"}) {
        CHECK(parse_feed_query(many(name, 100)).ok());
        CHECK_FALSE(parse_feed_query(many(name, 101)).ok());
    }
    CHECK_FALSE(parse_feed_query(many("mentions", 60) + "&" + many("mentions", 41)).ok());
    std::string groups = "x=y";
    for (int i = 0; i < 10; ++i)
        groups += "&mentions=http%3A%2F%2Fa";
    CHECK(parse_feed_query(groups).ok());
    CHECK_FALSE(parse_feed_query(groups + "&mentions=friends").ok());
}

TEST_CASE("page links keep every filter and lead to the same query again (section 4.2)")
{
    const std::string asked =
        "types=https%3A%2F%2Ft%2Fx%2Fv0%23a%2523b&entities=followings,http%3A%2F%2Fa.onion%2F%7Ex&mentions=friends"
        "&mentions=http%3A%2F%2Fb.onion+p-1_,http%3A%2F%2Fc.onion&sort_by=version.published_at&limit=7&max_refs=0"
        "&profiles=entity,mentions,refs,parents,permissions";
    FeedQuery query = *parse_feed_query(asked);
    FeedEnds ends;
    ends.empty = false;
    ends.older = ends.newer = true;
    ends.first = {9, "sha512t256-ff"};
    ends.last = {3, "sha512t256-00"};
    FeedLinks links = feed_links(query, ends);
    const std::string allowed = "-~._,:@%!&\"()*+,;=";
    for (const auto* link : {&links.first, &links.prev, &links.next, &links.last}) {
        REQUIRE(link->starts_with("?"));
        for (char c : link->substr(1)) {
            CAPTURE(c);
            CHECK((std::isalnum(static_cast<unsigned char>(c)) || allowed.find(c) != std::string::npos));
        }
        FeedQuery again = *parse_feed_query(link->substr(1));
        CHECK(again.types == query.types);
        CHECK(again.entities == query.entities);
        CHECK(again.sort == query.sort);
        CHECK(again.limit == 7);
        CHECK(again.max_refs == 0);
        CHECK(again.profiles == query.profiles);
        REQUIRE(again.mentions.size() == 2);
        CHECK(again.mentions[0][0].entity == "friends");
        CHECK(again.mentions[1][0].post == "p-1_");
        CHECK(again.mentions[1][1].entity == "http://c.onion");
    }
    CHECK(parse_feed_query(links.next.substr(1))->before->version == "sha512t256-00");
    CHECK(parse_feed_query(links.last.substr(1))->since->time == 0);
    CHECK(parse_feed_query(links.prev.substr(1))->since->time == 9);
    CHECK(parse_feed_query(links.first.substr(1))->until->version == "sha512t256-ff");
}
