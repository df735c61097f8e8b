// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/store/attachments.h>
#include <bivouac/store/credentials.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/writing.h>

#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

Principal app_with(std::vector<std::string> read, std::vector<std::string> write,
                   std::vector<std::string> scopes = {"permissions", "import"})
{
    Principal who;
    who.kind = Principal::Kind::App;
    who.read_types = std::move(read);
    who.write_types = std::move(write);
    who.scopes = std::move(scopes);
    who.app_post = "app1";
    who.app_name = "Notepad";
    who.app_url = "http://app.example";
    return who;
}

const std::string kNote = "https://vendor.example/types/note/v0#";

struct Desk : Home {
    Principal app = app_with({}, {"all"});

    Result<Written> create(Post draft) { return create(app, std::move(draft)); }
    Result<Written> create(const Principal& who, Post draft)
    {
        return store->write([&](store::WriteTx& tx) { return create_post(tx, self, who, draft); });
    }
    Result<Written> change(const Principal& who, const std::string& id, Post draft)
    {
        return store->write([&](store::WriteTx& tx) { return create_version(tx, self, who, id, draft); });
    }
    Result<Post> import(Post post) { return import(app, std::move(post)); }
    Result<Post> import(const Principal& who, Post post)
    {
        return store->write([&](store::WriteTx& tx) { return import_post(tx, self, who, post); });
    }
    Result<std::optional<Post>> remove(const std::string& entity, const std::string& id,
                                       const std::string& version = "", DeletePost wish = DeletePost::Make)
    {
        return store->write([&](store::WriteTx& tx) { return delete_as(tx, self, app, entity, id, version, wish); });
    }
    std::optional<Post> stored(const std::string& entity, const std::string& id, const std::string& version = "")
    {
        auto post = store->read([&](store::ReadTx& tx) -> Result<std::optional<Post>> {
            return store::load_version(tx, TRY(store::find_version(tx, self.id, entity, id, version)));
        });
        REQUIRE(post.ok());
        return *post;
    }
    Post note(const std::string& text = "x")
    {
        Post draft;
        draft.type = kNote;
        draft.content = Json({{"text", text}}).dump();
        return draft;
    }
    Post after(const Post& parent, Post draft)
    {
        Parent p;
        p.version = parent.version.id;
        draft.version.parents = {p};
        return draft;
    }
    bool member_of(const std::string& group, const std::string& entity)
    {
        Post post = status(false, {group});
        auto permitted = store->read([&](store::ReadTx& tx) { return is_permitted(tx, self, post, entity); });
        REQUIRE(permitted.ok());
        return *permitted;
    }
};

Mention mention_of(const std::string& entity, const std::string& post = "", const std::string& type = "")
{
    Mention m;
    m.entity = entity;
    m.post = post;
    m.type = type;
    return m;
}

}  // namespace

TEST_CASE("new_post: members that only import may set are ignored, times that apps may set are kept (section 4.3)")
{
    Desk desk;
    Post draft = desk.note();
    draft.id = "chosen";
    draft.entity = desk.bob;
    draft.original_entity = desk.carol;
    draft.received_at = 5;
    draft.version.id = "sha512t256-" + std::string(64, 'a');
    draft.version.received_at = 6;
    draft.published_at = 1'600'000'000'000;
    draft.version.published_at = 1'600'000'000'001;
    draft.app = {"other", "Other", "http://other.example"};
    auto made = desk.create(draft);
    REQUIRE(made.ok());
    const Post& post = made->post;
    CHECK(post.id != "chosen");
    CHECK(post.entity == desk.self.entity);
    CHECK(post.original_entity.empty());
    CHECK(post.received_at == desk.clock.now);
    CHECK(post.version.received_at == desk.clock.now);
    CHECK(post.published_at == 1'600'000'000'000);
    CHECK(post.version.published_at == 1'600'000'000'001);
    CHECK(post.app.name == "Notepad");
    CHECK(post.version.id == version_id_of(post));
    CHECK(desk.stored(desk.self.entity, post.id)->version.id == post.version.id);
}

