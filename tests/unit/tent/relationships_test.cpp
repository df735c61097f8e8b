// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/store/credentials.h>

#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

using Types = std::vector<std::string>;

namespace {

bool may_have(Home& home, const Post& post, const std::string& who)
{
    auto answer = home.store->read([&](store::ReadTx& tx) { return is_recipient(tx, home.self, post, who); });
    REQUIRE(answer.ok());
    return *answer;
}

void approve_now(Home& home, const std::string& who)
{
    home.write([&](store::WriteTx& tx) { return approve(tx, home.self, who); });
}

// All waiting deliveries to the peer are done, so that tests see what comes next.
void clear_outbox(Home& home)
{
    home.write([](store::WriteTx& tx) -> Result<void> { return tx.prepare("DELETE FROM deliveries").run(); });
}

}  // namespace

TEST_CASE("a pending follower gets nothing that is not public; approved she gets what goes to followers")
{
    Home home;
    home.know(home.bob);
    REQUIRE(home.deliver(home.subscription(home.bob)).ok());
    CHECK(home.follower_state(home.bob) == "pending");
    clear_outbox(home);
    Post hidden = home.publish(home.status(false, {home.self.followers_group}));
    home.publish(home.status(true));
    CHECK(home.waiting(home.bob).empty());
    CHECK_FALSE(may_have(home, hidden, home.bob));

    approve_now(home, home.bob);
    CHECK(home.follower_state(home.bob) == "approved");
    CHECK(home.waiting(home.bob) == Types{type::kRelationshipSubscriber});  // how her node learns of it
    home.publish(home.status(false, {home.self.followers_group}));
    CHECK(home.waiting(home.bob) == Types{type::kRelationshipSubscriber, type::kStatus});
    // What was posted before is hers to read now, but is not pushed.
    auto old = home.store->read([&](store::ReadTx& tx) {
        return store::load_post(tx, home.self.id, home.self.entity, hidden.id, "",
                                Viewer{Viewer::Kind::Peer, {}, home.bob, {}});
    });
    CHECK(old->has_value());
}

TEST_CASE("denying is silent and lasts; approving afterwards is possible")
{
    Home home;
    home.know(home.bob);
    REQUIRE(home.deliver(home.subscription(home.bob)).ok());
    clear_outbox(home);
    home.write([&](store::WriteTx& tx) { return deny(tx, home.self, home.bob); });
    CHECK(home.waiting(home.bob).empty());
    // She asks again: nothing changes.
    REQUIRE(home.deliver(home.subscription(home.bob, "sub2")).ok());
    CHECK(home.follower_state(home.bob) == "denied");
    CHECK(home.waiting(home.bob).empty());
    approve_now(home, home.bob);
    CHECK(home.follower_state(home.bob) == "approved");
}

TEST_CASE("a follower who is denied after posts were queued for her does not get them")
{
    Home home;
    home.know(home.bob);
    REQUIRE(home.deliver(home.subscription(home.bob)).ok());
    approve_now(home, home.bob);
    Post post = home.publish(home.status(false, {home.self.followers_group}));
    CHECK(may_have(home, post, home.bob));
    home.write([&](store::WriteTx& tx) { return deny(tx, home.self, home.bob); });
    CHECK_FALSE(may_have(home, post, home.bob));
}

TEST_CASE("a blocked entity is refused: nothing waits for her and no handshake is accepted")
{
    Home home;
    home.know(home.bob);
    REQUIRE(home.deliver(home.subscription(home.bob)).ok());
    approve_now(home, home.bob);
    Post post = home.publish(home.status(true, {}, {}));
    home.write([&](store::WriteTx& tx) { return block(tx, home.self, home.bob); });
    CHECK(home.waiting(home.bob).empty());
    CHECK_FALSE(may_have(home, post, home.bob));
    TheirSide again;
    again.entity = home.bob;
    again.relationship = home.remote(home.bob, "rel2", type::kRelationshipInitial);
    auto refused = home.store->write([&](store::WriteTx& tx) { return accept(tx, home.self, again); });
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().kind == ErrorKind::Forbidden);
    // Also somebody who never asked can be blocked beforehand.
    home.write([&](store::WriteTx& tx) { return block(tx, home.self, home.carol); });
    CHECK(home.follower_state(home.carol) == "blocked");
}

TEST_CASE("who has not asked cannot be approved or denied")
{
    Home home;
    for (bool yes : {true, false}) {
        auto result = home.store->write([&](store::WriteTx& tx) {
            return yes ? approve(tx, home.self, home.bob) : deny(tx, home.self, home.bob);
        });
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().kind == ErrorKind::NotFound);
    }
}

