// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "api_fixture.h"

using namespace bivouac;

namespace {

const std::string kNote = "https://vendor.example/types/note/v0#";

struct Desk : ApiHome {
    HawkKey all = full_app();

    static std::vector<net::Header> media(const std::string& type, const std::string& rel = "")
    {
        return {{"Content-Type", std::string(mime::kPost) + "; type=\"" + type + "\"" +
                                     (rel.empty() ? "" : "; rel=\"" + rel + "\"")}};
    }
    net::HttpResponse create(const HawkKey& key, const std::string& body, const std::string& type = kNote)
    {
        return ask(key, "POST", "/posts", media(type), body);
    }
    Json created(const Json& post)
    {
        clock.now += 1000;
        auto response = create(all, post.dump(), post["type"]);
        if (response.status != 200)
            FAIL(response.body);
        return json(response)["post"];
    }
    net::HttpResponse put(const HawkKey& key, const std::string& id, const Json& post, const std::string& rel = "")
    {
        return ask(key, "PUT", post_path(self.entity, id), media(post.value("type", ""), rel), post.dump());
    }
    static Json note(const std::string& text = "x") { return {{"type", kNote}, {"content", {{"text", text}}}}; }
    Json after(const Json& post, Json draft)
    {
        draft["version"] = {{"parents", {{{"version", post["version"]["id"]}}}}};
        return draft;
    }
};

}  // namespace

TEST_CASE("new_post: what is refused, with which status and an error body (sections 4.3 and 10)")
{
    Desk home;
    const HawkKey reads = home.app({"all"});
    struct Case {
        const HawkKey* key;
        std::string body;
        std::string type;
        int status;
    };
    const std::string good = Desk::note().dump();
    for (const Case& c :
         {Case{&home.all, "", kNote, 400}, {&home.all, "\"text\"", kNote, 400}, {&home.all, "[]", kNote, 400},
          {&home.all, "{", kNote, 400}, {&home.all, "{}", kNote, 400}, {&home.all, good, type::kStatus, 415},
          {&home.all, R"({"type":"nothing"})", "nothing", 400},
          {&home.all, R"({"type":"https://x.example/v0"})", "https://x.example/v0", 400},
          {&home.all, R"({"type":")" + kNote + R"(","content":"text"})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","content":[]})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","content":true})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","content":{"n":1.5}})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","content":{"n":18446744073709551616}})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","content":{"a":1,"a":2}})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + "\",\"content\":{\"a\":\"\xff\"}}", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","content":{"a":"\ud800"}})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","extra":1})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","published_at":"now"})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","version":[]})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","mentions":{}})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","mentions":[{"entity":1}]})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","licenses":[{"link":"x"}]})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","permissions":{"public":"yes"}})", kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","permissions":{"groups":[{"post":"nogroup"}]}})", kNote, 400},
          {&home.all, R"({"type":")" + kNote +
                          R"(","attachments":[{"category":"a","content_type":"a/b","name":"n","digest":"sha512t256-)" +
                          std::string(64, 'a') + R"("}]})",
           kNote, 400},
          {&home.all, R"({"type":")" + kNote + R"(","version":{"parents":[{"post":"x"}]}})", kNote, 400},
          {&home.nobody, good, kNote, 401}, {&reads, good, kNote, 403}}) {
        CAPTURE(c.body);
        auto response = home.create(*c.key, c.body, c.type);
        CHECK(response.status == c.status);
        CHECK(home.header(response, "Content-Type") == mime::kError);
        CHECK(home.json(response)["error"].is_string());
    }
    auto other_type = home.ask(home.all, "POST", "/posts", {{"Content-Type", "application/json"}}, good);
    CHECK(other_type.status == 415);
    // Nothing of all this was stored.
    CHECK(home.header(home.ask(home.all, "HEAD", "/posts?types=" + percent_encode(kNote)), "Count") == "0");
    auto schema = home.create(home.all, R"({"type":")" + kNote + R"(","extra":1})");
    CHECK(home.json(schema)["diff"] == Json::array({{{"op", "remove"}, {"path", "/extra"}}}));
}

