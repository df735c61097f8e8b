// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "api_fixture.h"

using namespace bivouac;

TEST_CASE("server_info: limits for everybody, storage and types for apps (section 4.12)")
{
    ApiHome home;
    home.hooks.storage = [](int64_t) { return api::Storage{1000, 500}; };
    home.start();
    home.publish(home.status(true));
    home.publish(home.status(false));
    Post note = home.status(true);
    note.type = "https://vendor.example/types/note/v0#";
    home.publish(note);
    const Json expected = {{"posts_feed", {{"default", 25}, {"maximum", 200}}}, {"batch", {{"max_requests", 100}}}};
    for (const auto& who : {home.nobody, home.peer(home.bob)}) {
        auto response = home.get(who, "/server");
        CHECK(response.status == 200);
        CHECK(ApiHome::header(response, "Content-Type") == "application/json");
        CHECK(ApiHome::json(response) == Json({{"limits", expected}}));
        CHECK_FALSE(response.header("Server").has_value());
        CHECK_FALSE(response.header("Date").has_value());
    }
    auto full = ApiHome::json(home.get(home.full_app(), "/server"));
    CHECK(full["limits"]["posts_feed"] == expected["posts_feed"]);
    CHECK(full["limits"]["attachments"]["maximum_size"] == 100 << 20);
    CHECK(full["storage"] == Json({{"available", 1000}, {"used", 500}}));
    CHECK(full["types"][type::kStatusBase]["count"] == 2);
    CHECK(full["types"]["https://vendor.example/types/note/v0"]["count"] == 1);
    CHECK(full["types"].contains(type::kAppBase));
    CHECK_FALSE(full["types"].contains(type::kCredentialsBase));
    auto narrow = ApiHome::json(home.get(home.app({std::string(type::kStatusBase) + "#reply"}), "/server"));
    CHECK(narrow["types"].size() == 1);
    CHECK(narrow["types"].contains(type::kStatusBase));
    CHECK(home.ask(home.nobody, "HEAD", "/server").status == 200);
    CHECK(home.ask(home.nobody, "POST", "/server").status == 404);
    CHECK(home.get(home.nobody, "/server", {{"If-None-Match", ApiHome::header(home.get(home.nobody, "/server"), "ETag")}}).status == 304);
}
