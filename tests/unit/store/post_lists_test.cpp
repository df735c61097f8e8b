// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/post_lists.h>

#include "posts_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

const std::string kStatus = "https://tent.io/types/status/v0";

struct Lists : Posts {
    PostText of(const std::string& author, const std::string& id, const Viewer& viewer, const std::string& version = "")
    {
        auto text = store->read([&](ReadTx& tx) {
            return load_post_text(tx, owner, author, id, version, viewer, Audience::owner());
        });
        REQUIRE(text.ok());
        REQUIRE(*text);
        return **text;
    }

    Ids mentions(const PostText& post, const Viewer& viewer, const std::string& query = "")
    {
        auto list = store->read([&](ReadTx& tx) {
            return load_mention_list(tx, owner, post, *parse_list_query(query), viewer);
        });
        REQUIRE(list.ok());
        auto count = store->read([&](ReadTx& tx) { return count_mention_list(tx, owner, post, viewer); });
        if (query.empty())
            CHECK(static_cast<size_t>(*count) == list->entries.size());
        Ids out;
        for (const auto& entry : list->entries)
            out.push_back(entry.post + (entry.is_public ? "" : "!"));
        return out;
    }

    Ids versions(const PostText& post, const Viewer& viewer)
    {
        auto list = store->read([&](ReadTx& tx) { return load_version_list(tx, owner, post, {}, viewer); });
        REQUIRE(list.ok());
        auto count = store->read([&](ReadTx& tx) { return count_version_list(tx, owner, post, viewer); });
        CHECK(static_cast<size_t>(*count) == list->entries.size());
        return ids_of(*list);
    }

    Ids children(const PostText& post, const Viewer& viewer)
    {
        auto list = store->read([&](ReadTx& tx) { return load_child_list(tx, owner, post, {}, viewer); });
        REQUIRE(list.ok());
        auto count = store->read([&](ReadTx& tx) { return count_child_list(tx, owner, post, viewer); });
        CHECK(static_cast<size_t>(*count) == list->entries.size());
        return ids_of(*list);
    }

    Post version_of(const Post& post, int64_t time, bool is_public)
    {
        Post next = post;
        next.content = R"({"text":")" + std::to_string(time) + R"("})";
        next.permissions.is_public = is_public;
        next.version = {};
        next.version.published_at = next.version.received_at = time;
        next.version.parents = {{post.version.id, "", "", ""}};
        return next;
    }

    static Ids ids_of(const VersionList& list)
    {
        Ids out;
        for (const auto& entry : list.entries)
            out.push_back(entry.version.id);
        return out;
    }
};

Mention mention_of(const std::string& entity, const std::string& post, bool is_public = true)
{
    return {entity, "", post, "", "", is_public};
}

}  // namespace

TEST_CASE("mentions list: newest first, latest versions only, private ones marked and for those who may know (section 4.4)")
{
    Lists lists;
    lists.add(lists.make("target", 5));
    auto add = [&](const std::string& id, int64_t time, const std::string& author, bool is_public, Mention m) {
        Post post = lists.make(id, time, is_public);
        post.entity = author;
        post.mentions = {m};
        return lists.add(post);
    };
    add("open", 10, kSelf, true, mention_of("", "target"));
    add("quiet", 20, kSelf, true, mention_of("", "target", false));
    add("closed", 30, kSelf, false, mention_of("", "target"));
    add("foreign", 40, kBob, true, mention_of(kSelf, "target"));
    add("foreign_quiet", 50, kBob, true, mention_of(kSelf, "target", false));
    add("elsewhere", 60, kBob, true, mention_of(kBob, "target"));
    add("entity_only", 70, kBob, true, mention_of(kSelf, ""));
    Post edited = add("edited", 80, kBob, true, mention_of(kSelf, "target"));
    Post without = lists.version_of(edited, 90, true);
    without.mentions.clear();
    lists.add(without);

    const PostText target = lists.of(kSelf, "target", kAll);
    CHECK(lists.mentions(target, kAll) == Ids{"foreign_quiet!", "foreign", "closed", "quiet!", "open"});
    // Who is no follower and is not followed does not write under our posts, as others see them.
    CHECK(lists.mentions(target, kAnonymous) == Ids{"open"});
    for (const char* follower : {"pending", "denied", "blocked", "removed"}) {
        lists.relate(kBob, follower, "");
        CHECK(lists.mentions(target, kAnonymous) == Ids{"open"});
    }
    lists.relate(kBob, "blocked", "requested");
    CHECK(lists.mentions(target, kAnonymous) == Ids{"open"});
    lists.relate(kBob, "approved", "");
    CHECK(lists.mentions(target, kAnonymous) == Ids{"foreign", "open"});
    CHECK(lists.mentions(target, peer_of(kBob)) == Ids{"foreign", "open"});
    // Reads public posts only: no private mentions, no private posts.
    CHECK(lists.mentions(target, app_of({})) == Ids{"foreign", "open"});
    // Reads the type: private mentions by our own posts.
    CHECK(lists.mentions(target, app_of({kStatus})) == Ids{"foreign", "closed", "quiet!", "open"});
    CHECK(lists.mentions(target, app_of({"all"})) == Ids{"foreign", "closed", "quiet!", "open"});

    auto list = lists.store->read([&](ReadTx& tx) { return load_mention_list(tx, lists.owner, target, {}, kAll); });
    Json json = mentions_to_json(list->entries, kSelf);
    CHECK(json[1] == Json({{"post", "foreign"}, {"entity", kBob}, {"type", kStatus + "#"}}));
    CHECK(json[3] == Json({{"post", "quiet"}, {"type", kStatus + "#"}, {"public", false}}));
}

