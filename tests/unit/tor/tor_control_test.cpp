// SPDX-License-Identifier: BSD-3-Clause
// TorControl against a control port of the test's own: logins, supervision, filters, refusals.
#include <doctest/doctest.h>

#include <optional>

#include <bivouac/base/files.h>
#include <bivouac/tor/onion_address.h>
#include <bivouac/tor/tor_control.h>

#include "fake_control_port.h"
#include "run_until.h"

using namespace bivouac;
using namespace bivouac::tor;

namespace
{

struct Fixture {
    FakeControlPort port;
    EventLoop loop;
    TorOptions options;
    std::optional<TorControl> control;
    std::vector<std::string> socks;
    std::vector<std::pair<std::string, bool>> published;
    int back = 0;
    int changes = 0;

    Fixture()
    {
        options.mode = TorOptions::Mode::Control;
        options.control_address = port.address();
    }
    ~Fixture()
    {
        control.reset();
        run_for(loop, 1);
    }

    OnionService onion(unsigned char first = 1)
    {
        Secret seed(32);
        seed.data()[0] = first;
        std::string address = onion_address_of_seed(seed);
        std::string expanded(expanded_key_of_seed(seed).view());
        port.with([&](FakeControlPort& p) { p.addresses_[expanded] = address; });
        return {address, std::move(seed), "127.0.0.1:17600"};
    }

