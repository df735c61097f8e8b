// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/api/api.h>
#include <bivouac/base/bytes.h>
#include <bivouac/store/credentials.h>
#include <bivouac/tent/apps.h>

#include "oauth_form.h"
#include "oauth_page.h"
#include "oauth_state.h"
#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::api;

namespace {

constexpr int64_t kMinute = 60'000;
const std::string kForm = "application/x-www-form-urlencoded";

// The API of one entity without a front; whoever asks for a passphrase check is kept until the test answers.
struct Server : Home {
    std::unique_ptr<auth::Authenticator> authenticator;
    std::unique_ptr<Api> api;
    std::vector<std::pair<std::string, std::function<void(PassphraseCheck)>>> asked;
    std::shared_ptr<const Site> site;

    explicit Server(Settings settings = {})
    {
        authenticator = std::make_unique<auth::Authenticator>(*store, clock);
        clock.now += 10'000;
        Hooks hooks;
        hooks.posted = [] {};
        hooks.peer_seen = [](int64_t, std::string) {};
        hooks.check_passphrase = [this](int64_t, Secret passphrase, std::function<void(PassphraseCheck)> done) {
            asked.emplace_back(std::string(passphrase.view()), std::move(done));
        };
        api = std::make_unique<Api>(*store, *authenticator, clock, std::move(hooks), settings);
        site = std::make_shared<const Site>(Site{self, {self.onion + ".onion"}, false});
    }

    struct Key {
        std::string id;
        std::string key;
    };

    net::HttpRequest request(const std::string& method, const std::string& target, const std::string& type = "",
                             const std::string& body = "", std::vector<net::Header> headers = {})
    {
        net::HttpRequest out;
        out.method = method;
        out.target = target;
        out.host = self.onion + ".onion";
        out.body = Spool::of_text(body);
        out.headers = std::move(headers);
        if (!type.empty())
            out.headers.push_back({"Content-Type", type});
        return out;
    }

    std::optional<net::HttpResponse> pending;  // the answer of the last request, when it has come

    net::HttpResponse ask(net::HttpRequest request, const Key& key = {})
    {
        if (!key.id.empty()) {
            auth::HawkHeader header;
            header.id = key.id;
            header.ts = clock.now / 1000;
            header.nonce = system_random().id();
            header.mac = auth::hawk_mac(auth::HawkKind::Header, key.key, header,
                                        *auth::hawk_target(request.method, request.target, request.host));
            request.headers.push_back({"Authorization", auth::write_hawk_header(header)});
        }
        pending.reset();
        api->serve(std::move(request), site, [this](net::HttpResponse response) { pending = std::move(response); }, false);
        // What writes is answered by the writer, before whatever comes after it.
        write([](store::WriteTx&) -> Result<bool> { return true; });
        net::HttpResponse none;
        none.status = 0;
        return pending ? *pending : none;
    }

    tent::NewApp registered(Json changes = Json::object())
    {
        Json content = {{"name", "Notepad"},
                        {"url", "https://notepad.example"},
                        {"redirect_uri", "https://notepad.example/back"},
                        {"types", {{"read", {"all", type::kStatusBase}}, {"write", {type::kStatusBase}}}},
                        {"scopes", {"permissions", "import"}}};
        content.update(changes);
        Post draft;
        draft.type = type::kApp;
        draft.content = content.dump();
        return write([&](store::WriteTx& tx) { return tent::register_app(tx, self, draft); });
    }

    Key key_of(const std::string& hawk_id)
    {
        auto found = store->read([&](store::ReadTx& tx) { return store::find_credentials(tx, self.id, hawk_id); });
        REQUIRE(found.ok());
        REQUIRE(found->has_value());
        return {hawk_id, (**found).hawk_key};
    }

    std::optional<tent::Grant> granted(const std::string& app)
    {
        auto view = store->read([&](store::ReadTx& tx) { return tent::show_app(tx, self, app); });
        REQUIRE(view.ok());
        return view->granted;
    }

    std::string page(const std::string& target)
    {
        auto response = ask(request("GET", target));
        REQUIRE(response.status == 200);
        return response.body;
    }

    net::HttpResponse submit(const std::string& target, const std::string& fields, std::vector<net::Header> headers = {})
    {
        return ask(request("POST", target, kForm, fields, std::move(headers)));
    }

