// SPDX-License-Identifier: BSD-3-Clause
// The owner's decisions about who follows: desk, doors, groups, audiences (Tent 0.3, sections 7.4, 8.1 and 8.2).
#include <doctest/doctest.h>

#include <bivouac/store/credentials.h>
#include <bivouac/tent/audience.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/writing.h>

#include <algorithm>
#include <set>

#include "../tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

struct Desk : Home {
    void ask(const std::string& peer, const std::string& note = "", const std::string& id = "sub")
    {
        know(peer);
        Post post = subscription(peer, id);
        post.version.message = note;
        post.version.id = version_id_of(post);
        REQUIRE(deliver(post).ok());
    }

    void follows(const std::string& peer, const std::vector<std::string>& groups = {})
    {
        ask(peer);
        write([&](store::WriteTx& tx) { return approve(tx, self, peer, groups); });
    }

    store::Relationship with(const std::string& peer)
    {
        auto found = store->read([&](store::ReadTx& tx) { return store::find_relationship(tx, self.id, peer); });
        REQUIRE(found.ok());
        REQUIRE(found->has_value());
        return **found;
    }

    Group made(const std::string& name)
    {
        return write([&](store::WriteTx& tx) { return make_group(tx, self, name); });
    }

    std::vector<std::string> members(const std::string& group)
    {
        auto found = store->read([&](store::ReadTx& tx) -> Result<std::vector<std::string>> {
            return group_members(tx, self, TRY(find_group(tx, self, group)).id);
        });
        REQUIRE(found.ok());
        return *found;
    }

    Result<Post> addressed(const std::vector<std::string>& to)
    {
        return store->write([&](store::WriteTx& tx) -> Result<Post> {
            Post draft;
            draft.type = type::kStatus;
            draft.content = R"({"text":"hello"})";
            TRY(address_to(tx, self, draft, to));
            return tent::publish(tx, self, std::move(draft));
        });
    }

    Readers readers(const Post& post)
    {
        auto found = store->read([&](store::ReadTx& tx) -> Result<Readers> {
            return readers_of(tx, self, post, TRY(store::find_version(tx, self.id, post.entity, post.id, post.version.id)));
        });
        REQUIRE(found.ok());
        return *found;
    }

    std::vector<std::string> waiting(const std::string& state = "waiting")
    {
        auto ledger = store->read([&](store::ReadTx& tx) {
            return store::load_ledger(tx, self.id, {"", "", state}, 0, 1000);
        });
        REQUIRE(ledger.ok());
        std::vector<std::string> out;
        for (const auto& entry : *ledger)
            out.push_back(entry.peer + " " + entry.post);
        return out;
    }

    Json meta_for(const Viewer& viewer, const std::string& version = "")
    {
        auto post = store->read([&](store::ReadTx& tx) {
            return store::load_post(tx, self.id, self.entity, kMetaPostId, version, viewer);
        });
        REQUIRE(post.ok());
        return *post ? Json::parse((**post).content) : Json();
    }
};

std::vector<std::string> names_of(const Readers& readers)
{
    std::vector<std::string> out;
    for (const auto& reader : readers.readers)
        out.push_back(reader.entity);
    std::sort(out.begin(), out.end());
    return out;
}

Viewer stranger()
{
    Viewer out;
    out.shut_out = true;
    return out;
}

Viewer peer(const std::string& entity, bool shut_out)
{
    Viewer out;
    out.kind = Viewer::Kind::Peer;
    out.entity = entity;
    out.shut_out = shut_out;
    return out;
}

}  // namespace