TEST_CASE("lists page by opaque cursors: forwards, back, and to both ends (section 4.4)")
{
    Lists lists;
    lists.add(lists.make("target", 5));
    for (int i = 1; i <= 7; ++i) {
        Post post = lists.make(std::to_string(i), 10 + i / 2);  // some at the same time
        post.mentions = {mention_of("", "target")};
        lists.add(post);
    }
    for (const auto& viewer : {kAll, kAnonymous}) {
        const PostText target = lists.of(kSelf, "target", viewer);
        const Ids all = lists.mentions(target, viewer);
        REQUIRE(all.size() == 7);
        auto page_of = [&](const std::string& link) {
            ListQuery query = *parse_list_query(link.substr(1));
            auto list = lists.store->read(
                [&](ReadTx& tx) { return load_mention_list(tx, lists.owner, target, query, viewer); });
            REQUIRE(list.ok());
            return std::pair(lists.mentions(target, viewer, link.substr(1)), list_links(query, list->ends));
        };
        auto slice = [&](size_t from, size_t to) { return Ids(all.begin() + long(from), all.begin() + long(to)); };
        auto first = page_of("?limit=3");
        CHECK(first.first == slice(0, 3));
        CHECK(first.second.prev.empty());
        CHECK(first.second.first.empty());
        auto second = page_of(first.second.next);
        CHECK(second.first == slice(3, 6));
        auto third = page_of(second.second.next);
        CHECK(third.first == slice(6, 7));
        CHECK(third.second.next.empty());
        CHECK(third.second.last.empty());
        CHECK(page_of(third.second.prev).first == slice(3, 6));
        CHECK(page_of(second.second.prev).first == slice(0, 3));
        CHECK(page_of(third.second.first).first == slice(0, 3));
        CHECK(page_of(first.second.last).first == slice(4, 7));
    }
}

TEST_CASE("versions list: every readable version, newest first, its members and type (section 4.4)")
{
    Lists lists;
    Post first = lists.add(lists.make("p", 10, false));
    Post second = lists.add(lists.version_of(first, 20, true));
    Post third = lists.version_of(second, 30, true);
    third.version.message = "typo";
    third = lists.add(third);
    const PostText post = lists.of(kSelf, "p", kAll);
    CHECK(lists.versions(post, kAll) == Ids{third.version.id, second.version.id, first.version.id});
    CHECK(lists.versions(post, kAnonymous) == Ids{third.version.id, second.version.id});
    CHECK(lists.versions(post, app_of({})) == Ids{third.version.id, second.version.id});
    CHECK(lists.versions(post, app_of({kStatus})).size() == 3);
    CHECK(lists.versions(post, peer_of(kBob)).size() == 2);
    auto list = lists.store->read([&](ReadTx& tx) { return load_version_list(tx, lists.owner, post, {}, kAll); });
    Json json = versions_to_json(list->entries, kSelf, "p", ReceivedAt::Shown);
    CHECK(json[0] == Json({{"id", third.version.id},
                           {"message", "typo"},
                           {"type", kStatus + "#"},
                           {"published_at", 30},
                           {"received_at", 30},
                           {"parents", {{{"version", second.version.id}}}}}));
}

