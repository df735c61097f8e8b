// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/credentials.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/notifications.h>
#include <bivouac/tent/publish.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

Result<bool> has_base(const std::string& type, const char* base)
{
    return TRY(parse_type(type)).base == base;
}

// The current version of an own post of that kind.
Result<std::optional<Post>> load_own(store::ReadTx& tx, const Self& self, std::string_view id, const char* base)
{
    auto post = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, id, ""))));
    if (!post || !TRY(has_base(post->type, base)))
        return std::optional<Post>();
    return post;
}

Result<Post> load_app(store::ReadTx& tx, const Self& self, std::string_view id)
{
    auto app = TRY(load_own(tx, self, id, type::kAppBase));
    if (!app)
        return fail(ErrorKind::NotFound, "there is no such app; see: bivouac app list");
    return std::move(*app);
}

// The same post again, as what follows its current version.
Post next_version(const Post& current)
{
    Post draft = current;
    draft.version = {};
    Parent parent;
    parent.version = current.version.id;
    draft.version.parents.push_back(std::move(parent));
    return draft;
}

void make_private(Post& post)
{
    post.permissions = {};
    post.permissions.is_public = false;
}

std::string new_key()
{
    return to_base64url(system_random().bytes(32));
}

std::string credentials_content(const std::string& key)
{
    return Json({{"hawk_key", key}, {"hawk_algorithm", kHawkAlgorithm}}).dump();
}

Result<store::Credentials> make_credentials(store::WriteTx& tx, const Self& self, const char* type,
                                            const std::string& kind, const std::string& target_post,
                                            const char* target_type)
{
    std::string key = new_key();
    Post draft = private_draft(type);
    draft.content = credentials_content(key);
    Mention mention;
    mention.post = target_post;
    mention.type = target_type;
    draft.mentions.push_back(std::move(mention));
    Post post = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    store::Credentials made{self.id, post.id, key, kind, target_post, ""};
    TRY(store::add_credentials(tx, made));
    return made;
}

Result<void> remove_credentials_of(store::WriteTx& tx, const Self& self, const std::string& target_post)
{
    auto credentials = TRY(store::find_credentials_of(tx, self.id, target_post));
    if (credentials)
        TRY(store::delete_post(tx, self.id, self.entity, credentials->hawk_id, ""));
    TRY(store::set_app_hook(tx, self.id, target_post, "", {}));  // of an app: it is told nothing without a key
    return store::remove_credentials_of(tx, self.id, target_post);
}

Mention mention_of_credentials(const std::string& hawk_id)
{
    Mention mention;
    mention.post = hawk_id;
    mention.type = std::string(type::kCredentialsBase) + "#";
    mention.is_public = false;
    return mention;
}

Ref ref_to(const std::string& post, const char* type, const std::string& version = "")
{
    Ref ref;
    ref.post = post;
    ref.type = type;
    ref.version = version;
    return ref;
}

// The app post names its app-auth post, or none when that is "". Not a word more changes.
Result<void> set_app_auth_ref(store::WriteTx& tx, const Self& self, const Post& app, const std::string& app_auth)
{
    std::vector<Ref> refs;
    for (const auto& ref : app.refs)
        if (ref.type.empty() || !TRY(has_base(ref.type, type::kAppAuthBase)))
            refs.push_back(ref);
    if (!app_auth.empty())
        refs.push_back(ref_to(app_auth, type::kAppAuth));
    auto same = [](const Ref& a, const Ref& b) { return a.post == b.post && a.type == b.type; };
    if (std::equal(refs.begin(), refs.end(), app.refs.begin(), app.refs.end(), same))
        return {};
    Post draft = next_version(app);
    draft.refs = std::move(refs);
    TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    return {};
}

// The app-auth post with everything that hangs on it; the app post is not touched.
Result<void> end_grant(store::WriteTx& tx, const Self& self, const std::string& app_auth)
{
    TRY(store::remove_app_grant(tx, self.id, app_auth));
    TRY(store::remove_oauth_codes_of(tx, self.id, app_auth));
    TRY(remove_credentials_of(tx, self, app_auth));
    if (TRY(store::find_version(tx, self.id, self.entity, app_auth, "")) != 0)
        TRY(store::delete_post(tx, self.id, self.entity, app_auth, ""));
    return {};
}

Result<void> forget_app(store::WriteTx& tx, const Self& self, const std::string& app_post)
{
    while (auto grant = TRY(store::find_grant_of_app(tx, self.id, app_post)))
        TRY(end_grant(tx, self, grant->app_auth_post));
    return remove_credentials_of(tx, self, app_post);
}

