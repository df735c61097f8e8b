// SPDX-License-Identifier: BSD-3-Clause
// Whole pages, without a socket: who may see what, and what a form must bring.
#include <doctest/doctest.h>

#include <bivouac/base/bytes.h>
#include <bivouac/pages/pages.h>
#include <bivouac/store/reactions.h>
#include <bivouac/tent/audience.h>
#include <bivouac/tent/publish.h>

#include "tent_fixture.h"

using namespace bivouac;

namespace {

struct Browser {
    Home home;
    std::shared_ptr<api::Site> site = std::make_shared<api::Site>();
    api::PassphraseCheck outcome = api::PassphraseCheck::Right;
    int checks = 0;
    bool checked_as_known = false;
    std::unique_ptr<pages::Pages> pages;
    std::string cookies;
    std::vector<std::string> asked;

    Browser()
    {
        site->self = home.self;
        pages::Hooks hooks;
        hooks.ask = [this](const std::string& route, const std::string&, const Json&) -> Result<Json> {
            asked.push_back(route);
            if (route == "GET /audience")
                return Json({{"audience", {{"public", false}, {"readers", Json::array()}, {"warnings", Json::array()}}}});
            return Json::object();
        };
        hooks.publish = [this](Post draft, const std::string& query) -> Result<Json> {
            asked.push_back("publish " + draft.type + " " + draft.content + " " + query);
            return Json::object();
        };
        hooks.check_passphrase = [this](Secret, bool known, std::function<void(api::PassphraseCheck)> done) {
            ++checks;
            checked_as_known = known;
            done(outcome);
        };
        hooks.posted = [] {};
        hooks.runs_the_node = [] { return false; };
        pages = std::make_unique<pages::Pages>(*home.store, home.clock, home.self, std::move(hooks), pages::Settings{1000, home.folder});
    }

    net::HttpResponse send(net::HttpRequest request)
    {
        request.host = home.self.onion + ".onion";
        if (!request.body)
            request.body = Spool::of_text("");
        if (!cookies.empty())
            request.headers.push_back({"Cookie", cookies});
        std::optional<net::HttpResponse> answer;
        pages->handle(std::move(request), site, [&](net::HttpResponse response) { answer = std::move(response); });
        REQUIRE(answer.has_value());
        for (const auto& header : answer->headers)
            if (header.name == "Set-Cookie")
                keep(header.value);
        return std::move(*answer);
    }
    net::HttpResponse get(std::string target, std::string accept = "text/html")
    {
        net::HttpRequest request;
        request.method = "GET";
        request.target = std::move(target);
        request.headers.push_back({"Accept", std::move(accept)});
        return send(std::move(request));
    }
    net::HttpResponse post(std::string target, const std::string& body, std::vector<net::Header> more = {})
    {
        net::HttpRequest request;
        request.method = "POST";
        request.target = std::move(target);
        request.headers = std::move(more);
        request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
        request.body = Spool::of_text(body);
        return send(std::move(request));
    }
    void keep(const std::string& cookie)
    {
        const std::string pair = cookie.substr(0, cookie.find(';'));
        const std::string name = pair.substr(0, pair.find('=') + 1);
        std::string kept;
        for (size_t from = 0; from < cookies.size();) {
            const size_t end = std::min(cookies.find("; ", from), cookies.size());
            if (cookies.compare(from, name.size(), name) != 0)
                kept += (kept.empty() ? "" : "; ") + cookies.substr(from, end - from);
            from = end + 2;
        }
        cookies = kept;
        if (cookie.find("Max-Age=0") == std::string::npos)
            cookies += (cookies.empty() ? "" : "; ") + pair;
    }
    std::string token(const net::HttpResponse& page)
    {
        constexpr std::string_view kBefore = "name=\"csrf\" value=\"";
        const size_t at = page.body.find(kBefore);
        REQUIRE(at != std::string::npos);
        return page.body.substr(at + kBefore.size(), 43);
    }
    void log_in()
    {
        const std::string csrf = token(get("/login"));
        REQUIRE(post("/login", "passphrase=x&csrf=" + csrf).status == 303);
    }
    std::string say(const std::string& text, const std::string& to)
    {
        return home.write([&](store::WriteTx& tx) -> Result<Post> {
            Post draft;
            draft.type = type::kStatus;
            draft.content = Json({{"text", text}}).dump();
            TRY(tent::address_to(tx, home.self, draft, {to}));
            return tent::publish(tx, home.self, std::move(draft));
        }).id;
    }
    std::string public_address(const std::string& id) { return "/posts/" + percent_encode(home.self.entity) + "/" + id; }
};

bool has(const net::HttpResponse& page, std::string_view text) { return page.body.find(text) != std::string::npos; }

net::HttpRequest request(std::string method, std::string target, std::string accept)
{
    net::HttpRequest out;
    out.method = std::move(method);
    out.target = std::move(target);
    if (!accept.empty())
        out.headers.push_back({"Accept", std::move(accept)});
    return out;
}

}  // namespace

