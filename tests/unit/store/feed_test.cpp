// SPDX-License-Identifier: BSD-3-Clause
#include "posts_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

const std::string kBobQuery = "http%3A%2F%2Fbob.onion";
const std::string kCarolQuery = "http%3A%2F%2Fcarol.onion";
const std::string kSelfQuery = "http%3A%2F%2Fself.onion";

Mention mention(const std::string& entity, const std::string& post = "", bool is_public = true)
{
    Mention m;
    m.entity = entity;
    m.post = post;
    m.is_public = is_public;
    return m;
}

Post by(Post post, const std::string& entity)
{
    post.entity = entity;
    return post;
}

}  // namespace

TEST_CASE("feeds: mentions by entity and by post, any of one parameter, all parameters (section 4.2)")
{
    Posts posts;
    auto add = [&](const std::string& id, int64_t time, std::vector<Mention> mentions) {
        Post post = posts.make(id, time);
        post.mentions = std::move(mentions);
        posts.add(post);
    };
    add("b", 1, {mention(kBob)});
    add("b1", 2, {mention(kBob, "x1"), mention(kBob, "x1")});
    add("b2c", 3, {mention(kBob, "x2"), mention(kCarol)});
    add("own", 4, {mention("", "x1")});
    add("none", 5, {});
    CHECK(posts.feed("mentions=" + kBobQuery, kAll) == Ids{"b2c", "b1", "b"});
    CHECK(posts.feed("mentions=" + kBobQuery + "+x1", kAll) == Ids{"b1"});
    CHECK(posts.feed("mentions=" + kBobQuery + "+x1," + kCarolQuery, kAll) == Ids{"b2c", "b1"});
    CHECK(posts.feed("mentions=" + kBobQuery + "," + kBobQuery + "+x1", kAll) == Ids{"b2c", "b1", "b"});
    CHECK(posts.feed("mentions=" + kBobQuery + "&mentions=" + kCarolQuery, kAll) == Ids{"b2c"});
    CHECK(posts.feed("mentions=" + kSelfQuery, kAll) == Ids{"own"});
    CHECK(posts.feed("mentions=http%3A%2F%2Fnobody.onion", kAll).empty());
    CHECK(posts.feed("mentions=" + kBobQuery, kAnonymous) == Ids{"b2c", "b1", "b"});
}

TEST_CASE("feeds: private mentions count for those who may see them only (section 4.2)")
{
    Posts posts;
    Post post = posts.make("p", 1);
    post.mentions = {mention(kBob, "x", false), mention(kCarol)};
    posts.add(post);
    const std::string by_bob = "mentions=" + kBobQuery;
    for (const char* sort : {"", "&sort_by=published_at", "&sort_by=version.received_at"}) {
        CHECK(posts.feed(by_bob + sort, kAll) == Ids{"p"});
        CHECK(posts.feed(by_bob + sort, app_of({})) == Ids{"p"});
        CHECK(posts.feed(by_bob + sort, peer_of(kBob)) == Ids{"p"});
        CHECK(posts.feed(by_bob + "+x" + sort, peer_of(kBob)) == Ids{"p"});
        CHECK(posts.feed(by_bob + sort, peer_of(kCarol)).empty());
        CHECK(posts.feed(by_bob + sort, kAnonymous).empty());
        CHECK(posts.feed("mentions=" + kCarolQuery + "&" + by_bob + sort, kAnonymous).empty());
        CHECK(posts.feed("mentions=" + kCarolQuery + sort, kAnonymous) == Ids{"p"});
    }
}

TEST_CASE("feeds: followings, followers and friends are resolved, mix with entities, and mean nothing to strangers")
{
    Posts posts;
    posts.relate(kBob, "", "requested");
    posts.relate(kCarol, "approved", "");
    posts.relate("http://dan.onion", "approved", "approved");
    posts.relate("http://eve.onion", "pending", "");
    int64_t time = 1;
    for (const char* who : {"bob", "carol", "dan", "eve"})
        posts.add(by(posts.make(who, time++), std::string("http://") + who + ".onion"));
    Post own = posts.make("own", time);
    own.mentions = {mention(kBob)};
    posts.add(own);
    const Viewer app = app_of({"https://tent.io/types/status/v0"});
    for (const auto& viewer : {kAll, app}) {
        CHECK(posts.feed("entities=followings", viewer) == Ids{"dan", "bob"});
        CHECK(posts.feed("entities=following", viewer) == Ids{"dan", "bob"});
        CHECK(posts.feed("entities=followers", viewer) == Ids{"dan", "carol"});
        CHECK(posts.feed("entities=friends", viewer) == Ids{"dan"});
        CHECK(posts.feed("entities=friends," + kBobQuery + "," + kSelfQuery, viewer) == Ids{"own", "dan", "bob"});
        CHECK(posts.feed("mentions=followings", viewer) == Ids{"own"});
        CHECK(posts.feed("mentions=followers", viewer).empty());
    }
    for (const auto& viewer : {kAnonymous, peer_of(kBob)}) {
        CHECK(posts.feed("", viewer) == Ids{"own"});
        CHECK(posts.feed("entities=followings", viewer).empty());
        CHECK(posts.feed("entities=followings," + kSelfQuery, viewer) == Ids{"own"});
        CHECK(posts.feed("entities=" + kBobQuery, viewer).empty());
        CHECK(posts.feed("mentions=followings", viewer).empty());
        CHECK(posts.feed("mentions=followings," + kBobQuery, viewer) == Ids{"own"});
    }
}

