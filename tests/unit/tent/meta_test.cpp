// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

TEST_CASE("our meta post has the ten URLs and nothing that its schema does not know (Tent 0.3, section 1.3)")
{
    Home home;
    auto found = home.store->read([&](store::ReadTx& tx) {
        return store::load_post(tx, home.self.id, home.self.entity, "meta", "", Viewer{});
    });
    REQUIRE(found->has_value());  // readable to everybody
    Json content = Json::parse((**found).content);
    CHECK(content["entity"] == home.self.entity);
    CHECK(content["previous_entities"] == Json::array());
    REQUIRE(content["servers"].size() == 1);
    CHECK(content["servers"][0]["version"] == "0.3");
    CHECK(content["servers"][0]["preference"] == 0);
    CHECK(content["servers"][0]["urls"].size() == 10);
    CHECK(content["servers"][0]["urls"]["post"] == home.self.entity + "/posts/{entity}/{post}");
    CHECK(content["servers"][0]["urls"]["oauth_auth"].get<std::string>().find('?') == std::string::npos);
    CHECK(usable_servers(content["servers"]).size() == 1);
    CHECK(version_id_verifies(post_to_json(**found, Audience::everybody()), (**found).version.id));
}

TEST_CASE("the discovery page has the link in the exact form that old clients match (section 1.2)")
{
    Home home;
    std::string html = discovery_html(home.self);
    CHECK(html.find("<link href=\"" + home.self.entity + "/posts/http%3A%2F%2F" + home.self.onion +
                    ".onion/meta\" rel=\"https://tent.io/rels/meta-post\" />") != std::string::npos);
    CHECK(html_links_with_rel(html, rel::kMetaPost) == std::vector<std::string>{home.self.entity + meta_path(home.self)});
    CHECK(meta_path(home.self).find(',') == std::string::npos);
}

TEST_CASE("Link headers are read in all their forms")
{
    auto links = [](std::vector<std::string_view> values) { return links_with_rel(values, "r"); };
    using Strings = std::vector<std::string>;
    CHECK(links({"</a>; rel=\"r\""}) == Strings{"/a"});
    CHECK(links({"</a>; rel=r, </b>; rel='r'"}) == Strings{"/a", "/b"});
    CHECK(links({"</a>; title=\"x, y\"; rel=\"r\", </b>; rel=\"s\""}) == Strings{"/a"});
    CHECK(links({"</a>; rel=\"s\"", "</b>; x=1; rel=\"r\""}) == Strings{"/b"});
    for (const char* none : {"", "</a>", "</a; rel=\"r\"", "a; rel=\"r\"", "<", ",,,", "</a>; rel=\"", "</a>; relx=\"r\""})
        CHECK(links({none}).empty());
}

TEST_CASE("only servers on valid onions are used, the preferred first (sections 1.4 and 15)")
{
    const std::string a = onion_entity('x');
    const std::string b = onion_entity('y');
    auto server = [](const std::string& base, int preference) {
        return Json({{"version", "0.3"}, {"preference", preference}, {"urls", {{"post", base + "/posts/{entity}/{post}"}}}});
    };
    auto usable = usable_servers(Json::array({server(a, 2), server("https://example.com", 0), server("http://127.0.0.1", 0),
                                              server("http://localhost", 0), server(b, 1), 5, Json::object(),
                                              server("http://example.com/" + a.substr(7), 0),
                                              server("http://user@" + a.substr(7), 0)}));
    REQUIRE(usable.size() == 2);
    CHECK(usable[0].post.starts_with(b));
    CHECK(usable[1].post.starts_with(a));
    CHECK(usable_servers(Json("x")).empty());
}

TEST_CASE("templates are filled with escaped values (section 1.5)")
{
    CHECK(expand_template("http://a/{entity}/{post}?v={version}", {{"entity", "http://b/c"}, {"post", "x y"}}) ==
          "http://a/http%3A%2F%2Fb%2Fc/x%20y?v=");
    CHECK(expand_template("http://a/{entity", {{"entity", "x"}}) == "http://a/{entity");
}

TEST_CASE("what a person types becomes an entity, or a clear refusal")
{
    const std::string bob = onion_entity('b');
    std::string upper = bob.substr(7);
    for (auto& c : upper)
        c = static_cast<char>(std::toupper(c));
    CHECK(*peer_entity(bob) == bob);
    CHECK(*peer_entity(bob + "/") == bob);
    CHECK(*peer_entity(bob.substr(7)) == bob);
    CHECK(*peer_entity(upper) == bob);
    std::string typo = bob;
    typo[20] = typo[20] == 'a' ? 'b' : 'a';
    for (const std::string& bad : {std::string(), std::string("bob"), std::string("http://example.com"), typo,
                                   "https://" + bob.substr(7), "http://www." + bob.substr(7), bob + "?x=1",
                                   std::string("http://127.0.0.1"), bob.substr(0, 40) + ".onion"}) {
        CAPTURE(bad);
        CHECK_FALSE(peer_entity(bad).ok());
    }
}

TEST_CASE("only plain http on an onion is fetched, whatever stands around the host (section 15)")
{
    const std::string onion = onion_entity('x');
    for (const char* after : {"", "/", ":80", ":8080/x", "/posts/{entity}?x=y", "?x", "#x", "/@evil.example:80/"})
        CHECK_MESSAGE(is_onion_url(onion + after), after);
    for (const char* after : {":x@evil.example/", "@evil.example/", ":", ":80x", ":80:80", ":1234567", ".evil.example",
                              "/a b", "/a\r\nHost: x", "/\t", "\\@evil.example"})
        CHECK_FALSE_MESSAGE(is_onion_url(onion + after), after);
    CHECK_FALSE(is_onion_url("https" + onion.substr(4)));
    CHECK_FALSE(is_onion_url("http://evil.example/" + onion.substr(7)));
    CHECK_FALSE(is_onion_url(onion + "/" + std::string(2048, 'x')));
}
