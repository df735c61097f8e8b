// SPDX-License-Identifier: BSD-3-Clause
#include "page.h"

#include <bivouac/api/error_response.h>
#include <bivouac/base/bytes.h>
#include <bivouac/tent/meta.h>

#include <ctime>

#include "done.h"

namespace bivouac::pages {

namespace {

constexpr const char* kStyles[] = {
#include "style.h"
};
constexpr std::string_view kStyle = kStyles[0];

struct Place {
    Html::Markup path;
    Msg label;
};
constexpr Place kMain[] = {
    {"/me", T("Timeline")},
    {"/me/compose", T("Write")},
    {"/me/conversations", T("Conversations")},
    {"/me/mentions", T("Mentions")},
    {"/me/people", T("People")},
    {"/me/search", T("Search")},
    {"/me/profile", T("Profile")},
    {"/me/node", T("Node")},
};

void navigation(Html& html, const Visit& visit)
{
    html.markup("<nav aria-label=\"").text(visit.tr(T("Main"))).markup("\">\n<ul>\n");
    for (const auto& place : kMain) {
        Html path;
        path.markup(place.path);
        html.markup("<li><a href=\"").markup(place.path).markup("\"");
        if (visit.path == path.take())
            html.markup(" aria-current=\"page\"");
        html.markup(">").text(visit.tr(place.label)).markup("</a></li>\n");
    }
    html.markup("</ul>\n</nav>\n");
}

}  // namespace

std::string_view style_text() { return kStyle; }

std::string style_path()
{
    static const std::string path = "/style-" + to_hex(sha256(kStyle)).substr(0, 16) + ".css";
    return path;
}

std::string format(std::string_view pattern, std::initializer_list<std::string_view> arguments)
{
    return filled(pattern, arguments);
}

std::string short_entity(std::string_view entity)
{
    std::string_view host = entity;
    if (size_t scheme = host.find("://"); scheme != std::string_view::npos)
        host = host.substr(scheme + 3);
    if (host.ends_with(".onion") && host.size() > 30)
        return std::string(host.substr(0, 8)) + "\u2026" + std::string(host.substr(host.size() - 10, 4));
    return std::string(host.substr(0, 80));
}

Page::Page(Visit& visit, std::string_view title, Frame frame)
    : visit_(visit)
    , words_(*visit.words)
    , frame_(frame)
{
    html_.reserve(32u << 10);
    m("<!DOCTYPE html>\n<html lang=\"").x(words_.tag()).m("\" dir=\"");
    m(words_.right_to_left() ? Html::Markup("rtl") : Html::Markup("ltr"));
    m("\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    x(title).m("</title>\n<link rel=\"stylesheet\" href=\"").x(style_path()).m("\">\n");
    if (frame == Frame::Visitor) {
        // Old clients look for exactly this form (Tent 0.3, section 1.2).
        m("<link href=\"").x(visit.self().entity + tent::meta_path(visit.self()));
        m("\" rel=\"https://tent.io/rels/meta-post\" />\n");
        m("<link rel=\"alternate\" type=\"application/atom+xml\" href=\"/feed.atom\" title=\"").t("Posts").m("\">\n");
    }
    m("</head>\n<body>\n");
    if (frame != Frame::Bare) {
        m("<a class=\"skip\" href=\"#content\">").t("Skip to the content").m("</a>\n<header>\n");
        if (frame == Frame::Owner) {
            navigation(html_, visit);
        } else {
            m("<nav aria-label=\"").t("Main").m("\">\n<ul>\n<li><a href=\"/\">").t("Posts").m("</a></li>\n");
            m("<li><a href=\"/follow\">").t("How to follow").m("</a></li>\n");
            m("</ul>\n</nav>\n");
        }
        m("</header>\n");
    }
    m("<main id=\"content\" tabindex=\"-1\">\n");
    if (frame == Frame::Owner)
        if (auto words = done_words(visit); !words.empty())
            m("<p class=\"done\" role=\"status\">").x(words).m("</p>\n");
}

const std::string& Page::csrf()
{
    if (csrf_.empty())
        csrf_ = visit_.csrf();
    return csrf_;
}

std::string Page::next_id()
{
    return "f" + std::to_string(++ids_);
}

Page& Page::url(std::string_view value) { return x(percent_encode(value)); }

Page& Page::t(Msg msg, std::initializer_list<std::string_view> arguments)
{
    for_pieces(
        words_(msg), [&](std::string_view text) { x(text); },
        [&](size_t index) {
            if (index < arguments.size())
                m("<bdi>").x(arguments.begin()[index]).m("</bdi>");
        });
    return *this;
}

Page& Page::tn(Msg one, Msg many, int64_t n)
{
    const std::string number = words_.number(n);
    return x(format(words_.plural(one, many, n), {number}));
}

Page& Page::t_link(Msg sentence, Msg link_text, std::string_view href)
{
    for_pieces(
        words_(sentence), [&](std::string_view text) { x(text); },
        [&](size_t) { m("<a href=\"").x(href).m("\">").t(link_text).m("</a>"); });
    return *this;
}

Page& Page::heading_text(std::string_view text) { return m("<h1>").x(text).m("</h1>\n"); }
Page& Page::problem(std::string_view text) { return m("<p class=\"problem\" role=\"alert\">").x(text).m("</p>\n"); }
Page& Page::note(Msg msg) { return m("<p class=\"note\">").t(msg).m("</p>\n"); }

Page& Page::time(int64_t ms)
{
    const std::time_t seconds = ms / 1000;
    std::tm tm{};
    gmtime_r(&seconds, &tm);
    char machine[32] = "";
    std::strftime(machine, sizeof machine, "%Y-%m-%dT%H:%MZ", &tm);
    return m("<time datetime=\"").x(machine).m("\">").x(words_.date_time(ms)).m("</time>");
}

Page& Page::entity(std::string_view entity)
{
    return m("<span class=\"address\" dir=\"ltr\" title=\"").x(entity).m("\">").x(short_entity(entity)).m("</span>");
}

Page& Page::form(Html::Markup action, std::string_view query)
{
    m("<form method=\"post\" action=\"").m(action).x(query).m("\">\n");
    return hidden("csrf", csrf());
}

Page& Page::upload_form(Html::Markup action, std::string_view query)
{
    m("<form method=\"post\" enctype=\"multipart/form-data\" action=\"").m(action).x(query).m("\">\n");
    return hidden("csrf", csrf());
}

Page& Page::hidden(Html::Markup name, std::string_view value)
{
    return m("<input type=\"hidden\" name=\"").m(name).m("\" value=\"").x(value).m("\">\n");
}

Page& Page::field(Html::Markup name, Msg label, const Field& options)
{
    const std::string id = next_id();
    m("<div class=\"field\"><label for=\"").x(id).m("\">").t(label).m("</label>\n");
    if (!options.hint.empty())
        m("<p class=\"hint\" id=\"").x(id).m("h\">").x(options.hint).m("</p>\n");
    if (options.rows > 0)
        m("<textarea rows=\"").x(std::to_string(options.rows)).m("\" dir=\"auto\"");
    else
        m("<input type=\"").m(options.is_password ? Html::Markup("password") : options.is_search ? Html::Markup("search") : Html::Markup("text")).m("\"");
    m(" id=\"").x(id).m("\" name=\"").m(name).m("\"");
    if (options.is_password)
        m(" autocomplete=\"").m(options.new_password ? Html::Markup("new-password") : Html::Markup("current-password")).m("\"");
    else if (options.rows == 0)
        m(" autocomplete=\"off\"");
    if (!options.language_free.empty())
        m(" dir=\"ltr\" spellcheck=\"false\" autocapitalize=\"none\"");
    else if (options.rows == 0 && !options.is_password)
        m(" dir=\"auto\"");
    if (options.most > 0)
        m(" maxlength=\"").x(std::to_string(options.most)).m("\"");
    if (options.required)
        m(" required");
    if (options.focus)
        m(" autofocus");
    if (!options.hint.empty())
        m(" aria-describedby=\"").x(id).m("h\"");
    if (options.rows > 0)
        m(">\n").x(options.value).m("</textarea></div>\n");  // a browser drops the first line feed
    else
        m(" value=\"").x(options.value).m("\"></div>\n");
    return *this;
}

Page& Page::checkbox(Html::Markup name, std::string_view value, std::string_view label, bool checked)
{
    m("<label class=\"choice\"><input type=\"checkbox\" name=\"").m(name).m("\" value=\"").x(value);
    m(checked ? Html::Markup("\" checked> ") : Html::Markup("\"> "));
    return m("<bdi>").x(label).m("</bdi></label>\n");
}

Page& Page::radio(Html::Markup name, std::string_view value, std::string_view label, bool checked, std::string_view hint)
{
    m("<label class=\"choice\"><input type=\"radio\" name=\"").m(name).m("\" value=\"").x(value);
    m(checked ? Html::Markup("\" checked> ") : Html::Markup("\"> "));
    m("<bdi>").x(label).m("</bdi>");
    if (!hint.empty())
        m(" <small>").x(hint).m("</small>");
    return m("</label>\n");
}

Page& Page::button(Msg label, Html::Markup name, std::string_view value, Html::Markup css_class)
{
    m("<button class=\"").m(css_class).m("\"");
    if (!value.empty())
        m(" name=\"").m(name).m("\" value=\"").x(value).m("\"");
    return m(">").t(label).m("</button>\n");
}

Page& Page::deed(Html::Markup action, Msg label, std::initializer_list<Hidden> fields,
                 Html::Markup css_class)
{
    m("<form class=\"deed\" method=\"post\" action=\"").m(action).m("\">");
    hidden("csrf", csrf());
    for (const auto& [name, value] : fields)
        hidden(name, value);
    return button(label, "", {}, css_class).m("</form>\n");
}

net::HttpResponse Page::finish(int status)
{
    m("</main>\n");
    // A page that says "not here" is the same whatever was asked for, so it holds no way back.
    if (frame_ != Frame::Bare || visit_.path == "/login") {
        m("<footer>\n");
        if (frame_ == Frame::Owner) {
            m("<p><a href=\"/me/deliveries\">").t("Deliveries").m("</a> \u00b7 <a href=\"/me/groups\">").t("Groups");
            m("</a> \u00b7 <a href=\"/me/invites\">").t("Invites").m("</a> \u00b7 <a href=\"/me/apps\">").t("Apps");
            m("</a> \u00b7 <a href=\"/me/security\">").t("Logins").m("</a> \u00b7 <a href=\"/\">").t("What strangers see");
            m("</a></p>\n");
            m("<form class=\"deed\" method=\"post\" action=\"/logout\">");
            hidden("csrf", csrf()).button("Log out", "", {}, "quiet").m("</form>\n");
            m("<p class=\"note\">").t("Times are in UTC.").m("</p>\n");
        }
        language_links(html_, visit_);
        m("</footer>\n");
    }
    m("</body>\n</html>\n");
    auto response = page_response(status, html_.take());
    response.with("Content-Language", words_.tag()).with("Vary", "Accept, Accept-Language, Cookie");
    if (frame_ == Frame::Visitor)
        response.with("Link", "<" + tent::meta_path(visit_.self()) + ">; rel=\"https://tent.io/rels/meta-post\"");
    return response;
}

net::HttpResponse page_response(int status, std::string html)
{
    net::HttpResponse response;
    response.status = status;
    response.body = std::move(html);
    response.with("Content-Type", "text/html; charset=utf-8")
        .with("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
                                         "base-uri 'none'; frame-ancestors 'none'")
        .with("X-Frame-Options", "DENY")
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with("Cross-Origin-Opener-Policy", "same-origin")
        .with("Cross-Origin-Resource-Policy", "same-origin")
        .with("Cache-Control", "no-store");
    return response;
}

net::HttpResponse not_found(Visit& visit)
{
    Page page(visit, visit.tr(T("Not here")), visit.is_owner() ? Frame::Owner : Frame::Bare);
    page.heading("Not here").m("<p>").t("There is nothing here, or nothing for you.").m("</p>\n");
    return page.finish(404);
}

std::string error_text(const Visit& visit, const Error& error)
{
    if (!error.detail.empty() && error.kind != ErrorKind::Internal)
        return visit.words->runtime(error.detail);
    switch (error.kind) {
    case ErrorKind::NotFound: return std::string(visit.tr(T("That is not here (any more).")));
    case ErrorKind::NoSpace: return std::string(visit.tr(T("The disk is full. Nothing was changed.")));
    case ErrorKind::Unavailable: return std::string(visit.tr(T("This does not work at the moment. Try again in a minute.")));
    default: return std::string(visit.tr(T("This did not work, and nothing was changed. Try again; if it stays so, look into the log.")));
    }
}

net::HttpResponse error_page(Visit& visit, const Error& error)
{
    if (error.kind == ErrorKind::NotFound && !visit.is_owner())
        return not_found(visit);
    Page page(visit, visit.tr(T("This did not work")), visit.is_owner() ? Frame::Owner : Frame::Bare);
    page.heading("This did not work").problem(error_text(visit, error));
    if (visit.is_owner())
        page.m("<p><a href=\"/me\">").t("To the timeline").m("</a></p>\n");
    return page.finish(api::status_of(error.kind));
}

}  // namespace bivouac::pages
