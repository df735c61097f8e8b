// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/limits.h>

#include <algorithm>

#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

int64_t count_of(Home& home, const std::string& author)
{
    return *home.store->read([&](store::ReadTx& tx) { return store::count_versions_by(tx, home.self.id, author); });
}

Post status_of(Home& home, const std::string& author, const std::string& id)
{
    Post post = home.remote(author, id, type::kStatus);
    post.content = R"({"text":"hi"})";
    post.version.id = version_id_of(post);
    return post;
}

}  // namespace

TEST_CASE("a delivery is stored once, however often it comes")
{
    Home home;
    home.know(home.bob);
    home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob); });
    Post post = status_of(home, home.bob, "p1");
    auto first = home.deliver(post);
    REQUIRE(first.ok());
    CHECK(first->stored);
    int64_t count = count_of(home, home.bob);
    for (int i = 0; i < 3; ++i) {
        auto again = home.deliver(post);
        REQUIRE(again.ok());
        CHECK_FALSE(again->stored);
    }
    CHECK(count_of(home, home.bob) == count);
}

TEST_CASE("nobody delivers in another's name (section 7.5)")
{
    Home home;
    home.know(home.bob);
    Post post = status_of(home, home.carol, "p1");
    auto result = home.deliver(post, home.bob);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().kind == ErrorKind::Forbidden);
    CHECK(count_of(home, home.carol) == 0);
    // Not even when the URL says one and the body another.
    Json body = post_to_json(post, Audience::everybody());
    auto mixed = home.store->write(
        [&](store::WriteTx& tx) { return receive(tx, home.self, home.bob, home.bob, "p1", body); });
    CHECK(mixed.error().kind == ErrorKind::Forbidden);
}

TEST_CASE("a wrong version id, and types that are not delivered, are refused")
{
    Home home;
    home.know(home.bob);
    Post wrong = status_of(home, home.bob, "p1");
    wrong.content = R"({"text":"altered"})";
    CHECK(home.deliver(wrong).error().kind == ErrorKind::Invalid);
    for (const char* kind : {type::kCredentialsForApp, type::kApp, type::kAppAuth})
        CHECK(home.deliver(home.remote(home.bob, "p2", kind)).error().kind == ErrorKind::Forbidden);
}

TEST_CASE("missing members are filled in, as old senders leave them out (section 7.5)")
{
    Home home;
    home.know(home.bob);
    home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob); });
    Json body = {{"type", type::kStatus}, {"content", {{"text", "bare"}}}};
    auto result = home.store->write(
        [&](store::WriteTx& tx) { return receive(tx, home.self, home.bob, home.bob, "p9", body); });
    REQUIRE(result.ok());
    CHECK(result->post.id == "p9");
    CHECK(result->post.entity == home.bob);
    CHECK(result->post.version.id.starts_with("sha512t256-"));
    CHECK(result->post.published_at == home.clock.now);
}

TEST_CASE("what was deleted does not come back (section 7.8)")
{
    Home home;
    home.know(home.bob);
    home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob); });
    Post post = status_of(home, home.bob, "p1");
    Post gone = home.remote(home.bob, "d1", type::kDelete);
    Ref ref;
    ref.post = "p1";
    gone.refs.push_back(ref);
    Ref not_hers;
    not_hers.entity = home.self.entity;
    not_hers.post = "meta";
    gone.refs.push_back(not_hers);
    gone.version.id = version_id_of(gone);
    // The deletion overtakes the post.
    REQUIRE(home.deliver(gone).ok());
    auto late = home.deliver(post);
    REQUIRE(late.ok());
    CHECK_FALSE(late->stored);
    // And our own meta post is still there: she can delete her own posts only.
    auto meta = home.store->read([&](store::ReadTx& tx) { return store::find_version(tx, home.self.id, home.self.entity, "meta", ""); });
    CHECK(*meta != 0);
}

TEST_CASE("a stranger may leave a bounded number of posts that mention us, and none that do not")
{
    Home home;
    home.know(home.bob);
    Post aside = status_of(home, home.bob, "aside");
    aside.mentions.clear();
    aside.version.id = version_id_of(aside);
    auto unwanted = home.deliver(aside);
    REQUIRE(unwanted.ok());
    CHECK_FALSE(unwanted->stored);
    bool refused = false;
    for (int i = 0; i < 2 * limits::kHeldPostsPerPeer && !refused; ++i) {
        auto result = home.deliver(status_of(home, home.bob, "p" + std::to_string(i)));
        refused = !result.ok();
        if (refused)
            CHECK(result.error().kind == ErrorKind::TooMany);
    }
    CHECK(refused);
    CHECK(count_of(home, home.bob) <= limits::kHeldPostsPerPeer);
    // They show to nobody until she is approved.
    FeedQuery person;
    person.for_person = true;
    auto feed = home.store->read([&](store::ReadTx& tx) {
        return store::load_feed(tx, home.self.id, person, Viewer{Viewer::Kind::Everything, {}, {}, {}});
    });
    CHECK(feed->posts.empty());
}

