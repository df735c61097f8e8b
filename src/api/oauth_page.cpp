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
    "img{width:48px;height:48px;float:right;margin-left:1rem}"
    "fieldset{border:1px solid #8888;border-radius:.4rem;margin:1rem 0;padding:.6rem 1rem}"
    "legend{font-weight:600}"
    "label{display:block;padding:.15rem 0}"
    "small{color:#666}"
    ".warning{border-left:.3rem solid #b3541e;padding-left:.8rem}"
    ".message{border:2px solid #b3261e;border-radius:.4rem;padding:.6rem 1rem}"
    "input[type=password]{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}"
    "button{font:inherit;padding:.5rem 1.4rem;margin:.5rem .6rem .5rem 0}"
    "@media(prefers-color-scheme:dark){body{color:#e6e6e2;background:#16181a}small{color:#a0a0a0}}";

void begin(Html& html, std::string_view title)
{
    html.markup("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
        .text(title)
        .markup("</title>\n<style>");
    static_assert(std::string_view(kStyle).find_first_of("&<>\"'") == std::string_view::npos);
    html.text(kStyle).markup("</style>\n</head>\n<body>\n");
}

// form_target: where the form's answer may send the browser; Chromium applies form-action to redirects too.
net::HttpResponse page_response(int status, Html& html, const std::string& form_target, bool icon)
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
        .with("Cache-Control", "no-store");
}

void checkbox(Html& html, std::string_view name, size_t index, bool ticked)
{
    html.markup("<label><input type=\"checkbox\" name=\"").text(name).markup("\" value=\"");
    html.text(std::to_string(index)).markup(ticked ? Html::Markup("\" checked> ") : Html::Markup("\"> "));
}

void type_boxes(Html& html, std::string_view name, const std::vector<std::string>& types,
                const std::vector<bool>& ticked)
{
    for (size_t i = 0; i < types.size(); ++i) {
        checkbox(html, name, i, ticked[i]);
        if (types[i] == kAllTypes)
            html.markup("<strong>everything</strong>: posts of every type, the private ones too");
        else
            html.text(types[i]);
        html.markup("</label>\n");
    }
}

void scope_boxes(Html& html, const std::vector<std::string>& scopes, const std::vector<bool>& ticked)
{
    for (size_t i = 0; i < scopes.size(); ++i) {
        checkbox(html, "scope", i, ticked[i]);
        if (scopes[i] == "permissions")
            html.markup("choose who may see the posts it makes <small>(permissions)</small>");
        else if (scopes[i] == "import")
            html.markup("import old posts, your own and those of others, as if they had come by themselves "
                        "<small>(import)</small>");
        else
            html.text(scopes[i]).markup(" <small>(unknown to this server; changes nothing)</small>");
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

void warnings(Html& html, const tent::AppContent& app)
{
    if (wants_everything(app.wanted))
        html.markup("<p class=\"warning\">This app asks for <strong>everything</strong>. Tick that only for a program "
                    "that you would give all of your account.</p>\n");
    switch (tent::notification_place(app.notification_url)) {
    case tent::NotificationPlace::None: break;
    case tent::NotificationPlace::Onion:
        html.markup("<p class=\"warning\">New posts that it may read will be sent to it, through Tor, at ")
            .text(app.notification_url)
            .markup("</p>\n");
        break;
    case tent::NotificationPlace::ThisMachine:
        html.markup("<p class=\"warning\">New posts that it may read will be sent to a program on the machine of this "
                    "server, at ")
            .text(app.notification_url)
            .markup("</p>\n");
        break;
    case tent::NotificationPlace::Elsewhere:
        html.markup("<p class=\"warning\">It wants new posts sent to ")
            .text(app.notification_url)
            .markup(", outside of Tor's onions. This server does not do that; the app has to ask for new posts "
                    "itself.</p>\n");
    }
}

}  // namespace

net::HttpResponse consent_page(int status, const ConsentPage& page)
{
    const tent::AppContent& app = page.app;
    Html html;
    begin(html, "Allow this app?");
    if (!page.icon.empty())
        html.markup("<img alt=\"\" src=\"").text(page.icon).markup("\">\n");
    html.markup("<h1>Allow <bdi>").text(app.name).markup("</bdi>?</h1>\n<p>An app asks to use ");
    html.text(page.entity).markup(" in your name. It says that it is <bdi>").text(app.name);
    html.markup("</bdi> from ").text(app.url).markup(". Nobody has checked that.</p>\n");
    if (!app.description.empty())
        html.markup("<p><bdi>").text(app.description).markup("</bdi></p>\n");
    if (page.allowed_before)
        html.markup("<p>You have allowed this app before. What you tick now replaces that.</p>\n");
    if (!page.message.empty())
        html.markup("<p class=\"message\" role=\"alert\">").text(page.message).markup("</p>\n");
    html.markup("<form method=\"post\" action=\"").text(page.action);
    html.markup("\">\n<input type=\"hidden\" name=\"token\" value=\"").text(page.token).markup("\">\n");
    if (!app.wanted.read.empty()) {
        html.markup("<fieldset>\n<legend>It may read</legend>\n");
        type_boxes(html, "read", app.wanted.read, page.read);
        html.markup("</fieldset>\n");
    }
    if (!app.wanted.write.empty()) {
        html.markup("<fieldset>\n<legend>It may read, write, change and delete</legend>\n");
        type_boxes(html, "write", app.wanted.write, page.write);
        html.markup("</fieldset>\n");
    }
    if (!app.wanted.scopes.empty()) {
        html.markup("<fieldset>\n<legend>It may also</legend>\n");
        scope_boxes(html, app.wanted.scopes, page.scopes);
        html.markup("</fieldset>\n");
    }
    html.markup("<p>Whatever you tick, it may read all posts on this server that are public.</p>\n");
    warnings(html, app);
    html.markup("<p><label for=\"passphrase\">Your passphrase, the one that you start this server with</label>\n"
                "<input type=\"password\" id=\"passphrase\" name=\"passphrase\" autocomplete=\"off\"></p>\n"
                "<p><button name=\"answer\" value=\"allow\">Allow</button>\n"
                "<button name=\"answer\" value=\"refuse\">Refuse</button></p>\n"
                "<p>Either way you are sent to ")
        .text(tent::redirect_source(app.redirect_uri))
        .markup("</p>\n</form>\n");
    return page_response(status, html, tent::redirect_source(app.redirect_uri), !page.icon.empty());
}

net::HttpResponse refusal_page(int status, std::string_view text)
{
    Html html;
    begin(html, "This does not work");
    html.markup("<h1>This does not work</h1>\n<p>").text(text).markup("</p>\n");
    return page_response(status, html, "", false);
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
