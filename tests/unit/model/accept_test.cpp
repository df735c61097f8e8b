// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/accept.h>
#include <bivouac/model/protocol.h>

using namespace bivouac;

namespace {

// "type/subtype=q" of each, in order.
std::string parsed(std::string_view header)
{
    std::string out;
    for (const auto& range : parse_accept(header))
        out += (out.empty() ? "" : " ") + range.type + "/" + range.subtype + "=" + std::to_string(range.q);
    return out;
}

// The media type that is chosen; "" for none.
std::string chosen(std::string_view header, const std::vector<std::string>& types)
{
    auto best = best_match(parse_accept(header), types);
    return best ? types[*best] : "";
}

}  // namespace

TEST_CASE("Accept: ranges are sorted by q-value, then the more specific one, then as sent")
{
    CHECK(parsed("text/plain;q=0.5, image/*, */*;q=0.1, image/png") ==
          "image/png=1000 image/*=1000 text/plain=500 */*=100");
    CHECK(parsed("a/b , c/d") == "a/b=1000 c/d=1000");
    CHECK(parsed("TEXT/HTML;Q=0.25") == "text/html=250");
    CHECK(parsed("a/b;q=0.333;q=1;level=9") == "a/b=333");
    CHECK(parsed("a/b;q=0,c/d;q=1.000,e/f;q=0.") == "c/d=1000 a/b=0 e/f=0");
}

TEST_CASE("Accept: parameters are read, with commas and semicolons inside quotes")
{
    auto ranges = parse_accept(R"(a/b; Type="x,\"y;z" ; q=0.5, c/d;e=f)");
    REQUIRE(ranges.size() == 2);
    CHECK(ranges[0].parameters.front() == std::pair<std::string, std::string>("e", "f"));
    CHECK(ranges[1].parameters.front() == std::pair<std::string, std::string>("type", "x,\"y;z"));
    CHECK(ranges[1].q == 500);
}

TEST_CASE("Accept: what is malformed is left out and spoils nothing else")
{
    for (std::string bad : {"", "text", "/", "a/", "/b", "*/b", "a b/c", "a/b/c", "a/b;", "a/b;c", "a/b;=c", "a/b;q=2",
                            "a/b;q=1.001", "a/b;q=-1", "a/b;q=0.1234", "a/b;q=x", "a/b;q=", "a/b;c=\"", "a/b;c=d e", "a/b;q=00.1"}) {
        CAPTURE(bad);
        // An empty parameter is none.
        CHECK(parsed("x/y," + bad) == (bad == "a/b;" ? "x/y=1000 a/b=1000" : "x/y=1000"));
    }
    CHECK(parsed(std::string("x/y,\0/\0", 7)) == "x/y=1000");
}

TEST_CASE("Accept: at most 50 ranges and 4 KiB are looked at")
{
    std::string many;
    for (int i = 0; i < 5000; ++i)
        many += "a/b,";
    CHECK(parse_accept(many).size() == 50);
    const std::string parameter = ";x=" + std::string(2000, 'y');
    CHECK(parsed("a/b" + parameter + ",c/d" + parameter + ",e/f" + parameter) == "a/b=1000 c/d=1000");
    CHECK(parse_accept("a/b;x=" + std::string(5000, 'y')).empty());
    CHECK(parse_accept(std::string(1 << 20, '"')).empty());
    std::string parameters = "a/b";
    for (int i = 0; i < 11; ++i)
        parameters += ";p" + std::to_string(i) + "=1";
    CHECK(parse_accept(parameters).empty());
}

TEST_CASE("Accept: the best of several media types is chosen by q-values and wildcards (section 4.8)")
{
    const std::vector<std::string> files = {"text/plain; charset=utf-8", "image/png", "image/jpeg"};
    CHECK(chosen("", files) == files[0]);
    CHECK(chosen("*/*", files) == files[0]);
    CHECK(chosen("image/*", files) == "image/png");
    CHECK(chosen("image/jpeg", files) == "image/jpeg");
    CHECK(chosen("image/*, image/jpeg", files) == "image/jpeg");
    CHECK(chosen("image/png;q=0.5, image/jpeg;q=0.6", files) == "image/jpeg");
    CHECK(chosen("*/*;q=0.5, text/plain;q=0.4", files) == "image/png");
    CHECK(chosen("image/*, image/png;q=0", files) == "image/jpeg");
    CHECK(chosen("text/plain;charset=UTF-8", files) == files[0]);
    CHECK(chosen("text/plain;charset=latin1", files).empty());
    CHECK(chosen("*/*, text/*;q=0", files) == "image/png");
    CHECK(chosen("video/*", files).empty());
    CHECK(chosen("*/*;q=0", files).empty());
    CHECK(chosen("IMAGE/PNG", files) == "image/png");
    CHECK(chosen("*/*", {}).empty());
    CHECK(chosen("", {}).empty());
    CHECK(chosen("*/*", {"no type"}) == "no type");
    CHECK(chosen("text/plain", {"no type"}).empty());
}

TEST_CASE("Accept: the list forms of a post are found in a list, whatever their q-values (section 4.4)")
{
    CHECK(wants("application/vnd.tent.post-versions.v0+json", mime::kVersions));
    CHECK(wants("*/*, application/vnd.tent.post-versions.v0+json;q=0.2;x=y", mime::kVersions));
    CHECK(wants("APPLICATION/vnd.tent.post-versions.v0+json", mime::kVersions));
    CHECK_FALSE(wants("*/*", mime::kVersions));
    CHECK_FALSE(wants("application/*", mime::kVersions));
    CHECK_FALSE(wants("", mime::kVersions));
    CHECK_FALSE(wants("a/b;c=\"application/vnd.tent.post-versions.v0+json\"", mime::kVersions));
}