TEST_CASE("desk: the note of a wish to follow is kept, cleaned and cut (section 7.4)")
{
    Desk desk;
    desk.ask(desk.bob, "met at the \x1b[31mmarch\nremember?");
    CHECK(desk.with(desk.bob).note == "met at the  [31mmarch\nremember?");
    CHECK(desk.with(desk.bob).first_seen == desk.clock.now);
    std::string long_note;
    for (int i = 0; i < 1500; ++i)
        long_note += "\xc3\xa9";
    desk.ask(desk.carol, long_note);
    CHECK(desk.with(desk.carol).note.size() == 2000);
    desk.clock.now += 5000;
    desk.ask(desk.bob, "again", "sub2");
    CHECK(desk.with(desk.bob).note == "again");
    CHECK(desk.with(desk.bob).first_seen == desk.clock.now - 5000);
}

TEST_CASE("desk: the safety phrase is the same on both sides, another for every pair, and eight words")
{
    Desk desk;
    auto one = safety_phrase(desk.self.entity, desk.bob);
    auto other = safety_phrase(desk.bob, desk.self.entity);
    REQUIRE(one.ok());
    REQUIRE(other.ok());
    CHECK(*one == *other);
    CHECK(std::count(one->begin(), one->end(), ' ') == 7);
    std::set<std::string> all{*one};
    std::vector<std::string> entities{desk.self.entity, desk.bob, desk.carol};
    for (char letter = 'd'; letter <= 'z'; ++letter)
        entities.push_back(onion_entity(letter));
    size_t pairs = 0;
    all.clear();
    for (size_t i = 0; i < entities.size(); ++i)
        for (size_t j = i + 1; j < entities.size(); ++j, ++pairs)
            all.insert(*safety_phrase(entities[i], entities[j]));
    CHECK(all.size() == pairs);
    CHECK_FALSE(safety_phrase(desk.self.entity, "http://example.com").ok());
    // What was read out once must stay true in all later versions.
    CHECK(*safety_phrase(onion_entity('b'), onion_entity('c')) == "dinner rainbow house badge award brush glacier museum");
}

TEST_CASE("desk: that the phrase was compared is recorded and can be taken back")
{
    Desk desk;
    CHECK(desk.store->write([&](store::WriteTx& tx) { return verify(tx, desk.self, desk.bob, true); }).error().kind ==
          ErrorKind::NotFound);
    desk.ask(desk.bob);
    desk.write([&](store::WriteTx& tx) { return verify(tx, desk.self, desk.bob, true); });
    CHECK(desk.with(desk.bob).verified_at == desk.clock.now);
    desk.write([&](store::WriteTx& tx) { return verify(tx, desk.self, desk.bob, false); });
    CHECK(desk.with(desk.bob).verified_at == 0);
}

TEST_CASE("desk: approved into groups, and out of all of them when denied")
{
    Desk desk;
    const Group close = desk.made("Close");
    desk.follows(desk.bob, {close.id});
    CHECK(desk.members("Close") == std::vector<std::string>{desk.bob});
    CHECK(desk.members("followers") == std::vector<std::string>{desk.bob});
    desk.write([&](store::WriteTx& tx) { return deny(tx, desk.self, desk.bob); });
    CHECK(desk.members("Close").empty());
    CHECK(desk.members("followers").empty());
}