TEST_CASE("new_post: types that servers make are refused, a second meta post too (section 4.3)")
{
    Desk desk;
    Post draft = desk.note();
    draft.content = R"({"hawk_key":"k","hawk_algorithm":"sha256"})";
    draft.type = type::kCredentialsForApp;
    CHECK(desk.create(draft).error().kind == ErrorKind::Forbidden);
    draft.content = "";
    draft.type = type::kRelationship;
    CHECK(desk.create(draft).error().kind == ErrorKind::Forbidden);
    draft.type = std::string(type::kDeliveryFailureBase) + "#";
    draft.content = Json({{"entity", desk.bob}, {"status", "temporary"}}).dump();
    CHECK(desk.create(draft).error().kind == ErrorKind::Forbidden);
    auto meta = desk.stored(desk.self.entity, kMetaPostId);
    draft.type = type::kMeta;
    draft.content = meta->content;
    CHECK(desk.create(draft).error().kind == ErrorKind::Invalid);
}

TEST_CASE("new_post: who may write (sections 4.3 and 6.6)")
{
    Desk desk;
    CHECK(desk.create(Principal{}, desk.note()).error().kind == ErrorKind::Unauthorized);
    CHECK(desk.create(app_with({"all"}, {}), desk.note()).error().kind == ErrorKind::Forbidden);
    CHECK(desk.create(app_with({}, {type::kStatusBase}), desk.note()).error().kind == ErrorKind::Forbidden);
    CHECK(desk.create(app_with({}, {kNote}), desk.note()).ok());
    Principal peer;
    peer.kind = Principal::Kind::Peer;
    peer.entity = desk.bob;
    CHECK(desk.create(peer, desk.note()).error().kind == ErrorKind::Forbidden);
}

TEST_CASE("new_post: content of known types is checked against its schema, the error says how to mend it (section 10)")
{
    Desk desk;
    Post draft = desk.note();
    draft.type = type::kStatus;
    draft.content = R"({"text":"x","extra":1})";
    auto refused = desk.create(draft);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().kind == ErrorKind::Invalid);
    CHECK(Json::parse(refused.error().diff) == Json::array({{{"op", "remove"}, {"path", "/content/extra"}}}));
}

TEST_CASE("without the scope permissions an app says public or private, and names nobody (section 6.6)")
{
    Desk desk;
    Post draft = desk.note();
    draft.permissions.is_public = false;
    draft.permissions.entities = {desk.bob};
    auto made = desk.create(app_with({}, {"all"}, {}), draft);
    REQUIRE(made.ok());
    CHECK_FALSE(made->post.permissions.is_public);
    CHECK(made->post.permissions.entities.empty());
    auto open = desk.create(app_with({}, {"all"}, {}), desk.note());
    REQUIRE(open.ok());
    CHECK(open->post.permissions.is_public);
}

TEST_CASE("new_post: parents of a first version name their posts (section 2.6)")
{
    Desk desk;
    auto other = desk.create(desk.note());
    REQUIRE(other.ok());
    Post draft = desk.after(other->post, desk.note());
    CHECK(desk.create(draft).error().detail == "/version/parents/0/post is required");
    draft.version.parents[0].post = other->post.id;
    auto made = desk.create(draft);
    REQUIRE(made.ok());
    CHECK(made->post.version.parents[0].post == other->post.id);
}

