// SPDX-License-Identifier: BSD-3-Clause
// From a request to its page: language, login, the token of a form.
#include <bivouac/pages/pages.h>

#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/model/accept.h>
#include <bivouac/model/protocol.h>

#include <algorithm>

#include "done.h"
#include "page.h"

namespace bivouac::pages {

namespace {

constexpr int64_t kSeenEveryMs = 10 * 60'000;
constexpr int64_t kLinkLifetimeMs = 10 * 60'000;

using Handler = net::HttpResponse (*)(Visit&);

enum class For { Everybody, Owner };

struct Route {
    std::string_view path;
    bool takes_posts;
    For whom;
    Handler handler;
};

constexpr Route kRoutes[] = {
    {"/", false, For::Everybody, home},
    {"/posts", false, For::Everybody, home},
    {"/feed.atom", false, For::Everybody, atom},
    {"/follow", false, For::Everybody, how_to_follow},
    {"/language", false, For::Everybody, choose_language},
    {"/logout", true, For::Owner, logout},
    {"/me", false, For::Owner, timeline},
    {"/me/mentions", false, For::Owner, mentions},
    {"/me/post", false, For::Owner, thread},
    {"/me/history", false, For::Owner, history},
    {"/me/delete", true, For::Owner, remove},
    {"/me/react", true, For::Owner, react},
    {"/me/search", false, For::Owner, search},
    {"/me/at", false, For::Owner, at},
    {"/me/compose", true, For::Owner, compose},
    {"/me/edit", true, For::Owner, edit},
    {"/me/conversations", false, For::Owner, conversations},
    {"/me/conversation", false, For::Owner, conversation},
    {"/me/people", true, For::Owner, people},
    {"/me/person", true, For::Owner, person},
    {"/me/following", true, For::Owner, following},
    {"/me/groups", true, For::Owner, groups},
    {"/me/invites", true, For::Owner, invites},
    {"/me/file", false, For::Owner, file},
    {"/me/avatar", false, For::Owner, avatar},
    {"/me/profile", true, For::Owner, profile},
    {"/me/welcome", true, For::Owner, welcome},
    {"/me/deliveries", true, For::Owner, deliveries},
    {"/me/apps", true, For::Owner, apps},
    {"/me/node", true, For::Owner, node},
    {"/me/door", true, For::Owner, door},
    {"/me/entities", true, For::Owner, entities},
    {"/me/backup", true, For::Owner, backup},
    {"/me/download", false, For::Owner, download},
    {"/me/lock", true, For::Owner, lock},
    {"/me/panic", true, For::Owner, panic},
    {"/me/security", true, For::Owner, security},
};

const Route* route_of(std::string_view path)
{
    for (const auto& route : kRoutes)
        if (route.path == path)
            return &route;
    return nullptr;
}

bool is_public_post(std::string_view path) { return path.starts_with("/posts/") && path.size() > 7; }

// Whether HTML is what this client wants most: a browser says so, other servers and apps do not.
bool prefers_html(const net::HttpRequest& request)
{
    const auto accept = request.header("Accept");
    if (!accept || bivouac::wants(*accept, mime::kPost) || bivouac::wants(*accept, mime::kFeed))
        return false;
    return bivouac::wants(*accept, "text/html");
}

std::string_view path_of(const net::HttpRequest& request)
{
    return std::string_view(request.target).substr(0, request.target.find('?'));
}

// Where the browser knows whether a form was on a page of ours, it says so.
bool is_from_another_site(const Visit& visit)
{
    const auto site = visit.request.header("Sec-Fetch-Site");
    const auto origin = visit.request.header("Origin");
    if (site && *site != "same-origin" && *site != "none")
        return true;
    return origin && *origin != "null" && *origin != "http://" + visit.request.host;
}

Error too_much(const Visit& visit)
{
    const std::string limit = visit.words->size(static_cast<int64_t>(visit.shared.settings.upload_limit_bytes));
    return fail(ErrorKind::TooLarge, format(visit.tr(T("That was too much. A file may have at most {0}, a text half a MiB. "
                                                       "Nothing was sent; go back, and your browser may still have what you wrote.")),
                                            {limit}));
}

}  // namespace

struct Pages::Impl {
    Impl(store::Store& store, Clock& clock, tent::Self self, Hooks hooks, Settings settings)
        : shared{store, clock, self, std::move(hooks), std::move(settings), to_hex(sha256(self.onion)).substr(0, 8), {}, {}}
    {
    }

