// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/store/credentials.h>
#include <bivouac/tent/apps.h>

#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

const std::string kNote = "https://vendor.example/types/note/v0";
const std::string kStatusType = type::kStatusBase;
constexpr int64_t kMinute = 60'000;

struct AppHome : Home {
    static Post draft(Json changes = Json::object())
    {
        Json content = {{"name", "Notepad"},
                        {"url", "https://notepad.example"},
                        {"redirect_uri", "https://notepad.example/back"},
                        {"types", {{"read", {kStatusType}}, {"write", {kNote}}}},
                        {"scopes", {"permissions"}}};
        content.update(changes);
        Post post;
        post.type = type::kApp;
        post.content = content.dump();
        return post;
    }

    NewApp registered(Json changes = Json::object())
    {
        return write([&](store::WriteTx& tx) { return register_app(tx, self, draft(changes)); });
    }

    Authorized allowed(const std::string& app, Grant grant = {{kStatusType}, {kNote}, {}})
    {
        return write([&](store::WriteTx& tx) { return authorize_app(tx, self, app, grant); });
    }

    ErrorKind refusal(Post post)
    {
        auto result = store->write([&](store::WriteTx& tx) { return register_app(tx, self, post); });
        REQUIRE_FALSE(result.ok());
        return result.error().kind;
    }

    std::optional<Post> load(const std::string& id)
    {
        auto post = store->read([&](store::ReadTx& tx) -> Result<std::optional<Post>> {
            return store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, id, "")));
        });
        REQUIRE(post.ok());
        return *post;
    }

    std::optional<store::AppGrant> grant(const std::string& app)
    {
        auto found = store->read([&](store::ReadTx& tx) { return store::find_grant_of_app(tx, self.id, app); });
        REQUIRE(found.ok());
        return *found;
    }

    std::string key_of(const std::string& hawk_id)
    {
        auto found = store->read([&](store::ReadTx& tx) { return store::find_credentials(tx, self.id, hawk_id); });
        REQUIRE(found.ok());
        return *found ? (**found).hawk_key : "";
    }

    int64_t rows(const char* table)
    {
        auto count = store->read([&](store::ReadTx& tx) -> Result<int64_t> {
            auto select = tx.prepare(std::string("SELECT count(*) FROM ") + table);
            TRY(select.step());
            return select.integer(0);
        });
        REQUIRE(count.ok());
        return *count;
    }

    std::string code(const std::string& app)
    {
        return write([&](store::WriteTx& tx) { return make_code(tx, self, app); });
    }

    Result<Exchanged> exchange(const std::string& app, const std::string& code)
    {
        return store->write([&](store::WriteTx& tx) { return exchange_code(tx, self, app, code); });
    }

    // As the API deletes.
    void delete_by_api(const Post& post, const std::string& version = "")
    {
        write([&](store::WriteTx& tx) -> Result<void> {
            TRY(delete_own(tx, self, post.id, version));
            return app_post_deleted(tx, self, post);
        });
    }

    // What a consent page outside sends.
    Post auth_draft(const std::string& app, std::vector<std::string> read)
    {
        Post post;
        post.type = type::kAppAuth;
        post.content =
            Json({{"types", {{"read", read}, {"write", Json::array()}}}, {"scopes", Json::array()}}).dump();
        Mention mention;
        mention.entity = self.entity;
        mention.post = app;
        post.mentions.push_back(mention);
        return post;
    }
};

Ref ref_of_type(const Post& post, const std::string& base)
{
    for (const auto& ref : post.refs)
        if (ref.type.starts_with(base + "#"))
            return ref;
    return {};
}

}  // namespace

