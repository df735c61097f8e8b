// SPDX-License-Identifier: BSD-3-Clause
#include "posts_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

TEST_CASE("a post is found again, whole")
{
    Posts posts;
    Post post = posts.add(posts.make("a", 10));
    auto found = posts.get("a", kAll);
    REQUIRE(found);
    CHECK(version_id_of(*found) == post.version.id);
    CHECK_FALSE(posts.get("b", kAll));
    auto twice = posts.store->write([&](WriteTx& tx) { return insert_version(tx, posts.owner, post); });
    CHECK(twice.error().kind == ErrorKind::Conflict);
}

TEST_CASE("private posts are for those they name, by list or by group, and for nobody else")
{
    Posts posts;
    Post listed = posts.make("listed", 10, false);
    listed.permissions.entities = {kBob};
    posts.add(listed);
    Post grouped = posts.make("grouped", 20, false);
    grouped.permissions.groups = {"group1"};
    posts.add(grouped);
    posts.add(posts.make("own", 30, false));
    posts.add(posts.make("open", 40));
    posts.write([&](WriteTx& tx) { return add_group_member(tx, posts.owner, "group1", kCarol, "m1"); });

    const Viewer bob{Viewer::Kind::Peer, {}, kBob, {}};
    const Viewer carol{Viewer::Kind::Peer, {}, kCarol, {}};
    CHECK(posts.ids({}, kAll) == Ids{"open", "own", "grouped", "listed"});
    CHECK(posts.ids({}, kAnonymous) == Ids{"open"});
    CHECK(posts.ids({}, bob) == Ids{"open", "listed"});
    CHECK(posts.ids({}, carol) == Ids{"open", "grouped"});
    CHECK(posts.get("listed", bob));
    CHECK_FALSE(posts.get("listed", carol));
    CHECK_FALSE(posts.get("own", bob));
    auto removed = posts.store->write([&](WriteTx& tx) { return remove_group_member(tx, posts.owner, "group1", kCarol); });
    CHECK(*removed == "m1");
    CHECK(posts.ids({}, carol) == Ids{"open"});
}

TEST_CASE("posts of other entities are shown to nobody but the owner")
{
    Posts posts;
    Post foreign = posts.make("f", 10);
    foreign.entity = kBob;
    posts.add(foreign);
    CHECK(posts.ids({}, kAll) == Ids{"f"});
    CHECK(posts.ids({}, kAnonymous).empty());
    CHECK(posts.ids({}, {Viewer::Kind::Peer, {}, kCarol, {}}).empty());
}

TEST_CASE("an app sees what is public and the types it was granted, and credentials only by name")
{
    Posts posts;
    Post note = posts.make("note", 10, false);
    note.type = "https://vendor.example/note/v0#x";
    posts.add(note);
    Post key = posts.make("key", 20, false);
    key.type = "https://tent.io/types/credentials/v0#https://tent.io/types/app/v0";
    posts.add(key);
    posts.add(posts.make("status", 30, false));
    posts.add(posts.make("open", 40));
    auto app = [](std::vector<std::string> types) { return Viewer{Viewer::Kind::Types, std::move(types), {}, {}}; };
    CHECK(posts.ids({}, app({})) == Ids{"open"});
    CHECK(posts.ids({}, app({"https://vendor.example/note/v0"})) == Ids{"open", "note"});
    CHECK(posts.ids({}, app({"https://vendor.example/note/v0#"})) == Ids{"open"});
    CHECK(posts.ids({}, app({"https://vendor.example/note/v0#x"})) == Ids{"open", "note"});
    CHECK(posts.ids({}, app({"all"})) == Ids{"open", "status", "note"});
    CHECK(posts.ids({}, app({"https://tent.io/types/credentials/v0"})) == Ids{"open", "key"});
}

TEST_CASE("the newest version that the reader may see is shown, once")
{
    Posts posts;
    Post first = posts.add(posts.make("p", 10));
    Post second = posts.make("p", 10);
    second.content = R"({"text":"secret"})";
    second.permissions.is_public = false;
    second.version.published_at = second.version.received_at = 20;
    second.version.parents.push_back({first.version.id, "", "", ""});
    second = posts.add(second);
    CHECK(posts.get("p", kAll)->version.id == second.version.id);
    CHECK(posts.get("p", kAnonymous)->version.id == first.version.id);
    CHECK_FALSE(posts.get("p", kAnonymous, second.version.id));
    CHECK(posts.ids({}, kAll) == Ids{"p"});
    CHECK(posts.ids({}, kAnonymous) == Ids{"p"});
}

TEST_CASE("cursors are exclusive, since gives the oldest, and pages walk without gap or repeat")
{
    Posts posts;
    std::vector<Post> all;
    for (int i = 1; i <= 9; ++i)
        all.push_back(posts.add(posts.make(std::to_string(i), i)));
    FeedQuery query;
    query.limit = 3;
    query.since = Cursor{2, ""};
    query.before = Cursor{8, ""};
    CHECK(posts.ids(query, kAll) == Ids{"5", "4", "3"});
    query = {};
    query.limit = 3;
    query.until = Cursor{5, ""};
    CHECK(posts.ids(query, kAll) == Ids{"9", "8", "7"});
    query = {};
    query.limit = 2;
    query.since = Cursor{0, ""};
    CHECK(posts.ids(query, kAll) == Ids{"2", "1"});

    Ids walked;
    query = {};
    query.limit = 2;
    for (int pages = 0; pages < 10; ++pages) {
        auto page = posts.store->read([&](ReadTx& tx) { return load_feed(tx, posts.owner, query, kAll); });
        for (const auto& post : page->posts)
            walked.push_back(post.id);
        CHECK(page->newer == (pages > 0));
        if (!page->older)
            break;
        query.before = Cursor{page->posts.back().received_at, page->posts.back().version.id};
    }
    CHECK(walked == Ids{"9", "8", "7", "6", "5", "4", "3", "2", "1"});
    auto count = posts.store->read([&](ReadTx& tx) { return count_feed(tx, posts.owner, {}, kAll); });
    CHECK(*count == 9);
}

TEST_CASE("posts of one moment are ordered by version id and page without loss")
{
    Posts posts;
    for (int i = 0; i < 7; ++i)
        posts.add(posts.make("p" + std::to_string(i), 5));
    std::set<std::string> seen;
    FeedQuery query;
    query.limit = 2;
    for (int pages = 0; pages < 10; ++pages) {
        auto page = posts.store->read([&](ReadTx& tx) { return load_feed(tx, posts.owner, query, kAll); });
        for (const auto& post : page->posts)
            CHECK(seen.insert(post.id).second);
        if (!page->older)
            break;
        query.before = Cursor{5, page->posts.back().version.id};
    }
    CHECK(seen.size() == 7);
}

TEST_CASE("deleting takes all versions or one, and is remembered")
{
    Posts posts;
    Post first = posts.add(posts.make("p", 10));
    Post second = posts.make("p", 10);
    second.version.published_at = second.version.received_at = 20;
    second = posts.add(second);
    auto remove = [&](const std::string& version) {
        return posts.write([&](WriteTx& tx) { return delete_post(tx, posts.owner, kSelf, "p", version); });
    };
    CHECK(remove(second.version.id));
    CHECK(posts.get("p", kAll)->version.id == first.version.id);
    CHECK(remove(""));
    CHECK_FALSE(posts.get("p", kAll));
    CHECK_FALSE(remove(""));
    auto deleted = posts.store->read([&](ReadTx& tx) { return is_deleted(tx, posts.owner, kSelf, "p", "anything"); });
    CHECK(*deleted);
}
