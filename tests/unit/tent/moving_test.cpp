// SPDX-License-Identifier: BSD-3-Clause
// Section 1.6 of the protocol: a new address, and what of it others believe.
#include <bivouac/model/canonical_json.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/moving.h>
#include <bivouac/tent/succession.h>

#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

constexpr int64_t kDay = 24 * 3'600'000;

Secret seed(char letter)
{
    return Secret(std::string(32, letter));
}

Post meta_with(const std::vector<Succession>& steps, const std::string& entity)
{
    Json content = {{"entity", entity}, {"previous_entities", Json::array()}}, list = Json::array();
    for (const auto& step : steps) {
        content["previous_entities"].push_back(step.from);
        list.push_back(succession_to_json(step));
    }
    Post meta;
    meta.content = content.dump();
    meta.version.message = with_successions("", list);
    return meta;
}

// Somebody who moves, with a store of her own: Home is who hears of it.
struct Mover : Home {
    std::string old_entity = self.entity;
    std::string new_entity;

    std::string move(char letter = 'n')
    {
        new_entity = write([&](store::WriteTx& tx) { return move_self(tx, self, seed('a'), seed(letter), tx.now_ms() + kDay); });
        self.entity = new_entity;
        return new_entity;
    }
    Post meta()
    {
        auto post = write([&](store::WriteTx& tx) {
            return store::load_post(tx, self.id, self.entity, kMetaPostId, "", Viewer{Viewer::Kind::Everything, {}, {}, {}, false});
        });
        REQUIRE(post);
        return *post;
    }
};

// Bob, who knows her.
struct Follower : Home {
    const std::string her;

    explicit Follower(std::string whom) : her(std::move(whom))
    {
        self = write([](store::WriteTx& tx) -> Result<Self> {
            store::LocalEntity e;
            e.name = "bob";
            e.onion_seed = seed('b');
            e.onion = tor::onion_address_of_seed(e.onion_seed);
            e.entity = "http://" + e.onion + ".onion";
            e.bewit_id = "bob-bewit";
            e.bewit_key = "k";
            e.followers_group = "bobsfollowers";
            e.id = TRY(store::add_entity(tx, e));
            auto made = Self::of(e);
            TRY(make_followers_group(tx, made));
            TRY(publish_first_meta(tx, made));
            return made;
        });
        know(her);
    }
    Result<Received> receive_as(const std::string& peer, const Post& post)
    {
        return store->write([&](store::WriteTx& tx) {
            return receive(tx, self, peer, post.entity, post.id, post_to_json(post, Audience::peer(self.entity)));
        });
    }
    std::optional<store::Relationship> relationship_with(const std::string& entity)
    {
        return write([&](store::WriteTx& tx) { return store::find_relationship(tx, self.id, entity); });
    }
};

}  // namespace