TEST_CASE("new versions: parents are needed, one of them of this post; the post keeps its times (sections 2.5 and 4.5.1)")
{
    Desk desk;
    auto first = desk.create(desk.note("one"));
    auto other = desk.create(desk.note("other"));
    REQUIRE(first.ok());
    REQUIRE(other.ok());
    const std::string id = first->post.id;
    CHECK(desk.change(desk.app, id, desk.note("two")).error().detail == "Parent version not specified");
    Post foreign = desk.after(other->post, desk.note("two"));
    foreign.version.parents[0].post = other->post.id;
    CHECK(desk.change(desk.app, id, foreign).error().kind == ErrorKind::Invalid);
    Post unknown = desk.after(other->post, desk.note("two"));
    CHECK(desk.change(desk.app, id, unknown).error().kind == ErrorKind::Invalid);

    desk.clock.now += 1000;
    Post draft = desk.after(first->post, desk.note("two"));
    draft.version.parents[0].post = id;
    draft.version.message = "better";
    auto second = desk.change(desk.app, id, draft);
    REQUIRE(second.ok());
    CHECK(second->post.id == id);
    CHECK(second->post.published_at == first->post.published_at);
    CHECK(second->post.received_at == first->post.received_at);
    CHECK(second->post.version.received_at > first->post.version.received_at);
    CHECK(second->post.version.message == "better");
    CHECK(second->post.version.parents[0].post.empty());  // redundant
    CHECK(desk.stored(desk.self.entity, id)->version.id == second->post.version.id);

    // Branches are legal, and a version may have parents of other posts besides its own.
    Post merge = desk.after(first->post, desk.note("three"));
    Parent more;
    more.version = other->post.version.id;
    more.post = other->post.id;
    merge.version.parents.push_back(more);
    auto third = desk.change(desk.app, id, merge);
    REQUIRE(third.ok());
    CHECK(third->post.version.parents.size() == 2);
    CHECK(desk.stored(desk.self.entity, id, first->post.version.id).has_value());
}

TEST_CASE("two versions within one millisecond keep their order (section 2.6)")
{
    Desk desk;
    auto post = desk.create(desk.note("0"));
    REQUIRE(post.ok());
    Post latest = post->post;
    for (int i = 1; i <= 20; ++i) {
        auto next = desk.change(desk.app, latest.id, desk.after(latest, desk.note(std::to_string(i))));
        REQUIRE(next.ok());
        latest = next->post;
        CHECK(desk.stored(desk.self.entity, latest.id)->version.id == latest.version.id);
    }
}

TEST_CASE("new versions: unknown posts, unreadable posts, other types, other ids (section 4.5.1)")
{
    Desk desk;
    Post secret = desk.note();
    secret.permissions.is_public = false;
    auto made = desk.create(secret);
    REQUIRE(made.ok());
    const std::string id = made->post.id;
    CHECK(desk.change(desk.app, "nothing", desk.after(made->post, desk.note())).error().kind == ErrorKind::NotFound);
    Post draft = desk.after(made->post, desk.note());
    draft.type = type::kStatus;
    draft.content = R"({"text":"x"})";
    // One that may write statuses learns nothing of a private note.
    CHECK(desk.change(app_with({}, {type::kStatusBase}), id, draft).error().kind == ErrorKind::NotFound);
    CHECK(desk.change(desk.app, id, draft).error().kind == ErrorKind::Invalid);
    CHECK(desk.change(app_with({"all"}, {}), id, desk.after(made->post, desk.note())).error().kind ==
          ErrorKind::Forbidden);
    CHECK(desk.change(Principal{}, id, desk.after(made->post, desk.note())).error().kind == ErrorKind::Unauthorized);
    Post other_id = desk.after(made->post, desk.note());
    other_id.id = "different";
    CHECK(desk.change(desk.app, id, other_id).error().kind == ErrorKind::Invalid);
    // The fragment may change; permissions are not inherited.
    Post fragment = desk.after(made->post, desk.note());
    fragment.type = kNote + "edited";
    fragment.id = id;
    auto changed = desk.change(desk.app, id, fragment);
    REQUIRE(changed.ok());
    CHECK(changed->post.permissions.is_public);
}

TEST_CASE("the meta post: apps change the profile, not where the node is, and it stays public (sections 1.3 and 4.3)")
{
    Desk desk;
    auto meta = desk.stored(desk.self.entity, kMetaPostId);
    REQUIRE(meta);
    Post draft = desk.after(*meta, *meta);
    Json content = Json::parse(meta->content);
    content["profile"]["name"] = "Alice";
    draft.content = content.dump();
    draft.permissions.is_public = false;
    auto changed = desk.change(desk.app, kMetaPostId, draft);
    REQUIRE(changed.ok());
    CHECK(changed->post.permissions.is_public);
    CHECK(Json::parse(changed->post.content)["profile"]["name"] == "Alice");

    for (const char* member : {"entity", "servers"}) {
        Json moved = content;
        if (std::string(member) == "entity")
            moved["entity"] = desk.bob;
        else
            moved["servers"][0]["urls"]["post"] = desk.bob + "/posts/{entity}/{post}";
        Post bad = desk.after(changed->post, draft);
        bad.content = moved.dump();
        CHECK(desk.change(desk.app, kMetaPostId, bad).error().kind == ErrorKind::Invalid);
    }
    CHECK(desk.remove(desk.self.entity, kMetaPostId).error().kind == ErrorKind::Forbidden);
}