    net::HttpResponse register_over_http(const std::string& content, std::vector<net::Header> headers = {})
    {
        return ask(request("POST", "/posts", "application/vnd.tent.post.v0+json; type=\"https://tent.io/types/app/v0#\"",
                           R"({"type":"https://tent.io/types/app/v0#","content":)" + content + "}", std::move(headers)));
    }
};

std::string token_in(const std::string& page)
{
    const std::string before = "name=\"token\" value=\"";
    size_t at = page.find(before);
    REQUIRE(at != std::string::npos);
    at += before.size();
    return page.substr(at, page.find('"', at) - at);
}

std::string location(const net::HttpResponse& response)
{
    return std::string(response.header("Location").value_or(""));
}

std::string authorize(const std::string& client_id)
{
    return "/oauth/authorize?client_id=" + client_id;
}

}  // namespace

TEST_CASE("consent form: fields are decoded, and what our page cannot send is refused")
{
    auto form = parse_consent_form("token=a.b&read=0&read=2&write=1&scope=0&passphrase=a+b%2Bc%c3%a9&answer=allow");
    REQUIRE(form.ok());
    CHECK(form->token == "a.b");
    CHECK(form->allowed);
    CHECK(form->passphrase.view() == "a b+c\xc3\xa9");
    CHECK(form->read == std::vector<size_t>{0, 2});
    CHECK(form->write == std::vector<size_t>{1});
    CHECK(form->scopes == std::vector<size_t>{0});
    auto refused = parse_consent_form("token=x&answer=refuse");
    REQUIRE(refused.ok());
    CHECK_FALSE(refused->allowed);
    CHECK(refused->passphrase.empty());

    const std::string good = "token=x&answer=allow";
    std::string many = good;
    for (int i = 0; i < 300; ++i)
        many += "&read=1";
    for (const std::string& bad :
         {std::string(), std::string("token=x"), std::string("answer=allow"), good + "&answer=refuse", good + "&token=y",
          good + "&other=1", good + "&read", good + "&read=", good + "&read=-1", good + "&read=1x",
          good + "&read=99999999999999999999", good + "&passphrase=%zz", good + "&passphrase=%4", good + "&&",
          std::string("token=x&answer=maybe"), many, good + "&passphrase=" + std::string(5000, 'p'),
          good + "&passphrase=" + std::string(kFormBytes, 'p')}) {
        CAPTURE(bad.substr(0, 60));
        CHECK_FALSE(parse_consent_form(bad).ok());
    }
}

TEST_CASE("consent form: a token is good for its app, state, version and half an hour")
{
    OauthState state;
    const FormSubject subject{"app", "state", "version"};
    const std::string token = state.form_token(subject, 1000);
    CHECK(state.is_form_token(token, subject, 1000));
    CHECK(state.is_form_token(token, subject, 999 + 30 * kMinute));
    CHECK_FALSE(state.is_form_token(token, subject, 1000 + 30 * kMinute));
    for (const FormSubject& other : {FormSubject{"apps", "tate", "version"}, FormSubject{"app", "other", "version"},
                                     FormSubject{"app", "state", "other"}, FormSubject{"app", "", "version"}})
        CHECK_FALSE(state.is_form_token(token, other, 1000));
    CHECK_FALSE(OauthState().is_form_token(token, subject, 1000));
    const std::string longer = "9" + token;  // a later end, with the old signature
    for (const std::string& bad : {std::string(), std::string("."), std::string("1"), longer, "x" + token, token + "x"})
        CHECK_FALSE(state.is_form_token(bad, subject, 1000));
}

TEST_CASE("consent page: text is escaped, and what would change how it reads is replaced")
{
    Html html;
    html.markup("<p>").text("<b a=\"'\">&amp;\x01\xe2\x80\xae\xd8\x9c\xc2\x85\x7fz\n\xc3\xa9\xe2\x82\xac").markup("</p>");
    const std::string mark = "\xef\xbf\xbd";
    CHECK(html.take() == "<p>&lt;b a=&quot;&#39;&quot;&gt;&amp;amp;" + mark + mark + mark + mark + mark +
                             "z\n\xc3\xa9\xe2\x82\xac</p>");
}

TEST_CASE("consent page: only four plain kinds of picture become an icon")
{
    CHECK(icon_url("\x89PNG\r\n\x1a\nxyz").starts_with("data:image/png;base64,"));
    CHECK(icon_url("\xff\xd8\xff\xe0").starts_with("data:image/jpeg;base64,"));
    CHECK(icon_url("GIF89a...").starts_with("data:image/gif;base64,"));
    CHECK(icon_url("RIFF....WEBPVP8 ").starts_with("data:image/webp;base64,"));
    for (const std::string& bad : {std::string(), std::string("RIFF"), std::string("<svg/>"), std::string("BM"),
                                   "\x89PNG\r\n\x1a\n" + std::string(static_cast<size_t>(kIconBytes), 'x')})
        CHECK(icon_url(bad).empty());
}

TEST_CASE("oauth: a stranger registers an app and gets a Link to its credentials (section 6.1)")
{
    Server server;
    auto response = server.register_over_http(
        R"({"name":"n","url":"https://a.example","redirect_uri":"https://a.example/","description":null})");
    REQUIRE(response.status == 200);
    CHECK(response.header("Content-Type").value_or("") ==
          "application/vnd.tent.post.v0+json; type=\"https://tent.io/types/app/v0#\"");
    std::string link(response.header("Link").value_or(""));
    const std::string begin = "<" + server.self.entity + "/posts/";
    REQUIRE(link.starts_with(begin));
    CHECK(link.ends_with(">; rel=\"https://tent.io/rels/credentials\""));
    CHECK(link.find(',') == std::string::npos);
    std::string target = link.substr(1 + server.self.entity.size(), link.find('>') - 1 - server.self.entity.size());
    auto credentials = server.ask(server.request("GET", target));
    REQUIRE(credentials.status == 200);
    CHECK(credentials.body.find("hawk_key") != std::string::npos);
    CHECK(server.ask(server.request("GET", target.substr(0, target.find('?')))).status == 404);
    server.clock.now += 3601 * 1000;
    CHECK(server.ask(server.request("GET", target)).status == 403);

    Json post = Json::parse(response.body)["post"];
    CHECK(post.contains("received_at"));  // the creator's view (section 2.3)
    CHECK(post["mentions"][0]["public"] == false);
}

TEST_CASE("oauth: registration is answered with 400, 401 and 415 as other posts are (section 4.3)")
{
    Server server;
    auto ask = [&](const std::string& type, const std::string& body) {
        return server.ask(server.request("POST", "/posts", type, body)).status;
    };
    const std::string app_type = "application/vnd.tent.post.v0+json; type=\"https://tent.io/types/app/v0#\"";
    const std::string app = R"({"type":"https://tent.io/types/app/v0#","content":{"name":"n","url":"https://a.example",
                              "redirect_uri":"https://a.example/"}})";
    CHECK(ask(app_type, app) == 200);
    CHECK(ask("application/json", app) == 415);
    CHECK(ask(app_type, "") == 400);
    CHECK(ask(app_type, "\"text\"") == 400);
    CHECK(ask(app_type, R"({"type":"https://tent.io/types/app/v0#","content":{"name":"n"}})") == 400);
    CHECK(ask("application/vnd.tent.post.v0+json; type=\"https://tent.io/types/status/v0#\"",
              R"({"type":"https://tent.io/types/status/v0#","content":{"text":"x"}})") == 401);
    std::string listed = app;
    listed.insert(1, R"("attachments":[{"category":"icon","name":"i","content_type":"image/png","digest":")" +
                         std::string("sha512t256-") + std::string(64, 'a') + R"("}],)");
    CHECK(ask(app_type, listed) == 400);
}

TEST_CASE("oauth: strangers register twenty apps at a time and are told to come back (section 6.1)")
{
    Server server;
    const std::string content = R"({"name":"n","url":"https://a.example","redirect_uri":"https://a.example/"})";
    for (size_t i = 0; i < tent::kWaitingApps; ++i)
        REQUIRE(server.register_over_http(content).status == 200);
    CHECK(server.register_over_http(content).status == 429);
    server.clock.now += tent::kWaitingAppMs;
    CHECK(server.register_over_http(content).status == 200);
}

TEST_CASE("oauth: strangers' files are not even read while there is no room for their apps")
{
    Server server;
    auto send = [&](const std::string& name, const std::string& bytes) {
        const std::string body =
            "--b\r\nContent-Disposition: form-data; name=\"post\"; filename=\"post.json\"\r\n"
            "Content-Type: application/vnd.tent.post.v0+json; type=\"https://tent.io/types/app/v0#\"\r\n\r\n"
            R"({"type":"https://tent.io/types/app/v0#","content":{"name":")" + name +
            R"(","url":"https://a.example","redirect_uri":"https://a.example/"}})"
            "\r\n--b\r\nContent-Disposition: form-data; name=\"icon\"; filename=\"i\"\r\nContent-Type: image/png\r\n\r\n" +
            bytes + "\r\n--b--\r\n";
        return server.ask(server.request("POST", "/posts", "multipart/form-data; boundary=b", body)).status;
    };
    auto blobs = [&] {
        auto count = server.store->read([](store::ReadTx& tx) -> Result<int64_t> {
            auto select = tx.prepare("SELECT count(*) FROM blobs");
            TRY(select.step());
            return select.integer(0);
        });
        return *count;
    };
    CHECK(send("n", "one") == 200);
    CHECK(blobs() == 1);
    CHECK(send("", "two") == 400);
    CHECK(blobs() == 2);  // it could still be on its way into another post
    for (size_t i = 1; i < tent::kWaitingApps; ++i)
        server.registered();
    CHECK(send("n", "four") == 429);
    CHECK(blobs() == 2);
}

