// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/tent/writing.h>

#include "api_fixture.h"

using namespace bivouac;

namespace {

const std::string kNote = "https://vendor.example/types/note/v0#";
const std::string kDiary = "https://vendor.example/types/diary/v0#";

struct Library : ApiHome {
    HawkKey all = full_app();

    Post note(bool is_public, std::vector<std::string> entities = {}, const std::string& type = kNote)
    {
        clock.now += 1000;
        Post draft;
        draft.type = type;
        draft.content = R"({"text":"x"})";
        draft.permissions.is_public = is_public;
        draft.permissions.entities = std::move(entities);
        draft.app = {"appid", "Notepad", "https://notepad.example"};
        return publish(draft);
    }
    Post next(const Post& post, bool is_public)
    {
        clock.now += 1000;
        Post draft = post;
        draft.permissions = {};
        draft.permissions.is_public = is_public;
        draft.content = R"({"text":"y"})";
        Parent parent;
        parent.version = post.version.id;
        draft.version = {};
        draft.version.parents = {parent};
        return publish(draft);
    }
    Post foreign(const std::string& id, const std::string& type = kNote)
    {
        clock.now += 1000;
        Post post = remote(bob, id, type);
        post.mentions.clear();
        post.version.id = version_id_of(post);
        write([&](store::WriteTx& tx) { return store::insert_version(tx, self.id, post); });
        return post;
    }
    std::vector<std::string> feed(const HawkKey& key, const std::string& query = "")
    {
        auto response = get(key, "/posts" + query);
        REQUIRE(response.status == 200);
        std::vector<std::string> ids;
        const Json page = json(response);
        for (const auto& post : page["posts"])
            ids.push_back(post["id"]);
        return ids;
    }
    static bool holds(const std::vector<std::string>& ids, const Post& post)
    {
        return std::find(ids.begin(), ids.end(), post.id) != ids.end();
    }
    std::vector<net::Header> accept(const char* type) { return {{"Accept", type}}; }
};

}  // namespace

TEST_CASE("a post comes in an envelope, with its type in the Content-Type (sections 0, 2.1 and 4.1)")
{
    Library home;
    Post post = home.note(true);
    auto response = home.get(home.nobody, home.post_path(post));
    CHECK(response.status == 200);
    CHECK(home.header(response, "Content-Type") ==
          "application/vnd.tent.post.v0+json; type=\"" + kNote + "\"");
    CHECK(home.header(response, "Cache-Control") == "public, must-revalidate");
    CHECK(home.header(response, "Vary") == "Accept");
    CHECK_FALSE(home.header(response, "ETag").empty());
    Json body = home.json(response);
    CHECK(body.size() == 1);
    CHECK(body["post"]["id"] == post.id);
    auto signed_one = home.get(home.all, home.post_path(post));
    CHECK(home.header(signed_one, "Cache-Control") == "private, must-revalidate");
    CHECK_FALSE(home.header(signed_one, "Server-Authorization").empty());
    CHECK(home.header(response, "Server-Authorization").empty());
    auto head = home.ask(home.nobody, "HEAD", home.post_path(post));
    CHECK(head.status == 200);
    CHECK(home.header(head, "Content-Type") == home.header(response, "Content-Type"));
}

TEST_CASE("who sees which members (section 2.3)")
{
    Library home;
    const HawkKey bob = home.peer(home.bob);
    Post draft;
    draft.type = kNote;
    draft.permissions.is_public = false;
    draft.permissions.entities = {home.bob, home.carol};
    draft.app = {"appid", "Notepad", "https://notepad.example"};
    for (const auto& [entity, is_public] :
         {std::pair(home.bob, false), std::pair(home.carol, false), std::pair(home.self.entity, true)}) {
        Mention mention;
        mention.entity = entity;
        mention.is_public = is_public;
        draft.mentions.push_back(mention);
    }
    Post post = home.publish(draft);
    Json full = home.json(home.get(home.all, home.post_path(post)))["post"];
    CHECK(full["received_at"] == post.received_at);
    CHECK(full["version"]["received_at"] == post.version.received_at);
    CHECK(full["app"]["id"] == "appid");
    CHECK(full["permissions"]["entities"].size() == 2);
    CHECK(full["mentions"].size() == 3);
    Json theirs = home.json(home.get(bob, home.post_path(post)))["post"];
    CHECK_FALSE(theirs.contains("received_at"));
    CHECK_FALSE(theirs["version"].contains("received_at"));
    CHECK_FALSE(theirs["app"].contains("id"));
    CHECK(theirs["app"]["name"] == "Notepad");
    CHECK(theirs["permissions"] == Json({{"public", false}}));
    CHECK(theirs["mentions"].size() == 2);
    CHECK(home.get(home.nobody, home.post_path(post)).status == 404);
    // A public post has no permissions at all.
    Json open = home.json(home.get(home.nobody, home.post_path(home.note(true))))["post"];
    CHECK_FALSE(open.contains("permissions"));
    CHECK_FALSE(open.contains("received_at"));
    CHECK_FALSE(open["app"].contains("id"));
}