TEST_CASE("apps: registering makes a private app post and credentials that mention each other (section 6.1)")
{
    AppHome home;
    Post draft = AppHome::draft();
    draft.permissions.is_public = true;
    draft.permissions.entities = {home.bob};
    NewApp made = home.write([&](store::WriteTx& tx) { return register_app(tx, home.self, draft); });
    CHECK_FALSE(made.app.permissions.is_public);
    CHECK(made.app.permissions.entities.empty());
    REQUIRE(made.app.mentions.size() == 1);
    CHECK(made.app.mentions[0].post == made.hawk_id);
    CHECK(made.app.mentions[0].type == "https://tent.io/types/credentials/v0#");
    CHECK_FALSE(made.app.mentions[0].is_public);
    CHECK(made.app.version.id == version_id_of(made.app));

    Post credentials = *home.load(made.hawk_id);
    CHECK(credentials.type == type::kCredentialsForApp);
    CHECK_FALSE(credentials.permissions.is_public);
    REQUIRE(credentials.mentions.size() == 1);
    CHECK(credentials.mentions[0].post == made.app.id);
    CHECK(credentials.mentions[0].type == "https://tent.io/types/app/v0#");
    Json content = Json::parse(credentials.content);
    CHECK(content["hawk_algorithm"] == "sha256");
    CHECK(content["hawk_key"].get<std::string>().size() == 43);
    CHECK(home.key_of(made.hawk_id) == content["hawk_key"].get<std::string>());
    CHECK_FALSE(home.grant(made.app.id));
    CHECK(home.rows("deliveries") == 0);
}

TEST_CASE("apps: a registration with mentions, refs or bad content is refused (section 6.1)")
{
    AppHome home;
    Post mentioning = AppHome::draft();
    mentioning.mentions.emplace_back();
    mentioning.mentions[0].entity = home.bob;
    CHECK(home.refusal(mentioning) == ErrorKind::Invalid);
    Post referring = AppHome::draft();
    referring.refs.emplace_back();
    referring.refs[0].post = "x";
    CHECK(home.refusal(referring) == ErrorKind::Invalid);
    Post status = home.status(true);
    CHECK(home.refusal(status) == ErrorKind::Invalid);
    std::vector<std::string> many(101, "https://x.example/a/v0");
    for (size_t i = 0; i < many.size(); ++i)
        many[i] += std::to_string(i);
    for (const Json& change :
         {Json({{"name", ""}}), Json({{"name", std::string(257, 'n')}}), Json({{"description", std::string(2049, 'd')}}),
          Json({{"url", "nowhere"}}), Json({{"redirect_uri", "javascript:alert(1)"}}), Json({{"extra", 1}}),
          Json({{"types", {{"read", {"not a type"}}}}}), Json({{"types", {{"read", many}}}}),
          Json({{"scopes", {std::string(129, 's')}}}), Json({{"scopes", {""}}}), Json({{"notification_types", {"x"}}})}) {
        CAPTURE(change.dump());
        CHECK(home.refusal(AppHome::draft(change)) == ErrorKind::Invalid);
    }
    CHECK(home.rows("credentials") == 0);
    // The three required members are enough; tent-auth sends no more.
    Post bare = AppHome::draft();
    bare.content = R"({"name":"n","url":"https://a.example","redirect_uri":"https://a.example/"})";
    CHECK(home.store->write([&](store::WriteTx& tx) { return register_app(tx, home.self, bare); }).ok());
}

TEST_CASE("apps: where a browser may be sent with a code (section 6.1)")
{
    for (const char* good : {"https://a.example/back", "http://a.example:8080/b?c=d", "http://127.0.0.1:9", "myapp://cb",
                             "com.example.app:/oauth", "http://[::1]:80/x", "HTTPS://A.example"}) {
        CAPTURE(good);
        CHECK(is_safe_redirect(good));
    }
    for (const char* bad :
         {"", "back", "/back", "https://", "https:a.example", "https://a.example/#f", "https://u:p@a.example/",
          "https://a.example:port/", "https://a.example;script-src/", "https://a b/", "javascript:alert(1)",
          "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "about:blank", "blob:x", "myapp:",
          "https://a.example\r\nX: y", "https://ex\xc3\xa4mple/", "my app://x", "https://a.example:123456/"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_safe_redirect(bad));
    }
    CHECK(redirect_source("https://A.example:8443/x?y") == "https://a.example:8443");
    CHECK(redirect_source("http://a.example") == "http://a.example");
    CHECK(redirect_source("myapp://callback/x") == "myapp:");
}