TEST_CASE("desk: a follower who is removed loses keys, groups and what waited; the owner learns what she holds")
{
    Desk desk;
    desk.made("Close");
    desk.follows(desk.bob, {});
    desk.write([&](store::WriteTx& tx) -> Result<void> {
        return join_group(tx, desk.self, TRY(find_group(tx, desk.self, "Close")).id, desk.bob);
    });
    const Post first = *desk.addressed({"followers"});
    const Post second = *desk.addressed({"group:Close"});
    auto ledger = desk.store->read([&](store::ReadTx& tx) {
        return store::load_ledger(tx, desk.self.id, {first.id, "", ""}, 0, 10);
    });
    REQUIRE(ledger->size() == 1);
    desk.write([&](store::WriteTx& tx) -> Result<void> { return store::end_delivery(tx, ledger->front().id, "delivered", ""); });
    auto key = desk.with(desk.bob).our_hawk_id;
    REQUIRE_FALSE(key.empty());
    auto held = desk.write([&](store::WriteTx& tx) { return remove_follower(tx, desk.self, desk.bob); });
    CHECK(held.delivered == 1);
    CHECK(held.readable == 2);
    CHECK(held.last_delivered_at == desk.clock.now);
    CHECK(desk.with(desk.bob).follower == "removed");
    CHECK(desk.with(desk.bob).our_hawk_id.empty());
    CHECK(desk.members("Close").empty());
    CHECK(desk.waiting().empty());
    auto credentials = desk.store->read([&](store::ReadTx& tx) { return store::find_credentials(tx, desk.self.id, key); });
    CHECK_FALSE(credentials->has_value());
    CHECK(desk.addressed({"followers"}).ok());
    CHECK(desk.waiting().empty());
    // Who was removed does not come in by asking once more, but the owner may let her.
    desk.ask(desk.bob, "please", "sub3");
    CHECK(desk.with(desk.bob).follower == "removed");
    desk.write([&](store::WriteTx& tx) { return approve(tx, desk.self, desk.bob); });
    CHECK(desk.addressed({"followers"}).ok());
    const auto rows = desk.waiting();
    CHECK(std::any_of(rows.begin(), rows.end(), [&](const std::string& row) { return row.starts_with(desk.bob); }));
    // Only approved followers can be removed.
    desk.ask(desk.carol, "", "sub4");
    CHECK_FALSE(desk.store->write([&](store::WriteTx& tx) { return remove_follower(tx, desk.self, desk.carol); }).ok());
}

TEST_CASE("desk: a block is taken back to what was before, and never to an approved follower")
{
    Desk desk;
    desk.ask(desk.bob);
    desk.write([&](store::WriteTx& tx) { return block(tx, desk.self, desk.bob); });
    desk.write([&](store::WriteTx& tx) { return block(tx, desk.self, desk.bob); });
    desk.write([&](store::WriteTx& tx) { return unblock(tx, desk.self, desk.bob); });
    CHECK(desk.with(desk.bob).follower == "pending");
    desk.write([&](store::WriteTx& tx) { return approve(tx, desk.self, desk.bob); });
    desk.write([&](store::WriteTx& tx) { return block(tx, desk.self, desk.bob); });
    CHECK(desk.members("followers").empty());
    desk.write([&](store::WriteTx& tx) { return unblock(tx, desk.self, desk.bob); });
    CHECK(desk.with(desk.bob).follower == "removed");
    CHECK_FALSE(desk.store->write([&](store::WriteTx& tx) { return unblock(tx, desk.self, desk.bob); }).ok());
}

TEST_CASE("groups: made, listed, filled, emptied, removed; each change is a new version of the group post (section 8.2)")
{
    Desk desk;
    const Group close = desk.made("Close");
    for (const char* bad : {"", "public", "followers", "me", "a,b", "group:x", " x", "x\n", "\xff"}) {
        CAPTURE(bad);
        CHECK_FALSE(desk.store->write([&](store::WriteTx& tx) { return make_group(tx, desk.self, bad); }).ok());
    }
    CHECK(desk.store->write([&](store::WriteTx& tx) { return make_group(tx, desk.self, "Close"); }).error().kind ==
          ErrorKind::Conflict);
    auto versions = [&] {
        auto count = desk.store->read([&](store::ReadTx& tx) -> Result<int64_t> {
            auto select = tx.prepare("SELECT count(*) FROM versions v JOIN posts p ON p.id = v.post WHERE p.public_id = :id");
            select.bind(":id", close.id);
            TRY(select.step());
            return select.integer(0);
        });
        return *count;
    };
    CHECK(versions() == 1);
    auto join = [&](const std::string& who) {
        desk.write([&](store::WriteTx& tx) { return join_group(tx, desk.self, close.id, who); });
    };
    join(desk.bob);
    join(desk.bob);  // once is enough
    join(desk.carol);
    CHECK(versions() == 3);
    CHECK(desk.members("Close").size() == 2);
    CHECK(desk.members(close.id).size() == 2);
    desk.write([&](store::WriteTx& tx) { return leave_group(tx, desk.self, close.id, desk.bob); });
    desk.write([&](store::WriteTx& tx) { return leave_group(tx, desk.self, close.id, desk.bob); });
    CHECK(versions() == 4);
    CHECK(desk.members("Close") == std::vector<std::string>{desk.carol});
    auto listed = desk.store->read([&](store::ReadTx& tx) { return list_groups(tx, desk.self); });
    REQUIRE(listed->size() == 2);
    CHECK((*listed)[0].name == "followers");
    CHECK((*listed)[1].members == 1);
    CHECK_FALSE(desk.store->write([&](store::WriteTx& tx) { return remove_group(tx, desk.self, "followers"); }).ok());
    desk.write([&](store::WriteTx& tx) { return remove_group(tx, desk.self, "Close"); });
    CHECK_FALSE(desk.store->read([&](store::ReadTx& tx) { return find_group(tx, desk.self, "Close"); }).ok());
    CHECK_FALSE(desk.addressed({"group:Close"}).ok());
}