TEST_CASE("groups: member posts decide who reads, unknown groups are refused (section 8.2)")
{
    Desk desk;
    Post group;
    group.type = type::kGroup;
    group.content = R"({"name":"friends"})";
    group.permissions.is_public = false;
    auto made = desk.create(group);
    REQUIRE(made.ok());
    const std::string id = made->post.id;
    Post draft = desk.note();
    draft.permissions.is_public = false;
    draft.permissions.groups = {"nogroup"};
    CHECK(desk.create(draft).error().kind == ErrorKind::Invalid);
    draft.permissions.groups = {id};
    REQUIRE(desk.create(draft).ok());

    Post member;
    member.type = type::kGroupMember;
    member.content = Json({{"entity", desk.bob}}).dump();
    member.permissions.is_public = false;
    CHECK(desk.create(member).error().kind == ErrorKind::Invalid);  // mentions no group
    member.mentions = {mention_of("", id, type::kGroup)};
    auto bob = desk.create(member);
    REQUIRE(bob.ok());
    CHECK(desk.member_of(id, desk.bob));
    CHECK_FALSE(desk.member_of(id, desk.carol));

    // A new version names somebody else: the first one is out.
    Post changed = desk.after(bob->post, member);
    changed.content = Json({{"entity", desk.carol}}).dump();
    REQUIRE(desk.change(desk.app, bob->post.id, changed).ok());
    CHECK_FALSE(desk.member_of(id, desk.bob));
    CHECK(desk.member_of(id, desk.carol));
    REQUIRE(desk.remove(desk.self.entity, bob->post.id).ok());
    CHECK_FALSE(desk.member_of(id, desk.carol));
}

TEST_CASE("a group's post is delivered to its members who follow, and to nobody else (sections 7.5 and 8.2)")
{
    Desk desk;
    for (const auto& peer : {desk.bob, desk.carol}) {
        desk.know(peer);
        REQUIRE(desk.deliver(desk.subscription(peer)).ok());
        desk.write([&](store::WriteTx& tx) { return approve(tx, desk.self, peer); });
    }
    Post group;
    group.type = type::kGroup;
    group.content = R"({"name":"inner"})";
    group.permissions.is_public = false;
    const std::string id = desk.create(group)->post.id;
    Post member;
    member.type = type::kGroupMember;
    member.content = Json({{"entity", desk.bob}}).dump();
    member.permissions.is_public = false;
    member.mentions = {mention_of("", id, type::kGroup)};
    REQUIRE(desk.create(member).ok());
    const size_t before = desk.waiting(desk.carol).size();
    Post draft = desk.note();
    draft.permissions.is_public = false;
    draft.permissions.groups = {id};
    REQUIRE(desk.create(draft).ok());
    CHECK(desk.waiting(desk.bob).back() == kNote);
    CHECK(desk.waiting(desk.carol).size() == before);
}

