// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/duration.h>
#include <bivouac/model/invite_link.h>

using namespace bivouac;

namespace {

const std::string kOnion = "http://" + std::string(55, 'a') + "d.onion";

}  // namespace

TEST_CASE("invite links: what is written is read again")
{
    const InviteLink link{kOnion, std::string("\0\xff" "0123456789abcd", 16)};
    const std::string text = write_invite_link(link);
    CHECK(text.starts_with(kOnion + "/#invite="));
    CHECK(text.size() == kOnion.size() + 9 + 26);
    auto read = parse_invite_link(text);
    REQUIRE(read.ok());
    CHECK(read->secret == link.secret);
    CHECK(read->address == kOnion + "/");
}

TEST_CASE("invite links: case, missing parts and blanks do no harm, a plain address is one without a secret")
{
    const std::string secret = "abcdefghijklmnopqrstuvwxya";
    auto upper = parse_invite_link(" " + std::string(55, 'A') + "D.ONION#INVITE=ABCDEFGHIJKLMNOPQRSTUVWXYA\n");
    REQUIRE(upper.ok());
    CHECK(upper->address == std::string(55, 'A') + "D.ONION");
    CHECK(upper->secret == parse_invite_link(kOnion + "/#invite=" + secret)->secret);
    auto plain = parse_invite_link(kOnion);
    REQUIRE(plain.ok());
    CHECK(*plain == InviteLink{kOnion, ""});
}

TEST_CASE("invite links: one that was cut or changed is refused, in words that do not repeat it")
{
    for (const char* end : {"/#", "/#invite=", "/#invite=abcdefghijklmnopqrstuvwxy", "/#invite=abcdefghijklmnopqrstuvwxyab",
                            "/#invite=abcdefghijklmnopqrstuvwxyz", "/#invite=abcdefghijklmnopqrstuvwxy1",
                            "/#other=abcdefghijklmnopqrstuvwxya", "/#invite=abcdefghijklmnopqrstuvwxya#"}) {
        CAPTURE(end);
        auto read = parse_invite_link(kOnion + end);
        REQUIRE(!read.ok());
        CHECK(read.error().kind == ErrorKind::Invalid);
        CHECK(read.error().detail.find("abcdef") == std::string::npos);
    }
    CHECK(!parse_invite_link(std::string(513, 'a')).ok());
}

TEST_CASE("durations: a number and a unit")
{
    CHECK(*parse_duration("90s") == 90'000);
    CHECK(*parse_duration("30m") == 30 * 60'000);
    CHECK(*parse_duration("12h") == 12 * 3'600'000);
    CHECK(*parse_duration("7d") == 7 * 86'400'000LL);
    CHECK(*parse_duration("2w") == 14 * 86'400'000LL);
    for (const char* bad : {"", "d", "7", "0d", "-1d", "+1d", "1.5h", "7 d", "d7", "7dd", "7y", "99999999999999999999d", "9999999d"})
        CHECK(!parse_duration(bad).ok());
}
