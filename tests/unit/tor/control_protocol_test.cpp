// SPDX-License-Identifier: BSD-3-Clause
// Replies as tor 0.4.9 and Tails' filter give them, whole and in pieces.
#include <doctest/doctest.h>

#include <bivouac/base/bytes.h>
#include <bivouac/tor/onion_address.h>

#include "control_protocol.h"

using namespace bivouac;
using namespace bivouac::tor;

namespace
{

const std::string kAddress = "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4bqead";

std::vector<Reply> read_all(std::string_view text)
{
    ReplyReader reader;
    auto replies = reader.feed(text);
    REQUIRE(replies.ok());
    return *replies;
}

Reply read_one(std::string_view text)
{
    auto replies = read_all(text);
    REQUIRE(replies.size() == 1);
    return replies[0];
}

} // namespace

TEST_CASE("replies, data blocks and events, however they are cut into pieces")
{
    const std::string text = "250-version=0.4.9.11\r\n250 OK\r\n"
                             "650 HS_DESC UPLOADED x UNKNOWN y\r\n"
                             "250+onions/current=\r\none\r\n..two\r\n.\r\n250 OK\r\n"
                             "510 Command filtered\r\n";
    for (size_t step : {size_t(1), size_t(2), size_t(7), size_t(64), text.size()}) {
        ReplyReader reader;
        std::vector<Reply> replies;
        for (size_t at = 0; at < text.size(); at += step) {
            auto more = reader.feed(std::string_view(text).substr(at, step));
            REQUIRE(more.ok());
            for (auto& reply : *more)
                replies.push_back(std::move(reply));
        }
        REQUIRE(replies.size() == 4);
        CHECK(replies[0].ok());
        CHECK(replies[0].info("version") == "0.4.9.11");
        CHECK(!replies[0].info("versio"));
        CHECK(replies[1].is_event());
        CHECK(replies[1].lines[0].text == "HS_DESC UPLOADED x UNKNOWN y");
        CHECK(replies[2].info("onions/current") == "one\n.two");
        CHECK(replies[3].code == 510);
        CHECK(!replies[3].ok());
        CHECK(replies[3].words() == "Command filtered");
    }
}

TEST_CASE("an event between two lines of a reply is taken apart")
{
    auto replies = read_all("250-a=1\r\n650 HS_DESC CREATED x\r\n250-b=2\r\n650-CONF_CHANGED\r\n250 OK\r\n"
                            "650-x=1\r\n650 OK\r\n");
    REQUIRE(replies.size() == 3);
    CHECK(replies[0].is_event());
    CHECK(replies[0].lines.size() == 1);
    CHECK(replies[1].info("a") == "1");
    CHECK(replies[1].info("b") == "2");
    CHECK(replies[2].is_event());
    CHECK(replies[2].lines.size() == 3);
}

TEST_CASE("an event with a data block does not swallow what follows")
{
    auto replies = read_all("650+HS_DESC_CONTENT x\r\n250 not a reply\r\n.\r\n650 OK\r\n250 OK\r\n");
    REQUIRE(replies.size() == 2);
    CHECK(replies[0].is_event());
    CHECK(replies[0].lines[0].data == std::vector<std::string>{"250 not a reply"});
    CHECK(replies[1].ok());
}

TEST_CASE("what is no control port is refused")
{
    for (std::string_view text :
         {"SSH-2.0-x\r\n", "\r\n", "25 OK\r\n", "250_OK\r\n", "250", "HTTP/1.1 400 \r\n"}) {
        ReplyReader reader;
        auto replies = reader.feed(text);
        CAPTURE(std::string(text));
        if (text == "250")
            CHECK(replies.ok()); // not yet a line
        else
            CHECK(!replies.ok());
    }
    ReplyReader mixed;
    CHECK(!mixed.feed("250-a\r\n551 b\r\n").ok());
}