TEST_CASE("apps: notifications go to onions and to this machine, nowhere else")
{
    AppHome home;
    CHECK(notification_place("") == NotificationPlace::None);
    CHECK(notification_place(home.bob + "/hook") == NotificationPlace::Onion);
    CHECK(notification_place(home.bob + ":8080/hook") == NotificationPlace::Onion);
    for (const char* here : {"http://127.0.0.1:9000/hook", "http://localhost/"})
        CHECK(notification_place(here) == NotificationPlace::ThisMachine);
    for (const char* elsewhere : {"https://push.example/hook", "http://push.example/", "http://192.168.1.1/", "mailto:a@b",
                                  "http://127.0.0.1.push.example/", "http://localhost.push.example/", "http://short.onion/",
                                  "http://u@127.0.0.1/", "http://127.0.0/", "http://[::1]:1/", "http://127.1.2.3/"})
        CHECK(notification_place(elsewhere) == NotificationPlace::Elsewhere);
}

TEST_CASE("apps: strangers' apps that nobody allows are bounded in number and go after three days (section 6.1)")
{
    AppHome home;
    auto first = home.registered();
    home.clock.now += kMinute;
    for (size_t i = 1; i < kWaitingApps; ++i)
        home.registered();
    CHECK(home.refusal(AppHome::draft()) == ErrorKind::TooMany);
    home.allowed(first.app.id);  // no longer one that waits
    auto last = home.registered();
    CHECK(home.refusal(AppHome::draft()) == ErrorKind::TooMany);
    home.clock.now += kWaitingAppMs;
    auto fresh = home.registered();
    CHECK(home.load(first.app.id));
    CHECK_FALSE(home.load(last.app.id));
    CHECK_FALSE(home.load(last.hawk_id));
    CHECK(home.key_of(last.hawk_id).empty());
    CHECK(home.load(fresh.app.id));
    // An app that was revoked has its days from then on.
    home.write([&](store::WriteTx& tx) { return revoke_app(tx, home.self, first.app.id); });
    home.clock.now += kWaitingAppMs - 1;
    home.registered();
    CHECK(home.load(first.app.id));
    home.clock.now += 1;
    home.registered();
    CHECK_FALSE(home.load(first.app.id));
}

TEST_CASE("apps: authorizing makes an app-auth post, its credentials, and a ref on the app post (section 6.5)")
{
    AppHome home;
    auto app = home.registered();
    auto authorized = home.allowed(app.app.id, {{kStatusType}, {kNote, "all"}, {"permissions", "unknown"}});
    Post auth = *home.load(authorized.app_auth_post);
    CHECK(auth.type == type::kAppAuth);
    CHECK_FALSE(auth.permissions.is_public);
    REQUIRE(auth.mentions.size() == 1);
    CHECK(auth.mentions[0].post == app.app.id);
    CHECK(auth.mentions[0].type == type::kApp);
    CHECK(auth.mentions[0].version == app.app.version.id);
    CHECK(ref_of_type(auth, type::kAppBase).post == app.app.id);
    CHECK(ref_of_type(auth, type::kCredentialsBase).post == authorized.hawk_id);
    CHECK(ref_of_type(auth, type::kCredentialsBase).type == type::kCredentialsForAppAuth);
    CHECK(Json::parse(auth.content) ==
          Json({{"types", {{"read", {kStatusType}}, {"write", {kNote, "all"}}}}, {"scopes", {"permissions", "unknown"}}}));
    Post credentials = *home.load(authorized.hawk_id);
    CHECK(credentials.type == type::kCredentialsForAppAuth);
    CHECK(credentials.mentions[0].post == auth.id);
    CHECK(home.key_of(authorized.hawk_id) == authorized.hawk_key);

    Post after = *home.load(app.app.id);
    CHECK(ref_of_type(after, type::kAppAuthBase).post == auth.id);
    REQUIRE(after.version.parents.size() == 1);
    CHECK(after.version.parents[0].version == app.app.version.id);
    CHECK(after.version.id == version_id_of(after));
    CHECK(after.content == app.app.content);
    CHECK(after.mentions.size() == 1);
    auto grant = home.grant(app.app.id);
    REQUIRE(grant);
    CHECK(grant->name == "Notepad");
    CHECK(grant->write_types == std::vector<std::string>{kNote, "all"});
    CHECK(home.rows("deliveries") == 0);
}

