// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "target.h"

using namespace bivouac::api;

TEST_CASE("targets are read as the different clients write them (Tent 0.3, section 1.5)")
{
    for (const char* target : {"/posts/http%3A%2F%2Falice.onion/ID", "/posts/http://alice.onion/ID",
                               "/posts/http:/alice.onion/ID"}) {
        CAPTURE(target);
        Route route = parse_target(target);
        CHECK(route.kind == Route::Kind::Post);
        CHECK(route.entity == "http://alice.onion");
        CHECK(route.post == "ID");
    }
    CHECK(parse_target("/posts/http://alice.onion/some/path/ID").entity == "http://alice.onion/some/path");
    Route attachment = parse_target("/posts/http%3A%2F%2Fa.onion/ID/attachments/my%20file.png?version=x");
    CHECK(attachment.kind == Route::Kind::PostAttachment);
    CHECK(attachment.name == "my file.png");
    CHECK(attachment.query == "version=x");
    CHECK(parse_target("/attachments/http%3A%2F%2Fa.onion/abc").digest == "abc");
    CHECK(parse_target("/").kind == Route::Kind::Root);
    CHECK(parse_target("/posts").kind == Route::Kind::Feed);
    CHECK(parse_target("/posts?limit=2").kind == Route::Kind::Feed);
}

TEST_CASE("what is no route is none")
{
    for (const char* target : {"", "/post", "/posts/", "/posts/x", "/posts//x", "/posts/x/", "/posts/%zz/x", "/attachments/x",
                               "/posts/a/b/attachments/", "/%70osts", "*", "/posts/a/%", "//posts"}) {
        CAPTURE(target);
        CHECK(parse_target(target).kind == Route::Kind::Unknown);
    }
}

TEST_CASE("query parameters are found and decoded")
{
    CHECK(query_parameter("a=1&b=x+y%20z", "b") == "x y z");
    CHECK_FALSE(query_parameter("a=1", "b"));
    CHECK_FALSE(query_parameter("b=%zz", "b"));
    CHECK(query_parameter("b=", "b") == "");
}