TEST_CASE("absent, deleted and forbidden look the same to whoever may not read (sections 4.4 and 8.3)")
{
    Library home;
    const HawkKey bob = home.peer(home.bob);
    const HawkKey narrow = home.app({kDiary});
    Post secret = home.note(false);
    Post for_carol = home.note(false, {home.carol});
    Post gone = home.note(true);
    home.write([&](store::WriteTx& tx) { return tent::delete_own(tx, home.self, gone.id, ""); });
    const std::string never = home.post_path(home.self.entity, "neverwas");
    for (const HawkKey* key : std::initializer_list<const HawkKey*>{&home.nobody, &bob, &narrow}) {
        auto absent = home.get(*key, never);
        REQUIRE(absent.status == 404);
        for (const Post* post : {&secret, &for_carol, &gone})
            for (const char* accept : {"*/*", mime::kMentions, mime::kVersions, mime::kChildren}) {
                auto response = home.get(*key, home.post_path(*post), home.accept(accept));
                CHECK(response.status == 404);
                CHECK(response.body == absent.body);
                CHECK(response.headers.size() == absent.headers.size());
            }
    }
}

TEST_CASE("posts of others are for full apps, even public ones that are here (section 4.4)")
{
    Library home;
    const HawkKey bob = home.peer(home.bob);
    Post post = home.foreign("theirs");
    CHECK(home.get(home.all, home.post_path(post)).status == 200);
    CHECK(home.get(bob, home.post_path(post)).status == 404);
    CHECK(home.get(home.nobody, home.post_path(post)).status == 404);
    CHECK_FALSE(home.holds(home.feed(home.nobody), post));
    CHECK(home.feed(home.nobody, "?entities=" + percent_encode(home.bob)).empty());
    CHECK(home.holds(home.feed(home.all, "?entities=" + percent_encode(home.bob)), post));
}

TEST_CASE("who may read what (section 8.3), with a relationship's key too (section 7.3)")
{
    Library home;
    const HawkKey bob = home.peer(home.bob);
    const HawkKey carol = home.peer(home.carol);
    const HawkKey notes = home.app({kNote});
    const HawkKey writes_notes = home.app({}, {kNote});
    const HawkKey none = home.app({});
    Post open = home.note(true);
    Post secret = home.note(false);
    Post for_bob = home.note(false, {home.bob});
    Post diary = home.note(false, {}, kDiary);
    struct Case {
        const HawkKey* key;
        const Post* post;
        bool readable;
    };
    for (const Case& c : {Case{&home.nobody, &open, true}, {&home.nobody, &secret, false}, {&bob, &open, true},
                          {&bob, &for_bob, true}, {&bob, &secret, false}, {&carol, &for_bob, false},
                          {&notes, &secret, true}, {&notes, &diary, false}, {&notes, &open, true},
                          {&writes_notes, &secret, true}, {&none, &secret, false}, {&none, &open, true},
                          {&home.all, &diary, true}}) {
        CHECK(home.get(*c.key, home.post_path(*c.post)).status == (c.readable ? 200 : 404));
        CHECK(home.holds(home.feed(*c.key), *c.post) == c.readable);
    }
    // Mentioned is not permitted.
    Post draft;
    draft.type = kNote;
    draft.permissions.is_public = false;
    Mention mention;
    mention.entity = home.carol;
    draft.mentions = {mention};
    CHECK(home.get(carol, home.post_path(home.publish(draft))).status == 404);
}