bool is_stale(const store::ReadTx& tx, const store::RegisteredApp& app)
{
    return !app.granted && app.registered_at + kWaitingAppMs <= tx.now_ms();
}

// Strangers' apps that the owner never allowed go after some days (section 6.1).
Result<void> drop_stale_apps(store::WriteTx& tx, const Self& self)
{
    for (const auto& app : TRY(store::list_registered_apps(tx, self.id))) {
        if (!is_stale(tx, app))
            continue;
        TRY(remove_credentials_of(tx, self, app.app_post));
        TRY(store::delete_post(tx, self.id, self.entity, app.app_post, ""));
    }
    return {};
}

Result<NewApp> store_app(store::WriteTx& tx, const Self& self, Post draft)
{
    TRY(app_content(draft));
    draft.id = system_random().id();
    make_private(draft);
    auto credentials = TRY(make_credentials(tx, self, type::kCredentialsForApp, "app", draft.id, type::kApp));
    draft.mentions = {mention_of_credentials(credentials.hawk_id)};
    draft.refs.clear();
    Post app = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    return NewApp{std::move(app), credentials.hawk_id};
}

struct StoredAppAuth {
    Post post;
    store::Credentials credentials;
};

// Section 6.5: the post with its mention and refs, the app's ref to it, and the grant itself. draft.id says which
// post; its credentials are made unless they are there.
Result<StoredAppAuth> store_app_auth(store::WriteTx& tx, const Self& self, const Post& app, Post draft,
                                     int64_t key_code_until)
{
    Grant grant = TRY(grant_of(draft));
    AppContent content = TRY(app_content(app));
    auto credentials = TRY(store::find_credentials_of(tx, self.id, draft.id));
    if (!credentials)
        credentials =
            TRY(make_credentials(tx, self, type::kCredentialsForAppAuth, "app-auth", draft.id, type::kAppAuth));
    make_private(draft);
    Mention of_app;
    of_app.post = app.id;
    of_app.type = type::kApp;
    of_app.version = app.version.id;
    draft.mentions = {std::move(of_app)};
    draft.refs = {ref_to(app.id, type::kApp, app.version.id),
                  ref_to(credentials->hawk_id, type::kCredentialsForAppAuth)};
    Post post = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    TRY(set_app_auth_ref(tx, self, app, post.id));
    TRY(store::set_app_grant(tx, self.id,
                             {post.id, app.id, content.name, content.url, std::move(grant.read),
                              std::move(grant.write), std::move(grant.scopes), tx.now_ms(), key_code_until}));
    return StoredAppAuth{std::move(post), std::move(*credentials)};
}

// The first own app post that a draft mentions.
Result<std::optional<Post>> mentioned_app(store::ReadTx& tx, const Self& self, const Post& draft)
{
    for (const auto& mention : draft.mentions) {
        if (mention.post.empty() || (!mention.entity.empty() && mention.entity != self.entity))
            continue;
        auto app = TRY(load_own(tx, self, mention.post, type::kAppBase));
        if (app)
            return app;
    }
    return std::optional<Post>();
}

Result<std::string> change_key(store::WriteTx& tx, const Self& self, const std::string& hawk_id)
{
    auto current = TRY(load_own(tx, self, hawk_id, type::kCredentialsBase));
    if (!current)
        return fail(ErrorKind::Internal, "credentials without a post");
    std::string key = new_key();
    Post draft = next_version(*current);
    draft.content = credentials_content(key);
    TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    TRY(store::set_hawk_key(tx, self.id, hawk_id, key));
    return key;
}

// One version of the post went and others are left: the one that shows now counts.
Result<void> follow_app(store::WriteTx& tx, const Self& self, const Post& app)
{
    TRY(follow_app_hook(tx, self, app));
    auto grant = TRY(store::find_grant_of_app(tx, self.id, app.id));
    if (!grant)
        return {};
    AppContent content = TRY(app_content(app));
    grant->name = content.name;
    grant->url = content.url;
    return store::set_app_grant(tx, self.id, *grant);
}

Result<void> follow_app_auth(store::WriteTx& tx, const Self& self, const Post& app_auth)
{
    auto known = TRY(store::find_app_grant(tx, self.id, app_auth.id));
    if (!known)
        return {};
    Grant grant = TRY(grant_of(app_auth));
    known->read_types = std::move(grant.read);
    known->write_types = std::move(grant.write);
    known->scopes = std::move(grant.scopes);
    known->granted_at = tx.now_ms();
    return store::set_app_grant(tx, self.id, *known);
}