TEST_CASE("a succession is believed when both keys signed it, in time, and the meta post lists the old address")
{
    const auto step = make_succession(seed('a'), seed('n'), 1000, 2000);
    const Post meta = meta_with({step}, step.to);
    REQUIRE(way_from(meta, step.from, step.to, 1500));
    CHECK(way_from(meta, step.from, step.to, 1500)->size() == 1);
    CHECK_FALSE(way_from(meta, step.to, step.from, 1500));
    CHECK_FALSE(way_from(meta, step.from, step.to, 2001));             // too late
    CHECK_FALSE(way_from(meta, step.from, step.to, 1000 - kDay - 1));  // from the future
    CHECK_FALSE(way_from(meta, onion_entity('x'), step.to, 1500));

    auto believed = [&](const Json& list) {
        Post other = meta;
        other.version.message = with_successions("", list);
        return way_from(other, step.from, step.to, 1500).has_value();
    };
    const Json right = Json::array({succession_to_json(step)});
    CHECK(believed(right));
    auto changed = [&](const char* member, const Json& value) {
        Json list = right;
        list[0][member] = value;
        return believed(list);
    };
    CHECK_FALSE(changed("at", 999));
    CHECK_FALSE(changed("until", 3000));
    CHECK_FALSE(changed("to", onion_entity('x')));
    CHECK_FALSE(changed("signature", succession_to_json(make_succession(seed('x'), seed('n'), 1000, 2000))["signature"]));
    CHECK_FALSE(changed("signature_of_new", succession_to_json(make_succession(seed('a'), seed('x'), 1000, 2000))["signature_of_new"]));
    for (const char* member : {"from", "to", "at", "until", "signature", "signature_of_new"})
        for (const Json& wrong : {Json(), Json(1.5), Json("x"), Json::array(), Json::object(), Json(true), Json("http://x.onion")})
            CHECK_FALSE(changed(member, wrong));
    for (const Json& wrong : {Json(), Json(1), Json("x"), Json::object(), Json::array({1, "x", Json::object()})})
        CHECK_FALSE(believed(wrong));
    for (const char* wrong : {"", "successions: ", "successions: [", "successions: {}", "successions: 1", "a\nsuccessions: []"}) {
        Post other = meta;
        other.version.message = wrong;
        CHECK_FALSE(way_from(other, step.from, step.to, 1500));
        other = meta;
        other.content = wrong;
        CHECK_FALSE(way_from(other, step.from, step.to, 1500));
    }
    Post unlisted = meta;
    unlisted.content = Json({{"entity", step.to}, {"previous_entities", Json::array()}}).dump();
    CHECK_FALSE(way_from(unlisted, step.from, step.to, 1500));
    // A person's message may stand before it.
    Post said = meta;
    said.version.message = with_successions("a new picture", right);
    CHECK(way_from(said, step.from, step.to, 1500));
    CHECK(with_successions(said.version.message, Json::array()) == "a new picture\n");
    CHECK(successions_in(said.version.message) == right);
}

TEST_CASE("several moves are one way, and a gap in it is none")
{
    const auto first = make_succession(seed('a'), seed('n'), 1000, 9000);
    const auto second = make_succession(seed('n'), seed('m'), 2000, 9000);
    const auto third = make_succession(seed('m'), seed('o'), 3000, 9000);
    const Post all = meta_with({first, second, third}, third.to);
    CHECK(way_from(all, first.from, third.to, 5000)->size() == 3);
    CHECK(way_from(all, second.from, third.to, 5000)->size() == 2);
    CHECK_FALSE(way_from(meta_with({first, third}, third.to), first.from, third.to, 5000));
    // Back to where she was: no circle.
    const auto back = make_succession(seed('n'), seed('a'), 2000, 9000);
    CHECK_FALSE(way_from(meta_with({first, back}, first.from), first.from, first.from, 5000));
}

TEST_CASE("all that is hers goes by the new address, and the version ids stay right")
{
    Mover alice;
    alice.know(alice.bob);
    Post first = alice.publish(alice.status(true));
    alice.write([&](store::WriteTx& tx) -> Result<void> {
        Post reply = alice.remote(alice.bob, "reply", type::kStatusReply);
        reply.mentions = {{alice.self.entity, "", first.id, "", "", true}};
        reply.version.id = version_id_of(reply);
        TRY(store::insert_version(tx, alice.self.id, reply));
        return {};
    });
    const std::string now = alice.move();
    CHECK(now == onion_entity('n'));
    alice.write([&](store::WriteTx& tx) -> Result<void> {
        for (const auto& version : TRY(store::versions_after(tx, alice.self.id, 0, 1000))) {
            auto post = TRY(store::load_version(tx, version.row));
            CAPTURE(post->type);
            CHECK(post->entity != alice.old_entity);
            CHECK(version_id_of(*post) == post->version.id);
            if (post->entity == now)
                CHECK(post->original_entity == alice.old_entity);
            for (const auto& mention : post->mentions)
                CHECK(mention.entity != alice.old_entity);
        }
        FeedQuery about;
        about.mentions.push_back({{now, first.id}});
        CHECK(TRY(store::load_feed(tx, alice.self.id, about, Viewer{Viewer::Kind::Everything, {}, {}, {}, false})).posts.size() == 1);
        return {};
    });
    const Json content = Json::parse(alice.meta().content);
    CHECK(content["entity"] == now);
    CHECK(content["previous_entities"] == Json::array({alice.old_entity}));
    CHECK(content["servers"][0]["urls"]["new_post"] == now + "/posts");
    CHECK(way_from(alice.meta(), alice.old_entity, now, alice.clock.now));
    CHECK(alice.write([&](store::WriteTx& tx) { return store::find_relationship(tx, alice.self.id, alice.bob); })->knows_us_as == alice.old_entity);
}