TEST_CASE("browsers get pages, other servers and apps get the protocol")
{
    const std::string firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    CHECK(pages::Pages::wants(request("GET", "/", firefox)));
    CHECK(pages::Pages::wants(request("GET", "/posts/x/y", firefox)));
    CHECK(pages::Pages::wants(request("POST", "/login", "")));
    CHECK(pages::Pages::wants(request("GET", "/me/nothing", "")));
    CHECK(pages::Pages::wants(request("GET", "/nowhere", firefox), true));
    CHECK(!pages::Pages::wants(request("GET", "/nowhere", "*/*"), true));
    CHECK(!pages::Pages::wants(request("POST", "/nowhere", firefox), true));
    CHECK(!pages::Pages::wants(request("GET", "/server", firefox)));
    CHECK(!pages::Pages::wants(request("GET", "/", "")));
    CHECK(!pages::Pages::wants(request("HEAD", "/", "*/*")));
    CHECK(!pages::Pages::wants(request("GET", "/posts", mime::kFeed)));
    CHECK(!pages::Pages::wants(request("GET", "/posts", firefox + ", " + mime::kFeed)));
    CHECK(!pages::Pages::wants(request("POST", "/posts", firefox)));
    CHECK(!pages::Pages::wants(request("GET", "/posts/x/y/attachments/z", firefox)));
    CHECK(!pages::Pages::wants(request("GET", "/posts/x/y?bewit=abc", firefox)));
    CHECK(!pages::Pages::wants(request("GET", "/oauth/authorize", firefox)));
    auto signed_request = request("GET", "/", firefox);
    signed_request.headers.push_back({"Authorization", "Hawk"});
    CHECK(!pages::Pages::wants(signed_request));
}