TEST_CASE("subscriptions by apps: they follow, once for each type, and deleting the post unfollows (section 7.4)")
{
    Desk desk;
    Post draft;
    draft.type = std::string(type::kSubscriptionBase) + "#" + type::kStatusBase;
    draft.content = Json({{"type", type::kStatusBase}}).dump();
    CHECK(desk.create(draft).error().detail == "Subscription must mention an entity!");
    draft.mentions = {mention_of(desk.bob)};
    draft.permissions.entities = {desk.bob};
    auto status_sub = desk.create(draft);
    REQUIRE(status_sub.ok());
    CHECK(desk.relationship(desk.bob).following == "connecting");
    CHECK(desk.waiting(desk.bob) == std::vector<std::string>{draft.type});
    auto again = desk.create(draft);
    REQUIRE(again.ok());
    CHECK(again->post.id == status_sub->post.id);
    CHECK(desk.waiting(desk.bob).size() == 1);

    const std::string repost = "https://tent.io/types/repost/v0";
    Post second = draft;
    second.type = std::string(type::kSubscriptionBase) + "#" + repost;
    second.content = Json({{"type", repost}}).dump();
    auto repost_sub = desk.create(second);
    REQUIRE(repost_sub.ok());

    // Deleted without a delete post: the other side, who has it, is told all the same.
    desk.write([&](store::WriteTx& tx) -> Result<void> {
        auto first = TRY(store::next_delivery(tx, desk.self.id, desk.bob));
        return store::end_delivery(tx, first->id, "delivered", "");
    });
    auto deleted = desk.remove(desk.self.entity, status_sub->post.id, "", DeletePost::Omit);
    REQUIRE(deleted.ok());
    CHECK(desk.waiting(desk.bob).back() == type::kDelete);
    CHECK(desk.relationship(desk.bob).following == "connecting");
    REQUIRE(desk.remove(desk.self.entity, repost_sub->post.id).ok());
    CHECK(desk.relationship(desk.bob).following.empty());
}

TEST_CASE("readers named in the permissions get a relationship, not a delivery (section 7.5)")
{
    Desk desk;
    Post draft = desk.note();
    draft.permissions.is_public = false;
    draft.permissions.entities = {desk.bob, desk.self.entity, "https://clear.example"};
    REQUIRE(desk.create(draft).ok());
    CHECK(desk.waiting(desk.bob) == std::vector<std::string>{type::kSubscriptionMeta});
    REQUIRE(desk.create(draft).ok());
    CHECK(desk.waiting(desk.bob).size() == 1);
    CHECK(desk.waiting("https://clear.example").empty());
}

TEST_CASE("deleting: a delete post by default, none on demand, single versions, copies of others (section 4.7)")
{
    Desk desk;
    auto first = desk.create(desk.note("one"));
    REQUIRE(first.ok());
    const std::string id = first->post.id;
    auto second = desk.change(desk.app, id, desk.after(first->post, desk.note("two")));
    REQUIRE(second.ok());
    auto one = desk.remove(desk.self.entity, id, second->post.version.id);
    REQUIRE(one.ok());
    REQUIRE(one->has_value());
    CHECK((**one).type == type::kDelete);
    REQUIRE((**one).refs.size() == 1);
    CHECK((**one).refs[0].post == id);
    CHECK((**one).refs[0].version == second->post.version.id);
    CHECK(desk.stored(desk.self.entity, id)->version.id == first->post.version.id);
    auto all = desk.remove(desk.self.entity, id);
    REQUIRE(all->has_value());
    CHECK((**all).refs[0].version.empty());
    CHECK_FALSE(desk.stored(desk.self.entity, id));
    CHECK(desk.remove(desk.self.entity, id).error().kind == ErrorKind::NotFound);

    auto quiet = desk.create(desk.note());
    auto none = desk.remove(desk.self.entity, quiet->post.id, "", DeletePost::Omit);
    REQUIRE(none.ok());
    CHECK_FALSE(none->has_value());

    Post copy = desk.remote(desk.bob, "copy", kNote);
    desk.write([&](store::WriteTx& tx) { return store::insert_version(tx, desk.self.id, copy); });
    auto gone = desk.remove(desk.bob, "copy");
    REQUIRE(gone.ok());
    CHECK_FALSE(gone->has_value());
    CHECK_FALSE(desk.stored(desk.bob, "copy"));
}

TEST_CASE("a delete post that an app makes deletes nothing (section 4.3)")
{
    Desk desk;
    auto post = desk.create(desk.note());
    Post draft;
    draft.type = type::kDelete;
    Ref ref;
    ref.post = post->post.id;
    draft.refs = {ref};
    REQUIRE(desk.create(draft).ok());
    CHECK(desk.stored(desk.self.entity, post->post.id));
}