TEST_CASE("apps: authorizing again is a new version of the one app-auth post, with the same key (section 6.5)")
{
    AppHome home;
    auto app = home.registered();
    auto first = home.allowed(app.app.id);
    Post before = *home.load(first.app_auth_post);
    auto second = home.allowed(app.app.id, {{"all"}, {}, {}});
    CHECK(second.app_auth_post == first.app_auth_post);
    CHECK(second.hawk_id == first.hawk_id);
    CHECK(second.hawk_key == first.hawk_key);
    Post after = *home.load(first.app_auth_post);
    CHECK(after.version.parents[0].version == before.version.id);
    CHECK(home.grant(app.app.id)->read_types == std::vector<std::string>{"all"});
    CHECK(home.grant(app.app.id)->write_types.empty());
    CHECK(home.rows("app_grants") == 1);
    auto nobody = home.store->write([&](store::WriteTx& tx) { return authorize_app(tx, home.self, "none", {}); });
    CHECK(nobody.error().kind == ErrorKind::NotFound);
    auto wrong = home.store->write([&](store::WriteTx& tx) {
        return authorize_app(tx, home.self, app.app.id, {{"no type"}, {}, {}});
    });
    CHECK(wrong.error().kind == ErrorKind::Invalid);
}

TEST_CASE("apps: two versions made in one millisecond come in their order")
{
    AppHome home;
    auto app = home.registered();
    for (int i = 0; i < 5; ++i) {
        auto authorized = home.allowed(app.app.id, {{"https://x.example/a" + std::to_string(i) + "/v0"}, {}, {}});
        Json content = Json::parse(home.load(authorized.app_auth_post)->content);
        CHECK(content["types"]["read"][0] == "https://x.example/a" + std::to_string(i) + "/v0");
    }
}

TEST_CASE("apps: a new version of the app post keeps its links and grants nothing (section 6.2)")
{
    AppHome home;
    auto app = home.registered();
    auto authorized = home.allowed(app.app.id, {{kStatusType}, {}, {}});
    Post draft = AppHome::draft({{"name", "Notepad 2"}, {"types", {{"read", {"all"}}}}});
    draft.id = app.app.id;
    draft.permissions.is_public = true;
    draft.mentions.emplace_back();
    draft.mentions[0].entity = home.bob;
    Post made = home.write([&](store::WriteTx& tx) { return update_app(tx, home.self, draft); });
    CHECK(made.id == app.app.id);
    CHECK_FALSE(made.permissions.is_public);
    REQUIRE(made.mentions.size() == 1);
    CHECK(made.mentions[0].post == app.hawk_id);
    CHECK(ref_of_type(made, type::kAppAuthBase).post == authorized.app_auth_post);
    CHECK(made.version.parents.size() == 1);
    auto grant = home.grant(app.app.id);
    CHECK(grant->read_types == std::vector<std::string>{kStatusType});
    CHECK(grant->name == "Notepad 2");
    CHECK(home.rows("deliveries") == 0);

    auto kind = [&](Post post) {
        auto result = home.store->write([&](store::WriteTx& tx) { return update_app(tx, home.self, post); });
        REQUIRE_FALSE(result.ok());
        return result.error().kind;
    };
    draft.content = R"({"name":"n"})";
    CHECK(kind(draft) == ErrorKind::Invalid);
    draft = AppHome::draft();
    draft.id = "unknown";
    CHECK(kind(draft) == ErrorKind::NotFound);
    draft.id = authorized.app_auth_post;
    CHECK(kind(draft) == ErrorKind::NotFound);
}

