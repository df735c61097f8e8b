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
                            "types=status", "entities=alice", "types=%zz", "before=-1"}) {
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
