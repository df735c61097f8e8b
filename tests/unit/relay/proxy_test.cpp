// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "proxy.h"

using namespace bivouac;
using namespace bivouac::relay;
using What = tent::RemoteRequest::What;

namespace {

const std::string kOnion = "http://gu6bqe7yufbjhf3xtofy43jui5vkym32tchod4eje4l4ue64ckqad6ad.onion";

tent::RemoteRequest asking(What what)
{
    tent::RemoteRequest out;
    out.what = what;
    out.entity = kOnion;
    out.post = "a-post";
    out.name = "a/b c?.png";
    out.digest = "sha512t256-00";
    return out;
}

}  // namespace

TEST_CASE("proxy: where to ask comes from the server's own templates, whatever stands in the names (section 4.9)")
{
    tent::ServerUrls server{kOnion + "/p/{entity}/{post}", kOnion + "/a/{entity}/{digest}", kOnion + "/feed",
                            kOnion + "/p/{entity}/{post}/{name}"};
    const std::string escaped = "http%3A%2F%2Fgu6bqe7yufbjhf3xtofy43jui5vkym32tchod4eje4l4ue64ckqad6ad.onion";
    CHECK(url_of(asking(What::Post), server) == kOnion + "/p/" + escaped + "/a-post");
    CHECK(url_of(asking(What::PostAttachment), server) == kOnion + "/p/" + escaped + "/a-post/a%2Fb%20c%3F.png");
    CHECK(url_of(asking(What::Attachment), server) == kOnion + "/a/" + escaped + "/sha512t256-00");
    CHECK(url_of(asking(What::Feed), server) == kOnion + "/feed");
    CHECK(url_of(asking(What::Meta), server).empty());
    auto feed = asking(What::Feed);
    feed.query = "limit=5";
    CHECK(url_of(feed, server) == kOnion + "/feed?limit=5");
    server.posts_feed += "?via=tent";
    CHECK(url_of(feed, server) == kOnion + "/feed?via=tent&limit=5");
}

TEST_CASE("proxy: no template leads anywhere but to an onion (section 4.9)")
{
    for (const char* elsewhere : {"", "/p/{entity}/{post}", "http://127.0.0.1/{entity}/{post}", "https://example.com/{post}",
                                  "http://{name}/{post}", "{entity}.example/{post}", "http://gu6b.onion/{post}"}) {
        tent::ServerUrls server;
        server.post = elsewhere;
        CAPTURE(elsewhere);
        CHECK(url_of(asking(What::Post), server).empty());
    }
}
