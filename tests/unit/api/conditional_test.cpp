// SPDX-License-Identifier: BSD-3-Clause
#include "api_fixture.h"

using namespace bivouac;

namespace {

struct Library : ApiHome {
    const HawkKey reader = full_app();
    const HawkKey bobs = peer(bob);
    const Post post = publish_with({file("some bytes", "a.txt")});
    const std::string file_target = attachment_path(self.entity, post.attachments.front().digest);

    std::vector<std::string> targets() const { return {post_path(post), "/posts", file_target}; }
};

}  // namespace

TEST_CASE("conditional requests: 304 without a body for post, feed and attachment (section 4.1)")
{
    Library home;
    for (const auto& target : home.targets())
        for (const HawkKey& who : {home.reader, home.bobs, home.nobody})
            for (const char* method : {"GET", "HEAD"}) {
                CAPTURE(target);
                CAPTURE(method);
                auto first = home.ask(who, method, target);
                REQUIRE(first.status == 200);
                const std::string etag = ApiHome::header(first, "ETag");
                REQUIRE(etag.size() > 2);
                for (const std::string& asked : {etag, "\"other\", W/" + etag, std::string("*")}) {
                    auto again = home.ask(who, method, target, {{"If-None-Match", asked}});
                    CHECK(again.status == 304);
                    CHECK(again.body.empty());
                    CHECK_FALSE(again.large);
                    CHECK(ApiHome::header(again, "ETag") == etag);
                    CHECK_FALSE(again.header("Content-Type"));
                    CHECK_FALSE(again.header("Content-Length"));
                    CHECK(again.header("Cache-Control") == first.header("Cache-Control"));
                    // Signed for whoever signed, and without a hash: there is no body.
                    const std::string proof = ApiHome::header(again, "Server-Authorization");
                    CHECK(proof.empty() == who.id.empty());
                    CHECK(proof.find("hash=") == std::string::npos);
                }
                for (const std::string& asked : {std::string("\"other\""), std::string(""), etag.substr(1)})
                    CHECK(home.ask(who, method, target, {{"If-None-Match", asked}}).status == 200);
            }
}

TEST_CASE("conditional requests: an answer that changed has another tag, and what failed has none (section 4.1)")
{
    Library home;
    const std::string before = ApiHome::header(home.get(home.reader, "/posts"), "ETag");
    home.clock.now += 1000;
    home.publish(home.status(true));
    auto after = home.get(home.reader, "/posts", {{"If-None-Match", before}});
    CHECK(after.status == 200);
    CHECK(ApiHome::header(after, "ETag") != before);
    auto absent = home.get(home.reader, home.post_path(home.self.entity, "absent"), {{"If-None-Match", "*"}});
    CHECK(absent.status == 404);
    CHECK_FALSE(absent.header("ETag"));
    CHECK(home.ask(home.reader, "DELETE", home.post_path(home.post), {{"If-None-Match", "*"}}).status == 200);
}

TEST_CASE("conditional requests: posts and feeds have another tag for each who sees them otherwise (section 4.1)")
{
    Library home;
    for (const auto& target : {home.post_path(home.post), std::string("/posts")}) {
        CAPTURE(target);
        // Apps see when it was received, others do not.
        const std::string apps = ApiHome::header(home.get(home.reader, target), "ETag");
        const std::string others = ApiHome::header(home.get(home.nobody, target), "ETag");
        CHECK(apps != others);
        CHECK(home.get(home.nobody, target, {{"If-None-Match", apps}}).status == 200);
        CHECK(ApiHome::header(home.get(home.nobody, target), "Vary").find("Accept") != std::string::npos);
    }
    CHECK(ApiHome::header(home.get(home.reader, home.post_path(home.post)), "Cache-Control") ==
          "private, must-revalidate");
    CHECK(ApiHome::header(home.get(home.nobody, home.post_path(home.post)), "Cache-Control") ==
          "public, must-revalidate");
    // Bytes are the same for everybody.
    CHECK(home.get(home.reader, home.file_target).header("ETag") ==
          home.get(home.nobody, home.file_target).header("ETag"));
}