TEST_CASE("audience: words become permissions, and every reader is named with why (sections 7.5 and 8.1)")
{
    Desk desk;
    desk.made("Close");
    desk.follows(desk.bob);
    desk.write([&](store::WriteTx& tx) -> Result<void> {
        return join_group(tx, desk.self, TRY(find_group(tx, desk.self, "Close")).id, desk.carol);
    });
    const Post open = *desk.addressed({"public"});
    CHECK(open.permissions.is_public);
    CHECK(names_of(desk.readers(open)) == std::vector<std::string>{desk.bob});
    CHECK(desk.readers(open).is_public);
    const Post mine = *desk.addressed({"me"});
    CHECK(names_of(desk.readers(mine)).empty());
    CHECK_FALSE(mine.permissions.is_public);
    const Post close = *desk.addressed({"group:Close"});
    auto readers = desk.readers(close);
    REQUIRE(names_of(readers) == std::vector<std::string>{desk.carol});
    CHECK(readers.readers[0].because == std::vector<std::string>{"group:Close"});
    CHECK_FALSE(readers.readers[0].delivered_to);  // she does not follow
    CHECK(readers.warnings.size() == 1);
    const Post both = *desk.addressed({"followers, group:Close", onion_entity('x')});
    readers = desk.readers(both);
    auto expected = std::vector<std::string>{desk.bob, desk.carol, onion_entity('x')};
    std::sort(expected.begin(), expected.end());
    CHECK(names_of(readers) == expected);
    for (const auto& reader : readers.readers) {
        CHECK(reader.delivered_to == (reader.entity != desk.carol));
        CHECK(reader.delivery == (reader.entity != desk.carol ? "waiting" : ""));
    }
    // One of those named does not learn of the others.
    for (const auto& mention : both.mentions)
        CHECK_FALSE(mention.is_public);
    desk.write([&](store::WriteTx& tx) { return block(tx, desk.self, desk.bob); });
    CHECK(names_of(desk.readers(open)).empty());
    // Nothing but commas is nobody, and not oneself by a slip.
    for (const char* bad : {"group:None", "bob", "http://example.com", "everybody", "", " , "}) {
        CAPTURE(bad);
        CHECK_FALSE(desk.addressed({bad}).ok());
    }
}

