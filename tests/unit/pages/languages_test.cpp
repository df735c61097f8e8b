// SPDX-License-Identifier: BSD-3-Clause
// Every page in every language: nothing is left untranslated, nothing breaks from right to left. The languages en-XA,
// which puts each text in brackets, and ar-XB are made from the template for tests alone (po/compile.py).
#include <doctest/doctest.h>

#include <bivouac/base/bytes.h>
#include <bivouac/pages/pages.h>
#include <bivouac/tent/audience.h>
#include <bivouac/tent/publish.h>

#include <cstring>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "page.h"
#include "tent_fixture.h"

using namespace bivouac;

namespace {

// All that people wrote is Greek, so that Latin letters are ours.
constexpr const char* kName = "Ωμέγα";
constexpr const char* kText = "Καλημέρα κόσμε";

std::string file_text(const std::string& path)
{
    std::ifstream in(path);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

// An array, also of one.
template <typename... Items>
Json list(Items&&... items)
{
    Json out = Json::array();
    (out.push_back(Json(std::forward<Items>(items))), ...);
    return out;
}

struct Reader {
    Home home;
    std::shared_ptr<api::Site> site = std::make_shared<api::Site>();
    api::PassphraseCheck outcome = api::PassphraseCheck::Right;
    pages::Job job;
    bool all_fails = false;
    bool nothing_yet = false;  // empty lists everywhere
    std::unique_ptr<pages::Pages> pages;
    std::string session, token;
    std::string language, accept_language;
    std::string post, other_post;

    Reader()
    {
        site->self = home.self;
        home.know(home.bob);
        post = say(kText, {"public"});
        other_post = say(kText, {"followers"});
        say(kText, {"me"});
        say(kText, {home.bob});
        say(kText, {"public"}, "https://tent.io/types/essay/v0#", {{"title", kName}, {"body", kText}, {"excerpt", ""}});
        say(kText, {"public"}, "https://example.org/types/unknown/v0#", {{"ω", kText}});
        pages::Hooks hooks;
        hooks.ask = [this](const std::string& route, const std::string&, const Json& body) { return answer(route, body); };
        hooks.publish = [](Post, const std::string&) -> Result<Json> { return fail(ErrorKind::NotFound, "there is no such group; see: bivouac group list"); };
        hooks.take_upload = [](const pages::Upload&, size_t) -> Result<pages::TakenUpload> {
            pages::TakenUpload out;
            out.cannot_be_cleaned = "it cannot be read";
            return out;
        };
        hooks.check_passphrase = [this](Secret, bool, std::function<void(api::PassphraseCheck)> done) { done(outcome); };
        hooks.posted = hooks.owner_seen = hooks.lock = hooks.panic = hooks.forget_job = [] {};
        hooks.runs_the_node = [] { return true; };
        hooks.begin_backup = [](Secret, Secret) -> Result<void> { return fail(ErrorKind::Conflict, "a backup or an export of this node is being made already"); };
        hooks.begin_export = [](Secret) -> Result<void> { return fail(ErrorKind::Forbidden, "wrong passphrase"); };
        hooks.job = [this] { return job; };
        hooks.job_file = []() -> Result<net::BodySource> { return fail(ErrorKind::NotFound, "there is nothing to download"); };
        pages = std::make_unique<pages::Pages>(*home.store, home.clock, home.self, std::move(hooks), pages::Settings{1000, home.folder});
        const std::string link = *pages->make_login_link();
        const auto form = get(link);
        const std::string csrf = csrf_of(form);
        std::string guest;
        for (const auto& header : form.headers)
            if (header.name == "Set-Cookie")
                guest = header.value.substr(0, header.value.find(';'));
        session = guest;
        for (const auto& header : post_form(link, "csrf=" + csrf).headers)
            if (header.name == "Set-Cookie" && header.value.starts_with("session-"))
                session = header.value.substr(0, header.value.find(';'));
        token = csrf_of(get("/me"));
    }

    std::string say(const std::string& text, std::vector<std::string> to, const std::string& kind = type::kStatus, Json content = nullptr)
    {
        return home.write([&](store::WriteTx& tx) -> Result<Post> {
            Post draft;
            draft.type = kind;
            draft.content = content.is_null() ? Json({{"text", text}}).dump() : content.dump();
            TRY(tent::address_to(tx, home.self, draft, to));
            return tent::publish(tx, home.self, std::move(draft));
        }).id;
    }

    Result<Json> answer(const std::string& route, const Json&)
    {
        if (all_fails)
            return fail(ErrorKind::Invalid, "this is your own address");
        if (nothing_yet)
            return Json({{"followers", Json::array()}, {"counts", Json::object()}, {"groups", Json::array()}, {"following", Json::array()}, {"catch_ups", Json::array()},
                         {"invites", Json::array()}, {"deliveries", Json::array()}, {"apps", Json::array()}, {"outages", Json::array()}, {"entities", Json::array()}});
        constexpr int64_t kAt = 1'795'899'905'000;
        if (route == "GET /audience")
            return Json({{"audience",
                          {{"public", false},
                           {"readers", list(Json({{"entity", home.bob}, {"because", list("follower", "named", "mentioned", "group:" + std::string(kName))}, {"delivered_to", true}}),
                                            Json({{"entity", home.carol}, {"because", list("named")}, {"delivered_to", false}}))},
                           {"warnings", list("mentioned, but may not read it: " + home.carol)}}}});
        if (route == "GET /followers") {
            Json all = Json::array();
            for (const char* state : {"pending", "approved", "denied", "blocked", "removed"})
                all.push_back({{"entity", home.carol}, {"name", kName}, {"state", state}, {"since", kAt}, {"note", kText}, {"first_seen", kAt}, {"groups", list(kName)},
                                {"safety_phrase", "safety phrase"}, {"moved", {{"from", home.bob}}}, {"verified_at", std::string(state) == "approved" ? kAt : 0}});
            return Json({{"followers", all}, {"counts", {{"pending", 1234}, {"approved", 1}, {"denied", 2}, {"blocked", 3}, {"removed", 4}}}});
        }
        if (route == "GET /groups")
            return Json({{"groups", list(Json({{"id", "followersgroup"}, {"name", "followers"}, {"members", 1}}), Json({{"id", "other"}, {"name", kName}, {"members", 0}}))}});
        if (route == "GET /group")
            return Json({{"group", {{"members", list(home.carol)}}}});
        if (route == "GET /following") {
            Json all = Json::array();
            for (const char* state : {"connecting", "requested", "approved", "refused", ""})
                all.push_back({{"entity", home.carol}, {"state", state}, {"verified_at", kAt}, {"problem", "the onion is not there at the moment"}, {"moved", {{"from", home.bob}}}});
            all.push_back({{"entity", home.bob}, {"state", "approved"}});
            return Json({{"following", all}});
        }
        if (route == "GET /catch-up")
            return Json({{"catch_ups", list(Json({{"entity", home.carol}, {"done_at", kAt}}), Json({{"entity", home.bob}}))}});
        if (route == "GET /invites") {
            Json all = Json::array();
            for (const char* state : {"open", "used up", "expired", "revoked"})
                all.push_back({{"id", "1"}, {"state", state}, {"created_at", kAt}, {"left", 1}, {"group", kName}, {"used_by", list(Json({{"entity", home.carol}}))}});
            return Json({{"invites", all}});
        }
        if (route == "POST /invites")
            return Json({{"link", home.self.entity + "/#invite=abc"}});
        if (route == "GET /deliveries") {
            Json all = Json::array();
            for (const char* state : {"waiting", "delivered", "refused", "given_up", "cancelled"})
                all.push_back({{"post", post}, {"type", type::kStatus}, {"entity", home.bob}, {"state", state}, {"tries", 3}, {"next_try_at", kAt}, {"problem", "answered 503"}});
            all.push_back({{"post", post}, {"type", type::kSubscriptionAll}, {"entity", home.bob}, {"state", "waiting"}, {"ended_at", kAt}});
            return Json({{"deliveries", all}, {"next_before", 7}});
        }
        if (route == "GET /apps") {
            const Json wanted = {{"read", list("all")}, {"write", list("all")}, {"scopes", list("ω")}};
            return Json({{"apps",
                          list(Json({{"id", "1"}, {"name", kName}, {"description", kText}, {"wanted", wanted}, {"granted", wanted}, {"granted_at", kAt}, {"registered_at", kAt}}),
                               Json({{"id", "2"}, {"name", kName}, {"description", kText}, {"wanted", wanted}, {"granted", nullptr}, {"registered_at", kAt}}))}});
        }
        if (route == "GET /status")
            return Json({{"tor", {{"connected", true}, {"bootstrap", 50}, {"problem", "tor offers no SOCKS port on loopback; deliveries wait"}}},
                         {"reach", {{"reachable", "no"}, {"checked_at", kAt}, {"why", "the answer did not come in time"}}},
                         {"published", true},
                         {"outbox", {{"waiting", 1}}}});
        if (route == "GET /outages")
            return Json({{"outages", list(Json({{"began_at", kAt}, {"ended_at", kAt}, {"why", "tor has no network"}}), Json({{"began_at", kAt}, {"why", "tor has no network"}}))}});
        if (route == "GET /storage")
            return Json({{"used", 123456789}, {"available", 1}});
        if (route == "GET /entities")
            return Json({{"entities", list(Json({{"name", "ω"}, {"entity", home.self.entity}, {"has_owner", true}}))}});
        return Json::object();
    }

    net::HttpResponse send(net::HttpRequest request)
    {
        request.host = home.self.onion + ".onion";
        if (!request.body)
            request.body = Spool::of_text("");
        request.headers.push_back({"Accept", "text/html"});
        if (!accept_language.empty())
            request.headers.push_back({"Accept-Language", accept_language});
        std::string cookies = session;
        if (!language.empty())
            cookies += (cookies.empty() ? "" : "; ") + std::string("language-") + to_hex(sha256(home.self.onion)).substr(0, 8) + "=" + language;
        if (!cookies.empty())
            request.headers.push_back({"Cookie", cookies});
        std::optional<net::HttpResponse> answered;
        pages->handle(std::move(request), site, [&](net::HttpResponse response) { answered = std::move(response); });
        REQUIRE(answered.has_value());
        return std::move(*answered);
    }
    net::HttpResponse get(std::string target)
    {
        net::HttpRequest request;
        request.method = "GET";
        request.target = std::move(target);
        return send(std::move(request));
    }
    net::HttpResponse post_form(std::string target, const std::string& body, const std::string& content_type = "application/x-www-form-urlencoded")
    {
        net::HttpRequest request;
        request.method = "POST";
        request.target = std::move(target);
        request.headers.push_back({"Content-Type", content_type});
        request.body = Spool::of_text(body);
        return send(std::move(request));
    }
    static std::string csrf_of(const net::HttpResponse& page)
    {
        constexpr std::string_view kBefore = "name=\"csrf\" value=\"";
        const size_t at = page.body.find(kBefore);
        REQUIRE(at != std::string::npos);
        return page.body.substr(at + kBefore.size(), 43);
    }

    // Every page that is reached by an address, with what it asks for where a page asks for something.
    std::vector<std::string> addresses() const
    {
        const std::string query = "?entity=" + percent_encode(home.self.entity) + "&post=" + post;
        const std::map<std::string, std::vector<std::string>> with = {
            {"/me/post", {query, "?entity=" + percent_encode(home.self.entity) + "&post=" + other_post, "?entity=x&post=y"}},
            {"/me/history", {query}},
            {"/me/delete", {"?post=" + post}},
            {"/me/edit", {"?post=" + post}},
            {"/me/compose", {"", query}},
            {"/me/conversation", {"?with=" + percent_encode(home.bob), "?with=" + percent_encode("x")}},
            {"/me/person", {"?entity=" + percent_encode(home.bob), "?entity=" + percent_encode(home.carol), "?entity=x"}},
            {"/me/people", {"", "?state=denied", "?state=pending"}},
            {"/me/welcome", {"", "?step=2", "?step=3", "?step=4"}},
            {"/me/search", {"", "?q=" + percent_encode("Καλημέρα"), "?q=" + percent_encode("ω")}},
            {"/me", {"", "?done=posted"}},
        };
        std::vector<std::string> out{"/login", "/nothing", "/me/nothing", "/posts/" + percent_encode(home.self.entity) + "/" + post,
                                     "/posts/" + percent_encode(home.self.entity) + "/" + other_post};
        const std::string source = file_text(std::string(PAGES_SOURCES) + "/pages.cpp");
        const std::regex route("\\{\"(/[^\"]*)\", (?:true|false), For::");
        size_t found = 0;
        for (std::sregex_iterator it(source.begin(), source.end(), route), end; it != end; ++it, ++found) {
            const std::string path = (*it)[1];
            if (path == "/feed.atom" || path == "/me/file" || path == "/me/avatar" || path == "/me/download")
                continue;  // no pages
            auto parameters = with.find(path);
            for (const auto& one : parameters == with.end() ? std::vector<std::string>{""} : parameters->second)
                out.push_back(path + one);
        }
        CHECK(found > 30);
        return out;
    }
    // And what forms are answered with, when something is wrong with them.
    std::vector<std::pair<std::string, std::string>> forms() const
    {
        const std::string csrf = "csrf=" + token;
        const std::string greek = percent_encode(kText);
        return {
            {"/me", "csrf=wrong"},
            {"/me/nothing", csrf},
            {"/me/compose", csrf + "&act=preview&to=followers&text=" + greek},
            {"/me/compose", csrf + "&act=preview&to=public&text=" + greek},
            {"/me/compose", csrf + "&act=post&text="},
            {"/me/compose", csrf + "&act=post&to=followers&text=" + greek},
            {"/me/compose", csrf + "&act=post&people=x&text=" + greek},
            {"/me/compose", csrf + "&act=preview&text=" + percent_encode(std::string(200'000, '-'))},
            {"/me/compose", csrf + "&act=preview&text=" + percent_encode(std::string(700'000, '-'))},
            {"/me/edit", csrf + "&post=" + post + "&version=x&text=" + greek},
            {"/me/edit", csrf + "&post=" + post + "&version=x&text="},
            {"/me/edit", csrf + "&post=" + post + "&version=x&text=" + std::string(600, '-')},
            {"/me/react", csrf + "&what=repost&entity=" + percent_encode(home.self.entity) + "&post=" + other_post},
            {"/me/react", csrf + "&what=undo&entity=" + percent_encode(home.self.entity) + "&post=" + other_post + "&mine=x"},
            {"/me/delete", csrf + "&post=meta"},
            {"/me/invites", csrf + "&action=make&uses=1&expires=1d"},
            {"/me/backup", csrf + "&action=backup&sealing=a&again=b"},
            {"/me/backup", csrf + "&action=backup&sealing=&again="},
            {"/me/backup", csrf + "&action=backup&sealing=a&again=a&passphrase=x"},
            {"/me/backup", csrf + "&action=export&passphrase="},
            {"/me/backup", csrf + "&action=export&passphrase=x"},
            {"/me/panic", csrf + "&word=x&proof=y"},
            {"/me/lock", csrf},
            {"/me/profile", csrf + "&name=" + std::string(5000, '-')},
        };
    }
};

// What a person sees or hears of a page, a line for each piece: text and the attributes that are read out. Not what is
// marked as being in another language or as code.
std::vector<std::string> pieces_of(const std::string& html)
{
    std::vector<std::string> out;
    std::vector<std::string> hidden;  // elements within which nothing counts
    static const std::set<std::string> kVoid = {"meta", "link", "input", "img", "br", "hr", "!DOCTYPE"};
    for (size_t at = 0; at < html.size();) {
        if (html[at] != '<') {
            const size_t end = std::min(html.find('<', at), html.size());
            if (hidden.empty())
                out.push_back(html.substr(at, end - at));
            at = end;
            continue;
        }
        const size_t end = html.find('>', at);
        const std::string tag = html.substr(at + 1, end - at - 1);
        at = end + 1;
        const std::string name = tag.substr(0, tag.find_first_of(" \n"));
        if (name.starts_with("/")) {
            if (!hidden.empty() && hidden.back() == name.substr(1))
                hidden.pop_back();
            continue;
        }
        const bool other_language = name != "html" && tag.find(" lang=\"") != std::string::npos;
        const bool address = tag.find("class=\"address\"") != std::string::npos || tag.find("class=\"whole-address\"") != std::string::npos;
        if (kVoid.count(name) == 0 && (!hidden.empty() ? hidden.back() == name : other_language || address || name == "code" || name == "pre" || name == "textarea"))
            hidden.push_back(name);
        if (!hidden.empty())
            continue;
        static const std::regex attribute(" (aria-label|alt|title|placeholder)=\"([^\"]*)\"");
        for (std::sregex_iterator it(tag.begin(), tag.end(), attribute), none; it != none; ++it)
            out.push_back((*it)[2]);
    }
    return out;
}

// Without what is in brackets, one in the other as well.
std::string outside_of_brackets(const std::string& text)
{
    static const std::string kOpen = "⟦", kClose = "⟧";
    std::string out;
    int depth = 0;
    for (size_t i = 0; i < text.size();) {
        if (text.compare(i, kOpen.size(), kOpen) == 0) {
            ++depth;
            i += kOpen.size();
        } else if (text.compare(i, kClose.size(), kClose) == 0) {
            --depth;
            i += kClose.size();
        } else {
            if (depth <= 0)
                out += text[i];
            ++i;
        }
    }
    return depth == 0 ? out : "BRACKETS " + text;
}

bool has_letters(std::string_view text)
{
    size_t run = 0;
    for (char c : text) {
        run = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? run + 1 : 0;
        if (run >= 2)
            return true;
    }
    return false;
}

std::string without(std::string text, std::string_view known)
{
    for (size_t at; !known.empty() && (at = text.find(known)) != std::string::npos;)
        text.erase(at, known.size());
    return text;
}

void check_is_translated(const Reader& reader, const net::HttpResponse& response)
{
    if (response.status == 303)
        return;
    REQUIRE(response.header("Content-Type").value_or("").starts_with("text/html"));
    CHECK(response.body.find("<html lang=\"en-XA\" dir=\"ltr\">") != std::string::npos);
    CHECK(response.header("Content-Language") == "en-XA");
    CHECK(response.header("Vary").value_or("").find("Accept-Language, Cookie") != std::string_view::npos);
    // A sentence with a link or somebody's name in it is one text to a translator and several to a browser.
    std::string whole;
    for (const auto& piece : pieces_of(response.body))
        whole += piece + "\n";
    whole = outside_of_brackets(whole);
    for (const auto* entity : {&reader.home.self.entity, &reader.home.bob, &reader.home.carol})
        whole = without(without(whole, *entity), pages::short_entity(*entity));
    whole = without(without(whole, reader.post.substr(0, 8)), reader.other_post.substr(0, 8));
    whole = std::regex_replace(whole, std::regex("&(amp|lt|gt|quot);"), "");
    std::istringstream lines(whole);
    for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        CHECK(!has_letters(line));
    }
}

}  // namespace

TEST_CASE("the language of a page: the cookie, or else the browser's")
{
    Reader reader;
    auto tag = [&](const std::string& target) {
        const std::string page = reader.get(target).body;
        const size_t at = page.find("<html lang=\"");
        REQUIRE(at != std::string::npos);
        return page.substr(at + 12, page.find('"', at + 12) - at - 12);
    };
    CHECK(tag("/me") == "en");
    reader.accept_language = "fr-CH, fr;q=0.9, en;q=0.8";
    CHECK(tag("/me") == "fr");
    CHECK(tag("/") == "fr");
    CHECK(tag("/nothing") == "fr");
    reader.language = "en";
    CHECK(tag("/me") == "en");
    reader.language = "none/of\\ours";
    CHECK(tag("/me") == "fr");
    const auto chosen = reader.get("/language?to=fr&back=%2Fme%2Fpeople%3Fstate%3Ddenied");
    CHECK(chosen.status == 303);
    CHECK(chosen.header("Location") == "/me/people?state=denied");
    CHECK(chosen.header("Set-Cookie").value_or("").starts_with("language-" + to_hex(sha256(reader.home.self.onion)).substr(0, 8) + "=fr; Path=/; HttpOnly; SameSite=Strict"));
    CHECK(reader.get("/language?to=%0d%0ax&back=%2F%2Felsewhere").header("Location") == "/");
    CHECK(reader.get("/language?to=xx").header("Set-Cookie").value_or("").find("Max-Age=0") != std::string_view::npos);
    // Each language is offered in its own words, and leads back to the page.
    const std::string page = reader.get("/me/people?state=denied").body;
    CHECK(page.find("<a lang=\"fr\" hreflang=\"fr\" href=\"/language?to=fr&amp;back=%2Fme%2Fpeople%3Fstate%3Ddenied\" aria-current=\"true\">français</a>") != std::string::npos);
    CHECK(page.find(">English</a>") != std::string::npos);
    reader.session.clear();
    CHECK(reader.get("/login?next=%2Fme%2Fdoor").body.find("href=\"/language?to=fr&amp;back=%2Flogin%3Fnext%3D%252Fme%252Fdoor\"") != std::string::npos);
    CHECK(reader.get("/login?next=%2F%2Felsewhere").body.find("elsewhere") == std::string::npos);
}

TEST_CASE("French: dates, numbers and words of deeper layers on a page")
{
    Reader reader;
    reader.language = "fr";
    const std::string node = reader.get("/me/node").body;
    CHECK(node.find("Tor n’offre pas de port SOCKS local") != std::string::npos);
    CHECK(node.find("<time datetime=\"2026-11-28T21:05Z\">28 nov. 2026 à 21:05</time>") != std::string::npos);
    CHECK(node.find("117\u00a0Mio") != std::string::npos);
    CHECK(reader.get("/me/people").body.find("1\u202f234") != std::string::npos);
    CHECK(reader.get("/me/deliveries").body.find("a répondu 503") != std::string::npos);
    reader.all_fails = true;
    const std::string failed = reader.get("/me/people").body;
    CHECK(failed.find("C’est votre propre adresse.") != std::string::npos);
    CHECK(failed.find("Cela n’a pas fonctionné") != std::string::npos);
}

TEST_CASE("no page has a text that translators do not see")
{
    Reader reader;
    reader.language = "en-XA";
    for (const auto& address : reader.addresses()) {
        CAPTURE(address);
        check_is_translated(reader, reader.get(address));
    }
    for (const auto& [path, body] : reader.forms()) {
        CAPTURE(path);
        CAPTURE(body.substr(0, 200));
        check_is_translated(reader, reader.post_form(path, body));
    }
    const std::string part = "--x\r\nContent-Disposition: form-data; name=\"";
    check_is_translated(reader, reader.post_form("/me/compose", part + "csrf\"\r\n\r\n" + reader.token + "\r\n" + part + "act\"\r\n\r\npreview\r\n" + part +
                                                                   "files\"; filename=\"ω\"\r\nContent-Type: x/y\r\n\r\nbytes\r\n--x--\r\n",
                                                "multipart/form-data; boundary=x"));
    for (auto state : {pages::Job::State::Running, pages::Job::State::Ready, pages::Job::State::Failed}) {
        reader.job = {state, "export", 1, 2, 3, "the disk is full; free some space and try again"};
        check_is_translated(reader, reader.get("/me/backup"));
    }
    for (auto door : {store::Door::Open, store::Door::Vetted, store::Door::Sealed}) {
        *reader.home.self.door = door;
        for (const char* address : {"/me/node", "/me/door", "/me/profile", "/follow", "/feed.atom"})
            if (const auto page = reader.get(address); page.header("Content-Type").value_or("").starts_with("text/html")) {
                CAPTURE(address);
                check_is_translated(reader, page);
            }
    }
    *reader.home.self.door = store::Door::Open;
    reader.nothing_yet = true;
    for (const auto& address : reader.addresses()) {
        CAPTURE(address);
        check_is_translated(reader, reader.get(address));
    }
    reader.all_fails = true;
    for (const auto& address : reader.addresses()) {
        CAPTURE(address);
        check_is_translated(reader, reader.get(address));
    }
    // Somebody who is not logged in.
    reader.session.clear();
    for (const char* address : {"/", "/login", "/follow", "/nothing", "/open/x", "/me"}) {
        CAPTURE(address);
        check_is_translated(reader, reader.get(address));
    }
}

TEST_CASE("what finds untranslated text finds it")
{
    auto found = [](const std::string& html) {
        std::string whole;
        for (const auto& piece : pieces_of(html))
            whole += piece + "\n";
        return has_letters(outside_of_brackets(whole));
    };
    CHECK(found("<p>text</p>"));
    CHECK(found("<p>⟦text⟧ more</p>"));
    CHECK(found("<img alt=\"text\">"));
    CHECK(found("<nav aria-label=\"text\"></nav>"));
    CHECK(found("<p lang=\"x\">a</p><p>text</p>"));
    CHECK(found("<code>x</code>text"));
    CHECK(found("<p>⟦text</p>"));
    CHECK(!found("<p class=\"text\">⟦text <a href=\"/text\">⟦link⟧</a> text⟧</p>"));
    CHECK(!found("<p lang=\"x\">text <b>text</b></p>"));
}

TEST_CASE("from right to left: every page says so, and addresses stay as they are")
{
    Reader reader;
    reader.language = "ar-XB";
    for (const auto& address : reader.addresses()) {
        CAPTURE(address);
        const auto page = reader.get(address);
        if (page.status == 303)
            continue;
        CHECK(page.body.find("<html lang=\"ar-XB\" dir=\"rtl\">") != std::string::npos);
        // Wherever an address is shown, its own direction is given.
        for (const char* kind : {"class=\"address\"", "class=\"whole-address\""})
            for (size_t at = 0; (at = page.body.find(kind, at)) != std::string::npos; ++at)
                CHECK(page.body.substr(at + std::strlen(kind), 10) == " dir=\"ltr\"");
        CHECK(page.body.find("\xef\xbf\xbd") == std::string::npos);
    }
}

TEST_CASE("the style sheet knows no left and right")
{
    const std::string style(pages::style_text());
    const std::regex physical("(margin|padding|border|inset)-(left|right)|[;{ ](left|right) *:|(text-align|float|clear) *: *(left|right)");
    std::smatch found;
    CHECK_MESSAGE(!std::regex_search(style, found, physical), found.str());
    // Four values of which the second and the fourth differ.
    const std::regex four("(?:margin|padding|border-width|border-radius|inset) *: *([^\\s;}]+) +([^\\s;}]+) +([^\\s;}]+) +([^\\s;}]+) *[;}]");
    for (std::sregex_iterator it(style.begin(), style.end(), four), end; it != end; ++it)
        CHECK_MESSAGE((*it)[2] == (*it)[4], it->str());
}
