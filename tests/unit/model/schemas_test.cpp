// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include <bivouac/model/schemas.h>

using namespace bivouac;

namespace {

struct Known {
    const char* name;
    const char* full;                // every member that there is, all right
    std::set<std::string> required;  // paths of `full` that must not be missing
    std::set<std::string> free;      // objects that take further members
};

const Known kTypes[] = {
    {"meta",
     R"({"entity":"http://a.onion","previous_entities":["http://b.onion/path"],
         "profile":{"name":"Alice","bio":"writes","website":"https://a.example/","location":"here"},
         "servers":[{"version":"0.3","preference":0,"urls":{
           "oauth_auth":"http://a.onion/oauth/authorize","oauth_token":"http://a.onion/oauth/token",
           "posts_feed":"http://a.onion/posts","new_post":"http://a.onion/posts",
           "post":"http://a.onion/posts/{entity}/{post}",
           "post_attachment":"http://a.onion/posts/{entity}/{post}/attachments/{name}?version={version}",
           "attachment":"http://a.onion/attachments/{entity}/{digest}","batch":"http://a.onion/batch",
           "server_info":"http://a.onion/server","discover":"http://a.onion/discover?entity={entity}"}}]})",
     {"/entity", "/servers", "/servers/0/version", "/servers/0/preference", "/servers/0/urls",
      "/servers/0/urls/oauth_auth", "/servers/0/urls/oauth_token", "/servers/0/urls/posts_feed",
      "/servers/0/urls/new_post", "/servers/0/urls/post", "/servers/0/urls/post_attachment",
      "/servers/0/urls/attachment", "/servers/0/urls/batch", "/servers/0/urls/server_info",
      "/servers/0/urls/discover"},
     {}},
    {"app",
     R"({"name":"Notepad","description":"plain notes","url":"https://n.example",
         "redirect_uri":"https://n.example/back",
         "notification_url":"https://n.example/hook","notification_types":["https://tent.io/types/status/v0","all"],
         "types":{"read":["https://tent.io/types/status/v0#"],"write":["https://v.example/types/note/v0#x"]},
         "scopes":["permissions"]})",
     {"/name", "/url", "/redirect_uri"},
     {}},
    {"app-auth",
     R"({"types":{"read":["https://tent.io/types/status/v0"],"write":["all"]},"scopes":["permissions"]})",
     {"/types", "/types/read", "/types/write", "/scopes"},
     {}},
    {"credentials", R"({"hawk_key":"k","hawk_algorithm":"sha256"})", {"/hawk_key", "/hawk_algorithm"}, {}},
    {"relationship", "{}", {}, {}},
    {"subscription", R"({"type":"https://tent.io/types/status/v0"})", {"/type"}, {}},
    {"delivery-failure",
     R"({"entity":"http://b.onion","status":"permanent","reason":"unreachable"})",
     {"/entity", "/status"},
     {}},
    {"status",
     R"({"text":"hi","location":{"latitude":"52.5","longitude":"-13.25","altitude":"34"}})",
     {"/text", "/location/latitude", "/location/longitude"},
     {}},
    {"favorite", R"({"note":"fine"})", {}, {}},
    {"photo",
     R"({"location":{"latitude":"52.5","longitude":"-13.25","altitude":"34"},"caption":"c",
         "artist":{"name":"a","entity":"http://b.onion"},"filename":"d.jpg","film_speed":"400","focal_length":"50",
         "exposure":{"bias":"-0.3","mode":"auto","time":"0.01","program":"bulb"},"aperture":"1.8",
         "flash":{"fired":true,"mode":"auto"},"white_balance":false,"metering_mode":"Spot",
         "camera":{"make":"m","model":"x"},
         "lens":{"make":"m","model":"x","focal_length":{"min":"24","max":"70"},"aperture":{"min":"2.8","max":"22"}},
         "resolution":{"width":300,"height":300},"dimensions":{"width":4000,"height":3000},
         "timestamp":-86400000,"orientation":"mirror+90"})",
     {"/location/latitude", "/location/longitude", "/resolution/width", "/resolution/height", "/dimensions/width",
      "/dimensions/height"},
     {"/artist"}},
    {"album",
     R"({"title":"t","description":"d","cover":{"entity":"http://a.onion","post":"p","version":"v"}})",
     {"/title", "/cover/post"},
     {}},
    {"essay", R"({"title":"t","excerpt":"<p>e</p>","body":"<p>b</p>"})", {"/body"}, {}},
    {"tag", R"({"name":"n","description":"d"})", {"/name"}, {}},
    {"group", R"({"name":"n","description":"d"})", {"/name"}, {}},
    {"group-member", R"({"entity":"http://b.onion"})", {"/entity"}, {}},
};