TEST_CASE("apps: changing a grant needs one; it replaces and does not add (section 6.6)")
{
    AppHome home;
    auto app = home.registered();
    auto change = [&](Grant grant) {
        return home.store->write([&](store::WriteTx& tx) { return change_grant(tx, home.self, app.app.id, grant); });
    };
    CHECK(change({{"all"}, {}, {}}).error().kind == ErrorKind::Conflict);
    home.allowed(app.app.id);
    REQUIRE(change({{kNote}, {}, {"import"}}).ok());
    auto view = home.store->read([&](store::ReadTx& tx) { return show_app(tx, home.self, app.app.id); });
    CHECK(*view->granted == Grant{{kNote}, {}, {"import"}});
}

TEST_CASE("apps: revoking ends app-auth, key, codes and the ref; the app may ask again (section 6.6)")
{
    AppHome home;
    auto app = home.registered();
    auto authorized = home.allowed(app.app.id);
    std::string code = home.code(app.app.id);
    auto revoke = [&] {
        return home.store->write([&](store::WriteTx& tx) { return revoke_app(tx, home.self, app.app.id); });
    };
    REQUIRE(revoke().ok());
    CHECK_FALSE(home.load(authorized.app_auth_post));
    CHECK_FALSE(home.load(authorized.hawk_id));
    CHECK(home.key_of(authorized.hawk_id).empty());
    CHECK_FALSE(home.grant(app.app.id));
    CHECK(home.exchange(app.app.id, code).error().kind == ErrorKind::Forbidden);
    CHECK(home.load(app.app.id)->refs.empty());
    CHECK_FALSE(home.key_of(app.hawk_id).empty());
    CHECK(revoke().error().kind == ErrorKind::Conflict);
    auto again = home.allowed(app.app.id);
    CHECK(again.app_auth_post != authorized.app_auth_post);
    CHECK(again.hawk_id != authorized.hawk_id);

    home.write([&](store::WriteTx& tx) { return remove_app(tx, home.self, app.app.id); });
    for (const auto& id : {app.app.id, app.hawk_id, again.app_auth_post, again.hawk_id})
        CHECK_FALSE(home.load(id));
    CHECK(home.rows("credentials") == 0);
    CHECK(home.rows("app_grants") == 0);
    CHECK(revoke().error().kind == ErrorKind::NotFound);
}

TEST_CASE("apps: a consent page outside posts an app-auth post that mentions an app of ours (section 6.5)")
{
    AppHome home;
    auto app = home.registered();
    auto post = [&](Post draft) {
        return home.store->write([&](store::WriteTx& tx) { return post_app_auth(tx, home.self, draft); });
    };
    auto made = post(home.auth_draft(app.app.id, {kStatusType}));
    REQUIRE(made.ok());
    CHECK_FALSE(made->app_auth.permissions.is_public);
    CHECK(made->app_auth.mentions[0].type == type::kApp);
    CHECK(ref_of_type(made->app_auth, type::kCredentialsBase).post == made->hawk_id);
    CHECK(ref_of_type(*home.load(app.app.id), type::kAppAuthBase).post == made->app_auth.id);
    CHECK(home.grant(app.app.id)->read_types == std::vector<std::string>{kStatusType});
    // At most one a app: the older one goes.
    auto newer = post(home.auth_draft(app.app.id, {"all"}));
    REQUIRE(newer.ok());
    CHECK_FALSE(home.load(made->app_auth.id));
    CHECK(home.key_of(made->hawk_id).empty());
    CHECK(home.rows("app_grants") == 1);
    CHECK(ref_of_type(*home.load(app.app.id), type::kAppAuthBase).post == newer->app_auth.id);

    Post none = home.auth_draft(app.app.id, {});
    none.mentions.clear();
    CHECK(post(none).error().kind == ErrorKind::Invalid);
    CHECK(post(home.auth_draft("unknown", {})).error().kind == ErrorKind::Invalid);
    CHECK(post(home.auth_draft(app.hawk_id, {})).error().kind == ErrorKind::Invalid);
    Post foreign = home.auth_draft(app.app.id, {});
    foreign.mentions[0].entity = home.bob;
    CHECK(post(foreign).error().kind == ErrorKind::Invalid);
    Post incomplete = home.auth_draft(app.app.id, {});
    incomplete.content = R"({"types":{"read":[]}})";
    CHECK(post(incomplete).error().kind == ErrorKind::Invalid);
}

