// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "url.h"

using namespace bivouac::relay;

namespace {

const std::string kOnion = "http://s3gm5cfo4smll7fybis27vjmeni734w4y3la4b2p5lbpacykyc3uusqd.onion";
const std::string kOther = "http://xztkl5vp73cfkf7yruz4lqkvbfsovnzy2ql6l7zhcgfi6rafbvmintad.onion";

}  // namespace

TEST_CASE("references are resolved against the URL they came from (section 1.2)")
{
    CHECK(resolve_url(kOnion, "/x?y=z#w") == kOnion + "/x?y=z");
    CHECK(resolve_url(kOnion + "/a/b?c/d", "x") == kOnion + "/a/x");
    CHECK(resolve_url(kOnion + ":81", "x") == kOnion + ":81/x");
    CHECK(resolve_url(kOnion + "?a", "/x") == kOnion + "/x");
    CHECK(resolve_url(kOnion, kOther + ":80/x") == kOther + ":80/x");
}

TEST_CASE("a reference leads to an onion by plain http or nowhere (section 15)")
{
    for (const std::string& reference :
         {std::string("https://evil.example/"), std::string("http://evil.example/"), std::string("//evil.example/"),
          std::string("ftp://evil.example/"), kOnion + ":x@evil.example/", kOnion + "@evil.example/",
          kOnion + ".evil.example/", kOnion + ":80:80/", std::string("/a b"), std::string("/a\r\nb")})
        CHECK_MESSAGE(resolve_url(kOnion, reference).empty(), reference);
}

TEST_CASE("a URL is taken apart into the host and what is asked of it")
{
    CHECK(split_url(kOnion).target == "/");
    CHECK(split_url(kOnion + ":81/x?y").host == kOnion.substr(7) + ":81");
    CHECK(split_url(kOnion + ":81/x?y").target == "/x?y");
    CHECK(split_url(kOnion + "?x/y").host == kOnion.substr(7));
    CHECK(split_url(kOnion + "?x/y").target == "/?x/y");
}