std::string type_of(const char* name, const std::string& fragment = "")
{
    return "https://tent.io/types/" + std::string(name) + "/v0#" + fragment;
}

// Every path of a document but the root.
void paths_of(const Json& json, const std::string& path, std::vector<std::string>& out)
{
    for (const auto& [key, value] : json.items()) {
        const std::string child = path + "/" + key;
        out.push_back(child);
        if (value.is_structured())
            paths_of(value, child, out);
    }
}

std::vector<std::string> paths_of(const Json& json)
{
    std::vector<std::string> out;
    paths_of(json, "", out);
    return out;
}

Json without(Json json, const std::string& path)
{
    auto slash = path.rfind('/');
    json[Json::json_pointer(path.substr(0, slash))].erase(path.substr(slash + 1));
    return json;
}

bool right(const char* name, const Json& content)
{
    return validate_content(type_of(name), content).ok();
}

std::string first_problem(const std::string& type, const Json& content)
{
    auto result = validate_content(type, content);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().kind == ErrorKind::Invalid);
    return result.error().detail;
}

std::string repeated(const std::string& text, size_t times)
{
    std::string out;
    for (size_t i = 0; i < times; ++i)
        out += text;
    return out;
}

Json with_text(const std::string& text)
{
    return {{"text", text}};
}

}  // namespace

TEST_CASE("schemas: content with every member that there is fits its type (section 9)")
{
    for (const auto& type : kTypes) {
        CAPTURE(type.name);
        auto problems = schema_problems(type_of(type.name), Json::parse(type.full));
        CHECK_MESSAGE(problems.empty(), schema_diff(problems).dump());
        CHECK(validate_content(type_of(type.name, "any-fragment"), Json::parse(type.full)).ok());
    }
}

TEST_CASE("schemas: each member refuses every other type of value, at every level (section 9, checklist 7)")
{
    const Json others[] = {"text", 7, true, Json::array(), Json::object(), Json()};
    for (const auto& type : kTypes) {
        const Json full = Json::parse(type.full);
        for (const auto& path : paths_of(full)) {
            const Json& good = full[Json::json_pointer(path)];
            for (const Json& other : others) {
                if (other.type() == good.type() || (other.is_number() && good.is_number()))
                    continue;
                Json bad = full;
                bad[Json::json_pointer(path)] = other;
                CAPTURE(type.name);
                CAPTURE(path);
                CAPTURE(other.dump());
                auto problems = schema_problems(type_of(type.name), bad);
                REQUIRE(problems.size() == 1);
                CHECK(problems[0].op == "replace");
                CHECK(problems[0].path == "/content" + path);
                CHECK_FALSE(problems[0].type.empty());
                CHECK_FALSE(right(type.name, bad));
            }
        }
    }
}

TEST_CASE("schemas: exactly the required members are missed when they are missing (section 9)")
{
    for (const auto& type : kTypes) {
        const Json full = Json::parse(type.full);
        auto paths = paths_of(full);
        for (const auto& path : type.required)
            CHECK_MESSAGE(std::find(paths.begin(), paths.end(), path) != paths.end(), type.name << path);
        for (const auto& path : paths) {
            if (full[Json::json_pointer(path.substr(0, path.rfind('/')))].is_array())
                continue;
            CAPTURE(type.name);
            CAPTURE(path);
            auto problems = schema_problems(type_of(type.name), without(full, path));
            if (type.required.contains(path)) {
                REQUIRE(problems.size() == 1);
                CHECK(problems[0].op == "add");
                CHECK(problems[0].path == "/content" + path);
            } else {
                CHECK(problems.empty());
            }
        }
    }
}

