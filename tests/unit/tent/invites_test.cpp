// SPDX-License-Identifier: BSD-3-Clause
// Invites: made, used, refused (Tent 0.3, section 7.4 for the wishes that carry them).
#include <doctest/doctest.h>

#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/invites.h>

#include <thread>

#include "../tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

constexpr int64_t kHour = 3'600'000;

struct Door : Home {
    MadeInvite invite(int64_t uses = 1, const std::string& group = "", int64_t lifetime = kHour)
    {
        return write([&](store::WriteTx& tx) { return make_invite(tx, self, group, uses, lifetime); });
    }

    Result<Received> ask(const std::string& peer, const std::string& proof, const std::string& id = "sub",
                         const std::string& note = "")
    {
        Post post = subscription(peer, id);
        post.version.message = write_follow_message({proof, note});
        post.version.id = version_id_of(post);
        return deliver(post);
    }

    Result<Received> use(const MadeInvite& made, const std::string& peer, const std::string& id = "sub",
                         const std::string& note = "")
    {
        return ask(peer, invite_proof(made.link.secret, self.entity, peer), id, note);
    }

    Invite listed(const std::string& id)
    {
        auto all = store->read([&](store::ReadTx& tx) { return list_invites(tx, self); });
        REQUIRE(all.ok());
        for (const auto& one : *all)
            if (one.id == id)
                return one;
        FAIL("no such invite");
        return {};
    }

    std::vector<std::string> members(const std::string& group)
    {
        auto found = store->read([&](store::ReadTx& tx) -> Result<std::vector<std::string>> {
            return group_members(tx, self, TRY(find_group(tx, self, group)).id);
        });
        REQUIRE(found.ok());
        return *found;
    }

    template <typename F>
    void decide(F decision, const std::string& peer)
    {
        clock.now += 1000;
        write([&](store::WriteTx& tx) -> Result<void> {
            TRY(decision(tx, self, peer));
            return {};
        });
        clock.now += 1000;
    }

    int64_t posts_of(const std::string& peer)
    {
        return *store->read([&](store::ReadTx& tx) { return store::count_versions_by(tx, self.id, peer); });
    }
};

void check_gone(const Result<Received>& answer)
{
    REQUIRE(!answer.ok());
    CHECK(answer.error().kind == ErrorKind::Gone);
    CHECK(answer.error().detail == "the invite is not valid");
}

}  // namespace

TEST_CASE("invites: whoever brings one is approved at once, into its group, with her note (section 7.4)")
{
    Door door;
    door.know(door.bob);
    door.write([&](store::WriteTx& tx) { return make_group(tx, door.self, "Close"); });
    auto made = door.invite(1, "Close");
    CHECK(made.link.address == door.self.entity);
    CHECK(made.link.secret.size() == kInviteSecretBytes);
    CHECK(std::string(door.listed(made.invite.id).state(door.clock.now)) == "open");
    REQUIRE(door.use(made, door.bob, "sub", "Bob here").ok());
    CHECK(door.follower_state(door.bob) == "approved");
    CHECK(door.relationship(door.bob).note == "Bob here");
    CHECK(door.members("Close") == std::vector<std::string>{door.bob});
    CHECK(door.members("followers") == std::vector<std::string>{door.bob});
    auto waiting = door.waiting(door.bob);
    CHECK(std::find(waiting.begin(), waiting.end(), type::kRelationshipSubscriber) != waiting.end());
    auto now = door.listed(made.invite.id);
    REQUIRE(now.used.size() == 1);
    CHECK(now.used[0].peer == door.bob);
    CHECK(now.used[0].used_at == door.clock.now);
    CHECK(std::string(now.state(door.clock.now)) == "used up");
}