TEST_CASE("attachments of those we follow are put on the list of what to fetch, once")
{
    Home home;
    home.know(home.bob);
    home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob); });
    Post post = status_of(home, home.bob, "p1");
    post.attachments.push_back({"photo", "image/png", "a.png", "sha512t256-" + std::string(64, 'a'), 10});
    post.attachments.push_back({"photo", "image/png", "b.png", "sha512t256-" + std::string(64, 'a'), 10});
    post.attachments.push_back({"photo", "image/png", "huge", "sha512t256-" + std::string(64, 'b'), 1LL << 40});
    post.version.id = version_id_of(post);
    auto result = home.deliver(post);
    REQUIRE(result.ok());
    CHECK(result->fetches);
    auto counts = home.store->read([&](store::ReadTx& tx) { return store::count_outbox(tx, home.self.id); });
    CHECK(counts->fetching == 1);
}

TEST_CASE("attachments of a stranger are fetched once she is approved")
{
    Home home;
    home.know(home.bob);
    REQUIRE(home.deliver(home.subscription(home.bob)).ok());
    Post post = status_of(home, home.bob, "p1");
    post.attachments.push_back({"photo", "image/png", "a.png", "sha512t256-" + std::string(64, 'a'), 10});
    post.version.id = version_id_of(post);
    REQUIRE(home.deliver(post).ok());
    auto fetching = [&] {
        return home.store->read([&](store::ReadTx& tx) { return store::count_outbox(tx, home.self.id); })->fetching;
    };
    CHECK(fetching() == 0);
    home.write([&](store::WriteTx& tx) { return approve(tx, home.self, home.bob); });
    CHECK(fetching() == 1);
}

TEST_CASE("a subscription to meta posts is no wish to follow")
{
    Home home;
    home.know(home.bob);
    REQUIRE(home.deliver(home.subscription(home.bob, "m", "https://tent.io/types/meta/v0#")).ok());
    CHECK(home.follower_state(home.bob) == "");
}

TEST_CASE("a meta post must stay with its entity")
{
    Home home;
    home.know(home.bob);
    Post meta = home.remote(home.bob, "meta", type::kMeta);
    Json content = Json::parse(R"({"servers":[{"version":"0.3","preference":0,"urls":{}}]})");
    for (const char* name : {"oauth_auth", "oauth_token", "posts_feed", "new_post", "post", "post_attachment",
                             "attachment", "batch", "server_info"})
        content["servers"][0]["urls"][name] = home.bob + "/" + name;
    content["entity"] = home.carol;
    meta.content = content.dump();
    meta.version.id = version_id_of(meta);
    CHECK(home.deliver(meta).error().kind == ErrorKind::Invalid);
    content["entity"] = home.bob;
    meta.content = content.dump();
    meta.version.id = version_id_of(meta);
    REQUIRE(home.deliver(meta).ok());
    CHECK(home.relationship(home.bob).servers == content["servers"].dump());
}

TEST_CASE("the newest version stays the latest, in whatever order versions come (section 2.6)")
{
    // What is tried: dates as they should be, and dates that a wrong clock gave (only the parents are right).
    for (bool clock_is_right : {true, false}) {
        std::vector<int> order = {0, 1, 2, 3};
        do {
            // Without right dates an order is known only where every version comes with its parent or its child there.
            bool joined = true;
            for (size_t i = 1; i < order.size(); ++i)
                joined = joined && std::any_of(order.begin(), order.begin() + long(i), [&](int before) {
                             return std::abs(before - order[i]) == 1;
                         });
            if (!clock_is_right && !joined)
                continue;
            Home home;
            home.know(home.bob);
            home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob); });
            std::vector<Post> chain;
            for (int i = 0; i < 4; ++i) {
                Post post = status_of(home, home.bob, "p1");
                post.content = Json({{"text", "number " + std::to_string(i)}}).dump();
                post.version.published_at += clock_is_right ? i * 1000 : -i * 1000;
                if (i > 0) {
                    Parent parent;
                    parent.version = chain.back().version.id;
                    post.version.parents.push_back(parent);
                }
                post.version.id = version_id_of(post);
                chain.push_back(post);
            }
            home.clock.now += 3'600'000;
            int newest = 0;
            for (int i : order) {
                home.clock.now += 1000;
                REQUIRE(home.deliver(chain[size_t(i)]).ok());
                newest = std::max(newest, i);
                INFO("order ", order[0], order[1], order[2], order[3], ", now ", i, ", clock right: ", clock_is_right);
                auto latest = home.store->read([&](store::ReadTx& tx) -> Result<std::optional<Post>> {
                    return store::load_version(tx, TRY(store::find_version(tx, home.self.id, home.bob, "p1", "")));
                });
                CHECK((*latest)->version.id == chain[size_t(newest)].version.id);
            }
        } while (std::next_permutation(order.begin(), order.end()));
    }
}