TEST_CASE("schemas: an unknown member is refused in every object (section 9, checklist 6)")
{
    for (const auto& type : kTypes) {
        const Json full = Json::parse(type.full);
        auto paths = paths_of(full);
        paths.push_back("");
        for (const auto& path : paths) {
            Json bad = full;
            Json& object = path.empty() ? bad : bad[Json::json_pointer(path)];
            if (!object.is_object())
                continue;
            object["extra"] = "x";
            CAPTURE(type.name);
            CAPTURE(path);
            auto problems = schema_problems(type_of(type.name), bad);
            if (type.free.contains(path)) {
                CHECK(problems.empty());
                continue;
            }
            REQUIRE(problems.size() == 1);
            CHECK(problems[0].op == "remove");
            CHECK(problems[0].path == "/content" + path + "/extra");
        }
    }
}

TEST_CASE("schemas: a status has at most 512 code points, whatever their bytes (section 9)")
{
    for (const char* character : {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x9d"}) {
        CAPTURE(character);
        CHECK(right("status", with_text(repeated(character, 512))));
        CHECK_FALSE(right("status", with_text(repeated(character, 513))));
    }
    // Not normalised: a letter and its accent are two.
    CHECK(right("status", with_text(repeated("e\xcc\x81", 256))));
    CHECK_FALSE(right("status", with_text(repeated("e\xcc\x81", 256) + "e")));
    CHECK(right("status", with_text("")));
}

TEST_CASE("schemas: a profile's texts have at most 256 code points (section 1.3)")
{
    for (const char* member : {"name", "bio", "location"}) {
        CAPTURE(member);
        Json meta = Json::parse(kTypes[0].full);
        meta["profile"][member] = repeated("\xf0\x9f\x90\x9d", 256);
        CHECK(right("meta", meta));
        meta["profile"][member] = repeated("\xf0\x9f\x90\x9d", 257);
        CHECK_FALSE(right("meta", meta));
    }
}

TEST_CASE("schemas: metas of others may lack `discover` and nothing else (section 1.3)")
{
    Json meta = without(Json::parse(kTypes[0].full), "/servers/0/urls/discover");
    CHECK_FALSE(validate_content(type_of("meta"), meta).ok());
    CHECK(validate_content(type_of("meta"), meta, MetaOf::Others).ok());
    CHECK_FALSE(validate_content(type_of("meta"), without(meta, "/servers/0/urls/batch"), MetaOf::Others).ok());
    meta["servers"][0]["urls"]["discover"] = 7;
    CHECK_FALSE(validate_content(type_of("meta"), meta, MetaOf::Others).ok());
}

TEST_CASE("schemas: numbers as strings are plain decimals (section 9)")
{
    auto aperture = [](const char* text) { return right("photo", {{"aperture", text}}); };
    for (const char* good : {"0", "-1", "2.8", "-0.00", "0123", "99999999999999999999.5"})
        CHECK_MESSAGE(aperture(good), good);
    for (const char* bad : {"", "-", ".", "1.", ".5", "+1", "--1", "1.2.3", "1e3", " 1", "1 ", "0x1", "1,5", "NaN",
                            "\xd9\xa1"})
        CHECK_FALSE_MESSAGE(aperture(bad), bad);
}

TEST_CASE("schemas: URIs have a scheme and no spaces, and none that runs code in a browser (section 6.1)")
{
    Json app = Json::parse(kTypes[1].full);
    auto uri = [&](const char* member, const std::string& text) {
        app[member] = text;
        bool out = right("app", app);
        app[member] = "https://n.example";
        return out;
    };
    for (const char* member : {"url", "redirect_uri", "notification_url"}) {
        CAPTURE(member);
        for (const char* good : {"https://n.example", "http://n.onion:81/x?y=z", "x-notes.app+1:back",
                                 "https://\xc3\xa9.example/", "urn:x"})
            CHECK_MESSAGE(uri(member, good), good);
        for (const char* bad : {"", "https", "n.example/back", "//n.example", ":x", "1a:x", "https:", "ht tp://x",
                                "https://x y", "https://x\n", "https://x\"", "https://x>", "javascript:alert(1)",
                                "JavaScript:x", "data:text/html,x", "vbscript:x", "java\tscript:x"})
            CHECK_FALSE_MESSAGE(uri(member, bad), bad);
        CHECK(uri(member, "https://" + std::string(2040, 'x')));
        CHECK_FALSE(uri(member, "https://" + std::string(2041, 'x')));
    }
    CHECK(uri("url", "https://n.example/#top"));
    CHECK_FALSE(uri("redirect_uri", "https://n.example/#top"));
}

TEST_CASE("schemas: URL templates have their braces in pairs (section 1.5)")
{
    Json meta = Json::parse(kTypes[0].full);
    auto post = [&](const char* text) {
        meta["servers"][0]["urls"]["post"] = text;
        return right("meta", meta);
    };
    CHECK(post("https://a.example/{entity}{post}?v={version}"));
    for (const char* bad : {"http://a.onion/{entity", "http://a.onion/entity}", "http://a.onion/{{entity}}",
                            "http://a.onion/{}", "/posts/{entity}/{post}", "javascript:{post}"})
        CHECK_FALSE_MESSAGE(post(bad), bad);
}

TEST_CASE("schemas: selectors are types or all (section 2.4)")
{
    for (const char* good : {"all", "https://x.example/v0", "http://x.example/v0#",
                             "https://x.example/v0#https://y/v0%23z"})
        CHECK_MESSAGE(right("subscription", {{"type", good}}), good);
    for (const char* bad : {"", "ALL", "status", "ftp://x/v0", "https://x y"})
        CHECK_FALSE_MESSAGE(right("subscription", {{"type", bad}}), bad);
}

TEST_CASE("schemas: entities are entity URLs (section 1.1)")
{
    for (const char* bad : {"", "b.onion", "ftp://b.onion", "http://b.onion?x", "http://b.onion#x"})
        CHECK_FALSE_MESSAGE(right("group-member", {{"entity", bad}}), bad);
}

TEST_CASE("schemas: a delivery failure and credentials use the words of the protocol; a photo need not (section 9)")
{
    auto failure = [](const char* status, const char* reason) {
        return right("delivery-failure", {{"entity", "http://b.onion"}, {"status", status}, {"reason", reason}});
    };
    for (const char* reason : {"unreachable", "discovery_failed", "relationship_failed", "delivery_failed"})
        for (const char* status : {"temporary", "permanent"})
            CHECK(failure(status, reason));
    CHECK_FALSE(failure("final", "unreachable"));
    CHECK_FALSE(failure("temporary", "tired"));
    CHECK_FALSE(right("credentials", {{"hawk_key", "k"}, {"hawk_algorithm", "sha1"}}));
    CHECK(right("photo", {{"orientation", "upside down"}, {"metering_mode", "guess"}, {"flash", {{"mode", "no"}}},
                          {"exposure", {{"mode", "x"}, {"program", "y"}}}}));
}

TEST_CASE("schemas: integers are exact in a double (section 2.2)")
{
    auto timestamp = [](int64_t value) { return right("photo", {{"timestamp", value}}); };
    CHECK(timestamp((1LL << 53) - 1));
    CHECK(timestamp(-(1LL << 53) + 1));
    CHECK_FALSE(timestamp(1LL << 53));
    CHECK_FALSE(timestamp(INT64_MIN));
    CHECK_FALSE(right("photo", {{"timestamp", 1.5}}));
}

TEST_CASE("schemas: absent content is an empty object; anything but an object is refused (checklist 9)")
{
    CHECK(right("relationship", Json()));
    CHECK(right("favorite", Json()));
    CHECK_FALSE(right("status", Json()));
    for (const Json& bad : {Json("x"), Json::array(), Json(true), Json(7)}) {
        auto problems = schema_problems(type_of("favorite"), bad);
        REQUIRE(problems.size() == 1);
        CHECK(problems[0].path == "/content");
        CHECK(problems[0].type == "object");
    }
}

TEST_CASE("schemas: types of others, other versions and types without a schema are free (ruling 38)")
{
    const Json free = {{"anything", Json::array({1, nullptr})}};
    for (const char* type :
         {"https://x.example/types/status/v0#",
          "http://tent.io/types/status/v0#", "https://tent.io/types/status/v1#",
          "https://tent.io/types/x/status/v0#", "https://tent.io/types/basic-profile/v0#",
          "https://tent.io/types//v0#", "https://tent.io/types/v0#", "https://tent.io/types/delete/v0#",
          "https://tent.io/types/repost/v0#",
          "https://tent.io/types/cursor/v0#https://tent.io/rels/status-feed",
          "https://x.example/#https://tent.io/types/status/v0"}) {
        CAPTURE(type);
        CHECK_FALSE(has_schema(type));
        CHECK(validate_content(type, free).ok());
    }
    for (const auto& type : kTypes)
        CHECK(has_schema(type_of(type.name)));
    CHECK(has_schema("https://tent.io/types/status/v0"));
}

TEST_CASE("schemas: errors say what is wrong in words and as a diff (section 10)")
{
    Json content = {{"text", "hi"}, {"extra", 1}};
    CHECK(first_problem(type_of("status"), content) ==
          "Invalid Attributes: /content/extra is not a member of a status post");
    CHECK(schema_diff(schema_problems(type_of("status"), content)) ==
          Json::parse(R"([{"op":"remove","path":"/content/extra"}])"));
    CHECK(first_problem(type_of("essay"), Json::object()) ==
          "Invalid Attributes: /content/body is required in an essay post");
    CHECK(schema_diff(schema_problems(type_of("essay"), Json::object())) ==
          Json::parse(R"([{"op":"add","path":"/content/body","type":"string"}])"));
    CHECK(first_problem(type_of("status"), with_text(std::string(513, 'x'))) ==
          "Invalid Attributes: /content/text must be a string of at most 512 characters");
    CHECK(schema_diff(schema_problems(type_of("subscription"), {{"type", 7}})) ==
          Json::parse(R"([{"op":"replace","path":"/content/type","type":"string"}])"));
    CHECK(schema_diff(schema_problems(type_of("tag"), {{"a~/b", 1}, {"name", "n"}}))[0]["path"] == "/content/a~0~1b");
}

TEST_CASE("schemas: the problems told are bounded, and keys from outside are cut between characters")
{
    Json many = {{"name", "n"}};
    for (int i = 0; i < 1000; ++i)
        many["x" + std::to_string(i)] = i;
    CHECK(schema_problems(type_of("tag"), many).size() == 20);
    Json types = {{"read", Json::array()}, {"write", Json::array()}};
    for (int i = 0; i < 1001; ++i)
        types["read"].push_back("all");
    CHECK_FALSE(right("app-auth", {{"types", types}, {"scopes", Json::array()}}));

    Json awkward = {{"name", "n"}, {std::string(63, 'x') + "\xc3\xa9tail", 1}};
    auto problems = schema_problems(type_of("tag"), awkward);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].path == "/content/" + std::string(63, 'x'));
    CHECK_NOTHROW(schema_diff(problems).dump());
}

