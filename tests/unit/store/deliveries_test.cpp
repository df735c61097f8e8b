// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/canonical_json.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>

#include "store_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

const std::string kBob = "http://bob.onion";

struct Outbox : TestStore {
    int64_t owner = 0;
    int64_t next = 1;

    Outbox()
    {
        owner = write([](WriteTx& tx) {
            LocalEntity entity;
            entity.name = "default";
            entity.entity = "http://self.onion";
            entity.onion = "self";
            entity.onion_seed = Secret(size_t(32));
            entity.bewit_id = "bewit";
            entity.followers_group = "g";
            return add_entity(tx, entity);
        });
    }

    int64_t enqueue(const std::string& peer, Order order = Order::InTurn)
    {
        Post post;
        post.id = "p" + std::to_string(next++);
        post.entity = "http://self.onion";
        post.type = "https://tent.io/types/status/v0#";
        post.published_at = post.received_at = next;
        post.version.published_at = post.version.received_at = next;
        post.version.id = version_id_of(post);
        return write([&](WriteTx& tx) -> Result<int64_t> {
            int64_t row = TRY(insert_version(tx, owner, post));
            TRY(enqueue_delivery(tx, owner, peer, row, order));
            TRY(enqueue_delivery(tx, owner, peer, row, order));  // twice is once
            return row;
        });
    }

    std::optional<Delivery> first(const std::string& peer)
    {
        return *store->read([&](ReadTx& tx) { return next_delivery(tx, owner, peer); });
    }
    size_t due()
    {
        return store->read([&](ReadTx& tx) { return due_peers(tx, clock.now, 100); })->size();
    }
};

}  // namespace

TEST_CASE("a peer's deliveries come in the order of posting, and what ends a handshake before them")
{
    Outbox outbox;
    int64_t one = outbox.enqueue(kBob);
    outbox.enqueue(kBob);
    int64_t ahead = outbox.enqueue(kBob, Order::Ahead);
    CHECK(outbox.first(kBob)->version_row == ahead);
    outbox.write([&](WriteTx& tx) { return end_delivery(tx, outbox.first(kBob)->id, "delivered", ""); });
    CHECK(outbox.first(kBob)->version_row == one);
    CHECK_FALSE(outbox.first("http://nobody.onion"));
}

TEST_CASE("a failed peer waits, and is due again in time, when she shows up, or when tor comes back")
{
    Outbox outbox;
    outbox.enqueue(kBob);
    CHECK(outbox.due() == 1);
    auto wait = [&] {
        outbox.write([&](WriteTx& tx) {
            return set_peer_wait(tx, outbox.owner, kBob, 3, outbox.clock.now + 1000, "off");
        });
        CHECK(outbox.due() == 0);
    };
    wait();
    outbox.clock.now += 1001;
    CHECK(outbox.due() == 1);
    wait();
    CHECK(outbox.write([&](WriteTx& tx) { return wake_peer(tx, outbox.owner, kBob); }));
    CHECK(outbox.due() == 1);
    wait();
    outbox.write([](WriteTx& tx) { return wake_all(tx); });
    CHECK(outbox.due() == 1);
}

TEST_CASE("nothing is given up before the patience is over")
{
    Outbox outbox;
    outbox.enqueue(kBob);
    const int64_t patience = 14LL * 24 * 3600 * 1000;
    outbox.clock.now += patience - 1;
    CHECK(outbox.write([&](WriteTx& tx) { return give_up_old(tx, patience); }).empty());
    outbox.clock.now += 2;
    // The node may have been off all the time: it tries first.
    CHECK(outbox.write([&](WriteTx& tx) { return give_up_old(tx, patience); }).empty());
    outbox.write([&](WriteTx& tx) { return set_peer_wait(tx, outbox.owner, kBob, 0, 0, ""); });
    CHECK(outbox.write([&](WriteTx& tx) { return give_up_old(tx, patience); }).empty());
    outbox.write([&](WriteTx& tx) {
        return set_peer_wait(tx, outbox.owner, kBob, 1, tx.now_ms() + 1000, "could not be reached");
    });
    CHECK(outbox.write([&](WriteTx& tx) { return give_up_old(tx, patience); }).size() == 1);
    CHECK_FALSE(outbox.first(kBob));
    auto counts = outbox.store->read([&](ReadTx& tx) { return count_outbox(tx, outbox.owner); });
    CHECK(counts->given_up == 1);
    CHECK(counts->waiting == 0);
}