TEST_CASE("a profile that comes late changes nothing")
{
    Home home;
    home.know(home.bob);
    auto profile = [&](const char* url, int64_t when) {
        Post meta = home.remote(home.bob, "meta", type::kMeta);
        Json content = Json::parse(R"({"servers":[{"version":"0.3","preference":0,"urls":{}}]})");
        for (const char* name : {"oauth_auth", "oauth_token", "posts_feed", "new_post", "post", "post_attachment",
                                 "attachment", "batch", "server_info"})
            content["servers"][0]["urls"][name] = home.bob + "/" + url + "/" + name;
        content["entity"] = home.bob;
        meta.content = content.dump();
        meta.version.published_at = when;
        meta.version.id = version_id_of(meta);
        return meta;
    };
    REQUIRE(home.deliver(profile("new", home.clock.now)).ok());
    const std::string servers = home.relationship(home.bob).servers;
    auto late = home.deliver(profile("old", home.clock.now - 1));
    REQUIRE(late.ok());
    CHECK(late->stored);
    CHECK(home.relationship(home.bob).servers == servers);
    REQUIRE(home.deliver(profile("newer", home.clock.now + 1)).ok());
    CHECK(home.relationship(home.bob).servers != servers);
}

TEST_CASE("what strangers leave is bounded by the day, over all of them")
{
    Home home;
    auto use = [&](store::StrangersToday more) {
        home.write([&](store::WriteTx& tx) { return store::count_strangers(tx, home.self.id, more); });
    };
    auto today = [&] {
        return *home.store->read([&](store::ReadTx& tx) { return store::strangers_today(tx, home.self.id); });
    };
    home.know(home.bob);
    CHECK(today().contacts == 1);
    home.know(home.bob);  // once more, but not as a stranger
    CHECK(today().contacts == 1);
    REQUIRE(home.deliver(home.subscription(home.bob)).ok());

    REQUIRE(home.deliver(status_of(home, home.bob, "p1")).ok());
    CHECK(today().posts == 1);
    const int64_t size = today().bytes;
    CHECK(size > 100);
    use({0, limits::kHeldPostsPerDay - 2, 0});
    REQUIRE(home.deliver(status_of(home, home.bob, "p2")).ok());
    auto many = home.deliver(status_of(home, home.bob, "p3"));
    REQUIRE_FALSE(many.ok());
    CHECK(many.error().kind == ErrorKind::TooMany);
    CHECK(count_of(home, home.bob) == 4);  // relationship, subscription, two statuses

    // Who was let in is no stranger, and tomorrow is another day.
    home.clock.now += 24 * 3600'000;
    CHECK(today().posts == 0);
    REQUIRE(home.deliver(status_of(home, home.bob, "p3")).ok());
    use({0, 0, limits::kHeldBytesPerDay - today().bytes - 1});
    CHECK(home.deliver(status_of(home, home.bob, "p4")).error().kind == ErrorKind::TooMany);
    home.write([&](store::WriteTx& tx) { return approve(tx, home.self, home.bob); });
    REQUIRE(home.deliver(status_of(home, home.bob, "p4")).ok());

    use({limits::kStrangersPerDay - today().contacts, 0, 0});
    auto come = [&](const std::string& peer) {
        return home.store->write([&](store::WriteTx& tx) -> Result<OurSide> {
            TheirSide theirs;
            theirs.entity = peer;
            theirs.servers = "[]";
            theirs.hawk_id = "their-id";
            theirs.hawk_key = "their-key";
            theirs.relationship = home.remote(peer, "rel2", type::kRelationshipInitial);
            return accept(tx, home.self, theirs);
        });
    };
    CHECK(come(home.carol).error().kind == ErrorKind::TooMany);
    CHECK(come(home.bob).ok());
    // Whom we ask ourselves is no stranger either.
    home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.carol); });
    CHECK(come(home.carol).ok());
}

TEST_CASE("after a flood everybody who waits can be denied at once, and still be approved")
{
    Home home;
    for (const auto& peer : {home.bob, home.carol, onion_entity('d')}) {
        home.know(peer);
        REQUIRE(home.deliver(home.subscription(peer)).ok());
    }
    home.write([&](store::WriteTx& tx) { return approve(tx, home.self, home.carol); });
    CHECK(home.write([&](store::WriteTx& tx) { return deny_all(tx, home.self); }) == 2);
    CHECK(home.follower_state(home.bob) == "denied");
    CHECK(home.follower_state(home.carol) == "approved");
    CHECK(home.write([&](store::WriteTx& tx) { return deny_all(tx, home.self); }) == 0);
    home.write([&](store::WriteTx& tx) { return approve(tx, home.self, home.bob); });
    CHECK(home.follower_state(home.bob) == "approved");
}
