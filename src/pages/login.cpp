// SPDX-License-Identifier: BSD-3-Clause
// Coming in: with the passphrase, or by a link that the command line gave; and going out.
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>

#include "page.h"

namespace bivouac::pages {

namespace {

constexpr int64_t kDayMs = 24 * 3600'000;
constexpr int64_t kSessionMs = 30 * kDayMs;
constexpr int64_t kDeviceMs = 365 * kDayMs;
constexpr size_t kPassphraseBytes = 4096;

// So that the form has a token although nobody is logged in.
net::HttpResponse with_guest(Visit& visit, net::HttpResponse response, bool fresh)
{
    if (fresh)
        response.with("Set-Cookie", cookie_header(visit, kGuestCookie, visit.token, 0));
    return response;
}

net::HttpResponse login_page(Visit& visit, int status, std::string_view problem)
{
    const bool fresh = visit.token.empty();
    if (fresh)
        visit.token = to_base64url(system_random().bytes(32));
    Page page(visit, visit.tr(T("Log in")), Frame::Bare);
    page.heading("Log in");
    if (!problem.empty())
        page.problem(problem);
    page.form("/login").hidden("next", next_of(visit));
    page.field("passphrase", "Passphrase", {.required = true, .is_password = true, .focus = true});
    page.button("Log in").end_form();
    page.note("Checking it takes a few seconds on purpose.");
    return with_guest(visit, page.finish(status), fresh);
}

net::HttpResponse come_in(Visit& visit)
{
    struct Tokens {
        std::string session, device;
        bool welcomed = false;
    };
    auto made = visit.store().write([&](store::WriteTx& tx) -> Result<Tokens> {
        const int64_t owner = visit.self().id;
        Tokens out;
        TRY(store::forget_expired_sessions(tx));
        out.session = TRY(store::begin_session(tx, owner, store::SessionKind::Session, kSessionMs));
        const std::string device(visit.cookie(kDeviceCookie));
        if (device.empty() || !TRY(store::find_session(tx, owner, store::SessionKind::Device, device)))
            out.device = TRY(store::begin_session(tx, owner, store::SessionKind::Device, kDeviceMs));
        out.welcomed = TRY(store::load_page_state(tx, owner)).welcomed;
        return out;
    });
    if (!made.ok())
        return error_page(visit, made.error());
    visit.shared.remember_uploader(made->session);
    auto response = see_other(made->welcomed ? next_of(visit) : "/me/welcome");
    response.with("Set-Cookie", cookie_header(visit, kSessionCookie, made->session, kSessionMs / 1000));
    if (!made->device.empty())
        response.with("Set-Cookie", cookie_header(visit, kDeviceCookie, made->device, kDeviceMs / 1000));
    response.with("Set-Cookie", cookie_header(visit, kGuestCookie, "", -1));
    return response;
}

void check_passphrase(const VisitPtr& visit)
{
    Secret passphrase = visit->form.secret("passphrase");
    if (passphrase.empty() || passphrase.size() > kPassphraseBytes)
        return visit->respond(login_page(*visit, 403, visit->tr(T("Type your passphrase."))));
    const std::string device(visit->cookie(kDeviceCookie));
    bool known = false;
    if (!device.empty() && device.size() < 100) {
        auto found = visit->store().read([&](store::ReadTx& tx) {
            return store::find_session(tx, visit->self().id, store::SessionKind::Device, device);
        });
        known = found.ok() && found->has_value();
    }
    visit->shared.hooks.check_passphrase(std::move(passphrase), known, [visit](api::PassphraseCheck outcome) {
        switch (outcome) {
        case api::PassphraseCheck::Right: return visit->respond(come_in(*visit));
        case api::PassphraseCheck::Wrong:
            return visit->respond(login_page(*visit, 403, visit->tr(T("That was not the passphrase. After each wrong one the next check takes longer."))));
        case api::PassphraseCheck::Busy:
            return visit->respond(login_page(*visit, 503, visit->tr(T("Too many passphrases are being tried at the moment. Wait a minute and try again, or use the link that “bivouac open” prints."))));
        }
    });
}

net::HttpResponse link_page(Visit& visit)
{
    const bool fresh = visit.token.empty();
    if (fresh)
        visit.token = to_base64url(system_random().bytes(32));
    const std::string link = visit.path.substr(std::string_view("/open/").size());
    if (!visit.posting()) {
        Page page(visit, visit.tr(T("Come in")), Frame::Bare);
        page.heading("Come in");
        page.m("<form method=\"post\" action=\"/open/").url(link).m("\">\n");
        page.hidden("csrf", visit.csrf()).button("Come in").end_form();
        page.note("This link works once, for ten minutes after it was made.");
        return with_guest(visit, page.finish(), fresh);
    }
    auto used = visit.store().write([&](store::WriteTx& tx) {
        return store::end_session(tx, visit.self().id, store::SessionKind::Link, link);
    });
    if (!used.ok())
        return error_page(visit, used.error());
    if (!*used)
        return login_page(visit, 403, visit.tr(T("This link was used already, or is too old. Ask for a new one with “bivouac open”, or use your passphrase.")));
    return come_in(visit);
}

}  // namespace

std::string next_of(const Visit& visit)
{
    std::string next = visit.posting() ? std::string(visit.form.get("next")) : visit.param("next");
    const bool ours = next == "/me" || next.starts_with("/me/") || next.starts_with("/me?");
    return ours && next.find_first_of("\r\n\\") == std::string::npos ? next : std::string("/me");
}

void login(const VisitPtr& visit)
{
    if (visit->path != "/login")
        return visit->respond(link_page(*visit));
    if (visit->is_owner())
        return visit->respond(see_other(next_of(*visit)));
    if (visit->posting())
        return check_passphrase(visit);
    visit->respond(login_page(*visit, 200, ""));
}

net::HttpResponse logout(Visit& visit)
{
    if (!visit.posting())
        return see_other("/me");
    auto ended = visit.store().write([&](store::WriteTx& tx) {
        return store::end_session(tx, visit.self().id, store::SessionKind::Session, visit.token);
    });
    if (!ended.ok())
        return error_page(visit, ended.error());
    auto response = see_other("/login");
    return response.with("Set-Cookie", cookie_header(visit, kSessionCookie, "", -1))
        .with("Clear-Site-Data", "\"cache\"");
}

net::HttpResponse choose_language(Visit& visit)
{
    std::string back = visit.param("back");
    if (!back.starts_with('/') || back.starts_with("//") || back.find_first_of("\r\n\\") != std::string::npos)
        back = std::string("/");
    // An unknown one: as the browser asks again.
    const std::string tag = known_language(visit.param("to"));
    return see_other(back).with("Set-Cookie", cookie_header(visit, kLanguageCookie, tag, tag.empty() ? -1 : 365 * 24 * 3600));
}

net::HttpResponse security(Visit& visit)
{
    if (visit.posting()) {
        auto ended = visit.store().write([&](store::WriteTx& tx) -> Result<std::string> {
            TRY(store::end_all_sessions(tx, visit.self().id));
            return store::begin_session(tx, visit.self().id, store::SessionKind::Session, kSessionMs);
        });
        if (!ended.ok())
            return error_page(visit, ended.error());
        {
            std::lock_guard lock(visit.shared.mutex);
            visit.shared.uploaders.clear();
        }
        return done("/me/security", "all-out").with("Set-Cookie", cookie_header(visit, kSessionCookie, *ended, kSessionMs / 1000));
    }
    struct Logins {
        std::vector<store::Session> sessions, devices;
        store::PageState state;
    };
    auto logins = visit.store().write([&](store::WriteTx& tx) -> Result<Logins> {
        const int64_t owner = visit.self().id;
        Logins out{TRY(store::list_sessions(tx, owner, store::SessionKind::Session)),
                   TRY(store::list_sessions(tx, owner, store::SessionKind::Device)), TRY(store::load_page_state(tx, owner))};
        if (out.state.failures_unseen > 0) {
            auto seen = out.state;
            seen.failures_unseen = 0;
            TRY(store::save_page_state(tx, owner, seen));
        }
        return out;
    });
    if (!logins.ok())
        return error_page(visit, logins.error());
    Page page(visit, visit.tr(T("Logins")), Frame::Owner);
    page.heading("Logins");
    if (logins->state.failures_unseen > 0) {
        page.m("<p class=\"warning\">").tn("{0} wrong passphrase was tried since you last looked here.", "{0} wrong passphrases were tried since you last looked here.", logins->state.failures_unseen);
        page.m("</p>\n");
    }
    page.m("<h2>").t("Logged in").m("</h2>\n<table>\n<thead><tr><th scope=\"col\">").t("Since").m("</th><th scope=\"col\">");
    page.t("Last seen").m("</th><th scope=\"col\">").t("Which").m("</th></tr></thead>\n<tbody>\n");
    for (const auto& session : logins->sessions) {
        page.m("<tr><td>").time(session.created_at).m("</td><td>").time(session.seen_at).m("</td><td>");
        if (session.id == visit.session->id)
            page.t("this browser");
        page.m("</td></tr>\n");
    }
    page.m("</tbody>\n</table>\n<p>").tn("{0} browser has been logged in here before; its attempts to log in do not wait behind those of strangers.",
                                          "{0} browsers have been logged in here before; their attempts to log in do not wait behind those of strangers.",
                                          static_cast<int64_t>(logins->devices.size()));
    page.m("</p>\n").form("/me/security").button("Log out everywhere else").end_form();
    return page.finish();
}

}  // namespace bivouac::pages