TEST_CASE("invites: used up, expired, revoked, forged and unknown get one answer, and nothing is kept (section 7.4)")
{
    Door door;
    door.know(door.bob);
    door.know(door.carol);
    const int64_t before = door.posts_of(door.carol);
    auto used = door.invite();
    REQUIRE(door.use(used, door.bob).ok());
    check_gone(door.use(used, door.carol));
    auto expired = door.invite(5, "", kHour);
    door.clock.now += kHour;
    CHECK(std::string(door.listed(expired.invite.id).state(door.clock.now)) == "expired");
    check_gone(door.use(expired, door.carol));
    auto revoked = door.invite();
    auto after = door.write([&](store::WriteTx& tx) { return revoke_invite(tx, door.self, revoked.invite.id); });
    CHECK(std::string(after.state(door.clock.now)) == "revoked");
    check_gone(door.use(revoked, door.carol));
    auto open = door.invite();
    const std::string right = invite_proof(open.link.secret, door.self.entity, door.carol);
    // Somebody else's proof, one for another server, a changed one, parts of one, and one of an invite that never was.
    for (const std::string& forged :
         {invite_proof(open.link.secret, door.self.entity, door.bob), invite_proof(open.link.secret, door.bob, door.carol),
          right.substr(0, right.size() - 1), open.invite.id + ".", open.invite.id, std::string("."), std::string("abc"),
          invite_proof(std::string(16, 'x'), door.self.entity, door.carol),
          open.invite.id + "." + to_base64url(hmac_sha256(std::string(32, '\0'), "bivouac invite use\n" + door.self.entity +
                                                                                     "\n" + door.carol))}) {
        CAPTURE(forged);
        check_gone(door.ask(door.carol, forged));
    }
    CHECK(door.follower_state(door.carol) == "");
    CHECK(door.posts_of(door.carol) == before);
    CHECK(door.listed(open.invite.id).used.empty());
    REQUIRE(door.ask(door.carol, right).ok());
    CHECK(door.follower_state(door.carol) == "approved");
}

TEST_CASE("invites: the same entity again uses nothing")
{
    Door door;
    door.know(door.bob);
    auto made = door.invite(2);
    REQUIRE(door.use(made, door.bob).ok());
    REQUIRE(door.use(made, door.bob).ok());
    REQUIRE(door.use(made, door.bob, "sub2").ok());
    CHECK(door.listed(made.invite.id).used.size() == 1);
    // She left, and comes again by the same link, which is used up by now.
    door.know(door.carol);
    REQUIRE(door.use(made, door.carol).ok());
    door.decide([](auto& tx, auto& self, auto& peer) { return follower_left(tx, self, peer); }, door.bob);
    CHECK(door.follower_state(door.bob) == "");
    REQUIRE(door.use(made, door.bob, "sub3").ok());
    CHECK(door.follower_state(door.bob) == "approved");
    CHECK(door.listed(made.invite.id).used.size() == 2);
    // And she is told so once more (section 7.1).
    auto waiting = door.waiting(door.bob);
    CHECK(std::count(waiting.begin(), waiting.end(), type::kRelationshipSubscriber) == 2);
}

TEST_CASE("invites: whoever waits or was denied is approved by one, and by none that is older than the decision")
{
    Door door;
    door.know(door.bob);
    REQUIRE(door.deliver(door.subscription(door.bob)).ok());
    check_gone(door.ask(door.bob, "abc.def", "sub2"));
    CHECK(door.follower_state(door.bob) == "pending");
    auto old = door.invite(5);
    door.decide(deny, door.bob);
    check_gone(door.use(old, door.bob, "sub2"));
    CHECK(door.follower_state(door.bob) == "denied");
    auto fresh = door.invite();
    REQUIRE(door.use(fresh, door.bob, "sub2").ok());
    CHECK(door.follower_state(door.bob) == "approved");
    // Removed: the link that brought her in does not once more.
    door.decide(remove_follower, door.bob);
    door.know(door.bob);
    check_gone(door.use(fresh, door.bob, "sub3"));
    check_gone(door.use(old, door.bob, "sub3"));
    CHECK(door.follower_state(door.bob) == "removed");
    // Pending for longer than the invite is old, and the other way round.
    door.know(door.carol);
    REQUIRE(door.deliver(door.subscription(door.carol)).ok());
    REQUIRE(door.use(old, door.carol, "sub2").ok());
    CHECK(door.follower_state(door.carol) == "approved");
}