TEST_CASE("apps: a new version of an app-auth post changes the grant at once and keeps the credentials (section 6.5)")
{
    AppHome home;
    auto app = home.registered();
    auto other = home.registered();
    auto authorized = home.allowed(app.app.id);
    auto put = [&](Post draft) {
        return home.store->write([&](store::WriteTx& tx) { return put_app_auth(tx, home.self, draft); });
    };
    Post draft = home.auth_draft(app.app.id, {kNote});
    draft.id = authorized.app_auth_post;
    Ref to_app;
    to_app.post = app.app.id;
    to_app.type = type::kApp;
    draft.refs.push_back(to_app);  // tent-admin sends the ref to the app only
    auto made = put(draft);
    REQUIRE(made.ok());
    CHECK(made->hawk_id == authorized.hawk_id);
    CHECK(ref_of_type(made->app_auth, type::kCredentialsBase).post == authorized.hawk_id);
    CHECK(home.key_of(authorized.hawk_id) == authorized.hawk_key);
    CHECK(home.grant(app.app.id)->read_types == std::vector<std::string>{kNote});
    CHECK(home.grant(app.app.id)->write_types.empty());
    draft.mentions[0].post = other.app.id;
    CHECK(put(draft).error().kind == ErrorKind::Invalid);
    draft.id = "unknown";
    CHECK(put(draft).error().kind == ErrorKind::NotFound);
    draft.id = app.app.id;
    CHECK(put(draft).error().kind == ErrorKind::NotFound);
}

TEST_CASE("apps: deleting an app, app-auth or credentials post has its effects (sections 4.7 and 6.6)")
{
    AppHome home;
    auto app = home.registered();
    auto authorized = home.allowed(app.app.id);
    home.delete_by_api(*home.load(authorized.app_auth_post));
    CHECK(home.key_of(authorized.hawk_id).empty());
    CHECK_FALSE(home.load(authorized.hawk_id));
    CHECK_FALSE(home.grant(app.app.id));
    CHECK(home.load(app.app.id)->refs.empty());

    auto again = home.allowed(app.app.id);
    home.delete_by_api(*home.load(again.hawk_id));
    CHECK(home.key_of(again.hawk_id).empty());
    CHECK(home.load(again.app_auth_post));

    home.delete_by_api(*home.load(app.app.id));
    CHECK(home.rows("credentials") == 0);
    CHECK(home.rows("app_grants") == 0);
    CHECK_FALSE(home.load(again.app_auth_post));
    // Posts of other types and of others are none of this.
    Post status = home.publish(home.status(true));
    home.delete_by_api(status);
}

TEST_CASE("apps: when one version of an app-auth post is deleted, the one before it counts again (section 4.7)")
{
    AppHome home;
    auto app = home.registered();
    auto authorized = home.allowed(app.app.id, {{kStatusType}, {}, {}});
    home.clock.now += 1;
    home.allowed(app.app.id, {{"all"}, {"all"}, {"import"}});
    Post wide = *home.load(authorized.app_auth_post);
    home.delete_by_api(wide, wide.version.id);
    CHECK(home.grant(app.app.id)->read_types == std::vector<std::string>{kStatusType});
    CHECK(home.grant(app.app.id)->write_types.empty());
    CHECK(home.grant(app.app.id)->scopes.empty());
    CHECK(home.key_of(authorized.hawk_id) == authorized.hawk_key);
}