TEST_CASE("feeds: more followings than are worth walking one by one give the same answer")
{
    Posts posts;
    Ids expected;
    for (int i = 0; i < 30; ++i) {
        std::string who = "http://peer" + std::to_string(i) + ".onion";
        posts.relate(who, i % 2 == 0 ? "approved" : "", "approved");
        posts.add(by(posts.make("p" + std::to_string(i), 100 + i), who));
        expected.insert(expected.begin(), "p" + std::to_string(i));
        Post about = posts.make("about" + std::to_string(i), 50);
        about.mentions = {mention(who)};
        posts.add(about);
    }
    posts.add(by(posts.make("stranger", 200), kBob));
    CHECK(posts.feed("entities=followings&limit=100", kAll) == expected);
    CHECK(posts.feed("entities=followings," + kBobQuery + "&limit=100", kAll).size() == 31);
    CHECK(posts.feed("entities=friends&limit=100", kAll).size() == 15);
    CHECK(posts.feed("mentions=followings&limit=100", kAll).size() == 30);
    CHECK(posts.feed("mentions=followings," + kBobQuery + "&limit=100&entities=" + kSelfQuery, kAll).size() == 30);
}

TEST_CASE("the latest version is the latest by the sort's kind of time (section 2.6)")
{
    Posts posts;
    Post first = posts.make("p", 10);
    first.version.published_at = 100;
    first.version.received_at = 10;
    first = posts.add(first);
    Post second = posts.make("p", 10);
    second.content = R"({"text":"second"})";
    second.version.published_at = 50;
    second.version.received_at = 20;
    second = posts.add(second);
    auto latest = [&](const char* sort, const Viewer& viewer) {
        FeedQuery query = *parse_feed_query(std::string("sort_by=") + sort);
        auto page = posts.store->read([&](ReadTx& tx) { return load_feed(tx, posts.owner, query, viewer); });
        REQUIRE(page->posts.size() == 1);
        return page->posts[0].version.id;
    };
    for (const auto& viewer : {kAll, app_of({}), peer_of(kBob), kAnonymous}) {
        CHECK(latest("received_at", viewer) == second.version.id);
        CHECK(latest("version.received_at", viewer) == second.version.id);
        CHECK(latest("published_at", viewer) == first.version.id);
        CHECK(latest("version.published_at", viewer) == first.version.id);
    }
    CHECK(posts.get("p", kAll)->version.id == second.version.id);
}

TEST_CASE("texts of posts are those that the writer of posts makes for the same reader (section 2.3)")
{
    Posts posts;
    Post post = posts.make("p", 10);
    post.type = "https://tent.io/types/subscription/v0#https://tent.io/types/status/v0%23reply";
    post.mentions = {mention(kBob, "x", false), mention(kCarol, "y")};
    post.app = {"app1", "App", "https://app.example"};
    post = posts.add(post);
    Post open = posts.add(posts.make("q", 20));
    for (const auto& audience :
         {Audience::owner(), Audience::everybody(), Audience::peer(kBob), Audience::peer(kCarol)}) {
        auto page = posts.store->read(
            [&](ReadTx& tx) { return load_feed_text(tx, posts.owner, {}, kAll, audience); });
        REQUIRE(page.ok());
        REQUIRE(page->posts.size() == 2);
        CHECK(page->posts[0].json == write_post(open, audience));
        CHECK(page->posts[1].json == write_post(post, audience));
        CHECK(page->posts[1].type == post.type);
        CHECK(page->posts[1].author == kSelf);
        CHECK(page->posts[1].version_id == post.version.id);
        CHECK(page->posts[1].is_public);
        CHECK(page->ends.first.time == 20);
        CHECK(page->ends.first.version == open.version.id);
        CHECK(page->ends.last.version == post.version.id);
    }
    // A row from before there was such a text.
    posts.write([](WriteTx& tx) -> Result<bool> {
        TRY(tx.prepare("UPDATE bodies SET shown = NULL").run());
        return true;
    });
    auto text = posts.store->read([&](ReadTx& tx) {
        return load_post_text(tx, posts.owner, kSelf, "p", "", kAnonymous, Audience::everybody());
    });
    REQUIRE(text.ok());
    REQUIRE(*text);
    CHECK((*text)->json == write_post(post, Audience::everybody()));
    auto foreign = posts.store->read([&](ReadTx& tx) {
        return load_post_text(tx, posts.owner, kBob, "p", "", kAnonymous, Audience::everybody());
    });
    CHECK_FALSE(*foreign);
}

TEST_CASE("feeds: types and entities that nobody has heard of give nothing")
{
    Posts posts;
    Post post = posts.make("p", 1);
    post.mentions = {mention(kBob)};
    posts.add(post);
    for (const auto& viewer : {kAll, app_of({}), app_of({"https://nobody.example/x/v0"}), peer_of(kBob), kAnonymous})
        for (const char* query : {"types=https%3A%2F%2Fnobody.example%2Fx%2Fv0", "entities=http%3A%2F%2Fnobody.onion",
                                  "mentions=http%3A%2F%2Fnobody.onion",
                                  "types=https%3A%2F%2Fnobody.example%2Fx%2Fv0&mentions=http%3A%2F%2Fbob.onion",
                                  "types=https%3A%2F%2Fnobody.example%2Fx%2Fv0%23&entities=http%3A%2F%2Fself.onion"})
            CHECK(posts.feed(query, viewer).empty());
}