TEST_CASE("a reader is given the newest version that she may see, and no other by its id (sections 2.6 and 4.4)")
{
    Library home;
    Post first = home.note(true);
    Post second = home.next(first, false);
    Json seen = home.json(home.get(home.nobody, home.post_path(first)));
    CHECK(seen["post"]["version"]["id"] == first.version.id);
    CHECK(home.json(home.get(home.all, home.post_path(first)))["post"]["version"]["id"] == second.version.id);
    CHECK(home.get(home.nobody, home.post_path(first) + "?version=" + second.version.id).status == 404);
    for (const std::string& name : {first.version.id, first.version.id.substr(11), std::string("latest")})
        CHECK(home.get(home.nobody, home.post_path(first) + "?version=" + name).status == 200);
    auto versions = home.get(home.nobody, home.post_path(first), home.accept(mime::kVersions));
    CHECK(home.json(versions)["versions"].size() == 1);
    CHECK(home.header(home.ask(home.nobody, "HEAD", home.post_path(first), home.accept(mime::kVersions)), "Count") == "1");
    CHECK(home.header(home.ask(home.all, "HEAD", home.post_path(first), home.accept(mime::kVersions)), "Count") == "2");
}

TEST_CASE("the lists of a post by Accept, in one list with others, with their own types and counts (section 4.4)")
{
    Library home;
    Post post = home.note(true);
    Post changed = home.next(post, true);
    Post reply;
    reply.type = kNote;
    Mention mention;
    mention.post = post.id;
    mention.type = post.type;
    reply.mentions = {mention};
    home.clock.now += 1000;
    reply = home.publish(reply);
    Post hidden = reply;
    hidden.id.clear();
    hidden.version = {};
    hidden.mentions[0].is_public = false;
    home.clock.now += 1000;
    hidden = home.publish(hidden);

    auto mentions = home.get(home.all, home.post_path(post), home.accept("text/html, application/vnd.tent.post-mentions.v0+json;q=0.1"));
    CHECK(mentions.status == 200);
    CHECK(home.header(mentions, "Content-Type") == mime::kMentions);
    Json list = home.json(mentions);
    REQUIRE(list["mentions"].size() == 2);
    CHECK(list["mentions"][0] == Json({{"post", hidden.id}, {"type", kNote}, {"public", false}}));
    CHECK(list["mentions"][1] == Json({{"post", reply.id}, {"type", kNote}}));
    CHECK(list["pages"] == Json::object());
    auto visitor = home.json(home.get(home.nobody, home.post_path(post), home.accept(mime::kMentions)));
    CHECK(visitor["mentions"].size() == 1);
    CHECK(home.header(home.ask(home.nobody, "HEAD", home.post_path(post), home.accept(mime::kMentions)), "Count") == "1");

    auto versions = home.get(home.all, home.post_path(post) + "?limit=1", home.accept(mime::kVersions));
    CHECK(home.header(versions, "Content-Type") == mime::kVersions);
    list = home.json(versions);
    REQUIRE(list["versions"].size() == 1);
    CHECK(list["versions"][0]["id"] == changed.version.id);
    CHECK(list["versions"][0]["type"] == kNote);
    CHECK(list["versions"][0].contains("received_at"));
    CHECK_FALSE(list["versions"][0]["parents"][0].contains("post"));
    const std::string next = list["pages"]["next"];
    REQUIRE(next.starts_with("?"));
    auto older = home.json(home.get(home.all, home.post_path(post) + next, home.accept(mime::kVersions)));
    CHECK(older["versions"][0]["id"] == post.version.id);
    CHECK_FALSE(older["pages"].contains("next"));

    auto children = home.get(home.nobody, home.post_path(post) + "?version=" + post.version.id, home.accept(mime::kChildren));
    CHECK(home.header(children, "Content-Type") == mime::kChildren);
    CHECK(home.json(children)["versions"][0]["id"] == changed.version.id);
    CHECK_FALSE(home.json(children)["versions"][0].contains("received_at"));
    for (const char* bad : {"?limit=0", "?limit=x", "?page=garbage"})
        CHECK(home.get(home.all, home.post_path(post) + bad, home.accept(mime::kVersions)).status == 400);
}