TEST_CASE("her delete post ends her subscription; she has to be vetted again when she comes back")
{
    Home home;
    home.know(home.bob);
    REQUIRE(home.deliver(home.subscription(home.bob)).ok());
    approve_now(home, home.bob);
    Post post = home.publish(home.status(false, {home.self.followers_group}));
    Post gone = home.remote(home.bob, "del", type::kDelete);
    Ref ref;
    ref.post = "sub";
    gone.refs.push_back(ref);
    gone.version.id = version_id_of(gone);
    REQUIRE(home.deliver(gone).ok());
    CHECK(home.follower_state(home.bob) == "");
    CHECK_FALSE(may_have(home, post, home.bob));
    REQUIRE(home.deliver(home.subscription(home.bob, "sub3")).ok());
    CHECK(home.follower_state(home.bob) == "pending");
}

TEST_CASE("following makes a subscription for her alone and takes it back when unfollowing (section 7.4)")
{
    Home home;
    auto follow_her = [&] { return home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob); }); };
    auto relationship = follow_her();
    CHECK(relationship.following == "connecting");
    CHECK(home.waiting(home.bob) == Types{type::kSubscriptionAll});
    follow_her();  // twice is once
    CHECK(home.waiting(home.bob).size() == 1);
    Post subscription = **home.store->read([&](store::ReadTx& tx) {
        return store::load_post(tx, home.self.id, home.self.entity, relationship.following_post, "",
                                Viewer{Viewer::Kind::Peer, {}, home.bob, {}});
    });
    CHECK_FALSE(subscription.permissions.is_public);
    home.write([&](store::WriteTx& tx) { return delivered(tx, home.self, home.bob, subscription); });
    CHECK(home.relationship(home.bob).following == "requested");

    // She has it: the delete post goes to her.
    home.write([](store::WriteTx& tx) -> Result<void> { return tx.prepare("UPDATE deliveries SET state = 'delivered'").run(); });
    home.write([&](store::WriteTx& tx) { return unfollow(tx, home.self, home.bob); });
    CHECK(home.waiting(home.bob) == Types{type::kDelete});
    CHECK(home.relationship(home.bob).following == "");
    auto again = home.store->write([&](store::WriteTx& tx) { return unfollow(tx, home.self, home.bob); });
    CHECK(again.error().kind == ErrorKind::NotFound);
    auto self = home.store->write([&](store::WriteTx& tx) { return follow(tx, home.self, home.self.entity); });
    CHECK(self.error().kind == ErrorKind::Invalid);
}

TEST_CASE("her relationship post with the fragment `subscriber` means that she approved us (section 7.1)")
{
    Home home;
    home.know(home.bob);
    home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob); });
    REQUIRE(home.deliver(home.remote(home.bob, "r", type::kRelationshipSubscriber)).ok());
    CHECK(home.relationship(home.bob).following == "approved");
}

TEST_CASE("a handshake that is tried again uses the same posts; repeated ones leave two keys at most (section 7.2)")
{
    Home home;
    auto once = home.write([&](store::WriteTx& tx) { return initiate(tx, home.self, home.bob); });
    auto twice = home.write([&](store::WriteTx& tx) { return initiate(tx, home.self, home.bob); });
    CHECK(once.hawk_id == twice.hawk_id);
    CHECK(once.relationship.id == twice.relationship.id);
    for (int i = 0; i < 5; ++i)
        home.know(home.bob);
    auto keys = home.store->read([](store::ReadTx& tx) -> Result<int64_t> {
        auto select = tx.prepare("SELECT count(*) FROM credentials WHERE kind = 'relationship'");
        TRY(select.step());
        return select.integer(0);
    });
    CHECK(*keys == 2);
}

TEST_CASE("completing a handshake queues the final relationship post before what waited, and the meta subscription after (section 7.2)")
{
    Home home;
    home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob); });
    home.write([&](store::WriteTx& tx) { return initiate(tx, home.self, home.bob); });
    TheirSide theirs;
    theirs.entity = home.bob;
    theirs.servers = "[]";
    theirs.hawk_id = "i";
    theirs.hawk_key = "k";
    theirs.relationship = home.remote(home.bob, "rb", type::kRelationship);
    home.write([&](store::WriteTx& tx) { return complete(tx, home.self, theirs); });
    CHECK(home.waiting(home.bob) == Types{type::kRelationship, type::kSubscriptionAll, type::kSubscriptionMeta});
    CHECK(home.relationship(home.bob).state == "active");
}

TEST_CASE("deleting a post reaches those who have it, and the credentials never leave (sections 5.8 and 7.8)")
{
    Home home;
    home.know(home.bob);
    REQUIRE(home.deliver(home.subscription(home.bob)).ok());
    approve_now(home, home.bob);
    for (const auto& type : home.waiting(home.bob))
        CHECK_FALSE(type.starts_with(type::kCredentialsBase));
    clear_outbox(home);
    Post post = home.publish(home.status(true));
    home.write([](store::WriteTx& tx) -> Result<void> { return tx.prepare("UPDATE deliveries SET state = 'delivered'").run(); });
    home.write([&](store::WriteTx& tx) { return delete_own(tx, home.self, post.id, ""); });
    CHECK(home.waiting(home.bob) == Types{type::kDelete});
    auto meta = home.store->write([&](store::WriteTx& tx) { return delete_own(tx, home.self, "meta", ""); });
    CHECK(meta.error().kind == ErrorKind::Forbidden);
}