TEST_CASE("new_post: limits on depth, size and lists (section 4.1)")
{
    Desk home;
    std::string deep = R"({"type":")" + kNote + R"(","content":{"a":)" + std::string(200'000, '[') +
                       std::string(200'000, ']') + "}}";
    CHECK(home.create(home.all, deep).status == 400);
    Json many = Desk::note();
    for (int i = 0; i < 10'000; ++i)
        many["mentions"].push_back({{"post", "p" + std::to_string(i)}});
    CHECK(home.create(home.all, many.dump()).status == 400);
    Json large = Desk::note(std::string(2u << 20, 'x'));
    CHECK(home.create(home.all, large.dump()).status == 413);
    Json thousand = Desk::note();
    for (int i = 0; i < 1000; ++i)
        thousand["mentions"].push_back({{"post", "p" + std::to_string(i)}});
    CHECK(home.create(home.all, thousand.dump()).status == 200);
}

TEST_CASE("content is kept faithfully: 64-bit integers, any text, empty values (section 2.2)")
{
    Desk home;
    Json post = Desk::note();
    post["content"] = Json::parse(
        R"({"max":9223372036854775807,"min":-9223372036854775808,"zero":0,"empty":{},"list":[],"null":null,"no":false,
            "text":"tab\t line\n quote\" back\\ nul\u0000 \u2028 \ud83d\ude00 e\u0301","10":"ten","2":"two"})");
    Json made = home.created(post);
    CHECK(made["content"] == post["content"]);
    Json read = home.json(home.get(home.nobody, home.post_path(home.self.entity, made["id"])))["post"];
    CHECK(read["content"].dump() == post["content"].dump());
    CHECK(version_id_verifies(read, read["version"]["id"].get<std::string>()));
    // 1.0 and 1e3 are integers written in another way.
    auto response = home.create(home.all, R"({"type":")" + kNote + R"(","content":{"a":1.0,"b":1e3}})");
    CHECK(home.json(response)["post"]["content"] == Json({{"a", 1}, {"b", 1000}}));
}

TEST_CASE("licenses, refs and mentions are kept in their order, redundant members left out (section 2.2)")
{
    Desk home;
    Json post = Desk::note();
    post["licenses"] = {{{"url", "https://b.example"}}, {{"url", "https://a.example"}}};
    post["mentions"] = {{{"entity", home.carol}}, {{"entity", home.self.entity}, {"post", "p1"}}, {{"entity", home.bob}, {"public", true}}};
    post["refs"] = {{{"entity", home.self.entity}, {"post", "r1"}}};
    Json made = home.created(post);
    CHECK(made["licenses"] == post["licenses"]);
    CHECK(made["mentions"] == Json::array({{{"entity", home.carol}}, {{"post", "p1"}}, {{"entity", home.bob}}}));
    CHECK(made["refs"] == Json::array({{{"post", "r1"}}}));
    CHECK(made["version"]["id"] == version_id_of(made));
}

TEST_CASE("null members of apps count as absent, in content of unknown types they stay (section 2.2)")
{
    Desk home;
    Json status = {{"type", type::kStatus}, {"content", {{"text", "x"}, {"location", nullptr}}}, {"mentions", nullptr},
                   {"permissions", nullptr}};
    Json made = home.created(status);
    CHECK_FALSE(made["content"].contains("location"));
    CHECK_FALSE(made.contains("permissions"));
    Json note = Desk::note();
    note["content"]["nothing"] = nullptr;
    CHECK(home.created(note)["content"].contains("nothing"));
}

TEST_CASE("PUT makes a new version; a post that was read can be sent back whole (sections 4.5 and 15.1)")
{
    Desk home;
    const HawkKey reads = home.app({"all"});
    Json first = home.created(Desk::note("one"));
    const std::string id = first["id"];
    Json draft = home.after(first, Desk::note("two"));
    CHECK(home.put(home.nobody, id, draft).status == 401);
    CHECK(home.put(reads, id, draft).status == 403);
    CHECK(home.put(home.all, "unknown", draft).status == 404);
    CHECK(home.put(home.all, id, Desk::note("two")).status == 400);
    home.clock.now += 1000;
    auto response = home.put(home.all, id, draft);
    REQUIRE(response.status == 200);
    Json second = home.json(response)["post"];
    CHECK(second["id"] == id);
    CHECK(second["published_at"] == first["published_at"]);
    CHECK(second["version"]["parents"] == Json::array({{{"version", first["version"]["id"]}}}));
    CHECK(second["app"]["name"] == "Notepad");

    Json whole = second;
    whole["content"]["text"] = "three";
    whole["version"] = {{"parents", {{{"version", second["version"]["id"]}, {"post", id}}}}, {"message", "better"}};
    home.clock.now += 1000;
    auto third = home.put(home.all, id, whole);
    REQUIRE(third.status == 200);
    CHECK(home.json(third)["post"]["version"]["message"] == "better");
    CHECK(home.json(third)["post"]["version"]["id"] != second["version"]["id"]);
    // Not somebody else's post, and not by a PUT that calls itself a delivery.
    auto foreign = home.ask(home.all, "PUT", home.post_path(home.bob, id), Desk::media(kNote), draft.dump());
    CHECK(foreign.status == 403);
    CHECK(home.put(home.all, id, draft, rel::kNotification).status == 403);
    CHECK(home.put(home.nobody, id, draft, rel::kNotification).status == 403);
}

TEST_CASE("DELETE: a delete post, none on demand, single versions, and who may (section 4.7)")
{
    Desk home;
    const HawkKey reads = home.app({"all"});
    Json post = home.created(Desk::note());
    const std::string path = home.post_path(home.self.entity, post["id"]);
    Json secret = Desk::note();
    secret["permissions"] = {{"public", false}};
    const std::string hidden = home.post_path(home.self.entity, home.created(secret)["id"]);
    CHECK(home.ask(home.nobody, "DELETE", path).status == 401);
    CHECK(home.ask(reads, "DELETE", path).status == 403);
    CHECK(home.ask(home.nobody, "DELETE", hidden).status == 404);
    CHECK(home.ask(home.app({}), "DELETE", hidden).status == 404);
    CHECK(home.ask(home.all, "DELETE", home.post_path(home.self.entity, kMetaPostId)).status == 403);

    home.clock.now += 1000;
    Json second = home.json(home.put(home.all, post["id"], home.after(post, Desk::note("two"))))["post"];
    const std::string version = second["version"]["id"];
    auto one = home.ask(home.all, "DELETE", path + "?version=" + version.substr(11));
    REQUIRE(one.status == 200);
    CHECK(home.json(one)["post"]["type"] == type::kDelete);
    CHECK(home.json(one)["post"]["refs"][0]["post"] == post["id"]);
    CHECK(home.json(home.get(home.nobody, path))["post"]["version"]["id"] == post["version"]["id"]);
    CHECK(home.ask(home.all, "DELETE", path + "?version=" + version).status == 404);
    auto deleted = home.ask(home.all, "DELETE", path, {{"Create-Delete-Post", "true"}});
    REQUIRE(deleted.status == 200);
    CHECK(home.json(deleted)["post"]["refs"] == Json::array({{{"post", post["id"]}}}));
    CHECK(home.get(home.all, path).status == 404);

    const std::string quiet = home.post_path(home.self.entity, home.created(Desk::note())["id"]);
    auto silent = home.ask(home.all, "DELETE", quiet, {{"Create-Delete-Post", "false"}});
    CHECK(silent.status == 200);
    CHECK(silent.body.empty());
    CHECK(home.get(home.all, quiet).status == 404);
}

TEST_CASE("import over HTTP, by the type of the request and a scope (section 4.5.2)")
{
    Desk home;
    Post post = home.remote(home.bob, "theirs", kNote);
    const Json body = post_to_json(post, Audience::owner());
    auto import = [&](const HawkKey& key, const Json& what) {
        return home.ask(key, "PUT", home.post_path(home.bob, "theirs"), Desk::media(kNote, rel::kImport), what.dump());
    };
    CHECK(import(home.nobody, body).status == 401);
    CHECK(import(home.app({"all"}, {"all"}, {"permissions"}), body).status == 403);
    Json wrong = body;
    wrong["content"] = {{"text", "altered"}};
    CHECK(import(home.all, wrong).status == 400);
    auto imported = import(home.all, body);
    REQUIRE(imported.status == 200);
    CHECK(home.json(imported)["post"]["received_at"] == post.received_at);
    CHECK(import(home.all, body).status == 200);
    CHECK(home.get(home.all, home.post_path(home.bob, "theirs")).status == 200);
}

TEST_CASE("ids that try to leave their entity are none, on every way in (sections 1.5 and 4.5)")
{
    Desk home;
    const HawkKey bobs = home.peer(home.bob);
    const std::string mine = home.created(Desk::note("mine"))["id"];
    const std::string secret_of_carol = "hers";
    home.write([&](store::WriteTx& tx) { return store::insert_version(tx, home.self.id, home.remote(home.carol, secret_of_carol, kNote)); });
    auto versions = [&] { return home.header(home.ask(home.all, "HEAD", "/posts?limit=1"), "Count"); };
    const std::string before = versions();
    const std::string here = "/posts/" + percent_encode(home.self.entity) + "/";
    for (const std::string& id : std::vector<std::string>{
          "..", ".", "../" + mine, "..%2F" + mine, "%2e%2e%2f" + percent_encode(home.carol) + "%2f" + secret_of_carol, "a%2Fb",
          "..%2f..%2fposts%2f" + mine, "%00", mine + "%00", mine + "%0d%0aX:%20y", "%5c..%5c" + mine, mine + "/", mine + "%20",
          "%ff", "%", "%2", std::string(129, 'a'), std::string(8000, 'a'), "*", "?version=..", "#" + mine}) {
        CAPTURE(id);
        auto read = home.get(home.all, here + id, {{"Cache-Control", "no-proxy"}});
        CHECK((read.status == 404 || read.status == 400));
        CHECK(home.json(read)["error"].is_string());
        CHECK(home.get(home.nobody, here + id).status == 404);
        auto file = home.get(home.nobody, here + id + "/attachments/x");
        CHECK((file.status == 404 || file.status == 400));
        for (const std::string& relation : {std::string(), std::string(rel::kImport)}) {
            auto put = home.ask(home.all, "PUT", here + id, Desk::media(kNote, relation), Desk::note("theirs").dump());
            CHECK(put.status >= 400);
            CHECK(put.status < 500);
        }
        auto gone = home.ask(home.all, "DELETE", here + id);
        CHECK((gone.status == 404 || gone.status == 400));
        // What a peer delivers under such an id, in the URL and in the post.
        const std::string decoded = percent_decode(id).value_or("x");
        Post post = home.remote(home.bob, is_valid_utf8(decoded) ? decoded : "x", kNote);
        auto told = home.ask(bobs, "PUT", "/posts/" + percent_encode(home.bob) + "/" + id, Desk::media(kNote, rel::kNotification),
                             post_to_json(post, Audience::everybody()).dump());
        CHECK(told.status >= 400);
        CHECK(told.status < 500);
    }
    // Nor in a post that comes under a good address.
    for (const char* id : {"../x", "a/b", "..", "a b", "\n"}) {
        CAPTURE(id);
        Post post = home.remote(home.bob, id, kNote);
        const std::string text = post_to_json(post, Audience::everybody()).dump();
        CHECK(home.ask(bobs, "PUT", home.post_path(home.bob, "good"), Desk::media(kNote, rel::kNotification), text).status == 400);
        CHECK(home.ask(home.all, "PUT", home.post_path(home.bob, "good"), Desk::media(kNote, rel::kImport), text).status == 400);
    }
    for (const std::string digest : {"..%2F..%2Fbivouac.db", "../../bivouac.keys", "sha512t256-..%2f", "%00"}) {
        CAPTURE(digest);
        auto file = home.get(home.all, home.attachment_path(home.self.entity, digest));
        CHECK((file.status == 404 || file.status == 400));
    }
    CHECK(versions() == before);
    CHECK(home.json(home.get(home.nobody, here + mine))["post"]["content"]["text"] == "mine");
}