TEST_CASE("oauth: no client_id, an unknown one or a broken state are 400 and no redirect (section 6.3)")
{
    Server server;
    auto app = server.registered();
    auto authorized =
        server.write([&](store::WriteTx& tx) { return tent::authorize_app(tx, server.self, app.app.id, {}); });
    for (const std::string& target :
         {std::string("/oauth/authorize"), std::string("/oauth/authorize?state=x"), authorize(""), authorize("unknown"),
          authorize(app.hawk_id), authorize(authorized.app_auth_post), authorize("meta"),
          authorize(app.app.id) + "&state=%g0", authorize(app.app.id) + "&state=" + std::string(2049, 's')}) {
        CAPTURE(target.substr(0, 80));
        auto response = server.ask(server.request("GET", target));
        CHECK(response.status == 400);
        CHECK_FALSE(response.header("Location"));
        CHECK(server.submit(target, "token=x&answer=refuse").status == 400);
    }
}

TEST_CASE("oauth: the owner allows a part, and gets the code and her state back (section 6.3)")
{
    Server server;
    auto app = server.registered({{"redirect_uri", "https://notepad.example/back?x=y"}});
    const std::string target = authorize(app.app.id) + "&state=a%20b%26%3D%25%22%C3%A9+c";
    const std::string token = percent_encode(token_in(server.page(target)));
    auto wrong = server.submit(target, "token=" + token + "&read=1&write=0&scope=1&passphrase=guess&answer=allow");
    CHECK(wrong.status == 0);  // it waits
    REQUIRE(server.asked.size() == 1);
    CHECK(server.asked[0].first == "guess");
    server.asked[0].second(PassphraseCheck::Wrong);
    REQUIRE(server.pending);
    CHECK(server.pending->status == 403);
    CHECK(server.pending->body.find("was not the passphrase") != std::string::npos);
    CHECK(server.pending->body.find("guess") == std::string::npos);
    CHECK_FALSE(server.granted(app.app.id));

    server.submit(target, "token=" + token + "&read=1&write=0&scope=1&passphrase=x&answer=allow");
    server.asked[1].second(PassphraseCheck::Busy);
    CHECK(server.pending->status == 503);
    CHECK_FALSE(server.granted(app.app.id));

    server.submit(target, "token=" + token + "&read=1&read=7&write=0&scope=1&passphrase=x&answer=allow");
    server.asked[2].second(PassphraseCheck::Right);
    REQUIRE(server.pending->status == 302);
    const std::string begin = "https://notepad.example/back?x=y&code=";
    std::string to = location(*server.pending);
    REQUIRE(to.starts_with(begin));
    const std::string end = "&state=a%20b%26%3D%25%22%C3%A9%20c";
    REQUIRE(to.ends_with(end));
    CHECK(server.pending->header("Referrer-Policy").value_or("") == "no-referrer");
    CHECK(*server.granted(app.app.id) == tent::Grant{{type::kStatusBase}, {type::kStatusBase}, {"import"}});

    std::string code = to.substr(begin.size(), to.size() - begin.size() - end.size());
    auto exchanged = server.ask(server.request("POST", "/oauth/token", "application/json", Json({{"code", code}}).dump()),
                                server.key_of(app.hawk_id));
    REQUIRE(exchanged.status == 200);
    Json given = Json::parse(exchanged.body);
    Server::Key key{given["access_token"], given["hawk_key"]};
    CHECK(given["hawk_algorithm"] == "sha256");
    CHECK(given["token_type"] == "https://tent.io/oauth/hawk-token");
    CHECK(exchanged.header("Cache-Control").value_or("") == "private, must-revalidate");
    CHECK(exchanged.header("Server-Authorization"));
    CHECK(server.ask(server.request("GET", "/posts"), key).status == 200);
    server.write([&](store::WriteTx& tx) { return tent::revoke_app(tx, server.self, app.app.id); });
    CHECK(server.ask(server.request("GET", "/posts"), key).status == 403);
}

