// SPDX-License-Identifier: BSD-3-Clause
#include "api_fixture.h"

using namespace bivouac;

namespace {

const std::string kApps = "https://app.example";

const char* const kExposed =
    "Content-Type, Count, ETag, Link, Server-Authorization, WWW-Authenticate, Attachment-Digest, Location";

void check_shared(const net::HttpResponse& response)
{
    CHECK(ApiHome::header(response, "Access-Control-Allow-Origin") == "*");
    CHECK(ApiHome::header(response, "Access-Control-Expose-Headers") == kExposed);
    CHECK(ApiHome::header(response, "Access-Control-Max-Age") == "2592000");
    CHECK_FALSE(response.header("Access-Control-Allow-Credentials"));
    CHECK_FALSE(response.header("Set-Cookie"));
}

void check_not_shared(const net::HttpResponse& response)
{
    for (const auto& header : response.headers)
        CHECK_FALSE(header.name.starts_with("Access-Control-"));
}

}  // namespace

TEST_CASE("CORS: OPTIONS on every path, known or not, is answered without authentication (section 11)")
{
    ApiHome home;
    for (std::string target : {"/", "/posts", "/posts/x/y", "/nothing/at/all", "*", "/oauth/token", "/batch", "/server",
                               "/discover", "/attachments/x/y", "/posts?bewit=broken"}) {
        CAPTURE(target);
        for (bool with_origin : {true, false}) {
            auto headers = with_origin ? std::vector<net::Header>{{"Origin", kApps}} : std::vector<net::Header>{};
            headers.push_back({"Authorization", "Hawk nonsense"});
            auto response = home.run(home.request("OPTIONS", target, headers));
            CHECK(response.status == 200);
            CHECK(response.body.empty());
            check_shared(response);
            CHECK(ApiHome::header(response, "Access-Control-Allow-Methods") == "DELETE, GET, HEAD, PATCH, POST, PUT");
            CHECK(ApiHome::header(response, "Access-Control-Allow-Headers") ==
                  "Accept, Authorization, Cache-Control, Content-Type, If-Match, If-None-Match, Link, "
                  "Create-Delete-Post");
        }
    }
}

TEST_CASE("CORS: every answer to a request with Origin may be read by any page, errors and redirects too (section 11)")
{
    ApiHome home;
    const HawkKey app = home.full_app();
    auto post = home.publish_with({home.file("bytes", "a.txt")});
    const std::string digest = post.attachments.front().digest;
    const net::Header origin{"Origin", kApps};

    struct Case {
        const char* method;
        std::string target;
        int status;
    };
    for (const auto& [method, target, status] : std::vector<Case>{
             {"GET", "/", 200},
             {"GET", "/posts", 200},
             {"HEAD", "/posts", 200},
             {"GET", home.post_path(post), 200},
             {"GET", home.post_path(post) + "/attachments/a.txt", 302},
             {"GET", home.attachment_path(home.self.entity, digest), 200},
             {"GET", home.post_path(home.self.entity, "absent"), 404},
             {"GET", "/nothing", 404},
             {"PATCH", "/posts", 404},
             {"GET", "/posts?limit=x", 400},
             {"DELETE", home.post_path(post), 401},
             {"GET", "/posts?bewit=broken", 403},
         }) {
        CAPTURE(method);
        CAPTURE(target);
        auto response = home.ask(home.nobody, method, target, {origin});
        CHECK(response.status == status);
        check_shared(response);
        check_not_shared(home.ask(home.nobody, method, target));
    }
    for (std::string target : {home.post_path(post), std::string("/posts"), home.attachment_path(home.self.entity, digest)}) {
        CAPTURE(target);
        const std::string etag = ApiHome::header(home.get(app, target), "ETag");
        auto response = home.get(app, target, {{"If-None-Match", etag}, origin});
        CHECK(response.status == 304);
        check_shared(response);
    }
    auto stale = home.request("GET", "/posts", {origin});
    home.sign(stale, app);
    home.clock.now += 600'000;
    auto refused = home.run(std::move(stale));
    CHECK(refused.status == 401);
    CHECK(refused.header("WWW-Authenticate"));
    check_shared(refused);
}

TEST_CASE("CORS: the consent page is for no other page's eyes (section 11)")
{
    ApiHome home;
    home.full_app();
    for (const char* method : {"GET", "HEAD", "POST"})
        for (std::string target : {"/oauth/authorize", "/oauth/authorize?client_id=AAAAAAAAAAAAAAAAAAAAAA"}) {
            CAPTURE(method);
            auto response = home.ask(home.nobody, method, target, {{"Origin", kApps}});
            CHECK(response.status >= 400);
            check_not_shared(response);
        }
}