TEST_CASE("deleting a relationship post ends the relationship and its keys (section 4.7)")
{
    Desk desk;
    desk.know(desk.bob);
    const auto before = desk.relationship(desk.bob);
    REQUIRE(before.state == "active");
    REQUIRE(desk.remove(desk.self.entity, before.our_post).ok());
    const auto after = desk.relationship(desk.bob);
    CHECK(after.state == "none");
    CHECK(after.their_hawk_key.empty());
    auto keys = desk.store->read(
        [&](store::ReadTx& tx) { return store::find_credentials(tx, desk.self.id, before.our_hawk_id); });
    REQUIRE(keys.ok());
    CHECK_FALSE(keys->has_value());
    CHECK(desk.waiting(desk.bob).empty());
}

TEST_CASE("import: complete posts of anybody, verified, delivered to nobody, twice is once (section 4.5.2)")
{
    Desk desk;
    Post post = desk.remote(desk.bob, "theirs", kNote);
    post.original_entity = desk.carol;
    post.app = {"appid", "Old", "http://old.example"};
    post.received_at = 1'500'000'000'000;
    post.version.received_at = 1'500'000'000'001;
    post.version.id = version_id_of(post);
    auto imported = desk.import(post);
    REQUIRE(imported.ok());
    auto stored = desk.stored(desk.bob, "theirs");
    REQUIRE(stored);
    CHECK(stored->received_at == 1'500'000'000'000);
    CHECK(stored->version.received_at == 1'500'000'000'001);
    CHECK(stored->app.id == "appid");
    CHECK(stored->original_entity == desk.carol);
    CHECK(stored->version.id == post.version.id);
    REQUIRE(desk.import(post).ok());

    Post wrong = post;
    wrong.id = "wrong";
    CHECK(desk.import(wrong).error().kind == ErrorKind::Invalid);
    wrong.version.id.clear();
    auto computed = desk.import(wrong);
    REQUIRE(computed.ok());
    CHECK(computed->version.id == version_id_of(wrong));

    Post own = desk.remote(desk.self.entity, "mine", kNote);
    own.mentions = {mention_of(desk.bob)};
    own.version.id = version_id_of(own);
    REQUIRE(desk.import(own).ok());
    CHECK(desk.waiting(desk.bob).empty());

    CHECK(desk.import(app_with({}, {"all"}, {"permissions"}), own).error().kind == ErrorKind::Forbidden);
    CHECK(desk.import(app_with({}, {type::kStatusBase}), own).error().kind == ErrorKind::Forbidden);
    CHECK(desk.import(Principal{}, own).error().kind == ErrorKind::Unauthorized);
}

TEST_CASE("import: version ids in the old form, without prefix, verify (section 3.1)")
{
    Desk desk;
    Post post = desk.remote(desk.bob, "old", kNote);
    post.version.id = version_id_of(post).substr(std::string(kDigestPrefix).size());
    auto imported = desk.import(post);
    REQUIRE(imported.ok());
    CHECK(imported->version.id == post.version.id);
    // Named with prefix or without, it is found.
    CHECK(desk.stored(desk.bob, "old", post.version.id));
    CHECK(desk.stored(desk.bob, "old", kDigestPrefix + post.version.id));
}

TEST_CASE("import: an app, its grant and keys work as they did elsewhere (sections 4.5.2 and 13)")
{
    Desk desk;
    auto own = [&](const std::string& id, const std::string& type, const Json& content, std::vector<Mention> mentions) {
        Post post = desk.remote(desk.self.entity, id, type);
        post.content = content.dump();
        post.mentions = std::move(mentions);
        post.permissions.is_public = false;
        post.version.id = version_id_of(post);
        auto imported = desk.import(post);
        if (!imported.ok())
            FAIL(imported.error().detail);
    };
    const Json types = {{"read", {type::kStatusBase}}, {"write", {kNote}}};
    own("app", type::kApp,
        {{"name", "Old"}, {"url", "http://old.example"}, {"redirect_uri", "http://old.example/x"}, {"types", types}}, {});
    const Json key = {{"hawk_key", "k1"}, {"hawk_algorithm", "sha256"}};
    own("appkey", type::kCredentialsForApp, key, {mention_of("", "app", type::kApp)});
    own("auth", type::kAppAuth, {{"types", types}, {"scopes", {"permissions"}}}, {mention_of("", "app", type::kApp)});
    own("authkey", type::kCredentialsForAppAuth, key, {mention_of("", "auth", type::kAppAuth)});
    desk.store->read([&](store::ReadTx& tx) -> Result<void> {
        auto app = *store::find_credentials(tx, desk.self.id, "appkey");
        REQUIRE(app);
        CHECK(app->kind == "app");
        CHECK(app->hawk_key == "k1");
        auto auth = *store::find_credentials(tx, desk.self.id, "authkey");
        REQUIRE(auth);
        CHECK(auth->kind == "app-auth");
        auto grant = *store::find_app_grant(tx, desk.self.id, "auth");
        REQUIRE(grant);
        CHECK(grant->write_types == std::vector<std::string>{kNote});
        CHECK(grant->name == "Old");
        return {};
    }).value();
}