TEST_CASE("oauth: refusing needs no passphrase; allowing does (section 6.3)")
{
    Server server;
    auto app = server.registered();
    const std::string token = percent_encode(token_in(server.page(authorize(app.app.id))));
    auto refused = server.submit(authorize(app.app.id), "token=" + token + "&read=0&passphrase=&answer=refuse");
    CHECK(refused.status == 302);
    CHECK(location(refused) == "https://notepad.example/back?error=user_abort");
    auto empty = server.submit(authorize(app.app.id), "token=" + token + "&passphrase=&answer=allow");
    CHECK(empty.status == 403);
    CHECK(server.asked.empty());
    CHECK_FALSE(server.granted(app.app.id));
}

TEST_CASE("oauth: what she allows is what she saw: an app that changed meanwhile is shown again")
{
    Server server;
    auto app = server.registered({{"types", {{"read", {type::kStatusBase}}}}});
    const std::string token = percent_encode(token_in(server.page(authorize(app.app.id))));
    auto change = [&](const std::string& name) {
        Post draft = app.app;
        draft.version = {};
        Json content = Json::parse(draft.content);
        content["name"] = name;
        content["types"] = {{"read", {"all"}}};
        draft.content = content.dump();
        server.write([&](store::WriteTx& tx) { return tent::update_app(tx, server.self, draft); });
    };
    const std::string form = "&read=0&passphrase=x&answer=allow";
    server.submit(authorize(app.app.id), "token=" + token + form);
    change("Other");  // while the passphrase is being checked
    REQUIRE(server.asked.size() == 1);
    server.asked[0].second(PassphraseCheck::Right);
    CHECK(server.pending->status == 409);
    CHECK_FALSE(server.granted(app.app.id));
    auto again = server.submit(authorize(app.app.id), "token=" + token + form);  // and before the form is sent
    CHECK(again.status == 403);
    CHECK(again.body.find("Please look again") != std::string::npos);
    CHECK(server.asked.size() == 1);
}