Result<void> follow_credentials(store::WriteTx& tx, const Self& self, const Post& credentials)
{
    return store::set_hawk_key(tx, self.id, credentials.id, TRY(string_member(content_of(credentials), "hawk_key")));
}

Result<void> app_auth_is_gone(store::WriteTx& tx, const Self& self, const std::string& id)
{
    auto grant = TRY(store::find_app_grant(tx, self.id, id));
    TRY(end_grant(tx, self, id));
    if (!grant)
        return {};
    auto app = TRY(load_own(tx, self, grant->app_post, type::kAppBase));
    if (!app)
        return {};
    TRY(set_app_auth_ref(tx, self, *app, ""));
    return store::renew_registration(tx, self.id, app->id);
}

Result<AppView> view_of(store::ReadTx& tx, const Self& self, const store::RegisteredApp& registered)
{
    AppView view;
    view.id = registered.app_post;
    view.registered_at = registered.registered_at;
    if (auto post = TRY(load_own(tx, self, view.id, type::kAppBase))) {
        view.registered_at = post->received_at;
        if (auto content = app_content(*post); content.ok())
            view.content = std::move(*content);
    }
    if (auto grant = TRY(store::find_grant_of_app(tx, self.id, view.id))) {
        view.granted = Grant{std::move(grant->read_types), std::move(grant->write_types), std::move(grant->scopes)};
        view.granted_at = grant->granted_at;
    }
    return view;
}

std::string hash_of_code(std::string_view code)
{
    return to_hex(sha256(code));
}

}  // namespace

Result<size_t> waiting_apps(store::ReadTx& tx, const Self& self)
{
    auto apps = TRY(store::list_registered_apps(tx, self.id));
    auto waits = [&](const store::RegisteredApp& app) { return !app.granted && !is_stale(tx, app); };
    return static_cast<size_t>(std::count_if(apps.begin(), apps.end(), waits));
}

Result<NewApp> register_app(store::WriteTx& tx, const Self& self, Post draft, size_t waiting_limit)
{
    if (!TRY(has_base(draft.type, type::kAppBase)))
        return fail(ErrorKind::Invalid, "this is not an app post");
    if (!draft.mentions.empty() || !draft.refs.empty())
        return fail(ErrorKind::Invalid, "a new app post mentions nothing and refers to nothing");
    TRY(drop_stale_apps(tx, self));
    if (TRY(waiting_apps(tx, self)) >= waiting_limit)
        return fail(ErrorKind::TooMany, "too many apps wait to be allowed");
    draft.version.parents.clear();
    return store_app(tx, self, std::move(draft));
}

Result<Post> update_app(store::WriteTx& tx, const Self& self, Post draft)
{
    Post current = TRY(load_app(tx, self, draft.id));
    if (!TRY(has_base(draft.type, type::kAppBase)))
        return fail(ErrorKind::Invalid, "the type of a post stays what it is");
    TRY(app_content(draft));
    make_private(draft);
    // What links the app to its credentials and to its permission is ours to say.
    draft.mentions = current.mentions;
    draft.refs = current.refs;
    if (draft.version.parents.empty())
        draft.version.parents = next_version(current).version.parents;
    Post made = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    TRY(follow_app(tx, self, made));
    return made;
}

Result<Authorized> authorize_app(store::WriteTx& tx, const Self& self, const std::string& app_post,
                                 const Grant& grant)
{
    Post app = TRY(load_app(tx, self, app_post));
    Post draft;
    if (auto known = TRY(store::find_grant_of_app(tx, self.id, app.id))) {
        auto current = TRY(load_own(tx, self, known->app_auth_post, type::kAppAuthBase));
        if (current)
            draft = next_version(*current);
        else
            TRY(end_grant(tx, self, known->app_auth_post));
    }
    if (draft.id.empty()) {
        draft = private_draft(type::kAppAuth);
        draft.id = system_random().id();
    }
    draft.content =
        Json({{"types", {{"read", grant.read}, {"write", grant.write}}}, {"scopes", grant.scopes}}).dump();
    auto stored = TRY(store_app_auth(tx, self, app, std::move(draft), 0));
    return Authorized{stored.post.id, stored.credentials.hawk_id, stored.credentials.hawk_key};
}

Result<Authorized> change_grant(store::WriteTx& tx, const Self& self, const std::string& app_post,
                                const Grant& grant)
{
    TRY(load_app(tx, self, app_post));
    if (!TRY(store::find_grant_of_app(tx, self.id, app_post)))
        return fail(ErrorKind::Conflict, "this app was never allowed anything; open the page that it sends you to");
    return authorize_app(tx, self, app_post, grant);
}