TEST_CASE("apps: a new version of a credentials post changes the key (section 5.8)")
{
    AppHome home;
    home.know(home.bob);
    auto app = home.registered();
    Post draft = *home.load(app.hawk_id);
    draft.version = {};
    const std::string key(43, 'k');
    draft.content = Json({{"hawk_key", key}, {"hawk_algorithm", "sha256"}}).dump();
    draft.permissions.is_public = true;
    draft.mentions.clear();
    auto put = [&](Post post) {
        return home.store->write([&](store::WriteTx& tx) { return put_credentials(tx, home.self, post); });
    };
    auto made = put(draft);
    REQUIRE(made.ok());
    CHECK(home.key_of(app.hawk_id) == key);
    CHECK_FALSE(made->permissions.is_public);
    CHECK(made->mentions[0].post == app.app.id);
    // The version before it brings its key back.
    std::string old = Json::parse(home.load(app.hawk_id)->content)["hawk_key"];
    CHECK(old == key);
    home.delete_by_api(*made, made->version.id);
    CHECK(home.key_of(app.hawk_id) == Json::parse(home.load(app.hawk_id)->content)["hawk_key"].get<std::string>());
    CHECK(home.key_of(app.hawk_id) != key);

    for (const Json& content : {Json({{"hawk_key", "short"}, {"hawk_algorithm", "sha256"}}),
                                Json({{"hawk_key", std::string(40, ' ')}, {"hawk_algorithm", "sha256"}}),
                                Json({{"hawk_key", key}, {"hawk_algorithm", "md5"}}), Json({{"hawk_key", key}})}) {
        draft.content = content.dump();
        CHECK(put(draft).error().kind == ErrorKind::Invalid);
    }
    auto relationship = home.relationship(home.bob);
    draft = *home.load(relationship.our_hawk_id);
    draft.version = {};
    CHECK(put(draft).error().kind == ErrorKind::Forbidden);
    draft.id = "unknown";
    CHECK(put(draft).error().kind == ErrorKind::NotFound);
}

TEST_CASE("apps: a code works once, within ten minutes, for its app (section 6.4)")
{
    AppHome home;
    auto app = home.registered();
    auto other = home.registered();
    auto none = home.store->write([&](store::WriteTx& tx) { return make_code(tx, home.self, app.app.id); });
    CHECK(none.error().kind == ErrorKind::Conflict);
    auto authorized = home.allowed(app.app.id);
    home.allowed(other.app.id);
    std::string code = home.code(app.app.id);
    CHECK(code.size() == 43);
    CHECK(home.exchange(other.app.id, code).error().kind == ErrorKind::Unauthorized);
    auto exchanged = home.exchange(app.app.id, code);
    REQUIRE(exchanged.ok());
    CHECK(exchanged->hawk_id == authorized.hawk_id);
    CHECK(exchanged->hawk_key == authorized.hawk_key);
    CHECK(home.exchange(app.app.id, code).error().kind == ErrorKind::Forbidden);
    CHECK(home.exchange(app.app.id, "").error().kind == ErrorKind::Forbidden);

    std::string late = home.code(app.app.id);
    home.clock.now += kCodeMs - 1;
    std::string fresh = home.code(app.app.id);
    home.clock.now += 1;
    CHECK(home.exchange(app.app.id, late).error().kind == ErrorKind::Forbidden);
    CHECK(home.exchange(app.app.id, fresh).ok());
    home.code(app.app.id);  // sweeps
    CHECK(home.rows("oauth_codes") == 1);
}

TEST_CASE("apps: what is stored of a code does not let anybody use it")
{
    AppHome home;
    auto app = home.registered();
    home.allowed(app.app.id);
    std::string code = home.code(app.app.id);
    auto stored = home.store->read([](store::ReadTx& tx) -> Result<std::string> {
        auto select = tx.prepare("SELECT code_hash FROM oauth_codes");
        TRY(select.step());
        return select.text(0);
    });
    CHECK(*stored != code);
    CHECK(home.exchange(app.app.id, *stored).error().kind == ErrorKind::Forbidden);
}