TEST_CASE("oauth: a form that is old, forged or from another site is refused")
{
    Server server;
    auto app = server.registered();
    const std::string target = authorize(app.app.id);
    const std::string form = "token=" + percent_encode(token_in(server.page(target))) + "&answer=refuse";
    const std::string own = "http://" + server.self.onion + ".onion";
    using Headers = std::vector<net::Header>;
    for (const Headers& fine : {Headers{}, Headers{{"Origin", own}}, Headers{{"Origin", "null"}},
                                Headers{{"Origin", "null"}, {"Sec-Fetch-Site", "same-origin"}},
                                Headers{{"Sec-Fetch-Site", "none"}}})
        CHECK(server.submit(target, form, fine).status == 302);
    for (const Headers& other : {Headers{{"Origin", "https://evil.example"}}, Headers{{"Origin", own + ".evil.example"}},
                                 Headers{{"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}},
                                 Headers{{"Origin", own}, {"Sec-Fetch-Site", "same-site"}}})
        CHECK(server.submit(target, form, other).status == 403);
    CHECK(server.submit(target, "token=1.x&answer=refuse").status == 403);
    CHECK(server.submit(target + "&state=other", form).status == 403);
    CHECK(server.submit(target, form + "&what=1").status == 400);
    CHECK(server.ask(server.request("POST", target, "text/plain", form)).status == 415);
    server.clock.now += 30 * kMinute;
    CHECK(server.submit(target, form).status == 403);
}

TEST_CASE("oauth: the page loads nothing, is framed by nobody and sends its answer to two places only")
{
    Server server;
    auto app = server.registered({{"redirect_uri", "myapp://back"}, {"name", "<i>x"}, {"url", "https://a.example/?b&c"}});
    auto response = server.ask(server.request("GET", authorize(app.app.id) + "&state=%22%3E", "", "",
                                              {{"Origin", "https://evil.example"}}));
    REQUIRE(response.status == 200);
    std::string policy(response.header("Content-Security-Policy").value_or(""));
    CHECK(policy.starts_with("default-src 'none'; style-src 'sha256-"));
    CHECK(policy.find("form-action 'self' myapp:;") != std::string::npos);
    CHECK(policy.find("frame-ancestors 'none'") != std::string::npos);
    CHECK(policy.find("img-src") == std::string::npos);
    // The style that the policy names is the one in the page.
    size_t from = response.body.find("<style>") + 7;
    std::string style = response.body.substr(from, response.body.find("</style>") - from);
    CHECK(policy.find("'sha256-" + to_base64(sha256(style)) + "'") != std::string::npos);
    CHECK(response.header("X-Frame-Options").value_or("") == "DENY");
    CHECK(response.header("Cache-Control").value_or("") == "no-store");
    CHECK_FALSE(response.header("Access-Control-Allow-Origin"));
    CHECK(response.body.find("<i>x") == std::string::npos);
    CHECK(response.body.find("action=\"/oauth/authorize?client_id=" + app.app.id + "&amp;state=%22%3E\"") !=
          std::string::npos);
    CHECK(response.body.find("<strong>everything</strong>") != std::string::npos);
    CHECK(response.body.find("type=\"checkbox\" name=\"write\" value=\"0\" checked") != std::string::npos);
}

TEST_CASE("oauth: the page speaks the language that the owner chose, or that of her browser")
{
    Server server;
    auto app = server.registered({{"name", "Carnet"}});
    auto ask = [&](std::vector<net::Header> headers) { return server.ask(server.request("GET", authorize(app.app.id), "", "", std::move(headers))); };
    const std::string cookie = "language-" + to_hex(sha256(server.self.onion)).substr(0, 8);
    auto english = ask({});
    CHECK(english.body.find("<html lang=\"en\" dir=\"ltr\">") != std::string::npos);
    CHECK(english.body.find("<h1>Allow <bdi>Carnet</bdi>?</h1>") != std::string::npos);
    CHECK(english.body.find("Nobody has checked that.") != std::string::npos);
    auto french = ask({{"Accept-Language", "fr-FR,fr;q=0.9"}});
    CHECK(french.body.find("<html lang=\"fr\" dir=\"ltr\">") != std::string::npos);
    CHECK(french.body.find("<h1>Autoriser <bdi>Carnet</bdi>\u202f?</h1>") != std::string::npos);
    CHECK(french.body.find("Nobody has") == std::string::npos);
    CHECK(french.header("Content-Language") == "fr");
    CHECK(french.header("Vary").value_or("").find("Accept-Language") != std::string_view::npos);
    CHECK(ask({{"Accept-Language", "fr"}, {"Cookie", "a=b; " + cookie + "=en"}}).body.find("<html lang=\"en\"") != std::string::npos);
    CHECK(ask({{"Cookie", cookie + "=fr"}}).body.find("<html lang=\"fr\"") != std::string::npos);
    CHECK(ask({{"Cookie", "language-00000000=fr"}}).body.find("<html lang=\"en\"") != std::string::npos);
    auto unknown = server.ask(server.request("GET", authorize("nothing"), "", "", {{"Accept-Language", "fr"}}));
    CHECK(unknown.status == 400);
    CHECK(unknown.body.find("n’est pas connue de ce serveur") != std::string::npos);
}

TEST_CASE("oauth: nothing is granted without a person, even where settings for tests of other programs say so (section 6.3)")
{
    Settings settings;
    settings.auto_approve = true;
    settings.waiting_apps = 1000;
    settings.stranger_burst = 1000;
    Server server(settings);
    auto app = server.registered();
    CHECK(server.ask(server.request("GET", authorize(app.app.id) + "&state=s")).status == 200);
    CHECK_FALSE(server.granted(app.app.id).has_value());
    const std::string content = R"({"name":"n","url":"https://a.example","redirect_uri":"https://a.example/"})";
    for (int i = 0; i < 30; ++i)
        CHECK(server.register_over_http(content).status == 200);
}

TEST_CASE("oauth: errors of the token exchange (section 6.4)")
{
    Server server;
    auto app = server.registered();
    auto other = server.registered();
    server.write([&](store::WriteTx& tx) { return tent::authorize_app(tx, server.self, app.app.id, {}); });
    std::string code =
        server.write([&](store::WriteTx& tx) { return tent::make_code(tx, server.self, app.app.id); });
    auto grant = server.store->read(
        [&](store::ReadTx& tx) { return store::find_grant_of_app(tx, server.self.id, app.app.id); });
    auto app_auth = server.store->read([&](store::ReadTx& tx) {
        return store::find_credentials_of(tx, server.self.id, (**grant).app_auth_post);
    });
    auto ask = [&](const std::string& body, const Server::Key& key, const std::string& type = "application/json") {
        return server.ask(server.request("POST", "/oauth/token", type, body), key).status;
    };
    const std::string body = Json({{"code", code}}).dump();
    const auto key = server.key_of(app.hawk_id);
    CHECK(ask(body, {}) == 401);
    CHECK(ask(body, {(**app_auth).hawk_id, (**app_auth).hawk_key}) == 401);
    CHECK(ask(body, server.key_of(other.hawk_id)) == 401);
    CHECK(ask("", key) == 400);
    CHECK(ask("[]", key) == 400);
    CHECK(ask("{}", key) == 400);
    CHECK(ask(R"({"code":""})", key) == 400);
    CHECK(ask(R"({"code":7})", key) == 400);
    CHECK(ask(Json({{"code", code}, {"token_type", "bearer"}}).dump(), key) == 400);
    CHECK(ask(body, key, "text/plain") == 415);
    CHECK(ask(R"({"code":"unknown"})", key) == 403);
    CHECK(ask(body, key, "application/vnd.tent.oauth.token.v0+json") == 200);
    CHECK(ask(body, key) == 403);
    std::string late =
        server.write([&](store::WriteTx& tx) { return tent::make_code(tx, server.self, app.app.id); });
    server.clock.now += 10 * kMinute;
    CHECK(ask(Json({{"code", late}}).dump(), key) == 403);
}

TEST_CASE("oauth: a consent page outside writes app-auth posts with its own permission (section 4.3)")
{
    Server server;
    auto app = server.registered();
    auto admin = server.write([&](store::WriteTx& tx) {
        return tent::create_local_app(tx, server.self, "admin", {"all"}, {type::kAppAuthBase, type::kAppBase});
    });
    auto plain = server.write([&](store::WriteTx& tx) {
        return tent::create_local_app(tx, server.self, "plain", {"all"}, {type::kStatusBase});
    });
    const std::string mime = "application/vnd.tent.post.v0+json; type=\"https://tent.io/types/app-auth/v0#\"";
    auto body = [&](const std::string& mentioned) {
        return Json({{"type", type::kAppAuth},
                     {"content", {{"types", {{"read", {"all"}}, {"write", Json::array()}}}, {"scopes", Json::array()}}},
                     {"mentions", {{{"entity", server.self.entity}, {"post", mentioned}}}}})
            .dump();
    };
    auto post = [&](const std::string& text, const tent::LocalApp& by) {
        return server.ask(server.request("POST", "/posts", mime, text), {by.hawk_id, by.hawk_key});
    };
    auto made = post(body(app.app.id), admin);
    REQUIRE(made.status == 200);
    CHECK(std::string(made.header("Link").value_or("")).ends_with("rel=\"https://tent.io/rels/credentials\""));
    CHECK(server.granted(app.app.id)->read == std::vector<std::string>{"all"});
    CHECK(post(body("unknown"), admin).status == 400);
    CHECK(post(body(app.app.id), plain).status == 403);
    CHECK(server.ask(server.request("POST", "/posts", mime, body(app.app.id))).status == 401);

    // Deleting it is revoking (section 6.6).
    std::string id = Json::parse(made.body)["post"]["id"];
    const std::string target = "/posts/" + percent_encode(server.self.entity) + "/" + id;
    CHECK(server.ask(server.request("DELETE", target), {plain.hawk_id, plain.hawk_key}).status == 403);
    CHECK(server.ask(server.request("DELETE", target), {admin.hawk_id, admin.hawk_key}).status == 200);
    CHECK_FALSE(server.granted(app.app.id));
}
