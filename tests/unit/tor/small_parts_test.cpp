// SPDX-License-Identifier: BSD-3-Clause
// Isolation names and the meaning of SOCKS replies.
#include <doctest/doctest.h>

#include <set>

#include <bivouac/tor/isolation.h>
#include <bivouac/tor/onion_address.h>
#include <bivouac/tor/reach.h>
#include <bivouac/tor/socks_reply.h>

using namespace bivouac::tor;

TEST_CASE("one pair, one circuit; other pairs, purposes and runs others")
{
    IsolationKey key;
    auto first = key.for_pair("http://a.onion", "http://b.onion");
    CHECK(first.user == key.for_pair("http://a.onion", "http://b.onion").user);
    CHECK(first.password == key.for_pair("http://a.onion", "http://b.onion").password);
    CHECK(!first.user.empty());
    CHECK(!first.password.empty());
    CHECK(first.user.size() <= 255);
    CHECK(!first.user.starts_with("<torS0X>"));
    std::set<std::string> users{first.user};
    users.insert(key.for_pair("http://b.onion", "http://a.onion").user);
    users.insert(key.for_pair("http://a.onion", "http://b.onion", "discovery").user);
    users.insert(key.for_pair("http://a.onion", "http://c.onion").user);
    users.insert(key.for_pair("http://a.onionhttp", "://b.onion").user);
    users.insert(IsolationKey().for_pair("http://a.onion", "http://b.onion").user);
    CHECK(users.size() == 6);
    for (const auto& user : users)
        CHECK(user.find("onion") == std::string::npos);
}

TEST_CASE("what each SOCKS reply asks of us")
{
    struct Row {
        unsigned code;
        Reach reach;
    };
    for (Row row : {Row{0x00, Reach::Fine}, Row{0x01, Reach::Refusing}, Row{0x04, Reach::Offline},
                    Row{0x05, Reach::Refusing}, Row{0x06, Reach::Offline}, Row{0xf0, Reach::Offline},
                    Row{0xf1, Reach::Offline}, Row{0xf2, Reach::Offline}, Row{0xf3, Reach::Offline},
                    Row{0xf4, Reach::NeedsKey}, Row{0xf5, Reach::NeedsKey}, Row{0xf6, Reach::BadAddress},
                    Row{0xf7, Reach::Offline}, Row{0x02, Reach::ProxyTrouble}, Row{0x03, Reach::ProxyTrouble},
                    Row{0x07, Reach::ProxyTrouble}, Row{0x08, Reach::BadAddress},
                    // New codes may come: wait and try again.
                    Row{0x09, Reach::Offline}, Row{0xf8, Reach::Offline}, Row{0xff, Reach::Offline}}) {
        CAPTURE(row.code);
        CHECK(meaning_of_socks_reply(row.code).reach == row.reach);
        CHECK(!meaning_of_socks_reply(row.code).words.empty());
    }
}

TEST_CASE("requests go to onions through Tor and nowhere else (section 15)")
{
    const std::string onion = onion_address_of_seed(bivouac::Secret(std::string(32, 'a'))) + ".onion";
    CHECK(way_to(onion) == Way::ThroughTor);
    CHECK(way_to(onion + ":80") == Way::ThroughTor);
    CHECK(way_to(onion + ":65535") == Way::ThroughTor);
    for (const std::string& authority :
         {std::string(), std::string("127.0.0.1"), std::string("localhost:80"), std::string("example.org"),
          std::string("[::1]"), onion + ":", onion + ":x@example.org", onion + ":123456", onion + ":80:80",
          "user@" + onion, onion + "."})
        CHECK_MESSAGE(way_to(authority) == Way::Nowhere, authority);
}
