// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/limits.h>
#include <bivouac/tent/catch_up.h>

#include <algorithm>

#include "../tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

struct Follower : Home {
    Follower()
    {
        know(bob);
        write([&](store::WriteTx& tx) -> Result<void> {
            TRY(follow(tx, self, bob));
            auto known = TRY(store::find_relationship(tx, self.id, bob));
            known->their_post = "rel";
            known->following = "requested";
            TRY(store::save_relationship(tx, *known));
            return store::want_catch_up(tx, self.id, bob, store::Begin::Anew);
        });
    }

    std::optional<store::CatchUp> due()
    {
        auto found = store->read([&](store::ReadTx& tx) { return store::next_catch_up(tx, self.id, bob); });
        REQUIRE(found.ok());
        return *found;
    }

    Post said(const std::string& id, int64_t time, const std::string& text = "hello")
    {
        Post post;
        post.id = id;
        post.entity = bob;
        post.type = type::kStatus;
        post.content = Json({{"text", text}}).dump();
        post.published_at = post.version.published_at = time;
        post.version.id = version_id_of(post);
        return post;
    }

    Json sent(const Post& post) { return post_to_json(post, Audience::peer(self.entity)); }

    Result<bool> take(const Json& post)
    {
        return store->write([&](store::WriteTx& tx) { return take_missed(tx, self, bob, post); });
    }

    bool stored(const Post& post)
    {
        return *store->read([&](store::ReadTx& tx) {
            return store::find_version(tx, self.id, post.entity, post.id, post.version.id);
        }) != 0;
    }

    // One page read and taken, as the relay does it.
    int64_t page(const std::vector<Post>& newest_first, store::CatchUp from)
    {
        Json feed = {{"posts", Json::array()}};
        for (const auto& post : newest_first)
            feed["posts"].push_back(sent(post));
        auto read = read_missed(feed.dump(), from, clock.now);
        REQUIRE(read.ok());
        int64_t got = 0;
        for (const auto& post : read->posts)
            if (auto kept = take(post); kept.ok() && *kept)
                ++got;
        write([&](store::WriteTx& tx) { return missed_page_done(tx, std::move(*read), got, 1000); });
        return got;
    }
};

MissedPage read_as(const Json& feed, store::CatchUp from, int64_t now)
{
    auto page = read_missed(feed.dump(), from, now);
    REQUIRE(page.ok());
    return std::move(*page);
}

Json item(const std::string& entity, int64_t time, const std::string& version)
{
    return {{"entity", entity}, {"version", {{"published_at", time}, {"id", version}}}};
}

}  // namespace

TEST_CASE("catch-up: the newest first, then what follows the cursor (section 4.2)")
{
    store::CatchUp c;
    c.peer = onion_entity('b');
    const std::string query = catch_up_query(c);
    CHECK(query.find("sort_by=version.published_at&limit=100&entities=http%3A%2F%2F") == 0);
    CHECK(query.find("since") == std::string::npos);
    c.fresh = false;
    c.cursor = {17, "sha512t256-ab"};
    c.page_size = 25;
    CHECK(catch_up_query(c).find("&since=17+sha512t256-ab") != std::string::npos);
    CHECK(catch_up_query(c).find("limit=25") != std::string::npos);
}

TEST_CASE("catch-up: a page is hers, oldest first, and its end is the next cursor (section 4.2)")
{
    store::CatchUp c;
    c.peer = "http://a";
    c.fresh = false;
    c.page_size = 2;
    c.cursor = {5, "x"};
    Json feed = {{"posts", {item("http://a", 9, "v9"), item("http://b", 8, "v8"), item("http://a", 7, "v7")}}};
    auto page = read_as(feed, c, 100);
    REQUIRE(page.posts.size() == 2);
    CHECK(page.posts[0]["version"]["id"] == "v7");
    CHECK(page.after.cursor.time == 9);
    CHECK(page.after.cursor.version == "v9");
    CHECK(page.more);
    // One that leads nowhere ends it: the same again, nothing, other people's, no numbers.
    for (Json posts : {Json({item("http://a", 5, "x"), item("http://a", 4, "z")}), Json::array(),
                       Json({item("http://b", 9, "v"), item("http://b", 9, "v")}), Json({7, "x"}),
                       Json({Json({{"entity", "http://a"}, {"version", 7}}), Json({{"entity", "http://a"}})})}) {
        auto end = read_as({{"posts", posts}}, c, 100);
        CHECK_FALSE(end.more);
        CHECK(end.after.cursor.time == 5);
    }
    // What is dated in the future hides nothing that comes before it.
    auto future = read_as({{"posts", {item("http://a", 1000, "v2"), item("http://a", 999, "v1")}}}, c, 100);
    CHECK(future.after.cursor.time == 100);
    CHECK(future.after.cursor.version.empty());
    c.cursor = future.after.cursor;
    CHECK_FALSE(read_as({{"posts", {item("http://a", 1000, "v2"), item("http://a", 999, "v1")}}}, c, 100).more);
    for (const char* bad : {"", "[]", "7", "{\"posts\":7}", "{}", "<html>"})
        CHECK_FALSE(read_missed(bad, c, 100).ok());
    // The first look back ends with one page.
    c.fresh = true;
    CHECK_FALSE(read_as(feed, c, 100).more);
    CHECK_FALSE(read_as(feed, c, 100).after.fresh);
}