TEST_CASE("invites: who is blocked stays so")
{
    Door door;
    door.know(door.bob);
    door.decide(block, door.bob);
    auto made = door.invite();
    check_gone(door.use(made, door.bob));
    CHECK(door.follower_state(door.bob) == "blocked");
    CHECK(door.listed(made.invite.id).used.empty());
}

TEST_CASE("invites: an approved follower joins a group by one, and loses nothing by one that is worth nothing")
{
    Door door;
    door.know(door.bob);
    REQUIRE(door.use(door.invite(), door.bob).ok());
    door.write([&](store::WriteTx& tx) { return make_group(tx, door.self, "Close"); });
    REQUIRE(door.ask(door.bob, "abc.def", "sub2").ok());
    CHECK(door.members("Close").empty());
    auto more = door.invite(1, "Close");
    REQUIRE(door.use(more, door.bob, "sub3").ok());
    CHECK(door.members("Close") == std::vector<std::string>{door.bob});
    CHECK(door.follower_state(door.bob) == "approved");
    CHECK(door.listed(more.invite.id).used.size() == 1);
}

TEST_CASE("invites: a sealed door opens, a group that is gone is left out")
{
    Door door;
    door.know(door.bob);
    door.write([&](store::WriteTx& tx) { return change_door(tx, door.self, store::Door::Sealed); });
    door.write([&](store::WriteTx& tx) { return make_group(tx, door.self, "Close"); });
    auto made = door.invite(1, "Close");
    door.write([&](store::WriteTx& tx) { return remove_group(tx, door.self, "Close"); });
    REQUIRE(door.use(made, door.bob).ok());
    CHECK(door.follower_state(door.bob) == "approved");
}

