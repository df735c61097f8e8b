// SPDX-License-Identifier: BSD-3-Clause
#include "oauth_page.h"

#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>

namespace bivouac::api {

namespace {

// Readable without it as well.
constexpr const char* kStyle =
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:0 auto;padding:1.5rem;"
    "color:#1b1b1b;background:#fbfbf8;overflow-wrap:anywhere}"
    "h1{font-size:1.4rem;line-height:1.25}"
    "img{width:48px;height:48px;float:inline-end;margin-inline-start:1rem}"
    "fieldset{border:1px solid #8888;border-radius:.4rem;margin:1rem 0;padding:.6rem 1rem}"
    "legend{font-weight:600}"
    "label{display:block;padding:.15rem 0}"
    "small{color:#666}"
    ".warning{border-inline-start:.3rem solid #b3541e;padding-inline-start:.8rem}"
    ".message{border:2px solid #b3261e;border-radius:.4rem;padding:.6rem 1rem}"
    "input[type=password]{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}"
    "button{font:inherit;padding:.5rem 1.4rem;margin-block:.5rem;margin-inline:0 .6rem}"
    "@media(prefers-color-scheme:dark){body{color:#e6e6e2;background:#16181a}small{color:#a0a0a0}}";

void begin(Html& html, const Words& tr, Msg title)
{
    html.markup("<!DOCTYPE html>\n<html lang=\"").text(tr.tag()).markup("\" dir=\"");
    html.markup(tr.right_to_left() ? Html::Markup("rtl") : Html::Markup("ltr"));
    html.markup("\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    html.text(tr(title)).markup("</title>\n<style>");
    static_assert(std::string_view(kStyle).find_first_of("&<>\"'") == std::string_view::npos);
    html.text(kStyle).markup("</style>\n</head>\n<body>\n");
}

// A sentence with words of the app's in its places.
void say(Html& html, const Words& tr, Msg msg, std::initializer_list<std::string_view> arguments = {})
{
    for_pieces(
        tr(msg), [&](std::string_view text) { html.text(text); },
        [&](size_t index) {
            if (index < arguments.size())
                html.markup("<bdi>").text(arguments.begin()[index]).markup("</bdi>");
        });
}

// form_target: where the form's answer may send the browser; Chromium applies form-action to redirects too.
net::HttpResponse page_response(int status, Html& html, const Words& tr, const std::string& form_target, bool icon)
{
    html.markup("</body>\n</html>\n");
    net::HttpResponse response;
    response.status = status;
    response.body = html.take();
    std::string policy = "default-src 'none'; style-src 'sha256-" + to_base64(sha256(kStyle)) + "'; ";
    if (icon)
        policy += "img-src data:; ";
    policy += form_target.empty() ? "form-action 'none'; " : "form-action 'self' " + form_target + "; ";
    policy += "base-uri 'none'; frame-ancestors 'none'";
    return response.with("Content-Type", "text/html; charset=utf-8")
        .with("Content-Security-Policy", std::move(policy))
        .with("X-Frame-Options", "DENY")
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with("Cache-Control", "no-store")
        .with("Content-Language", tr.tag())
        .with("Vary", "Accept-Language, Cookie");
}

void checkbox(Html& html, std::string_view name, size_t index, bool ticked)
{
    html.markup("<label><input type=\"checkbox\" name=\"").text(name).markup("\" value=\"");
    html.text(std::to_string(index)).markup(ticked ? Html::Markup("\" checked> ") : Html::Markup("\"> "));
}

void type_boxes(Html& html, const Words& tr, std::string_view name, const std::vector<std::string>& types,
                const std::vector<bool>& ticked)
{
    for (size_t i = 0; i < types.size(); ++i) {
        checkbox(html, name, i, ticked[i]);
        if (types[i] == kAllTypes) {
            html.markup("<strong>").text(tr(T("everything"))).markup("</strong>: ");
            html.text(tr(T("posts of every type, the private ones too")));
        } else {
            html.markup("<bdi>").text(types[i]).markup("</bdi>");
        }
        html.markup("</label>\n");
    }
}

void scope_boxes(Html& html, const Words& tr, const std::vector<std::string>& scopes, const std::vector<bool>& ticked)
{
    for (size_t i = 0; i < scopes.size(); ++i) {
        checkbox(html, "scope", i, ticked[i]);
        if (scopes[i] == "permissions")
            html.text(tr(T("choose who may see the posts it makes"))).markup(" <small>(permissions)</small>");
        else if (scopes[i] == "import")
            html.text(tr(T("import old posts, your own and those of others, as if they had come by themselves"))).markup(" <small>(import)</small>");
        else
            html.markup("<bdi>").text(scopes[i]).markup("</bdi> <small>").text(tr(T("(unknown to this server; changes nothing)"))).markup("</small>");
        html.markup("</label>\n");
    }
}

bool wants_everything(const tent::Grant& grant)
{
    for (const auto* list : {&grant.read, &grant.write})
        for (const auto& selector : *list)
            if (selector == kAllTypes)
                return true;
    return false;
}

void warnings(Html& html, const Words& tr, const tent::AppContent& app)
{
    auto warn = [&](Msg msg, std::string_view url) {
        html.markup("<p class=\"warning\">");
        say(html, tr, msg, {url});
        html.markup("</p>\n");
    };
    if (wants_everything(app.wanted))
        warn(T("This app asks for everything. Tick that only for a program that you would give all of your account."), "");
    switch (tent::notification_place(app.notification_url)) {
    case tent::NotificationPlace::None: break;
    case tent::NotificationPlace::Onion:
        warn(T("New posts that it may read will be sent to it, through Tor, at {0}"), app.notification_url);
        break;
    case tent::NotificationPlace::ThisMachine:
        warn(T("New posts that it may read will be sent to a program on the machine of this server, at {0}"), app.notification_url);
        break;
    case tent::NotificationPlace::Elsewhere:
        warn(T("It wants new posts sent to {0}, outside of Tor's onions. This server does not do that; the app has to ask for new posts itself."), app.notification_url);
    }
}

void choices(Html& html, const Words& tr, Msg legend, std::string_view name, const std::vector<std::string>& types, const std::vector<bool>& ticked)
{
    if (types.empty())
        return;
    html.markup("<fieldset>\n<legend>").text(tr(legend)).markup("</legend>\n");
    if (name == "scope")
        scope_boxes(html, tr, types, ticked);
    else
        type_boxes(html, tr, name, types, ticked);
    html.markup("</fieldset>\n");
}

}  // namespace

net::HttpResponse consent_page(int status, const Words& tr, const ConsentPage& page)
{
    const tent::AppContent& app = page.app;
    Html html;
    begin(html, tr, T("Allow this app?"));
    if (!page.icon.empty())
        html.markup("<img alt=\"\" src=\"").text(page.icon).markup("\">\n");
    html.markup("<h1>");
    say(html, tr, T("Allow {0}?"), {app.name});
    html.markup("</h1>\n<p>");
    say(html, tr, T("An app asks to use {0} in your name. It says that it is {1} from {2}. Nobody has checked that."), {page.entity, app.name, app.url});
    html.markup("</p>\n");
    if (!app.description.empty())
        html.markup("<p><bdi>").text(app.description).markup("</bdi></p>\n");
    if (page.allowed_before)
        html.markup("<p>").text(tr(T("You have allowed this app before. What you tick now replaces that."))).markup("</p>\n");
    if (!page.message.empty())
        html.markup("<p class=\"message\" role=\"alert\">").text(page.message).markup("</p>\n");
    html.markup("<form method=\"post\" action=\"").text(page.action);
    html.markup("\">\n<input type=\"hidden\" name=\"token\" value=\"").text(page.token).markup("\">\n");
    choices(html, tr, T("It may read"), "read", app.wanted.read, page.read);
    choices(html, tr, T("It may read, write, change and delete"), "write", app.wanted.write, page.write);
    choices(html, tr, T("It may also"), "scope", app.wanted.scopes, page.scopes);
    html.markup("<p>").text(tr(T("Whatever you tick, it may read all posts on this server that are public."))).markup("</p>\n");
    warnings(html, tr, app);
    html.markup("<p><label for=\"passphrase\">").text(tr(T("Your passphrase, the one that you start this server with")));
    html.markup("</label>\n<input type=\"password\" id=\"passphrase\" name=\"passphrase\" autocomplete=\"off\"></p>\n"
                "<p><button name=\"answer\" value=\"allow\">");
    html.text(tr(T("Allow"))).markup("</button>\n<button name=\"answer\" value=\"refuse\">");
    html.text(tr(T("Refuse"))).markup("</button></p>\n<p>");
    say(html, tr, T("Either way you are sent to {0}"), {tent::redirect_source(app.redirect_uri)});
    html.markup("</p>\n</form>\n");
    return page_response(status, html, tr, tent::redirect_source(app.redirect_uri), !page.icon.empty());
}

net::HttpResponse refusal_page(int status, const Words& tr, Msg text)
{
    Html html;
    begin(html, tr, T("This does not work"));
    html.markup("<h1>").text(tr(T("This does not work"))).markup("</h1>\n<p>").text(tr(text)).markup("</p>\n");
    return page_response(status, html, tr, "", false);
}

net::HttpResponse redirect(const std::string& location)
{
    net::HttpResponse response;
    response.status = 302;
    return response.with("Location", location)
        .with("Referrer-Policy", "no-referrer")
        .with("Cache-Control", "no-store");
}

std::string icon_url(std::string_view bytes)
{
    const char* type = nullptr;
    if (bytes.starts_with("\x89PNG\r\n\x1a\n"))
        type = "image/png";
    else if (bytes.starts_with("\xff\xd8\xff"))
        type = "image/jpeg";
    else if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a"))
        type = "image/gif";
    else if (bytes.size() > 12 && bytes.starts_with("RIFF") && bytes.substr(8).starts_with("WEBP"))
        type = "image/webp";
    if (!type || bytes.size() > static_cast<size_t>(kIconBytes))
        return {};
    return std::string("data:") + type + ";base64," + to_base64(bytes);
}

}  // namespace bivouac::api
