// SPDX-License-Identifier: BSD-3-Clause
// Apps (Tent 0.3, section 6): registration, what the owner grants, codes, and the end of all that. Every function
// that takes a WriteTx is one step in a transaction. None of these posts is ever delivered.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/model/json.h>
#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

// --- what an app says about itself (app_content.cpp, pure) ---

struct Grant {
    std::vector<std::string> read;  // selectors
    std::vector<std::string> write;
    std::vector<std::string> scopes;

    bool operator==(const Grant&) const = default;
};

struct AppContent {
    std::string name;
    std::string description;
    std::string url;
    std::string redirect_uri;
    std::string notification_url;
    std::vector<std::string> notification_types;
    Grant wanted;
};

// Schema, and beyond it: the redirect, the length of texts and lists (section 6.1). Invalid says what is wrong.
Result<AppContent> app_content(const Post& app);
Result<Grant> grant_of(const Post& app_auth);
Result<void> check_grant(const Grant& grant);

// Where a browser may be sent with a code: http or https with a plain host and no user in front of it, or an app's
// own scheme; no fragment; nothing that a browser runs or opens from its own disk.
bool is_safe_redirect(std::string_view uri);
// What a Content-Security-Policy calls the place of such a URI: "https://host:port", or "scheme:".
std::string redirect_source(std::string_view uri);

// We notify onions and programs on this machine and nobody else: a clearnet URL is kept and not used.
enum class NotificationPlace { None, Onion, ThisMachine, Elsewhere };
NotificationPlace notification_place(std::string_view notification_url);

// --- registration (section 6.1) ---

// Unauthorised apps that may wait at a time, and for how long: strangers leave them.
constexpr size_t kWaitingApps = 20;
constexpr int64_t kWaitingAppMs = 3LL * 24 * 3600 * 1000;

struct NewApp {
    Post app;             // as its creator sees it
    std::string hawk_id;  // the credentials post
};
// A POST of an app post, by anybody. Private whatever it says. Invalid: content, mentions, refs. TooMany.
Result<NewApp> register_app(store::WriteTx& tx, const Self& self, Post draft, size_t waiting_limit = kWaitingApps);
// How many wait now, those that are to be dropped not counted.
Result<size_t> waiting_apps(store::ReadTx& tx, const Self& self);
// A new version of the app post draft.id. Keeps its credentials and its app-auth post; grants nothing.
// NotFound, Invalid.
Result<Post> update_app(store::WriteTx& tx, const Self& self, Post draft);

// --- the owner's word (sections 6.3, 6.5 and 6.6) ---

struct Authorized {
    std::string app_auth_post;
    std::string hawk_id;  // of the app-auth
    std::string hawk_key;
};
// Makes the app-auth post of this app, or a new version of it. NotFound, Invalid.
Result<Authorized> authorize_app(store::WriteTx& tx, const Self& self, const std::string& app_post,
                                 const Grant& grant);
// The same for an app that was allowed before. Conflict when it was not.
Result<Authorized> change_grant(store::WriteTx& tx, const Self& self, const std::string& app_post,
                                const Grant& grant);
// The app-auth post, its credentials and its codes go; the app may ask again. Conflict when there is none.
Result<void> revoke_app(store::WriteTx& tx, const Self& self, const std::string& app_post);
// The app post and its credentials go as well. NotFound.
Result<void> remove_app(store::WriteTx& tx, const Self& self, const std::string& app_post);

// For consent pages outside (section 6.5): POST and PUT of app-auth posts by an app that may write their type.
struct NewAppAuth {
    Post app_auth;
    std::string hawk_id;
};
// Invalid unless it mentions an app post of ours. An older app-auth of that app goes.
Result<NewAppAuth> post_app_auth(store::WriteTx& tx, const Self& self, Post draft);
// A new version of draft.id: another grant, at once. NotFound, Invalid.
Result<NewAppAuth> put_app_auth(store::WriteTx& tx, const Self& self, Post draft);

// A new version of a credentials post of an app: another key (section 5.8). NotFound, Invalid; Forbidden for the
// credentials of a relationship, whose other side would not learn of it.
Result<Post> put_credentials(store::WriteTx& tx, const Self& self, Post draft);

// What follows when an app, app-auth or credentials post of ours, or one version of it, was deleted through the API
// (sections 4.7 and 6.6). To be called after the deletion with the post as it was; does nothing for other types.
Result<void> app_post_deleted(store::WriteTx& tx, const Self& self, const Post& post);

// --- codes (sections 6.3 and 6.4) ---

constexpr int64_t kCodeMs = 10LL * 60 * 1000;

// Random, for one use within ten minutes, bound to the app and its current app-auth.
Result<std::string> make_code(store::WriteTx& tx, const Self& self, const std::string& app_post);

struct Exchanged {
    std::string hawk_id;
    std::string hawk_key;
};
// Also takes the Hawk key itself once, within ten minutes after a consent page outside wrote the app-auth post, and
// changes the key then. Forbidden: unknown, used, expired. Unauthorized: a code of another app.
Result<Exchanged> exchange_code(store::WriteTx& tx, const Self& self, const std::string& app_post,
                                std::string_view code);

// --- for the owner's eyes ---

struct KnownApp {
    Post post;
    AppContent content;
};
// Nothing for an id that is no app post of ours, and for one whose content would not be taken today.
Result<std::optional<KnownApp>> find_app(store::ReadTx& tx, const Self& self, std::string_view app_post);

struct AppView {
    std::string id;
    AppContent content;
    int64_t registered_at = 0;  // ms, of the app post
    std::optional<Grant> granted;
    int64_t granted_at = 0;     // ms
};
Result<std::vector<AppView>> list_apps(store::ReadTx& tx, const Self& self);  // oldest first
// By post id, or by a name that only one app has. NotFound; Conflict when several have that name.
Result<AppView> show_app(store::ReadTx& tx, const Self& self, std::string_view id_or_name);

// --- an app that the owner herself makes at her own machine, with everything granted at once ---

struct LocalApp {
    std::string app_post;
    std::string hawk_id;
    std::string hawk_key;
};
// The app post, its app-auth post and the credentials of that, as an OAuth flow would have left them.
// Invalid for a malformed selector.
Result<LocalApp> create_local_app(store::WriteTx& tx, const Self& self, const std::string& name,
                                  std::vector<std::string> read_types, std::vector<std::string> write_types);

}  // namespace bivouac::tent