TEST_CASE("invites: of several who bring the last use at one time, one is let in")
{
    Door door;
    std::vector<std::string> askers;
    for (char letter : {'b', 'c', 'd', 'e', 'f', 'g'})
        askers.push_back(onion_entity(letter));
    for (const auto& asker : askers)
        door.know(asker);
    auto made = door.invite(2);
    std::atomic<int> let_in{0}, gone{0};
    std::vector<std::thread> threads;
    for (const auto& asker : askers)
        threads.emplace_back([&, asker] {
            Post post = door.subscription(asker);
            post.version.message = write_follow_message({invite_proof(made.link.secret, door.self.entity, asker), ""});
            post.version.id = version_id_of(post);
            auto answer = door.deliver(post);
            ++(answer.ok() ? let_in : gone);
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(let_in == 2);
    CHECK(gone == 4);
    CHECK(door.listed(made.invite.id).used.size() == 2);
}

TEST_CASE("invites: limits, and what is not there")
{
    Door door;
    auto make = [&](const std::string& group, int64_t uses, int64_t lifetime) {
        auto made = door.store->write([&](store::WriteTx& tx) { return make_invite(tx, door.self, group, uses, lifetime); });
        return made.ok() ? ErrorKind::Internal : made.error().kind;
    };
    CHECK(make("", 0, kHour) == ErrorKind::Invalid);
    CHECK(make("", limits::kInviteUses + 1, kHour) == ErrorKind::Invalid);
    CHECK(make("", 1, 0) == ErrorKind::Invalid);
    CHECK(make("", 1, limits::kInviteLifetimeMs + 1) == ErrorKind::Invalid);
    CHECK(make("nobody", 1, kHour) == ErrorKind::NotFound);
    auto none = door.store->write([&](store::WriteTx& tx) { return revoke_invite(tx, door.self, "nothing"); });
    CHECK(none.error().kind == ErrorKind::NotFound);
    door.write([&](store::WriteTx& tx) -> Result<void> {
        for (int64_t i = 0; i < limits::kOpenInvites; ++i)
            TRY(make_invite(tx, door.self, "", 1, kHour));
        return {};
    });
    CHECK(make("", 1, kHour) == ErrorKind::Conflict);
    door.clock.now += kHour;
    CHECK(make("", 1, kHour) == ErrorKind::Internal);
    // Those that ended long ago are forgotten.
    door.clock.now += 100LL * 24 * kHour;
    auto last = door.invite();
    auto all = door.store->read([&](store::ReadTx& tx) { return list_invites(tx, door.self); });
    REQUIRE(all.ok());
    REQUIRE(all->size() == 1);
    CHECK((*all)[0].id == last.invite.id);
}

TEST_CASE("invites: the secret is in no table, and neither link nor proof can be made from what a user sends")
{
    Door door;
    door.know(door.bob);
    auto made = door.invite();
    REQUIRE(door.use(made, door.bob).ok());
    const std::string proof = invite_proof(made.link.secret, door.self.entity, door.bob);
    const std::string written = to_base32(made.link.secret);
    CHECK(proof.find(written) == std::string::npos);
    auto found = door.store->read([&](store::ReadTx& tx) -> Result<int64_t> {
        auto select = tx.prepare("SELECT (SELECT count(*) FROM bodies WHERE instr(body, :text) > 0) + "
                                 "(SELECT count(*) FROM invites WHERE instr(key, :bytes) > 0 OR instr(public_id, :text) > 0)");
        select.bind(":text", written).bind_blob(":bytes", made.link.secret);
        TRY(select.step());
        return select.integer(0);
    });
    REQUIRE(found.ok());
    CHECK(*found == 0);
}

TEST_CASE("following by an invite: it goes with the wish, or after it as a new version (section 7.4)")
{
    Home home;
    auto follow_with = [&](const FollowMessage& message) {
        return home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob, message); });
    };
    auto said = [&](const std::string& post) {
        auto loaded = home.store->read([&](store::ReadTx& tx) -> Result<Post> {
            return *TRY(store::load_version(tx, TRY(store::find_version(tx, home.self.id, home.self.entity, post, ""))));
        });
        REQUIRE(loaded.ok());
        return *loaded;
    };
    auto first = follow_with({"", "Alice here"});
    CHECK(said(first.following_post).version.message == "Alice here");
    CHECK(!carries_invite(said(first.following_post)));
    auto again = follow_with({"abc.def", ""});
    CHECK(again.following_post == first.following_post);
    CHECK(said(first.following_post).version.message == "invite: abc.def");
    CHECK(said(first.following_post).content == R"({"type":"all"})");
    CHECK(carries_invite(said(first.following_post)));
    const auto waiting = home.waiting(home.bob);
    CHECK(std::count(waiting.begin(), waiting.end(), type::kSubscriptionAll) == 2);
    // The same once more is nothing new.
    follow_with({"abc.def", ""});
    CHECK(home.waiting(home.bob) == waiting);
}

TEST_CASE("following by an invite: refused, the wish is over and may be made anew; one that was taken before stays (section 7.4)")
{
    Home home;
    auto follow_with = [&](const FollowMessage& message) {
        return home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob, message); });
    };
    auto refuse = [&](const store::Relationship& wish) {
        home.write([&](store::WriteTx& tx) -> Result<void> {
            auto row = TRY(store::find_version(tx, home.self.id, home.self.entity, wish.following_post, ""));
            return refused(tx, home.self, home.bob, *TRY(store::load_version(tx, row)));
        });
        return home.relationship(home.bob).following;
    };
    auto wish = follow_with({"abc.def", ""});
    CHECK(refuse(wish) == "refused");
    auto anew = follow_with({});
    CHECK(anew.following == "connecting");
    CHECK(anew.following_post != wish.following_post);
    home.write([&](store::WriteTx& tx) -> Result<void> {
        auto row = TRY(store::find_version(tx, home.self.id, home.self.entity, anew.following_post, ""));
        return delivered(tx, home.self, home.bob, *TRY(store::load_version(tx, row)));
    });
    auto invited = follow_with({"ghi.jkl", ""});
    CHECK(invited.following_post == anew.following_post);
    CHECK(refuse(invited) == "requested");
}