Result<void> revoke_app(store::WriteTx& tx, const Self& self, const std::string& app_post)
{
    TRY(load_app(tx, self, app_post));
    auto grant = TRY(store::find_grant_of_app(tx, self.id, app_post));
    if (!grant)
        return fail(ErrorKind::Conflict, "this app may do nothing as it is");
    return app_auth_is_gone(tx, self, grant->app_auth_post);
}

Result<void> remove_app(store::WriteTx& tx, const Self& self, const std::string& app_post)
{
    TRY(load_app(tx, self, app_post));
    TRY(forget_app(tx, self, app_post));
    TRY(store::delete_post(tx, self.id, self.entity, app_post, ""));
    return store::remove_orphans(tx, store::Orphans::OlderThanAnHour);
}

Result<NewAppAuth> post_app_auth(store::WriteTx& tx, const Self& self, Post draft)
{
    if (!TRY(has_base(draft.type, type::kAppAuthBase)))
        return fail(ErrorKind::Invalid, "this is not an app-auth post");
    auto app = TRY(mentioned_app(tx, self, draft));
    if (!app)
        return fail(ErrorKind::Invalid, "/mentions: an app-auth post must mention an app post of this entity");
    if (auto older = TRY(store::find_grant_of_app(tx, self.id, app->id)))
        TRY(end_grant(tx, self, older->app_auth_post));
    draft.id = system_random().id();
    draft.version.parents.clear();
    auto stored = TRY(store_app_auth(tx, self, *app, std::move(draft), tx.now_ms() + kCodeMs));
    return NewAppAuth{std::move(stored.post), stored.credentials.hawk_id};
}

Result<NewAppAuth> put_app_auth(store::WriteTx& tx, const Self& self, Post draft)
{
    auto current = TRY(load_own(tx, self, draft.id, type::kAppAuthBase));
    if (!current)
        return fail(ErrorKind::NotFound, "there is no such app-auth post");
    if (!TRY(has_base(draft.type, type::kAppAuthBase)))
        return fail(ErrorKind::Invalid, "the type of a post stays what it is");
    auto app = TRY(mentioned_app(tx, self, *current));
    if (!app)
        return fail(ErrorKind::Invalid, "the app of this app-auth post is gone");
    auto other = TRY(mentioned_app(tx, self, draft));
    if (other && other->id != app->id)
        return fail(ErrorKind::Invalid, "/mentions: an app-auth post stays with its app");
    if (draft.version.parents.empty())
        draft.version.parents = next_version(*current).version.parents;
    auto stored = TRY(store_app_auth(tx, self, *app, std::move(draft), tx.now_ms() + kCodeMs));
    return NewAppAuth{std::move(stored.post), stored.credentials.hawk_id};
}

Result<Post> put_credentials(store::WriteTx& tx, const Self& self, Post draft)
{
    auto current = TRY(load_own(tx, self, draft.id, type::kCredentialsBase));
    auto known = TRY(store::find_credentials(tx, self.id, draft.id));
    if (!current || !known)
        return fail(ErrorKind::NotFound, "there is no such credentials post");
    if (known->kind == "relationship")
        return fail(ErrorKind::Forbidden, "the other side of a relationship would not learn of a new key");
    if (draft.type != current->type)
        return fail(ErrorKind::Invalid, "the type of a post stays what it is");
    TRY(validate_content(draft));
    std::string key = TRY(string_member(content_of(draft), "hawk_key"));
    bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (key.size() < 32 || key.size() > 256 || !printable)
        return fail(ErrorKind::Invalid, "/content/hawk_key must be 32 to 256 printable characters");
    make_private(draft);
    draft.mentions = current->mentions;
    draft.refs = current->refs;
    if (draft.version.parents.empty())
        draft.version.parents = next_version(*current).version.parents;
    Post made = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    TRY(store::set_hawk_key(tx, self.id, made.id, key));
    return made;
}

Result<void> app_post_deleted(store::WriteTx& tx, const Self& self, const Post& post)
{
    if (post.entity != self.entity)
        return {};
    const std::string base = TRY(parse_type(post.type)).base;
    if (base == type::kAppBase) {
        auto left = TRY(load_own(tx, self, post.id, type::kAppBase));
        return left ? follow_app(tx, self, *left) : forget_app(tx, self, post.id);
    }
    if (base == type::kAppAuthBase) {
        auto left = TRY(load_own(tx, self, post.id, type::kAppAuthBase));
        return left ? follow_app_auth(tx, self, *left) : app_auth_is_gone(tx, self, post.id);
    }
    if (base == type::kCredentialsBase) {
        auto left = TRY(load_own(tx, self, post.id, type::kCredentialsBase));
        return left ? follow_credentials(tx, self, *left) : store::remove_credentials(tx, self.id, post.id);
    }
    return {};
}