    void start()
    {
        TorControl::Events events;
        events.changed = [this] { ++changes; };
        events.published = [this](const std::string& address, bool on) {
            published.push_back({address, on});
        };
        events.socks = [this](const std::string& address) { socks.push_back(address); };
        events.back = [this] { ++back; };
        control.emplace(loop, options, std::move(events));
        control->start();
    }
    bool until(std::function<bool()> condition, int64_t limit_ms = 10'000)
    {
        return run_until(loop, std::move(condition), limit_ms);
    }
    bool until_published(const std::string& address, int64_t limit_ms = 10'000)
    {
        return until([&] { return control->is_published(address); }, limit_ms);
    }
};

std::string cookie_file(const std::string& cookie)
{
    std::string path = "/tmp/bivouac-cookie-" + std::to_string(::getpid());
    REQUIRE(write_file_atomically(path, cookie).ok());
    return path;
}

} // namespace

TEST_CASE("NULL: logs in, adds the onion, learns the SOCKS port, tells what happened")
{
    Fixture f;
    auto service = f.onion();
    const std::string address = service.address;
    f.start();
    CHECK(!f.control->is_published(address));
    f.control->add_onion(std::move(service));
    REQUIRE(f.until_published(address));
    CHECK(f.control->state().connected);
    CHECK(f.control->state().bootstrap == 100);
    CHECK(f.control->state().bootstrap_text == "a summary");
    CHECK(f.control->state().version == "0.4.9.11");
    CHECK(f.control->state().socks_address == "127.0.0.1:9050");
    CHECK(f.control->state().problem.empty());
    CHECK(f.control->state().restarts == 0);
    CHECK(f.socks == std::vector<std::string>{"127.0.0.1:9050"});
    CHECK(f.back == 1);
    CHECK(f.published.size() == 1); // though three directories took it
    auto lines = f.port.lines();
    REQUIRE(lines.size() >= 4);
    CHECK(lines[0] == "PROTOCOLINFO 1");
    CHECK(lines[1] == "AUTHENTICATE");
    CHECK(f.port.count("AUTHCHALLENGE") == 0);
    CHECK(f.port.count("TAKEOWNERSHIP") == 0);

    f.control->remove_onion(address);
    CHECK(!f.control->is_published(address));
    CHECK(f.until([&] { return f.port.count("DEL_ONION " + address) == 1; }));
    f.control->remove_onion(address);

    bool done = false;
    f.control->stop([&] { done = true; });
    CHECK(done);
    run_for(f.loop, 50);
    CHECK(f.port.connections() == 1);
}

TEST_CASE("SAFECOOKIE, and COOKIE where it is all there is")
{
    Fixture f;
    std::string cookie(32, 'k');
    std::string path = cookie_file(cookie);
    bool safe = false;
    SUBCASE("safe")
    {
        safe = true;
    }
    SUBCASE("plain")
    {
        safe = false;
    }
    f.port.set([&](auto& b) {
        b.methods = safe ? "COOKIE,SAFECOOKIE" : "COOKIE";
        b.cookie_file = path;
        b.cookie = cookie;
    });
    f.start();
    REQUIRE(f.until([&] { return f.control->state().connected; }));
    CHECK(f.port.count("AUTHCHALLENGE SAFECOOKIE") == (safe ? 1 : 0));
    CHECK(f.port.count("AUTHENTICATE " + to_hex(cookie)) == (safe ? 0 : 1));

    // tor starts anew with another cookie: it is read again.
    std::string other(32, 'z');
    cookie_file(other);
    f.port.set([&](auto& b) { b.cookie = other; });
    f.port.drop_all();
    REQUIRE(f.until([&] { return f.control->state().restarts == 1; }));
    CHECK(f.control->state().connected);
    ::unlink(path.c_str());
}

TEST_CASE("a server that does not know the cookie gets no answer from us")
{
    Fixture f;
    std::string cookie(32, 'k');
    std::string path = cookie_file(cookie);
    f.port.set([&](auto& b) {
        b.methods = "SAFECOOKIE";
        b.cookie_file = path;
        b.cookie = cookie;
        b.wrong_hash = true;
    });
    f.start();
    REQUIRE(f.until([&] { return !f.control->state().problem.empty(); }));
    CHECK(f.control->state().problem.find("cookie") != std::string::npos);
    CHECK(!f.control->state().connected);
    CHECK(f.port.count("AUTHENTICATE") == 0);
    f.port.set([](auto& b) { b.wrong_hash = false; });
    CHECK(f.until([&] { return f.control->state().connected; }));
    CHECK(f.control->state().problem.empty());
    ::unlink(path.c_str());
}

TEST_CASE("words for a person when the login cannot work")
{
    Fixture f;
    std::string expected;
    SUBCASE("the cookie is not readable")
    {
        f.port.set([](auto& b) {
            b.methods = "SAFECOOKIE";
            b.cookie_file = "/nonexistent/cookie";
        });
        expected = "debian-tor";
    }
    SUBCASE("password only")
    {
        f.port.set([](auto& b) { b.methods = "HASHEDPASSWORD"; });
        expected = "CookieAuthentication 1";
    }
    SUBCASE("everything is filtered")
    {
        f.port.set([](auto& b) { b.filtered = {"PROTOCOLINFO", "AUTHENTICATE"}; });
        expected = "510";
    }
    SUBCASE("nobody listens")
    {
        f.options.control_address = "127.0.0.1:1";
        expected = "no tor answers";
    }
    SUBCASE("not loopback")
    {
        f.options.control_address = "192.0.2.1:9051";
        expected = "127.0.0.1:PORT";
    }
    SUBCASE("a name")
    {
        f.options.control_address = "localhost:9051";
        expected = "127.0.0.1:PORT";
    }
    f.start();
    REQUIRE(f.until([&] { return !f.control->state().problem.empty(); }));
    CAPTURE(f.control->state().problem);
    CHECK(f.control->state().problem.find(expected) != std::string::npos);
    CHECK(!f.control->state().connected);
}

TEST_CASE("EOF: unpublished at once, no SOCKS, connected again, the onions are added again")
{
    Fixture f;
    auto one = f.onion(1), two = f.onion(2);
    const std::string a = one.address, b = two.address;
    f.start();
    f.control->add_onion(std::move(one));
    f.control->add_onion(std::move(two));
    REQUIRE(f.until([&] { return f.control->is_published(a) && f.control->is_published(b); }));
    f.port.drop_all();
    REQUIRE(f.until([&] { return !f.control->is_published(a); }));
    CHECK(!f.control->is_published(b));
    CHECK(!f.control->state().connected);
    CHECK(f.control->state().socks_address.empty());
    CHECK(f.socks.back().empty());
    CHECK(!f.control->state().problem.empty());
    REQUIRE(f.until([&] { return f.control->is_published(a) && f.control->is_published(b); }));
    CHECK(f.port.count("ADD_ONION") == 4);
    CHECK(f.control->state().restarts == 1);
    CHECK(f.back == 2);
    CHECK(f.socks.back() == "127.0.0.1:9050");
}

TEST_CASE("a port that hangs up at once is not asked in a loop")
{
    Fixture f;
    f.port.set([](auto& b) { b.close_at_once = true; });
    f.start();
    run_for(f.loop, 2'000);
    CHECK(f.port.connections() <= 6); // after 0.2, 0.6, 1.4 s
    CHECK(f.until([&] { return f.port.connections() >= 3; }));
    CHECK(!f.control->state().problem.empty());
}

TEST_CASE("nonsense in place of a reply ends the connection, and it is tried again")
{
    Fixture f;
    f.start();
    REQUIRE(f.until([&] { return f.control->state().connected; }));
    f.port.say("HTTP/1.1 400 Bad Request");
    REQUIRE(f.until([&] { return f.port.connections() == 2; }));
    CHECK(f.until([&] { return f.control->state().connected; }));
}

TEST_CASE("events between command and reply are not taken for the reply")
{
    Fixture f;
    f.port.set([](auto& b) { b.event_before_reply = true; });
    auto service = f.onion();
    const std::string address = service.address;
    f.start();
    f.control->add_onion(std::move(service));
    CHECK(f.until_published(address));
    CHECK(f.port.connections() == 1);
}

TEST_CASE("a filter that refuses what it does not know")
{
    Fixture f;
    auto service = f.onion();
    const std::string address = service.address;
    SUBCASE("STATUS_CLIENT and the listeners")
    {
        f.port.set([](auto& b) {
            b.filtered = {"SETEVENTS HS_DESC STATUS_CLIENT", "GETINFO net/listeners/socks"};
        });
        f.start();
        f.control->add_onion(std::move(service));
        CHECK(f.until_published(address));
        CHECK(f.port.count("SETEVENTS HS_DESC") == 2);
    }
    SUBCASE("all events: the list of onions has to do")
    {
        f.port.set([](auto& b) {
            b.filtered = {"SETEVENTS", "GETINFO net/listeners/socks", "GETINFO version"};
        });
        f.start();
        f.control->add_onion(std::move(service));
        CHECK(f.until_published(address));
        CHECK(f.port.count("ADD_ONION") == 1);
        CHECK(f.port.count("GETINFO onions/current") >= 1);
    }
    CHECK(f.control->state().socks_address == "127.0.0.1:9050");
    CHECK(f.control->state().problem.empty());
}

TEST_CASE("the proof-of-work defence is switched on where tor knows it, and left out where not")
{
    Fixture f;
    auto service = f.onion();
    const std::string address = service.address;
    SUBCASE("it does")
    {
        f.start();
        f.control->add_onion(std::move(service));
        REQUIRE(f.until_published(address, 15'000));
        CHECK(f.control->state().pow);
        CHECK(f.port.count("ADD_ONION") == 1);
    }
    for (const char* answer : {"512 Unrecognized option", "510 Command filtered", "513 Invalid"}) {
        SUBCASE(answer)
        {
            f.port.set([&](auto& b) { b.no_pow = answer; });
            f.start();
            f.control->add_onion(std::move(service));
            REQUIRE(f.until_published(address, 15'000));
            CHECK_FALSE(f.control->state().pow);
            CHECK(f.control->state().problem.empty());
            CHECK(f.port.count("ADD_ONION") == 2);
        }
    }
}

TEST_CASE("an onion is taken down and put up again when that is asked for")
{
    Fixture f;
    auto service = f.onion();
    const std::string address = service.address;
    f.start();
    f.control->add_onion(std::move(service));
    REQUIRE(f.until_published(address, 15'000));
    CHECK(f.control->republish(address));
    CHECK_FALSE(f.control->is_published(address));
    CHECK_FALSE(f.control->republish(address));  // it is on its way
    REQUIRE(f.until_published(address, 15'000));
    CHECK(f.port.count("DEL_ONION") == 1);
    CHECK(f.port.count("ADD_ONION") == 2);
    CHECK_FALSE(f.control->republish("unknown"));
}

TEST_CASE("ADD_ONION refused: words, and tried again")
{
    Fixture f;
    auto service = f.onion();
    const std::string address = service.address;
    SUBCASE("the profile of the filter is missing")
    {
        f.port.set([](auto& b) { b.filtered = {"ADD_ONION"}; });
        f.start();
        f.control->add_onion(std::move(service));
        REQUIRE(f.until([&] { return f.control->state().problem.find("filter") != std::string::npos; }));
        CHECK(!f.control->is_published(address));
    }
    SUBCASE("it runs already")
    {
        f.port.set([](auto& b) { b.collisions = 1; });
        f.start();
        f.control->add_onion(std::move(service));
        REQUIRE(f.until([&] { return f.control->state().problem.find("already") != std::string::npos; }));
        CHECK(f.until_published(address, 15'000));
        CHECK(f.control->state().problem.empty());
    }
}

TEST_CASE("bootstrapping: told by events, asked by polling, back() at 100 only")
{
    Fixture f;
    f.port.set([](auto& b) {
        b.bootstrap = 10;
        b.socks.clear();
    });
    f.start();
    REQUIRE(f.until([&] { return f.control->state().bootstrap == 10; }));
    CHECK(f.back == 0);
    CHECK(f.socks.empty());
    f.port.say("650 STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=55 TAG=x SUMMARY=\"half way\"");
    REQUIRE(f.until([&] { return f.control->state().bootstrap == 55; }, 900));
    CHECK(f.control->state().bootstrap_text == "half way");
    // Its person switches the network on: only now there is a SOCKS port.
    f.port.set([](auto& b) {
        b.bootstrap = 100;
        b.socks = "\"unix:/run/tor/socks\"";
    });
    REQUIRE(f.until([&] { return f.back == 1 && !f.socks.empty(); }));
    CHECK(f.socks.back() == "unix:/run/tor/socks");
}

TEST_CASE("the SOCKS address of the person comes before tor's")
{
    Fixture f;
    f.options.socks_address = "127.0.0.1:9999";
    f.start();
    REQUIRE(f.until([&] { return !f.socks.empty(); }));
    CHECK(f.socks.back() == "127.0.0.1:9999");
    CHECK(f.port.count("GETINFO net/listeners/socks") == 0);
}

TEST_CASE("no UPLOADED: not published")
{
    Fixture f;
    f.port.set([](auto& b) { b.upload_events = false; });
    auto service = f.onion();
    const std::string address = service.address;
    f.start();
    f.control->add_onion(std::move(service));
    REQUIRE(f.until([&] { return f.port.count("ADD_ONION") == 1; }));
    f.port.say("650 HS_DESC UPLOADED someoneelse UNKNOWN $00");
    f.port.say("650 HS_DESC UPLOAD " + address + " UNKNOWN $00");
    f.port.say("650 HS_DESC FAILED " + address + " UNKNOWN $00 REASON=UPLOAD_REJECTED");
    run_for(f.loop, 300);
    CHECK(!f.control->is_published(address));
    f.port.say("650 HS_DESC UPLOADED " + address + " UNKNOWN $00");
    CHECK(f.until_published(address));
}

TEST_CASE("a tor that started anew behind the filter is noticed within half a minute")
{
    Fixture f;
    auto service = f.onion();
    const std::string address = service.address;
    f.start();
    f.control->add_onion(std::move(service));
    REQUIRE(f.until_published(address));
    f.port.forget_onions();
    REQUIRE(f.until([&] { return f.published.size() >= 3; }, 30'000));
    CHECK(f.published[1] == std::pair(address, false));
    CHECK(f.published[2] == std::pair(address, true));
    CHECK(f.port.count("ADD_ONION") == 2);
    CHECK(f.port.connections() == 1);
    CHECK(f.control->state().restarts == 1);
    CHECK(f.back == 2);
}

TEST_CASE("a stalled control port is dropped and tried again")
{
    Fixture f;
    f.start();
    REQUIRE(f.until([&] { return f.control->state().connected; }));
    f.port.set([](auto& b) { b.stalled = true; });
    auto service = f.onion();
    const std::string address = service.address;
    f.control->add_onion(std::move(service));
    REQUIRE(f.until([&] { return !f.control->state().connected; }, 40'000));
    f.port.set([](auto& b) { b.stalled = false; });
    CHECK(f.until_published(address, 40'000));
}

TEST_CASE("destroyed in the middle of everything, nothing is left behind")
{
    for (int64_t ms : {0, 1, 3, 20}) {
        Fixture f;
        f.port.set([&](auto& b) { b.stalled = ms == 3; });
        f.start();
        f.control->add_onion(f.onion());
        run_for(f.loop, ms);
    }
    // From inside its own callback, too.
    Fixture f;
    TorControl::Events events;
    std::optional<TorControl> control;
    bool gone = false;
    events.published = [&](const std::string&, bool) {
        // Not from within: the callback's own function must outlive the call.
        f.loop.post([&] {
            control.reset();
            gone = true;
        });
    };
    control.emplace(f.loop, f.options, std::move(events));
    control->start();
    control->add_onion(f.onion());
    CHECK(f.until([&] { return gone; }));
}

TEST_CASE("configured by hand: no connection, all counts as there")
{
    Fixture f;
    f.options.mode = TorOptions::Mode::Torrc;
    f.options.socks_address = "127.0.0.1:9050";
    f.start();
    auto one = f.onion(1), two = f.onion(2);
    const std::string a = one.address, b = two.address;
    f.control->add_onion(std::move(one));
    REQUIRE(f.until_published(a));
    CHECK(f.control->state().connected);
    CHECK(f.back == 1);
    CHECK(f.socks == std::vector<std::string>{"127.0.0.1:9050"});
    f.control->add_onion(std::move(two));
    CHECK(f.control->is_published(b));
    CHECK(f.port.connections() == 0);
    bool done = false;
    f.control->stop([&] { done = true; });
    CHECK(done);
}

TEST_CASE("looking for a running tor does not take long")
{
    const int64_t before = system_clock().monotonic_ms();
    std::string found = find_running_tor();
    CHECK(system_clock().monotonic_ms() - before < 3'500);
    if (!found.empty())
        CHECK((found == "unix:/run/tor/control" || found.starts_with("127.0.0.1:")));
}