TEST_CASE("apps: after a consent page outside the Hawk key passes once as a code and is changed (section 6.3)")
{
    AppHome home;
    auto app = home.registered();
    auto other = home.registered();
    auto made = home.write([&](store::WriteTx& tx) {
        return post_app_auth(tx, home.self, home.auth_draft(app.app.id, {kStatusType}));
    });
    const std::string key = home.key_of(made.hawk_id);
    CHECK(home.exchange(other.app.id, key).error().kind == ErrorKind::Forbidden);
    auto exchanged = home.exchange(app.app.id, key);
    REQUIRE(exchanged.ok());
    CHECK(exchanged->hawk_id == made.hawk_id);
    CHECK(exchanged->hawk_key != key);
    CHECK(home.key_of(made.hawk_id) == exchanged->hawk_key);
    CHECK(Json::parse(home.load(made.hawk_id)->content)["hawk_key"] == exchanged->hawk_key);
    CHECK(home.exchange(app.app.id, key).error().kind == ErrorKind::Forbidden);
    CHECK(home.exchange(app.app.id, exchanged->hawk_key).error().kind == ErrorKind::Forbidden);

    Post draft = home.auth_draft(app.app.id, {kNote});
    draft.id = made.app_auth.id;
    home.write([&](store::WriteTx& tx) { return put_app_auth(tx, home.self, draft); });
    home.clock.now += kCodeMs;
    CHECK(home.exchange(app.app.id, exchanged->hawk_key).error().kind == ErrorKind::Forbidden);
    // Our own page gives out codes, so the key is none.
    auto authorized = home.allowed(other.app.id);
    CHECK(home.exchange(other.app.id, authorized.hawk_key).error().kind == ErrorKind::Forbidden);
}

TEST_CASE("apps: the list and its names")
{
    AppHome home;
    auto one = home.registered({{"name", "One"}});
    auto twin = home.registered({{"name", "Twin"}, {"notification_url", "https://push.example/"}});
    home.registered({{"name", "Twin"}});
    auto list = home.store->read([&](store::ReadTx& tx) { return list_apps(tx, home.self); });
    REQUIRE(list.ok());
    REQUIRE(list->size() == 3);
    CHECK((*list)[0].id == one.app.id);
    CHECK((*list)[0].registered_at == home.clock.now);
    CHECK_FALSE((*list)[0].granted);
    auto show = [&](const std::string& what) {
        return home.store->read([&](store::ReadTx& tx) { return show_app(tx, home.self, what); });
    };
    CHECK(show("One")->id == one.app.id);
    CHECK(show(twin.app.id)->content.notification_url == "https://push.example/");
    CHECK(show("Twin").error().kind == ErrorKind::Conflict);
    CHECK(show("None").error().kind == ErrorKind::NotFound);
    CHECK(show(one.hawk_id).error().kind == ErrorKind::NotFound);
}

TEST_CASE("apps: an app of the owner's own machine is registered and allowed at once")
{
    AppHome home;
    auto made = home.write(
        [&](store::WriteTx& tx) { return create_local_app(tx, home.self, "mine", {"all"}, {kNote}); });
    auto view = home.store->read([&](store::ReadTx& tx) { return show_app(tx, home.self, "mine"); });
    REQUIRE(view.ok());
    CHECK(view->id == made.app_post);
    CHECK(*view->granted == Grant{{"all"}, {kNote}, {"permissions", "import"}});
    CHECK(home.key_of(made.hawk_id) == made.hawk_key);
    CHECK_FALSE(ref_of_type(*home.load(made.app_post), type::kAppAuthBase).post.empty());
    auto wrong = home.store->write(
        [&](store::WriteTx& tx) { return create_local_app(tx, home.self, "x", {"nonsense"}, {}); });
    CHECK(wrong.error().kind == ErrorKind::Invalid);
}