TEST_CASE("a peer believes the announcement, keeps what she knows, and no second one for another address")
{
    Mover alice;
    alice.know(onion_entity('b'));
    Post before = alice.publish(alice.status(true));
    Follower bob(alice.self.entity);
    const std::string old = alice.self.entity;
    bob.write([&](store::WriteTx& tx) -> Result<void> {
        Post copy = before;
        copy.received_at = copy.version.received_at = 5;
        TRY(store::insert_version(tx, bob.self.id, copy));
        TRY(follow(tx, bob.self, old));
        auto r = *TRY(store::find_relationship(tx, bob.self.id, old));
        r.follower = "pending";
        r.following = "approved";
        r.verified_at = 77;
        TRY(store::save_relationship(tx, r));
        return approve(tx, bob.self, old);
    });
    const auto keys = *bob.relationship_with(old);
    const std::string now = alice.move();
    const Post told = announcement(alice.meta(), now, old);
    CHECK(told.entity == old);
    auto received = bob.receive_as(old, told);
    if (!received.ok())
        FAIL(received.error().detail);
    CHECK_FALSE(bob.relationship_with(old));
    const auto moved = *bob.relationship_with(now);
    CHECK(moved.follower == "approved");
    CHECK(moved.following == "approved");
    CHECK(moved.verified_at == 77);
    CHECK(moved.their_hawk_key == keys.their_hawk_key);
    CHECK(moved.moved_from == old);
    CHECK(bob.self.current(old) == now);
    bob.write([&](store::WriteTx& tx) -> Result<void> {
        while (TRY(store::rewrite_posts(tx, bob.self.id))) {
        }
        auto row = TRY(store::find_version(tx, bob.self.id, now, before.id, ""));
        REQUIRE(row != 0);
        auto post = *TRY(store::load_version(tx, row));
        CHECK(post.entity == now);
        CHECK(version_id_of(post) == before.version.id);
        CHECK(TRY(group_members(tx, bob.self, bob.self.followers_group)) == std::vector<std::string>{now});
        CHECK(TRY(store::subscriptions_of(tx, bob.self.id, bob.self.entity, now)).size() >= 1);
        return {};
    });
    // Twice, and under the new name: known, and nothing happens.
    CHECK(bob.receive_as(now, told).ok());
    CHECK(bob.receive_as(now, alice.meta()).ok());

    // Another successor of the same address, signed by its key as well: whoever stole it comes too late.
    Mover thief;
    thief.know(onion_entity('b'));
    thief.move('t');
    auto stolen = bob.receive_as(now, announcement(thief.meta(), thief.new_entity, old));
    REQUIRE_FALSE(stolen.ok());
    CHECK(bob.relationship_with(now));
    CHECK_FALSE(bob.relationship_with(thief.new_entity));
}