    Shared shared;

    void handle(const VisitPtr& visit);
    void find_login(Visit& visit);
};

void Pages::Impl::find_login(Visit& visit)
{
    visit.token = visit.cookie(kSessionCookie);
    if (!visit.token.empty() && visit.token.size() < 100) {
        auto found = shared.store.read([&](store::ReadTx& tx) {
            return store::find_session(tx, shared.self.id, store::SessionKind::Session, visit.token);
        });
        if (found.ok() && *found) {
            visit.session = **found;
            shared.remember_uploader(visit.token);
            if (shared.clock.now_ms() - visit.session->seen_at > kSeenEveryMs)
                (void)shared.store.write([&](store::WriteTx& tx) { return store::touch_session(tx, visit.session->id); }).ok();
            return;
        }
    }
    visit.token = visit.cookie(kGuestCookie);
    if (visit.token.size() < 20 || visit.token.size() > 100)
        visit.token.clear();
}

void Pages::Impl::handle(const VisitPtr& visit)
{
    Visit& v = *visit;
    find_login(v);
    if (v.is_owner() && shared.hooks.owner_seen)
        shared.hooks.owner_seen();
    const Route* route = route_of(v.path);
    const bool is_login = v.path == "/login" || v.path.starts_with("/open/");
    if (v.posting() ? !is_login && (!route || !route->takes_posts) : false)
        return v.respond(not_found(v));
    if (route && route->whom == For::Owner && !v.is_owner()) {
        const bool can_return = !v.posting() && v.request.target.size() < 1000;
        return v.respond(see_other(can_return && v.request.target != "/me" ? "/login?next=" + percent_encode(v.request.target)
                                                                          : "/login"));
    }
    if (v.posting()) {
        auto form = read_form(v.request, shared.settings.upload_limit_bytes, shared.settings.spool_directory);
        if (!form.ok()) {
            if (form.error().kind != ErrorKind::TooLarge)
                return v.respond(error_page(v, form.error()));
            return v.respond(error_page(v, too_much(v)));
        }
        v.form = std::move(*form);
        if (v.token.empty() || is_from_another_site(v) || !equal_constant_time(v.form.get("csrf"), v.csrf()))
            return v.respond(error_page(v, fail(ErrorKind::Forbidden, std::string(v.tr(T("This form was too old, or did not come from a page of this server. Nothing was done. "
                                                                                         "Go back, reload the page and try again; cookies must be allowed."))))));
    }
    if (is_login)
        return login(visit);
    if (is_public_post(v.path))
        return v.respond(public_post(v));
    if (v.path == style_path())
        return v.respond(style_sheet(v));
    v.respond(route ? route->handler(v) : not_found(v));
}

Pages::Pages(store::Store& store, Clock& clock, tent::Self self, Hooks hooks, Settings settings)
    : impl_(std::make_unique<Impl>(store, clock, std::move(self), std::move(hooks), std::move(settings)))
{
    auto digests = store.read([&](store::ReadTx& tx) { return store::session_digests(tx, impl_->shared.self.id); });
    if (digests.ok())
        impl_->shared.uploaders.insert(digests->begin(), digests->end());
}

Pages::~Pages() = default;

bool Pages::wants(const net::HttpRequest& request, bool nowhere)
{
    const bool reading = request.method == "GET" || request.method == "HEAD";
    if (!reading && request.method != "POST")
        return false;
    const std::string_view path = path_of(request);
    if (path == "/" || path == "/posts" || is_public_post(path))
        return reading && !request.header("Authorization") && request.target.find("bewit=") == std::string::npos &&
               path.find("/attachments/") == std::string_view::npos && prefers_html(request);
    if (nowhere && reading && !request.header("Authorization") && prefers_html(request))
        return true;
    return route_of(path) != nullptr || path == "/login" || path.starts_with("/open/") || path.starts_with("/style-") ||
           path.starts_with("/me/");
}

void Pages::handle(net::HttpRequest request, std::shared_ptr<const api::Site> site, api::Responder respond)
{
    auto visit = std::make_shared<Visit>(Visit{impl_->shared, std::move(request), std::move(site), std::move(respond),
                                               {}, {}, nullptr, {}, {}, {}});
    visit->path = std::string(path_of(visit->request));
    if (const size_t mark = visit->request.target.find('?'); mark != std::string::npos)
        visit->query = visit->request.target.substr(mark + 1);
    visit->words = &words_for(visit->request.header("Accept-Language").value_or(""), visit->cookie(kLanguageCookie));
    impl_->handle(visit);
}

net::BodyPolicy Pages::body_policy(const net::RequestHead& head) const
{
    constexpr uint64_t kSmall = 1u << 20;
    constexpr uint64_t kFiles = 4;
    constexpr uint64_t kDropped = 8ull << 30;
    net::BodyPolicy policy{kSmall, 0, {}};
    Shared& shared = impl_->shared;
    const std::string_view token = net::find_cookie(head.headers, std::string(kSessionCookie) + "-" + shared.cookie_suffix);
    const Route* route = route_of(std::string_view(head.target).substr(0, head.target.find('?')));
    if (token.empty() || token.size() > 100 || !route || !route->takes_posts)
        return policy;
    {
        std::lock_guard lock(shared.mutex);
        if (shared.uploaders.count(sha256(token)) == 0)
            return policy;
    }
    // Several files at once; of each alone it is looked later how large it is.
    policy.limit_bytes = kFiles * shared.settings.upload_limit_bytes + kSmall;
    policy.drop_bytes = kDropped;
    policy.too_large = [&shared, headers = head.headers] {
        Visit visit{shared, {}, nullptr, {}, {}, {}, nullptr, store::Session{}, {}, {}};
        visit.request.headers = headers;
        visit.token = visit.cookie(kSessionCookie);
        visit.words = &words_for(visit.request.header("Accept-Language").value_or(""), visit.cookie(kLanguageCookie));
        return error_page(visit, too_much(visit));
    };
    return policy;
}

Result<std::string> Pages::make_login_link()
{
    const auto& shared = impl_->shared;
    return std::string("/open/") + TRY(shared.store.write([&](store::WriteTx& tx) {
               return store::begin_session(tx, shared.self.id, store::SessionKind::Link, kLinkLifetimeMs);
           }));
}

// ---- what pages share

void Shared::remember_uploader(std::string_view token)
{
    std::lock_guard lock(mutex);
    constexpr size_t kMost = 1000;
    if (uploaders.size() >= kMost)
        uploaders.clear();
    uploaders.insert(sha256(token));
}

std::string Visit::param(std::string_view name) const
{
    auto parameters = parse_urlencoded(query);
    return parameters.ok() ? std::string(parameters->get(name)) : std::string();
}

std::string_view Visit::cookie(std::string_view name) const
{
    return net::find_cookie(request.headers, std::string(name) + "-" + shared.cookie_suffix);
}

std::string Visit::csrf() const
{
    return sign(*this, "csrf", "");
}

std::string sign(const Visit& visit, std::string_view purpose, std::string_view text)
{
    return to_base64url(hmac_sha256(visit.token, std::string(purpose) + '\n' + std::string(text)));
}

std::string cookie_header(const Visit& visit, std::string_view name, std::string_view value, int64_t lifetime_s)
{
    std::string out = std::string(name) + "-" + visit.shared.cookie_suffix + "=" + std::string(value) +
                      "; Path=/; HttpOnly; SameSite=Strict";
    if (lifetime_s != 0)
        out += "; Max-Age=" + std::to_string(std::max<int64_t>(lifetime_s, 0));
    return out;
}

net::HttpResponse see_other(std::string location)
{
    net::HttpResponse response;
    response.status = 303;
    return response.with("Location", std::move(location)).with("Referrer-Policy", "no-referrer").with("Cache-Control", "no-store");
}

net::HttpResponse done(const std::string& location, std::string_view what)
{
    return see_other(location + (location.find('?') == std::string::npos ? "?done=" : "&done=") + std::string(what));
}

}  // namespace bivouac::pages