TEST_CASE("every page forbids scripts, frames, referrers and caching")
{
    Browser browser;
    browser.log_in();
    for (const char* path : {"/", "/me", "/me/compose", "/login", "/nothing", "/me/profile"}) {
        const auto page = browser.get(path);
        CAPTURE(path);
        const std::string policy(page.header("Content-Security-Policy").value_or(""));
        if (page.status != 303) {
            CHECK(policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self' data:;"));
            CHECK(policy.find("unsafe") == std::string::npos);
            CHECK(policy.find("frame-ancestors 'none'") != std::string::npos);
            CHECK(page.header("X-Content-Type-Options") == "nosniff");
        }
        CHECK(page.header("Referrer-Policy") == "no-referrer");
        CHECK(page.header("Cache-Control") == "no-store");
        CHECK(!has(page, "<script"));
        CHECK(!has(page, "style=\""));
    }
}

TEST_CASE("without a login the owner's pages lead to the login, and there back")
{
    Browser browser;
    auto sent = browser.get("/me/people?state=denied");
    CHECK(sent.status == 303);
    CHECK(sent.header("Location") == "/login?next=%2Fme%2Fpeople%3Fstate%3Ddenied");
    CHECK(browser.post("/me/delete", "post=x").status == 303);
    const auto page = browser.get("/login?next=%2Fme%2Fpeople");
    CHECK(has(page, "value=\"/me/people\""));
    CHECK(!has(browser.get("/login?next=http%3A%2F%2Felsewhere"), "elsewhere"));
    CHECK(!has(browser.get("/login?next=%2F%2Felsewhere"), "elsewhere"));
}

TEST_CASE("a login: token, cookies, wrong passphrase, queue full, known browser, logout")
{
    Browser browser;
    CHECK(browser.post("/login", "passphrase=x").status == 403);
    const std::string csrf = browser.token(browser.get("/login"));
    CHECK(browser.post("/login", "passphrase=x&csrf=" + csrf, {{"Sec-Fetch-Site", "cross-site"}}).status == 403);
    CHECK(browser.post("/login", "passphrase=x&csrf=" + csrf, {{"Origin", "http://elsewhere"}}).status == 403);
    CHECK(browser.checks == 0);
    browser.outcome = api::PassphraseCheck::Wrong;
    CHECK(browser.post("/login", "passphrase=x&csrf=" + csrf).status == 403);
    browser.outcome = api::PassphraseCheck::Busy;
    CHECK(browser.post("/login", "passphrase=x&csrf=" + csrf).status == 503);
    CHECK(browser.get("/me").status == 303);
    browser.outcome = api::PassphraseCheck::Right;
    const auto in = browser.post("/login", "passphrase=x&csrf=" + csrf);
    CHECK(in.status == 303);
    CHECK(!browser.checked_as_known);
    size_t cookies = 0;
    for (const auto& header : in.headers)
        if (header.name == "Set-Cookie") {
            ++cookies;
            CHECK(header.value.find("; HttpOnly; SameSite=Strict") != std::string::npos);
        }
    CHECK(cookies == 3);
    const auto page = browser.get("/me");
    CHECK(page.status == 200);
    CHECK(browser.post("/logout", "csrf=wrong").status == 403);
    CHECK(browser.get("/me").status == 200);
    CHECK(browser.post("/logout", "csrf=" + browser.token(page)).status == 303);
    CHECK(browser.get("/me").status == 303);
    browser.log_in();
    CHECK(browser.checked_as_known);
}

TEST_CASE("a link logs in once, and not by being looked at")
{
    Browser browser;
    const std::string link = *browser.pages->make_login_link();
    const auto first = browser.get(link), second = browser.get(link);
    CHECK(first.status == 200);
    CHECK(second.status == 200);
    CHECK(browser.get("/me").status == 303);
    CHECK(browser.post(link, "csrf=" + browser.token(first)).status == 303);
    CHECK(browser.get("/me").status == 200);
    Browser other;
    CHECK(other.post(link, "csrf=" + other.token(other.get(link))).status == 403);
    const std::string late = *other.pages->make_login_link();
    other.home.clock.now += 11 * 60'000;
    CHECK(other.post(late, "csrf=" + other.token(other.get(late))).status == 403);
}

TEST_CASE("strangers see what is public, and nothing shows what else there is")
{
    Browser browser;
    const std::string shown = browser.say("for everybody", "public");
    const std::string hidden = browser.say("for followers", "followers");
    const auto page = browser.get("/");
    CHECK(has(page, "for everybody"));
    CHECK(!has(page, "for followers"));
    CHECK(browser.get(browser.public_address(shown)).status == 200);
    const auto forbidden = browser.get(browser.public_address(hidden));
    const auto absent = browser.get(browser.public_address("nothing"));
    CHECK(forbidden.status == 404);
    CHECK(forbidden.body == absent.body);
    CHECK(browser.get("/posts/" + percent_encode(browser.home.bob) + "/" + shown).body == absent.body);
    CHECK(browser.get(browser.public_address("meta")).body == absent.body);
    const auto feed = browser.get("/feed.atom");
    CHECK(has(feed, "for everybody"));
    CHECK(!has(feed, "for followers"));
    CHECK(has(page, "rel=\"https://tent.io/rels/meta-post\" />"));
    CHECK(page.header("Link").value_or("").find("rel=\"https://tent.io/rels/meta-post\"") != std::string_view::npos);
}

TEST_CASE("behind a sealed door there is nothing but discovery")
{
    Browser browser;
    const std::string id = browser.say("for everybody", "public");
    *browser.home.self.door = store::Door::Sealed;
    const auto page = browser.get("/");
    CHECK(page.status == 200);
    CHECK(has(page, "<body></body>"));
    CHECK(!has(page, "for everybody"));
    const auto absent = browser.get(browser.public_address("nothing"));
    CHECK(browser.get(browser.public_address(id)).body == absent.body);
    CHECK(browser.get("/feed.atom").body == absent.body);
    CHECK(browser.get("/follow").body == absent.body);
}

TEST_CASE("hostile text in a post is text on every page that shows it")
{
    Browser browser;
    const std::string evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&\xe2\x80\xae";
    const std::string id = browser.say(evil, "public");
    browser.log_in();
    const std::string query = "?entity=" + percent_encode(browser.home.self.entity) + "&post=" + id;
    for (const std::string& path : {std::string("/me"), "/me/post" + query, "/me/history" + query, "/me/delete?post=" + id, "/me/edit?post=" + id,
                                    "/me/compose" + query, std::string("/"), std::string("/feed.atom")}) {
        const auto page = browser.get(path);
        CAPTURE(path);
        CHECK(page.status == 200);
        CHECK(has(page, "&lt;script&gt;"));
        CHECK(!has(page, "<script"));
        CHECK(!has(page, "<img src=x"));
        CHECK(!has(page, "\xe2\x80\xae"));
    }
}

TEST_CASE("what was changed keeps its history, and a change that was overtaken is not made")
{
    Browser browser;
    browser.log_in();
    const std::string id = browser.say("we meet at noon", "followers");
    const auto form = browser.get("/me/edit?post=" + id);
    constexpr std::string_view kVersion = "name=\"version\" value=\"";
    const std::string version = form.body.substr(form.body.find(kVersion) + kVersion.size(), 75);
    const std::string csrf = browser.token(form);
    CHECK(browser.post("/me/edit", "csrf=" + csrf + "&post=" + id + "&version=" + version + "&text=we+meet+at+six").status == 303);
    const auto late = browser.post("/me/edit", "csrf=" + csrf + "&post=" + id + "&version=" + version + "&text=we+meet+never");
    CHECK(late.status == 422);
    CHECK(has(late, "we meet never"));  // what she wrote is not lost
    const auto history = browser.get("/me/history?entity=" + percent_encode(browser.home.self.entity) + "&post=" + id);
    CHECK(has(history, "noon</del>"));
    CHECK(has(history, "six</ins>"));
    CHECK(has(browser.get("/me"), "we meet at six"));
}

TEST_CASE("deleting asks first, and takes only posts of hers")
{
    Browser browser;
    browser.log_in();
    const std::string id = browser.say("gone soon", "followers");
    const std::string csrf = browser.token(browser.get("/me/delete?post=" + id));
    CHECK(browser.get("/me/delete?post=meta").status == 404);
    CHECK(has(browser.get("/me"), "gone soon"));
    CHECK(browser.post("/me/delete", "csrf=" + csrf + "&post=" + id).status == 303);
    CHECK(!has(browser.get("/me"), "gone soon"));
    CHECK(browser.post("/me/delete", "csrf=" + csrf + "&post=meta").status != 303);
}

TEST_CASE("search: posts with marks, people, tags; edited and deleted posts as they are now; only for the owner")
{
    Browser browser;
    CHECK(browser.get("/me/search?q=harbour").status == 303);
    browser.log_in();
    const auto empty = browser.get("/me/search");
    CHECK(empty.status == 200);
    CHECK(has(empty, "role=\"search\""));
    CHECK(has(empty, "aria-current=\"page\""));
    const std::string id = browser.say("we meet at the harbour #tonight <b>", "followers");
    browser.home.know(browser.home.bob);
    const auto page = browser.get("/me/search?q=HARB");
    CHECK(has(page, "we meet at the <mark>harbour</mark> #tonight &lt;b&gt;"));
    CHECK(has(page, "value=\"HARB\""));
    CHECK(has(page, "/me/post?entity=" + percent_encode(browser.home.self.entity) + "&amp;post=" + id));
    CHECK(has(browser.get("/me/search?q=harbour+elsewhere"), "No post has all of this in it."));
    // A tag in a post leads to its search.
    CHECK(has(browser.get("/me"), "href=\"/me/search?q=%23tonight\""));
    CHECK(has(browser.get("/me/search?q=%23tonight"), "#<mark>tonight</mark>"));
    CHECK(has(browser.get("/me/search?q=toni&in=tags"), "href=\"/me/search?q=%23tonight\""));
    CHECK(has(browser.get("/me/search?in=people&q=" + percent_encode(browser.home.bob.substr(0, 20))), "/me/person?entity=" + percent_encode(browser.home.bob)));
    CHECK(has(browser.get("/me/search?in=people&q=nobodyatall"), "Nobody."));
    const auto form = browser.get("/me/edit?post=" + id);
    constexpr std::string_view kVersion = "name=\"version\" value=\"";
    const std::string version = form.body.substr(form.body.find(kVersion) + kVersion.size(), 75);
    CHECK(browser.post("/me/edit", "csrf=" + browser.token(form) + "&post=" + id + "&version=" + version + "&text=we+meet+at+the+bridge").status == 303);
    CHECK(has(browser.get("/me/search?q=harbour"), "No post has all of this in it."));
    CHECK(has(browser.get("/me/search?q=bridge"), "<mark>bridge</mark>"));
    CHECK(browser.post("/me/delete", "csrf=" + browser.token(form) + "&post=" + id).status == 303);
    CHECK(has(browser.get("/me/search?q=bridge"), "No post has all of this in it."));
}

TEST_CASE("search: what is typed is no error and no markup")
{
    Browser browser;
    browser.log_in();
    browser.say("plain text", "public");
    const std::string evil = "\"><script>alert(1)</script>";
    for (const std::string& typed : {evil, std::string("\""), std::string("' OR 1=1 --"), std::string("NEAR("), std::string("words:*"), std::string("\0x", 2), std::string("\xff\xfe"), std::string("!!!"),
                                     std::string("#"), std::string(3000, '"'), std::string(3000, 'x'), std::string(20'000, 'x'), std::string(1'000'000, 'x'), "\xe2\x80\xae" + evil})
        for (const char* more : {"", "&in=people", "&in=tags", "&sort=closest", "&before=-1", "&after=99999999999999999999", "&skip=x&sort=closest", "&before=5&after=5"}) {
            CAPTURE(typed.substr(0, 30));
            CAPTURE(more);
            const auto page = browser.get("/me/search?q=" + percent_encode(typed) + more);
            CHECK(page.status == 200);
            CHECK(!has(page, "<script"));
            CHECK(!has(page, "\xe2\x80\xae"));
            CHECK(page.body.size() < 20'000);
        }
    CHECK(browser.get("/me/search?q=%zz&q=%").status == 200);
    CHECK(has(browser.get("/me/search?q=%3F%21"), "There is no word in this"));
}

TEST_CASE("search: pages of 25, newest first, or closest")
{
    Browser browser;
    browser.log_in();
    for (int i = 0; i < 30; ++i)
        browser.say(i == 3 ? "gull gull gull" : "gull number " + std::to_string(i) + " sits there and looks at the sea for a while", "followers");
    const auto page = browser.get("/me/search?q=gull");
    CHECK(has(page, "number 29 "));
    CHECK(has(page, "number 5 "));
    CHECK(!has(page, "number 4 "));
    CHECK(!has(page, "rel=\"prev\""));
    const size_t at = page.body.find("&amp;before=");
    REQUIRE(at != std::string::npos);
    const std::string row = page.body.substr(at + 12, page.body.find('"', at) - at - 12);
    const auto older = browser.get("/me/search?q=gull&before=" + row);
    CHECK(has(older, "number 4 "));
    CHECK(has(older, "number 0 "));
    CHECK(has(older, "rel=\"prev\""));
    CHECK(!has(older, "rel=\"next\""));
    const auto closest = browser.get("/me/search?q=gull&sort=closest");
    CHECK(closest.body.find("<mark>gull</mark> <mark>gull</mark>") < closest.body.find("number 29 "));
    CHECK(has(closest, "skip=25"));
    CHECK(has(browser.get("/me/search?q=gull&sort=closest&skip=25"), "number 0 "));
}

TEST_CASE("favorites and reposts are posts, once each, and can be taken back")
{
    Browser browser;
    browser.log_in();
    const std::string open = browser.say("pass me on", "public"), closed = browser.say("not me", "followers");
    const std::string csrf = browser.token(browser.get("/me"));
    const std::string whose = "csrf=" + csrf + "&entity=" + percent_encode(browser.home.self.entity) + "&post=";
    for (const char* what : {"repost", "repost", "favorite"})
        CHECK(browser.post("/me/react", whose + open + "&what=" + what).status == 303);
    CHECK(browser.post("/me/react", whose + closed + "&what=repost").status == 403);
    auto counts = [&] {
        return browser.home.read([&](store::ReadTx& tx) {
            return store::count_reactions(tx, browser.home.self.id, browser.home.self.entity, open, store::ReactionsFor::Owner);
        });
    };
    CHECK(counts().reposts == 1);
    CHECK(counts().favorites == 1);
    CHECK(browser.post("/me/react", whose + open + "&what=undo&mine=" + counts().my_repost).status == 303);
    CHECK(counts().reposts == 0);
    CHECK(browser.post("/me/react", whose + open + "&what=undo&mine=" + open).status == 404);  // no favorite of hers
    CHECK(has(browser.get("/me"), "pass me on"));
}

TEST_CASE("a post is written with its audience; a long one becomes an essay; a preview sends nothing")
{
    Browser browser;
    browser.log_in();
    const std::string csrf = browser.token(browser.get("/me/compose"));
    auto sent = [&] {
        std::string out;
        for (const auto& one : browser.asked)
            if (one.starts_with("publish"))
                out = one;
        browser.asked.clear();
        return out;
    };
    CHECK(browser.post("/me/compose", "csrf=" + csrf + "&act=preview&text=hello&to=followers").status == 200);
    CHECK(sent().empty());
    CHECK(browser.post("/me/compose", "csrf=" + csrf + "&act=post&text=hello&to=followers&to=group%3Afriends").status == 303);
    CHECK(sent() == "publish https://tent.io/types/status/v0# {\"text\":\"hello\"} to=followers&to=group%3Afriends");
    CHECK(browser.post("/me/compose", "csrf=" + csrf + "&act=post&text=only+me").status == 303);
    CHECK(sent().ends_with(" to=me"));
    CHECK(browser.post("/me/compose", "csrf=" + csrf + "&act=post&text=" + std::string(513, 'x') + "&to=public").status == 303);
    CHECK(sent().starts_with("publish https://tent.io/types/essay/v0# "));
    CHECK(browser.post("/me/compose", "csrf=" + csrf + "&act=post&text=+&to=public").status == 422);
    CHECK(sent().empty());
    const std::string named = "hi @" + browser.home.bob + "!";
    CHECK(browser.post("/me/compose", "csrf=" + csrf + "&act=post&to=public&text=" + percent_encode(named)).status == 303);
    CHECK(sent().find("](0)!") != std::string::npos);
}

TEST_CASE("files that are in the store already can only be named by who uploaded them")
{
    Browser browser;
    browser.log_in();
    const std::string csrf = browser.token(browser.get("/me/compose"));
    const Json forged = {{"c", "file"}, {"t", "text/plain"}, {"n", "x"}, {"d", "sha512t256-00"}, {"s", 1}, {"r", Json::array()}, {"w", ""}};
    const std::string kept = to_base64url(forged.dump()) + "." + std::string(43, 'A');
    const auto page = browser.post("/me/compose", "csrf=" + csrf + "&act=preview&text=hello&file=sha512t256-00&kept=" + percent_encode(kept));
    CHECK(page.status == 200);
    CHECK(!has(page, "sha512t256-00"));
}

TEST_CASE("what belongs to the node as a whole is for whoever runs it")
{
    Browser browser;
    browser.log_in();
    const std::string csrf = browser.token(browser.get("/me"));
    for (const char* path : {"/me/backup", "/me/lock", "/me/panic", "/me/entities", "/me/download"})
        CHECK(browser.get(path).status == 403);
    for (const char* path : {"/me/backup", "/me/lock", "/me/panic", "/me/entities"})
        CHECK(browser.post(path, "csrf=" + csrf).status == 403);
}

TEST_CASE("the limit of an upload is small for strangers")
{
    Browser browser;
    auto policy = [&](const std::string& target, const std::string& cookies) {
        net::RequestHead head;
        head.method = "POST";
        head.target = target;
        head.headers = {{"Cookie", cookies}};
        return browser.pages->body_policy(head);
    };
    const auto stranger = policy("/me/compose", "session-12345678=abc");
    CHECK((stranger.limit_bytes == 1u << 20 && stranger.drop_bytes == 0 && !stranger.too_large));
    browser.log_in();
    const auto owner = policy("/me/compose?x", browser.cookies);
    CHECK((owner.limit_bytes > stranger.limit_bytes && owner.drop_bytes > owner.limit_bytes));
    // What is too much even for her is said on a page.
    REQUIRE(owner.too_large);
    const auto answer = owner.too_large();
    CHECK(answer.status == 413);
    CHECK(answer.body.find("That was too much.") != std::string::npos);
    CHECK(answer.header("Content-Security-Policy"));
    CHECK_FALSE(policy("/posts", browser.cookies).too_large);
}