TEST_CASE("what is forged, stale or about somebody else changes nothing")
{
    Mover alice;
    const std::string old = alice.self.entity;
    Follower bob(old);
    const std::string now = alice.move();
    const Post real = announcement(alice.meta(), now, old);
    auto with = [&](const std::function<void(Json& content, Json& list)>& change) {
        Post forged = real;
        Json content = Json::parse(real.content), list = successions_in(real.version.message);
        change(content, list);
        forged.content = content.dump();
        forged.version.message = with_successions("", list);
        forged.version.id = version_id_of(forged);
        return bob.receive_as(old, forged);
    };
    auto refused = [&](const Result<Received>& result) {
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().detail == "Entity mismatch!");
        CHECK(bob.relationship_with(old));
        CHECK(bob.self.current(old) == old);
    };
    refused(with([](Json&, Json& l) { l = Json::array(); }));
    refused(with([](Json&, Json& l) { l[0]["signature"] = l[0]["signature_of_new"]; }));
    refused(with([](Json& c, Json&) { c["entity"] = onion_entity('x'); }));
    refused(with([](Json& c, Json&) { c.erase("previous_entities"); }));
    refused(with([&](Json&, Json& l) { l[0] = succession_to_json(make_succession(seed('x'), seed('n'), 1, 1'900'000'000'000)); }));
    refused(with([&](Json&, Json& l) { l[0] = succession_to_json(make_succession(seed('a'), seed('n'), 1, 2)); }));
    // Somebody else cannot tell of her move in her own name.
    bob.know(bob.carol);
    Post by_carol = real;
    by_carol.entity = bob.carol;
    by_carol.version.id = version_id_of(by_carol);
    CHECK_FALSE(bob.receive_as(bob.carol, by_carol).ok());
    CHECK(bob.relationship_with(old));
    // Blocked stays blocked: whom she blocked at the new address is not let in by a move.
    bob.know(now);
    bob.write([&](store::WriteTx& tx) { return block(tx, bob.self, now); });
    refused(bob.receive_as(old, real));
}

TEST_CASE("an announcement that is played again leads nobody back to an address that was left")
{
    Mover alice;
    const std::string first = alice.self.entity;
    const std::string second = alice.move('n');
    const Post early = announcement(alice.meta(), second, first);
    const std::string third = alice.write(
        [&](store::WriteTx& tx) { return move_self(tx, alice.self, seed('n'), seed('m'), tx.now_ms() + kDay); });
    alice.self.entity = third;
    const Post late = announcement(alice.meta(), third, first);

    // Whoever followed both moves hears of the first once more: from the first address, the second, or the third.
    Follower bob(first);
    REQUIRE(bob.receive_as(first, early).ok());
    REQUIRE(bob.receive_as(second, announcement(alice.meta(), third, second)).ok());
    auto stays = [&](Follower& one) {
        CHECK(one.relationship_with(third));
        CHECK_FALSE(one.relationship_with(second));
        CHECK_FALSE(one.relationship_with(first));
        CHECK(one.self.current(first) == third);
        CHECK(one.self.current(second) == third);
    };
    stays(bob);
    for (const std::string& as : {first, second}) {
        CAPTURE(as);
        CHECK_FALSE(bob.receive_as(as, early).ok());
        stays(bob);
    }
    // By herself it is an old version of her meta post, and no more.
    CHECK(bob.receive_as(third, early).ok());
    stays(bob);

    // Whoever missed the first goes to the third at once, and does not go back.
    Follower carol(first);
    REQUIRE(carol.receive_as(first, late).ok());
    CHECK_FALSE(carol.receive_as(first, early).ok());
    CHECK_FALSE(carol.receive_as(second, early).ok());
    CHECK(carol.receive_as(third, early).ok());
    CHECK(carol.relationship_with(third));
    CHECK_FALSE(carol.relationship_with(second));
    CHECK(carol.self.current(first) == third);

    // Whoever knew only the second, and knows that it was left, is not led there by the first one's.
    Follower dora(second);
    REQUIRE(dora.receive_as(second, announcement(alice.meta(), third, second)).ok());
    dora.know(first);
    CHECK_FALSE(dora.receive_as(first, early).ok());
    CHECK(dora.relationship_with(third));
    CHECK_FALSE(dora.relationship_with(second));
}

TEST_CASE("who is blocked is blocked by her new address, too")
{
    Mover alice;
    const std::string old = alice.self.entity;
    Follower bob(old);
    bob.write([&](store::WriteTx& tx) { return block(tx, bob.self, old); });
    const std::string now = alice.move();
    // She comes by a handshake, where the meta post says who she was.
    TheirSide theirs;
    theirs.entity = now;
    theirs.servers = "[]";
    theirs.hawk_id = "new-id";
    theirs.hawk_key = "new-key";
    theirs.meta = alice.meta();
    theirs.relationship = bob.remote(now, "rel2", type::kRelationshipInitial);
    auto accepted = bob.store->write([&](store::WriteTx& tx) { return accept(tx, bob.self, theirs); });
    CHECK_FALSE(accepted.ok());
}