TEST_CASE("audience: an answer goes to those who may see the thread (section 8.1)")
{
    Desk desk;
    desk.follows(desk.bob);
    auto reply = [&](const std::string& entity, const std::string& id) {
        return desk.store->write([&](store::WriteTx& tx) -> Result<Post> {
            Post draft;
            draft.type = type::kStatusReply;
            draft.content = R"({"text":"yes"})";
            TRY(address_as_reply(tx, desk.self, draft, entity, id));
            return tent::publish(tx, desk.self, std::move(draft));
        });
    };
    const Post own = *desk.addressed({"followers"});
    const Post to_own = *reply(desk.self.entity, own.id);
    CHECK(to_own.permissions.groups == own.permissions.groups);
    CHECK(names_of(desk.readers(to_own)) == std::vector<std::string>{desk.bob});
    Post theirs = desk.remote(desk.bob, "theirs", type::kStatus);
    theirs.content = R"({"text":"for some"})";
    theirs.permissions.is_public = false;
    Mention carol;
    carol.entity = desk.carol;
    theirs.mentions.push_back(carol);
    theirs.version.id = version_id_of(theirs);
    REQUIRE(desk.deliver(theirs).ok());
    const Post answer = *reply(desk.bob, "theirs");
    CHECK_FALSE(answer.permissions.is_public);
    auto expected = std::vector<std::string>{desk.bob, desk.carol};
    std::sort(expected.begin(), expected.end());
    CHECK(names_of(desk.readers(answer)) == expected);
    CHECK(answer.mentions[0].post == "theirs");
    Post open = desk.remote(desk.bob, "open", type::kStatus);
    open.content = R"({"text":"for all"})";
    open.version.id = version_id_of(open);
    REQUIRE(desk.deliver(open).ok());
    CHECK(reply(desk.bob, "open")->permissions.is_public);
    CHECK_FALSE(reply(desk.bob, "absent").ok());
}

TEST_CASE("doors: behind a sealed one strangers see the meta post without its profile and nothing else (section 1.3)")
{
    Desk desk;
    auto owner = Principal{};
    owner.kind = Principal::Kind::Owner;
    owner.owner = desk.self.id;
    auto put_profile = [&](const std::string& name) {
        desk.write([&](store::WriteTx& tx) -> Result<void> {
            auto current = TRY(store::load_version(tx, TRY(store::find_version(tx, desk.self.id, desk.self.entity, kMetaPostId, ""))));
            Post draft;
            draft.type = type::kMeta;
            Json content = Json::parse(current->content);
            content["profile"] = {{"name", name}};
            draft.content = content.dump();
            Parent parent;
            parent.version = current->version.id;
            draft.version.parents.push_back(parent);
            TRY(create_version(tx, desk.self, owner, kMetaPostId, std::move(draft), {}));
            return {};
        });
        desk.clock.now += 10;
    };
    put_profile("Alice");
    desk.follows(desk.bob);
    const Post open = *desk.addressed({"public"});
    desk.clock.now += 10;
    const std::string before = desk.store->read([&](store::ReadTx& tx) {
        return store::load_post(tx, desk.self.id, desk.self.entity, kMetaPostId, "", stranger());
    })->value().version.id;
    desk.write([&](store::WriteTx& tx) { return change_door(tx, desk.self, store::Door::Sealed); });
    CHECK(*desk.self.door == store::Door::Sealed);
    CHECK(desk.meta_for(stranger())["profile"] == Json::object());
    CHECK(desk.meta_for(stranger())["servers"].size() == 1);
    CHECK(desk.meta_for(peer(desk.carol, true))["profile"] == Json::object());
    CHECK(desk.meta_for(peer(desk.bob, false))["profile"]["name"] == "Alice");
    CHECK(desk.meta_for(stranger(), before).is_null());  // what was public once is not any more
    auto seen = [&](const Viewer& viewer) {
        auto post = desk.store->read([&](store::ReadTx& tx) {
            return store::load_post(tx, desk.self.id, desk.self.entity, open.id, "", viewer);
        });
        auto feed = desk.store->read([&](store::ReadTx& tx) { return store::count_feed(tx, desk.self.id, FeedQuery(), viewer); });
        return std::pair(post->has_value(), *feed > 0);
    };
    CHECK(seen(stranger()) == std::pair(false, false));
    CHECK(seen(peer(desk.carol, true)) == std::pair(false, false));
    CHECK(seen(peer(desk.bob, false)) == std::pair(true, true));
    // Apps go on changing the profile; it stays inside.
    desk.clock.now += 10;
    put_profile("Alice at home");
    CHECK(desk.meta_for(stranger())["profile"] == Json::object());
    CHECK(desk.meta_for(peer(desk.bob, false))["profile"]["name"] == "Alice at home");
    desk.write([&](store::WriteTx& tx) { return change_door(tx, desk.self, store::Door::Vetted); });
    Viewer anybody;
    CHECK(desk.meta_for(anybody)["profile"]["name"] == "Alice at home");
    // Kept over a restart.
    auto door = desk.store->read([&](store::ReadTx& tx) { return store::load_door(tx, desk.self.id); });
    CHECK(*door == store::Door::Vetted);
}