TEST_CASE("lines and replies have limits")
{
    {
        ReplyReader reader;
        CHECK(reader.feed("250 " + std::string(60'000, 'x') + "\r\n").ok());
        CHECK(!reader.feed("250 " + std::string(70'000, 'x') + "\r\n").ok());
    }
    {
        ReplyReader endless_line;
        bool failed = false;
        for (int i = 0; i < 100 && !failed; ++i)
            failed = !endless_line.feed(std::string(1'000, '2')).ok();
        CHECK(failed);
    }
    {
        ReplyReader endless_reply;
        bool failed = false;
        for (int i = 0; i < 100'000 && !failed; ++i)
            failed = !endless_reply.feed("250-x\r\n").ok();
        CHECK(failed);
    }
    {
        ReplyReader endless_data;
        REQUIRE(endless_data.feed("250+x=\r\n").ok());
        bool failed = false;
        for (int i = 0; i < 100'000 && !failed; ++i)
            failed = !endless_data.feed("\r\n").ok();
        CHECK(failed);
    }
    ReplyReader many;
    for (int i = 0; i < 30'000; ++i)
        REQUIRE(many.feed("250 OK\r\n").ok()); // each is a new reply
}

TEST_CASE("quoted strings")
{
    auto take = [](std::string_view text) { return take_string(text); };
    CHECK(take("\"/run/tor/control.authcookie\" x") == "/run/tor/control.authcookie");
    CHECK(take("plain word") == "plain");
    CHECK(take("\"a\\\"b\\\\c\\n\\t\\r\"") == "a\"b\\c\n\t\r");
    CHECK(take("\"\\303\\244\\0\\1x\"") == std::string("\xc3\xa4\0\1x", 5));
    CHECK(!take("\"\\777\""));
    CHECK(!take("\"open"));
    CHECK(!take("\"open\\"));
    CHECK(take("") == "");
    std::string_view rest = "\"a b\" next";
    CHECK(take_string(rest) == "a b");
    CHECK(rest == " next");
}

TEST_CASE("PROTOCOLINFO of Debian and of Tails' filter")
{
    auto debian = parse_protocol_info(read_one("250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE,SAFECOOKIE "
                                               "COOKIEFILE=\"/run/tor/control.authcookie\"\r\n"
                                               "250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n"));
    CHECK(!debian.null_method);
    CHECK(debian.cookie);
    CHECK(debian.safe_cookie);
    CHECK(debian.cookie_file == "/run/tor/control.authcookie");
    CHECK(debian.version == "0.4.9.11");
    auto tails = parse_protocol_info(read_one(
        "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250-VERSION Tor=\"0.4.8.21\"\r\n250 OK\r\n"));
    CHECK(tails.null_method);
    CHECK(!tails.cookie);
    CHECK(!tails.safe_cookie);
    CHECK(tails.cookie_file.empty());
    auto only_safe =
        parse_protocol_info(read_one("250-PROTOCOLINFO 1\r\n250-AUTH METHODS=HASHEDPASSWORD,SAFECOOKIE "
                                     "COOKIEFILE=\"/a \\\"quoted\\\" place\"\r\n250 OK\r\n"));
    CHECK(only_safe.safe_cookie);
    CHECK(!only_safe.cookie);
    CHECK(only_safe.cookie_file == "/a \"quoted\" place");
}

TEST_CASE("SAFECOOKIE")
{
    // From a login at tor 0.4.9.11; tor's SERVERHASH was the server's, and it took the client's.
    std::string cookie = *from_hex("dcc9068b387fef656b9219da4cc1076546457b6b4f629d1818c1819ae217c7a6");
    std::string client = *from_hex("7fe2cc5d9d46633df4c863873febf316691bdeb93c031ecb14ad633a4d2def7f");
    auto challenge = parse_auth_challenge(read_one(
        "250 AUTHCHALLENGE SERVERHASH=CEA5AD547F6E06DBCBF8013E854428110897C4E9B9714004ABD53A1040D140F7 "
        "SERVERNONCE=7785944A733D0B19D1CCF7A0D6373CA48495B9C2B8C3694E74B3D1CDDD839790\r\n"));
    REQUIRE(challenge);
    CHECK(safe_cookie_server_hash(cookie, client, challenge->server_nonce) == challenge->server_hash);
    CHECK(to_hex(safe_cookie_client_hash(cookie, client, challenge->server_nonce)) ==
          "16a033a6ada58ee6fe6e5c73c524df309d66762b33834705f5018dee14c25e0b");
    CHECK(!parse_auth_challenge(read_one("513 Cookie authentication is disabled\r\n")));
    CHECK(!parse_auth_challenge(read_one("250 AUTHCHALLENGE SERVERHASH=00 SERVERNONCE=00\r\n")));
    CHECK(!parse_auth_challenge(read_one("250 OK\r\n")));
}

TEST_CASE("bootstrap phases, asked for or told")
{
    auto asked = parse_bootstrap("NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"");
    REQUIRE(asked);
    CHECK(asked->progress == 100);
    CHECK(asked->summary == "Done");
    auto told = parse_bootstrap(
        "STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=5 TAG=conn SUMMARY=\"Connecting to a relay\"");
    REQUIRE(told);
    CHECK(told->progress == 5);
    CHECK(told->summary == "Connecting to a relay");
    CHECK(!parse_bootstrap("STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED"));
    CHECK(!parse_bootstrap("NOTICE BOOTSTRAP PROGRESS=101 TAG=x"));
    CHECK(!parse_bootstrap("NOTICE BOOTSTRAP PROGRESS=-1 TAG=x"));
    CHECK(!parse_bootstrap("NOTICE BOOTSTRAP TAG=x"));
    CHECK(!parse_bootstrap(""));
}

TEST_CASE("which SOCKS port is taken")
{
    CHECK(choose_socks_listener("\"127.0.0.1:9050\" \"unix:/run/tor/socks\"") == "127.0.0.1:9050");
    CHECK(choose_socks_listener("\"unix:/run/tor/socks\" \"127.0.0.1:9150\"") == "127.0.0.1:9150");
    CHECK(choose_socks_listener("\"unix:/run/tor/socks\"") == "unix:/run/tor/socks");
    CHECK(choose_socks_listener("\"0.0.0.0:9050\" \"192.168.1.2:9050\" \"[::1]:9050\"").empty());
    CHECK(choose_socks_listener("").empty());
    CHECK(choose_socks_listener("\"broken").empty());
}

TEST_CASE("onions/current in its three forms")
{
    auto ask = [](std::string_view text) { return parse_onions(*read_one(text).info("onions/current")); };
    CHECK(ask("250-onions/current=\r\n250 OK\r\n").empty());
    CHECK(ask("250-onions/current=" + kAddress + "\r\n250 OK\r\n") == std::vector<std::string>{kAddress});
    CHECK(ask("250+onions/current=\r\n" + kAddress + "\r\nother\r\n.\r\n250 OK\r\n") ==
          std::vector<std::string>{kAddress, "other"});
}

TEST_CASE("HS_DESC events")
{
    auto up = parse_hs_desc("HS_DESC UPLOADED " + kAddress + " UNKNOWN $0123~name");
    REQUIRE(up);
    CHECK(up->action == "UPLOADED");
    CHECK(up->address == kAddress);
    CHECK(up->reason.empty());
    auto failed =
        parse_hs_desc("HS_DESC FAILED " + kAddress + " NO_AUTH $0123~name blinded REASON=UPLOAD_REJECTED");
    REQUIRE(failed);
    CHECK(failed->action == "FAILED");
    CHECK(failed->reason == "UPLOAD_REJECTED");
    CHECK_FALSE(words_for_lookup(*up));
    CHECK_FALSE(words_for_lookup(*failed));  // about an onion of ours
    auto lookup = [](const std::string& text) {
        return words_for_lookup(*parse_hs_desc("HS_DESC " + text)).value_or("");
    };
    CHECK(lookup("FAILED " + kAddress + " NO_AUTH $0123~name blinded REASON=NOT_FOUND").find("know nothing") !=
          std::string::npos);
    CHECK(lookup("RECEIVED " + kAddress + " NO_AUTH $0123~name blinded").find("whereabouts are known") !=
          std::string::npos);
    CHECK(lookup("REQUESTED " + kAddress + " NO_AUTH $0123~name blinded") == "");
    CHECK(!parse_hs_desc("HS_DESC"));
    CHECK(!parse_hs_desc("HS_DESC UPLOADED"));
    CHECK(!parse_hs_desc("HS_DESC_CONTENT x y z"));
}

TEST_CASE("ADD_ONION has exactly the words that the profile for Tails' filter allows")
{
    Secret seed(32);
    for (size_t i = 0; i < 32; ++i)
        seed.data()[i] = static_cast<unsigned char>(i);
    Secret expanded = expanded_key_of_seed(seed);
    Secret line = add_onion_command(expanded, "127.0.0.1:17600");
    CHECK(line.view() ==
          "ADD_ONION ED25519-V3:" + to_base64(expanded.view()) + " Flags=DiscardPK MaxStreams=64 Port=80,127.0.0.1:17600");
    CHECK(to_base64(expanded.view()).size() == 88);
    CHECK(std::string(add_onion_command(expanded, "127.0.0.1:17600", Pow::On).view()).ends_with(
        " Flags=DiscardPK MaxStreams=64 PoWDefensesEnabled=1 PoWQueueRate=250 PoWQueueBurst=2500 Port=80,127.0.0.1:17600"));
    CHECK(std::string(add_onion_command(expanded, "unix:/a/b").view()).ends_with(" Port=80,unix:/a/b"));
}