TEST_CASE("catch-up: what came is kept like a delivery, once, in order, with its effects (section 7.5)")
{
    Follower home;
    REQUIRE(home.due());
    const Post one = home.said("one", 100), two = home.said("two", 200), three = home.said("three", 300);
    CHECK(home.page({two, one}, *home.due()) == 2);
    CHECK_FALSE(home.due());  // it rests
    auto received = [&](const Post& post) {
        return home.store->read([&](store::ReadTx& tx) -> Result<int64_t> {
            return TRY(store::load_version(tx, TRY(store::find_version(tx, home.self.id, home.bob, post.id, ""))))->received_at;
        });
    };
    CHECK(*received(one) < *received(two));
    home.clock.now += 1000;
    REQUIRE(home.due());
    CHECK(home.due()->cursor.time == 200);
    CHECK(home.due()->cursor.version == two.version.id);
    // Delivered meanwhile, and again in the page.
    REQUIRE(home.deliver(three).ok());
    CHECK(home.page({three}, *home.due()) == 0);
    // A deletion takes effect, and what comes late stays deleted.
    Post gone;
    gone.id = "gone";
    gone.entity = home.bob;
    gone.type = type::kDelete;
    gone.published_at = gone.version.published_at = 400;
    Ref ref;
    ref.post = "one";
    gone.refs.push_back(ref);
    gone.version.id = version_id_of(gone);
    CHECK(*home.take(home.sent(gone)));
    CHECK_FALSE(home.stored(one));
    CHECK_FALSE(*home.take(home.sent(one)));
    CHECK_FALSE(home.stored(one));
}

TEST_CASE("catch-up: a post that is not as it should be is left out, and the others are not (section 7.5)")
{
    Follower home;
    Json forged = home.sent(home.said("forged", 100));
    forged["content"]["text"] = "other words";
    CHECK(home.take(forged).error().kind == ErrorKind::Invalid);
    Json foreign = home.sent(home.said("foreign", 100));
    foreign["entity"] = home.carol;
    CHECK(home.take(foreign).error().kind == ErrorKind::Invalid);
    Post key = home.said("key", 100);
    key.type = type::kCredentialsForRelationship;
    key.content = R"({"hawk_key":"x","hawk_algorithm":"sha256"})";
    key.version.id = version_id_of(key);
    CHECK_FALSE(home.take(home.sent(key)).ok());
    for (Json nothing : {Json::object(), Json({{"id", 7}}), Json({{"id", "x"}, {"type", "y"}})}) {
        auto taken = home.take(nothing);
        CHECK((!taken.ok() || !*taken));
    }
    CHECK_FALSE(home.stored(key));
    CHECK(*home.take(home.sent(home.said("good", 100))));
    // Of relationship posts only the one in force speaks.
    Post old = home.remote(home.bob, "older-rel", type::kRelationshipSubscriber);
    CHECK_FALSE(*home.take(home.sent(old)));
    Post now = home.remote(home.bob, "rel", type::kRelationshipSubscriber);
    CHECK(*home.take(home.sent(now)));
    auto known = home.store->read([&](store::ReadTx& tx) { return store::find_relationship(tx, home.self.id, home.bob); });
    CHECK((**known).following == "approved");
    REQUIRE(home.due());
    CHECK(home.due()->fresh);  // approved: what she may see now begins anew
}

TEST_CASE("catch-up: nothing is taken from whom we no longer follow")
{
    Follower home;
    home.write([&](store::WriteTx& tx) { return unfollow(tx, home.self, home.bob); });
    CHECK_FALSE(home.due());
    CHECK_FALSE(*home.take(home.sent(home.said("late", 100))));
}

TEST_CASE("catch-up: pages without end get a pause, failures longer ones, and too much at once smaller pages")
{
    Follower home;
    store::CatchUp c = *home.due();
    for (int64_t i = 0; i < limits::kCatchUpPages; ++i) {
        REQUIRE(home.due());
        MissedPage page;
        page.after = *home.due();
        page.more = true;
        home.write([&](store::WriteTx& tx) { return missed_page_done(tx, std::move(page), 1, 1000); });
    }
    CHECK_FALSE(home.due());
    home.clock.now += limits::kCatchUpBreathMs;
    REQUIRE(home.due());
    CHECK(home.due()->got == limits::kCatchUpPages);
    home.write([&](store::WriteTx& tx) { return missed_page_failed(tx, *home.due(), "gone", false, 5000); });
    CHECK_FALSE(home.due());
    home.clock.now += 5000;
    REQUIRE(home.due());
    CHECK(home.due()->tries == 1);
    CHECK(home.due()->problem == "gone");
    home.write([&](store::WriteTx& tx) { return missed_page_failed(tx, *home.due(), "much", true, 5000); });
    REQUIRE(home.due());
    CHECK(home.due()->page_size == 25);
    for (int i = 0; i < 4; ++i)
        home.write([&](store::WriteTx& tx) { return missed_page_failed(tx, *home.due(), "much", home.due()->page_size > 1, 0); });
    CHECK(home.due()->page_size == 1);
    // After an absence all of them are due soon, those that have just ended are not.
    MissedPage last;
    last.after = *home.due();
    home.write([&](store::WriteTx& tx) { return missed_page_done(tx, std::move(last), 0, 1'000'000); });
    home.write([&](store::WriteTx& tx) { return store::hurry_catch_ups(tx, 0, "", tx.now_ms() - 100, tx.now_ms()); });
    CHECK_FALSE(home.due());
    home.clock.now += 1000;
    home.write([&](store::WriteTx& tx) { return store::hurry_catch_ups(tx, 0, "", tx.now_ms() - 100, tx.now_ms()); });
    REQUIRE(home.due());
    CHECK(home.due()->page_size == c.page_size);
}