TEST_CASE("null members of what apps send are taken out, but not of content without a schema (section 2.2)")
{
    Json post = Json::parse(R"({"type":"https://tent.io/types/app/v0#","id":null,
      "content":{"name":"n","description":null,"types":{"read":null,"write":["all"]}},
      "version":{"message":null,"parents":[{"version":"v","entity":null}]},
      "mentions":[{"entity":"http://b.onion","type":null}],"permissions":null})");
    CHECK(strip_nulls(post) == Json::parse(R"({"type":"https://tent.io/types/app/v0#",
      "content":{"name":"n","types":{"write":["all"]}},"version":{"parents":[{"version":"v"}]},
      "mentions":[{"entity":"http://b.onion"}]})"));

    Json free = Json::parse(R"({"type":"https://x.example/v0#","content":{"a":null,"b":[{"c":null}]},"refs":null})");
    CHECK(strip_nulls(free) ==
          Json::parse(R"({"type":"https://x.example/v0#","content":{"a":null,"b":[{"c":null}]}})"));
    CHECK(strip_nulls(Json::parse(R"({"type":"https://x.example/v0#","content":null})")) ==
          Json::parse(R"({"type":"https://x.example/v0#"})"));
    // A null in a list has a place there; it stays and is refused later.
    CHECK(strip_nulls(Json::parse(R"({"mentions":[null]})")) == Json::parse(R"({"mentions":[null]})"));
    CHECK(strip_nulls(Json::parse("[null]")) == Json::parse("[null]"));
    CHECK(strip_nulls(Json::parse(R"({"type":null,"content":{"a":null}})")) ==
          Json::parse(R"({"content":{"a":null}})"));
}
