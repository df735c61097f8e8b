// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/json.h>

using namespace bivouac;

namespace {

std::string nested(size_t depth)
{
    return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

TEST_CASE("JSON from outside is refused before it can cost anything")
{
    for (const std::string& bad : {
             std::string(""), std::string("{"), std::string("{} x"), std::string("{\"a\":1,\"a\":2}"),
             std::string("1.5"), std::string("1e400"), std::string("123456789012345678901234567890"),
             std::string("18446744073709551615"), std::string("\"\xff\""), std::string("\"\\ud800\""),
             std::string("\xef\xbb\xbf{}"), std::string("NaN"), std::string("// x\n1"), nested(33), nested(100'000),
             std::string("\"a\nb\"")}) {
        CAPTURE(bad.substr(0, 40));
        auto result = parse_json(bad);
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().kind == ErrorKind::Invalid);
    }
    std::string many = "[";
    for (int i = 0; i < 20'000; ++i)
        many += "0,";
    CHECK_FALSE(parse_json(many + "0]").ok());
}

TEST_CASE("what is within the bounds comes through as it was")
{
    CHECK(parse_json(nested(32)).ok());
    CHECK(parse_json("9223372036854775807")->get<int64_t>() == INT64_MAX);
    CHECK(parse_json("-9223372036854775808")->get<int64_t>() == INT64_MIN);
    CHECK(parse_json("{\"a\":{\"k\":1},\"b\":{\"k\":2}}").ok());
    auto integral = parse_json("[1.0,1e3,-0.0]");
    REQUIRE(integral.ok());
    CHECK(integral->dump() == "[1,1000,0]");
}