Result<std::string> make_code(store::WriteTx& tx, const Self& self, const std::string& app_post)
{
    auto grant = TRY(store::find_grant_of_app(tx, self.id, app_post));
    if (!grant)
        return fail(ErrorKind::Conflict, "this app was not allowed anything");
    std::string code = to_base64url(system_random().bytes(32));
    TRY(store::add_oauth_code(tx, self.id,
                              {hash_of_code(code), app_post, grant->app_auth_post, tx.now_ms() + kCodeMs}));
    return code;
}

Result<Exchanged> exchange_code(store::WriteTx& tx, const Self& self, const std::string& app_post,
                                std::string_view code)
{
    const Error refused = fail(ErrorKind::Forbidden, "this code is unknown, used or expired");
    const std::string hash = hash_of_code(code);
    if (auto known = TRY(store::find_oauth_code(tx, self.id, hash))) {
        if (known->app_post != app_post)
            return fail(ErrorKind::Unauthorized, "this code belongs to another app");
        auto credentials = TRY(store::find_credentials_of(tx, self.id, known->app_auth_post));
        if (known->expires_at <= tx.now_ms() || !credentials)
            return refused;
        TRY(store::remove_oauth_code(tx, self.id, hash));
        return Exchanged{credentials->hawk_id, credentials->hawk_key};
    }
    auto grant = TRY(store::find_grant_of_app(tx, self.id, app_post));
    if (!grant || grant->key_code_until <= tx.now_ms())
        return refused;
    auto credentials = TRY(store::find_credentials_of(tx, self.id, grant->app_auth_post));
    if (!credentials || !equal_constant_time(credentials->hawk_key, code))
        return refused;
    grant->key_code_until = 0;
    TRY(store::set_app_grant(tx, self.id, *grant));
    return Exchanged{credentials->hawk_id, TRY(change_key(tx, self, credentials->hawk_id))};
}

Result<std::optional<KnownApp>> find_app(store::ReadTx& tx, const Self& self, std::string_view app_post)
{
    auto post = TRY(load_own(tx, self, app_post, type::kAppBase));
    if (!post)
        return std::optional<KnownApp>();
    auto content = app_content(*post);
    if (!content.ok())
        return std::optional<KnownApp>();
    return std::optional<KnownApp>(KnownApp{std::move(*post), std::move(*content)});
}

Result<std::vector<AppView>> list_apps(store::ReadTx& tx, const Self& self)
{
    std::vector<AppView> out;
    for (const auto& registered : TRY(store::list_registered_apps(tx, self.id)))
        out.push_back(TRY(view_of(tx, self, registered)));
    return out;
}

Result<AppView> show_app(store::ReadTx& tx, const Self& self, std::string_view id_or_name)
{
    std::vector<AppView> named;
    for (auto& app : TRY(list_apps(tx, self))) {
        if (app.id == id_or_name)
            return std::move(app);
        if (app.content.name == id_or_name)
            named.push_back(std::move(app));
    }
    if (named.empty())
        return fail(ErrorKind::NotFound, "there is no such app; see: bivouac app list");
    if (named.size() > 1)
        return fail(ErrorKind::Conflict, "several apps have this name; say which by its id: bivouac app list");
    return std::move(named.front());
}

Result<LocalApp> create_local_app(store::WriteTx& tx, const Self& self, const std::string& name,
                                  std::vector<std::string> read_types, std::vector<std::string> write_types)
{
    if (name.empty() || name.size() > 256)
        return fail(ErrorKind::Invalid, "an app needs a name of at most 256 bytes");
    const Grant grant{std::move(read_types), std::move(write_types), {"permissions", "import"}};
    TRY(check_grant(grant));
    // A local app has no web page of its own; the schema wants URLs, so they name this node.
    Post draft = private_draft(type::kApp);
    draft.content = Json({{"name", name},
                          {"url", self.entity},
                          {"redirect_uri", self.entity},
                          {"types", {{"read", grant.read}, {"write", grant.write}}},
                          {"scopes", grant.scopes}})
                        .dump();
    NewApp made = TRY(store_app(tx, self, std::move(draft)));
    Authorized authorized = TRY(authorize_app(tx, self, made.app.id, grant));
    return LocalApp{made.app.id, authorized.hawk_id, authorized.hawk_key};
}

}  // namespace bivouac::tent