TEST_CASE("doors: an open one approves whoever asks, a vetted one nobody")
{
    Desk desk;
    desk.ask(desk.bob);
    CHECK(desk.with(desk.bob).follower == "pending");
    desk.write([&](store::WriteTx& tx) { return change_door(tx, desk.self, store::Door::Open); });
    CHECK(desk.with(desk.bob).follower == "pending");  // what waits is still the owner's to decide
    desk.ask(desk.carol);
    CHECK(desk.with(desk.carol).follower == "approved");
}

TEST_CASE("ledger: taken back, tried again, and told apart by post, peer and state (section 7.7)")
{
    Desk desk;
    desk.follows(desk.bob);
    desk.follows(desk.carol);
    const Post one = *desk.addressed({"followers"});
    const Post two = *desk.addressed({"followers"});
    auto load = [&](store::LedgerFilter filter, int64_t before = 0, int64_t limit = 100) {
        return *desk.store->read([&](store::ReadTx& tx) { return store::load_ledger(tx, desk.self.id, filter, before, limit); });
    };
    CHECK(load({one.id, "", ""}).size() == 2);
    CHECK(load({one.id, desk.bob, ""}).size() == 1);
    CHECK(load({"", desk.bob, "waiting"}).size() >= 2);
    CHECK(load({"absent", "", ""}).empty());
    auto all = load({"", "", ""});
    auto page = load({"", "", ""}, 0, 2);
    REQUIRE(page.size() == 2);
    CHECK(page[0].id == all[0].id);
    CHECK(load({"", "", ""}, page[1].id)[0].id == all[2].id);
    auto cancelled = desk.write([&](store::WriteTx& tx) { return store::cancel_deliveries(tx, desk.self.id, {one.id, "", ""}); });
    CHECK(cancelled == 2);
    CHECK(load({one.id, "", "cancelled"}).size() == 2);
    CHECK(load({two.id, "", "waiting"}).size() == 2);
    // Without a name nothing that has ended begins again.
    desk.write([&](store::WriteTx& tx) -> Result<void> {
        TRY(store::set_peer_wait(tx, desk.self.id, desk.bob, 5, desk.clock.now + 100000, "gone"));
        return {};
    });
    CHECK(load({two.id, desk.bob, ""})[0].problem == "gone");
    CHECK(load({two.id, desk.bob, ""})[0].next_try_at == desk.clock.now + 100000);
    desk.write([&](store::WriteTx& tx) { return store::retry_deliveries(tx, desk.self.id, {}); });
    CHECK(load({two.id, desk.bob, ""})[0].next_try_at == 0);
    CHECK(load({one.id, "", "cancelled"}).size() == 2);
    desk.write([&](store::WriteTx& tx) { return store::retry_deliveries(tx, desk.self.id, {one.id, desk.bob, ""}); });
    CHECK(load({one.id, desk.bob, "waiting"}).size() == 1);
    CHECK(load({one.id, desk.carol, "cancelled"}).size() == 1);
}