TEST_CASE("feeds: types, limits, cursors, counts and links that walk it (section 4.2)")
{
    Library home;
    std::vector<std::string> ids;
    for (int i = 0; i < 9; ++i)
        ids.push_back(home.note(true).id);
    home.note(true, {}, kDiary);
    const std::string types = "types=" + percent_encode(kNote);
    auto head = home.ask(home.nobody, "HEAD", "/posts?limit=2&" + types);
    CHECK(head.status == 200);
    CHECK(home.header(head, "Count") == "9");
    CHECK(home.header(head, "Content-Type") == mime::kFeed);
    for (const HawkKey* key : std::initializer_list<const HawkKey*>{&home.nobody, &home.all}) {
        std::vector<std::string> walked;
        std::string query = "?limit=4&" + types;
        for (int pages = 0; pages < 10 && !query.empty(); ++pages) {
            Json page = home.json(home.get(*key, "/posts" + query));
            for (const auto& post : page["posts"])
                walked.push_back(post["id"]);
            query = page["pages"].value("next", "");
        }
        std::reverse(walked.begin(), walked.end());
        CHECK(walked == ids);
    }
    for (const char* bad : {"?since=1&until=2", "?limit=0", "?limit=many", "?since=yesterday", "?sort_by=size",
                            "?types=nothing", "?profiles=everything", "?entities=x"})
        CHECK_MESSAGE(home.get(home.all, std::string("/posts") + bad).status == 400, bad);
    CHECK(home.get(home.all, "/posts?sortBy=published_at&unknown=1").status == 200);
}

TEST_CASE("refs and profiles are for apps that ask (section 4.2)")
{
    Library home;
    Post target = home.note(true);
    Post draft;
    draft.type = kNote;
    Ref ref;
    ref.post = target.id;
    draft.refs = {ref, ref};
    home.clock.now += 1000;
    Post post = home.publish(draft);
    for (const std::string& path : {home.post_path(post) + "?", "/posts?types=" + percent_encode(kNote) + "&"}) {
        Json asked = home.json(home.get(home.all, path + "max_refs=10&profiles=entity"));
        REQUIRE(asked.contains("refs"));
        REQUIRE(asked["refs"].size() == 1);
        CHECK(asked["refs"][0]["id"] == target.id);
        CHECK(asked["profiles"].is_object());
        Json plain = home.json(home.get(home.all, path));
        CHECK_FALSE(plain.contains("refs"));
        CHECK_FALSE(plain.contains("profiles"));
        Json visitor = home.json(home.get(home.nobody, path + "max_refs=10&profiles=entity"));
        CHECK_FALSE(visitor.contains("refs"));
        CHECK_FALSE(visitor.contains("profiles"));
    }
    Json none = home.json(home.get(home.all, home.post_path(target) + "?max_refs=1&profiles=permissions"));
    CHECK(none["refs"] == Json::array());
    CHECK(none["profiles"] == Json::object());
}

TEST_CASE("what needs no authentication, and what does (section 5.9)")
{
    Library home;
    Post post = home.note(true);
    for (const std::string& path : {std::string("/"), home.post_path(home.self.entity, kMetaPostId), home.post_path(post),
                                    std::string("/posts"), std::string("/server")})
        CHECK_MESSAGE(home.get(home.nobody, path).status == 200, path);
    CHECK(home.ask(home.nobody, "OPTIONS", "/posts").status == 200);
    CHECK(home.ask(home.nobody, "DELETE", home.post_path(post)).status == 401);
    CHECK(home.get(home.nobody, "/discover?entity=" + percent_encode(home.bob)).status == 403);
    for (const char* unknown : {"/nothing", "/post", "/posts/", "/posts/x", "/attachments/x", "/batch", "/oauth/token"})
        CHECK_MESSAGE(home.get(home.nobody, unknown).status == 404, unknown);
    for (const char* method : {"PATCH", "POST", "PUT", "DELETE", "BREW"})
        CHECK(home.ask(home.nobody, method, "/").status == 404);
}

TEST_CASE("credentials show in a feed to whoever names their type, not to 'all' (section 5.8)")
{
    Library home;
    const HawkKey named = home.app({type::kCredentialsBase});
    const std::string query = "?types=" + percent_encode(type::kCredentialsBase);
    CHECK(home.feed(home.all, query).empty());
    CHECK_FALSE(home.feed(named, query).empty());
}
