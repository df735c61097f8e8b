// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/tent_uri.h>

using namespace bivouac;

namespace {

const std::string kHex = "e75cea7f8c10d2150dca0f314532dd1ab3b190c66bac742a1a5101eb95afd909";

TentUri parsed(const std::string& text)
{
    CAPTURE(text);
    auto uri = parse_tent_uri(text);
    REQUIRE(uri.ok());
    auto again = parse_tent_uri(write_tent_uri(*uri));
    REQUIRE(again.ok());
    CHECK(*again == *uri);
    return *uri;
}

}  // namespace

TEST_CASE("tent URIs: entity, post, version and attachment are told apart (section 12.1)")
{
    CHECK(parsed("tent+http://alice.onion") == TentUri{"http://alice.onion", "", "", "", ""});
    CHECK(parsed("tent+https://a.example:8443/blog/").entity == "https://a.example:8443/blog/");
    CHECK(parsed("tent+http://alice.onion?post=Xk3v&version=sha512t256-" + kHex) ==
          TentUri{"http://alice.onion", "Xk3v", "sha512t256-" + kHex, "", ""});
    CHECK(parsed("tent+http://alice.onion/blog?post=Xk3v&attachment_name=dot.png") ==
          TentUri{"http://alice.onion/blog", "Xk3v", "", "dot.png", ""});
    CHECK(parsed("tent+http://alice.onion?attachment_digest=" + kHex).attachment_digest == "sha512t256-" + kHex);
    CHECK(parsed("tent+http://alice.onion?attachment_digest=sha512t256-" + kHex).attachment_digest ==
          "sha512t256-" + kHex);
}

TEST_CASE("tent URIs: values are percent-encoded, parameters come in any order, unknown ones are passed over")
{
    auto uri = parsed("tent+http://alice.onion?attachment_name=a%20%26%3D%C3%A9%2B+.png&x=1&&flag&post=-_9");
    CHECK(uri.attachment_name == "a &=\xc3\xa9++.png");
    CHECK(uri.post == "-_9");
    CHECK(write_tent_uri(uri) == "tent+http://alice.onion?post=-_9&attachment_name=a%20%26%3D%C3%A9%2B%2B.png");
    CHECK(parsed("TENT+HTTP://Alice.onion?").entity == "http://Alice.onion");
    CHECK(parsed("tent+http://alice.onion?post=a%2Db").post == "a-b");
}

TEST_CASE("tent URIs: what is wrong is refused")
{
    const std::string start = "tent+http://alice.onion";
    for (const std::string& bad : {
             std::string(), std::string("http://alice.onion"), std::string("tent:alice"),
             std::string("tent+ftp://alice"), std::string("tent+http://"), std::string("tent+http:///x"),
             std::string("tent+http://a b"), start + "#x", start + "?post=x#y", start + "?version=v",
             start + "?attachment_name=n", start + "?post=", start + "?post=a/b", start + "?post=%",
             start + "?post=%zz", start + "?post=a&post=b", start + "?post=a&version=", start + "?post=a&version=%00",
             start + "?post=a&attachment_name=%ff", start + "?post=a&attachment_name=a%0Ab",
             start + "?attachment_digest=abc", start + "?attachment_digest=" + kHex + "0",
             start + "?x=%", std::string("tent+tent+http://alice.onion")}) {
        CAPTURE(bad);
        auto result = parse_tent_uri(bad);
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().kind == ErrorKind::Invalid);
    }
}

TEST_CASE("tent URIs: every part has a limit, and the longest of all still go through")
{
    const std::string start = "tent+http://alice.onion?post=";
    CHECK(parse_tent_uri(start + std::string(128, 'a')).ok());
    CHECK_FALSE(parse_tent_uri(start + std::string(129, 'a')).ok());
    CHECK(parse_tent_uri(start + "a&version=" + std::string(128, 'v')).ok());
    CHECK_FALSE(parse_tent_uri(start + "a&version=" + std::string(129, 'v')).ok());
    CHECK(parse_tent_uri(start + "a&attachment_name=" + std::string(255, 'n')).ok());
    CHECK_FALSE(parse_tent_uri(start + "a&attachment_name=" + std::string(256, 'n')).ok());
    CHECK_FALSE(parse_tent_uri("tent+http://" + std::string(506, 'a')).ok());
    CHECK_FALSE(parse_tent_uri(start + "a&x=" + std::string(1u << 20, 'x')).ok());

    TentUri longest{"http://" + std::string(505, 'a'), std::string(128, 'p'), std::string(128, ' '),
                    std::string(255, ' '), "sha512t256-" + kHex};
    auto again = parse_tent_uri(write_tent_uri(longest));
    REQUIRE(again.ok());
    CHECK(*again == longest);
}