TEST_CASE("children list: versions of any post that name the selected version (section 4.4)")
{
    Lists lists;
    Post first = lists.add(lists.make("p", 10));
    Post second = lists.add(lists.version_of(first, 20, true));
    Post hidden = lists.add(lists.version_of(first, 30, false));
    Post other = lists.make("q", 40);
    other.version.parents = {{first.version.id, "", "", "p"}, {first.version.id, "", "", "p"}};
    other = lists.add(other);
    Post foreign = lists.make("f", 50);
    foreign.entity = kBob;
    foreign.version.parents = {{first.version.id, kSelf, "", "p"}};
    foreign = lists.add(foreign);
    Post namesake = lists.make("n", 60);
    namesake.version.parents = {{first.version.id, "", "", "another"}};
    lists.add(namesake);

    const PostText of_first = lists.of(kSelf, "p", kAll, first.version.id);
    const std::string a = second.version.id, b = hidden.version.id, c = other.version.id, d = foreign.version.id;
    CHECK(lists.children(of_first, kAll) == Ids{d, c, b, a});
    CHECK(lists.children(of_first, app_of({})) == Ids{d, c, a});
    CHECK(lists.children(of_first, kAnonymous) == Ids{c, a});
    CHECK(lists.children(lists.of(kSelf, "p", kAnonymous), kAnonymous).empty());
}

TEST_CASE("refs: the first of each post, in order, once, and readable ones only (section 4.2)")
{
    Lists lists;
    Post old = lists.add(lists.make("a", 10));
    lists.add(lists.version_of(old, 11, true));
    lists.add(lists.make("b", 12));
    lists.add(lists.make("secret", 13, false));
    Post one = lists.make("one", 20);
    one.refs = {{"", "", "b", "", ""}, {kSelf, "", "a", old.version.id, ""}, {"", "", "secret", "", ""}, {kBob, "", "x", "", ""}};
    lists.add(one);
    Post two = lists.make("two", 30);
    two.refs = {{"", "", "a", "", ""}, {"", "", "b", "", ""}};
    lists.add(two);
    auto refs = [&](int max_refs, const Viewer& viewer) {
        auto found = lists.store->read([&](ReadTx& tx) -> Result<std::vector<PostText>> {
            std::vector<PostText> posts = {lists.of(kSelf, "one", viewer), lists.of(kSelf, "two", viewer)};
            return load_refs(tx, lists.owner, posts, max_refs, viewer);
        });
        REQUIRE(found.ok());
        Ids out;
        for (const auto& post : *found)
            out.push_back(post.id + (post.version_id == old.version.id ? "-old" : ""));
        return out;
    };
    CHECK(refs(10, kAll) == Ids{"b", "a-old", "secret", "a"});
    CHECK(refs(10, app_of({})) == Ids{"b", "a-old", "a"});
    CHECK(refs(1, kAll) == Ids{"b", "a"});
    CHECK(refs(0, kAll).empty());
}

TEST_CASE("profiles are read from the newest meta posts in the store (section 4.2)")
{
    Lists lists;
    auto meta = [&](const std::string& entity, int64_t time, const std::string& name) {
        Post post = lists.make("meta-" + std::to_string(time), time);
        post.entity = entity;
        post.type = "https://tent.io/types/meta/v0#";
        post.content = name.empty() ? "{}" : R"({"profile":{"name":")" + name + R"("}})";
        return post;
    };
    Post bob = lists.add(meta(kBob, 10, "Bob"));
    Post newer = lists.version_of(bob, 20, true);
    newer.content = R"({"profile":{"name":"Robert","bio":"b"}})";
    newer.attachments = {{"avatar", "image/png", "a.png", "sha512t256-" + std::string(64, 'a'), 3}};
    lists.add(newer);
    lists.add(meta(kCarol, 10, ""));
    lists.add(lists.make("p", 5));
    auto profiles = lists.store->read([&](ReadTx& tx) -> Result<std::map<std::string, Profile>> {
        auto post = TRY(load_post_text(tx, lists.owner, kBob, "meta-10", "", kAll, Audience::owner()));
        auto entities = TRY(profile_entities({*post}, profiles_of::kEntity));
        entities.push_back(kCarol);
        entities.push_back(kSelf);
        return load_profiles(tx, lists.owner, entities);
    });
    REQUIRE(profiles.ok());
    REQUIRE(profiles->size() == 1);
    const Profile& profile = profiles->at(kBob);
    CHECK(profile.name == "Robert");
    CHECK(profile.bio == "b");
    CHECK(profile.avatar_digest.size() == 75);
}
