// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>

#include <set>

using namespace bivouac;

TEST_CASE("hex goes both ways and refuses what is not hex")
{
    CHECK(to_hex(std::string("\x00\xff\x10", 3)) == "00ff10");
    CHECK(from_hex("00ff10") == std::string("\x00\xff\x10", 3));
    CHECK_FALSE(from_hex("0"));
    CHECK_FALSE(from_hex("zz"));
}

TEST_CASE("base64 has RFC 4648's vectors, padded and url-safe")
{
    CHECK(to_base64("") == "");
    CHECK(to_base64("f") == "Zg==");
    CHECK(to_base64("foobar") == "Zm9vYmFy");
    CHECK(to_base64url("\xfb\xff") == "-_8");
    CHECK(from_base64("Zg==") == "f");
    CHECK_FALSE(from_base64("Zg"));
    CHECK(from_base64url("-_8") == "\xfb\xff");
    CHECK_FALSE(from_base64url("+/8"));
}

TEST_CASE("base32 has RFC 4648's vectors in Tor's lower case, and one text form a value")
{
    CHECK(to_base32("foobar") == "mzxw6ytboi");
    CHECK(from_base32("mzxw6ytboi") == "foobar");
    CHECK_FALSE(from_base32("mzxw6ytbo1"));
    CHECK_FALSE(from_base32("MZXW6YTBOI"));
    CHECK_FALSE(from_base32("mzxw6ytbo"));
    CHECK(from_base32("mzxw6ytb") == "fooba");
    CHECK_FALSE(from_base32("mz"  "b"));
}

TEST_CASE("digests have their published vectors (section 3.6)")
{
    CHECK(to_hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(to_hex(sha3_256("abc")) == "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    CHECK(to_hex(sha512("abc")).substr(0, 32) == "ddaf35a193617abacc417349ae204131");
    Sha512Half half;
    half.update("onion ");
    half.update("attachment\n");
    CHECK(to_hex(half.finish()) == "e75cea7f8c10d2150dca0f314532dd1ab3b190c66bac742a1a5101eb95afd909");
}

TEST_CASE("percent-encoding keeps the unreserved characters only")
{
    CHECK(percent_encode("http://a.b/~c d+") == "http%3A%2F%2Fa.b%2F~c%20d%2B");
    CHECK(percent_decode("a%2Fb+c") == "a/b+c");
    CHECK_FALSE(percent_decode("%2"));
    CHECK_FALSE(percent_decode("%zz"));
}

TEST_CASE("UTF-8 is checked as RFC 3629 has it")
{
    CHECK(is_valid_utf8("caf\xc3\xa9 \xf0\x9d\x84\x9e"));
    CHECK_FALSE(is_valid_utf8("\xc0\xaf"));          // overlong
    CHECK_FALSE(is_valid_utf8("\xed\xa0\x80"));      // surrogate
    CHECK_FALSE(is_valid_utf8("\xf4\x90\x80\x80"));  // beyond U+10FFFF
    CHECK_FALSE(is_valid_utf8("\xc3"));              // cut
}

TEST_CASE("ids are different, of one length, and never look like an option")
{
    std::set<std::string> seen;
    for (int i = 0; i < 2000; ++i) {
        std::string id = system_random().id();
        CHECK(id.size() == 22);
        CHECK(id.front() != '-');
        CHECK(seen.insert(id).second);
    }
}