TEST_CASE("a deleted version is no longer on its way")
{
    Outbox outbox;
    outbox.enqueue(kBob);
    outbox.write([&](WriteTx& tx) { return delete_post(tx, outbox.owner, "http://self.onion", "p1", ""); });
    CHECK_FALSE(outbox.first(kBob));
}

TEST_CASE("a post may be on its way to whoever is due: she is told when it is deleted")
{
    Outbox outbox;
    outbox.enqueue(kBob);
    auto told = [&] {
        return *outbox.store->read([&](ReadTx& tx) { return recipients_of(tx, outbox.owner, "http://self.onion", "p1", outbox.clock.now); });
    };
    CHECK(told() == std::vector<std::string>{kBob});
    outbox.write([&](WriteTx& tx) { return set_peer_wait(tx, outbox.owner, kBob, 1, outbox.clock.now + 1000, "away"); });
    CHECK(told().empty());
    outbox.write([&](WriteTx& tx) { return count_delivery_try(tx, outbox.first(kBob)->id, "no answer"); });
    CHECK(told() == std::vector<std::string>{kBob});
    outbox.write([&](WriteTx& tx) { return end_delivery(tx, outbox.first(kBob)->id, "refused", "no"); });
    CHECK(told().empty());
}

TEST_CASE("fetches wait by themselves and do not hold up the peer")
{
    Outbox outbox;
    outbox.write([&](WriteTx& tx) -> Result<void> {
        Relationship relationship;
        relationship.owner = outbox.owner;
        relationship.peer = kBob;
        TRY(save_relationship(tx, relationship));
        TRY(enqueue_fetch(tx, outbox.owner, kBob, "sha512t256-x", 5));
        return enqueue_fetch(tx, outbox.owner, kBob, "sha512t256-x", 5);
    });
    CHECK(outbox.due() == 1);
    auto fetch = *outbox.store->read([&](ReadTx& tx) { return next_fetch(tx, outbox.owner, kBob); });
    REQUIRE(fetch);
    outbox.write([&](WriteTx& tx) { return postpone_fetch(tx, fetch->id, outbox.clock.now + 10); });
    CHECK(outbox.due() == 0);
    outbox.enqueue(kBob);
    CHECK(outbox.due() == 1);
}

TEST_CASE("a relationship is saved and found with all its members")
{
    Outbox outbox;
    Relationship r;
    r.owner = outbox.owner;
    r.peer = kBob;
    r.state = "active";
    r.our_post = "1";
    r.our_hawk_id = "2";
    r.their_post = "3";
    r.their_hawk_id = "4";
    r.their_hawk_key = "5";
    r.servers = "[]";
    r.follower = "pending";
    r.follower_since = 6;
    r.following = "requested";
    r.following_post = "7";
    outbox.write([&](WriteTx& tx) -> Result<void> {
        TRY(save_relationship(tx, r));
        return save_relationship(tx, r);
    });
    auto found = *outbox.store->read([&](ReadTx& tx) { return find_relationship(tx, outbox.owner, kBob); });
    REQUIRE(found);
    CHECK(found->their_hawk_key == "5");
    CHECK(found->follower == "pending");
    CHECK(found->following_post == "7");
    CHECK(outbox.store->read([&](ReadTx& tx) { return list_relationships(tx, outbox.owner); })->size() == 1);
}