TEST_CASE("import: a relationship and its subscriptions are in force (section 4.5.2)")
{
    Desk desk;
    auto take = [&](Post post) {
        if (!post.content.empty())
            post.content = Json::parse(post.content).dump();
        post.version.id = version_id_of(post);
        auto imported = desk.import(post);
        if (!imported.ok())
            FAIL(imported.error().detail);
    };
    Post initial = desk.remote(desk.bob, "theirs", type::kRelationshipInitial);
    take(initial);
    Post their_key = desk.remote(desk.bob, "theirkey", type::kCredentialsForRelationship);
    their_key.content = R"({"hawk_key":"their secret","hawk_algorithm":"sha256"})";
    their_key.mentions = {mention_of("", "theirs", type::kRelationshipInitial)};
    take(their_key);
    Post ours = desk.remote(desk.self.entity, "ours", type::kRelationship);
    ours.mentions = {mention_of(desk.bob, "theirs", type::kRelationshipInitial)};
    take(ours);
    Post our_key = desk.remote(desk.self.entity, "ourkey", type::kCredentialsForRelationship);
    our_key.content = R"({"hawk_key":"our secret","hawk_algorithm":"sha256"})";
    our_key.mentions = {mention_of("", "ours", type::kRelationship)};
    take(our_key);
    take(desk.subscription(desk.bob));

    const auto relationship = desk.relationship(desk.bob);
    CHECK(relationship.state == "active");
    CHECK(relationship.their_hawk_id == "theirkey");
    CHECK(relationship.their_hawk_key == "their secret");
    CHECK(relationship.our_hawk_id == "ourkey");
    CHECK(relationship.follower == "approved");
    REQUIRE(desk.create(desk.note()).ok());
    CHECK(desk.waiting(desk.bob).back() == kNote);
}

TEST_CASE("a new version with other permissions goes to the new readers, the old one stays with the old (section 8.4)")
{
    Desk desk;
    for (const auto& peer : {desk.bob, desk.carol}) {
        desk.know(peer);
        REQUIRE(desk.deliver(desk.subscription(peer)).ok());
        desk.write([&](store::WriteTx& tx) { return approve(tx, desk.self, peer); });
    }
    Post draft = desk.note();
    draft.permissions.is_public = false;
    draft.permissions.entities = {desk.bob};
    auto first = desk.create(draft);
    REQUIRE(first.ok());
    Post wider = desk.after(first->post, draft);
    wider.permissions.entities = {desk.carol};
    REQUIRE(desk.change(desk.app, first->post.id, wider).ok());
    CHECK(desk.waiting(desk.carol).back() == kNote);
    auto seen_by = [&](const std::string& entity) {
        Viewer viewer;
        viewer.kind = Viewer::Kind::Peer;
        viewer.entity = entity;
        auto post = desk.store->read([&](store::ReadTx& tx) {
            return store::load_post(tx, desk.self.id, desk.self.entity, first->post.id, "", viewer);
        });
        REQUIRE(post.ok());
        REQUIRE(post->has_value());
        return (**post).version.id;
    };
    CHECK(seen_by(desk.bob) == first->post.version.id);
    CHECK(seen_by(desk.carol) != first->post.version.id);
}
