// SPDX-License-Identifier: BSD-3-Clause
// HttpClient through a SOCKS server of the test's own.
#include <doctest/doctest.h>

#include <fstream>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bivouac/base/clock.h>
#include <bivouac/base/secret.h>
#include <bivouac/relay/http_client.h>
#include <bivouac/tor/onion_address.h>
#include <bivouac/tor/socks_reply.h>

#include "socks_server.h"

using namespace bivouac;
using namespace bivouac::relay;

namespace
{

std::string onion(unsigned char number)
{
    Secret seed(32);
    seed.data()[0] = number;
    return tor::onion_address_of_seed(seed) + ".onion";
}

std::string ok_response(const std::string& body, const std::string& more = "")
{
    return "HTTP/1.1 200 OK\r\n" + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
}

OutRequest get(const std::string& host, const std::string& target = "/")
{
    OutRequest request;
    request.url = "http://" + host + target;
    request.isolation = {"user", "password"};
    request.timeout_ms = 20'000;
    return request;
}

struct Fixture {
    SocksServer server;
    EventLoop loop;
    std::optional<HttpClient> client{std::in_place, loop};

    Fixture() { REQUIRE(client->set_proxy(server.address()).ok()); }
    explicit Fixture(const std::string& path)
        : server(path)
    {
        REQUIRE(client->set_proxy(server.address()).ok());
    }

    void host(const std::string& name, const std::string& response, bool close = false)
    {
        SocksServer::Host host;
        host.response = response;
        host.close = close;
        server.host(name, host);
    }

    std::vector<Result<InResponse>> fetch_all(std::vector<OutRequest> requests)
    {
        std::vector<std::optional<Result<InResponse>>> results(requests.size());
        size_t left = requests.size();
        for (size_t i = 0; i < requests.size(); ++i)
            spawn([](Fixture& f, OutRequest request, std::optional<Result<InResponse>>& result,
                     size_t& waiting) -> Task<void> {
                result = co_await f.client->fetch(std::move(request));
                if (--waiting == 0)
                    f.loop.stop();
            }(*this, std::move(requests[i]), results[i], left));
        auto limit = loop.after(30'000, [this] { loop.stop(); });
        loop.run();
        std::vector<Result<InResponse>> out;
        for (auto& result : results) {
            REQUIRE(result);
            out.push_back(std::move(*result));
        }
        return out;
    }
    Result<InResponse> fetch(OutRequest request)
    {
        std::vector<OutRequest> one;
        one.push_back(std::move(request));
        return std::move(fetch_all(std::move(one))[0]);
    }
    std::string problem(OutRequest request, ErrorKind kind = ErrorKind::Unavailable)
    {
        auto result = fetch(std::move(request));
        REQUIRE(!result.ok());
        CHECK(error_kind_name(result.error().kind) == error_kind_name(kind));
        return result.error().detail;
    }
};

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a GET, as it goes out and as it comes in")
{
    Fixture f;
    f.host(onion(1), ok_response("hello", "X-One: 1\r\nX-Two:  two  \r\nX-One: again\r\n"));
    auto response = f.fetch(get(onion(1), "/a/../b/./c%2F%20d?x=1&y=%41"));
    REQUIRE(response.ok());
    CHECK(response->status == 200);
    CHECK(response->body == "hello");
    CHECK(response->header("x-one") == "1");
    CHECK(response->header("X-Two") == "two");
    CHECK(response->headers.size() == 4);
    auto requests = f.server.requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].host == onion(1));
    CHECK(requests[0].port == 80);
    CHECK(requests[0].user == "user");
    CHECK(requests[0].password == "password");
    // Exactly this: nothing that tells one installation from another.
    CHECK(requests[0].head ==
          "GET /a/../b/./c%2F%20d?x=1&y=%41 HTTP/1.1\r\nHost: " + onion(1) + "\r\nUser-Agent: Tent\r\n\r\n");
    CHECK(f.client->in_flight() == 0);
}

TEST_CASE("methods, bodies and headers as given")
{
    Fixture f;
    f.host(onion(1), ok_response(""));
    for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "GET"}) {
        auto request = get(onion(1), "/posts");
        request.method = method;
        request.body = std::string(method) + std::string("\0\r\n body", 8);
        request.headers = {
            {"Content-Type", "application/x"}, {"Authorization", "Hawk id=\"x\""}, {"X-Empty", ""}};
        REQUIRE(f.fetch(std::move(request)).ok());
        auto seen = f.server.requests().back();
        CHECK(seen.head.starts_with(std::string(method) + " /posts HTTP/1.1\r\n"));
        CHECK(seen.body == std::string(method) + std::string("\0\r\n body", 8));
        CHECK(has(seen.head, "\r\nContent-Type: application/x\r\n"));
        CHECK(has(seen.head, "\r\nAuthorization: Hawk id=\"x\"\r\n"));
        CHECK(has(seen.head, "\r\nX-Empty:"));
        CHECK(!has(seen.head, "Expect"));
        CHECK(!has(seen.head, "Accept"));
        CHECK(has(seen.head, "\r\nUser-Agent: Tent\r\n"));
    }
    // Large enough for curl's Expect: 100-continue.
    auto large = get(onion(1));
    large.method = "PUT";
    large.body = std::string(3u << 20, 'x');
    REQUIRE(f.fetch(std::move(large)).ok());
    CHECK(f.server.requests().back().body.size() == 3u << 20);
    CHECK(!has(f.server.requests().back().head, "Expect"));
    // No body.
    auto empty = get(onion(1));
    empty.method = "POST";
    REQUIRE(f.fetch(std::move(empty)).ok());
    CHECK(has(f.server.requests().back().head, "Content-Length: 0\r\n"));
    CHECK(!has(f.server.requests().back().head, "Content-Type"));
    auto remove = get(onion(1));
    remove.method = "DELETE";
    REQUIRE(f.fetch(std::move(remove)).ok());
    CHECK(f.server.requests().back().head.starts_with("DELETE / "));
}

TEST_CASE("HEAD has headers and no body, whatever the limit")
{
    Fixture f;
    f.host(onion(1), "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nLink: <x>\r\n\r\n");
    auto request = get(onion(1));
    request.method = "HEAD";
    request.limit_bytes = 10;
    auto response = f.fetch(std::move(request));
    REQUIRE(response.ok());
    CHECK(response->status == 200);
    CHECK(response->header("Link") == "<x>");
    CHECK(response->body.empty());
    CHECK(f.server.requests().back().head.starts_with("HEAD / "));
}

TEST_CASE("every status is an answer, and no redirect is followed")
{
    Fixture f;
    for (int status : {204, 301, 302, 307, 400, 401, 404, 429, 500, 503}) {
        std::string body = status == 204 ? "" : "why";
        f.host(onion(1),
               "HTTP/1.1 " + std::to_string(status) + " Words\r\nLocation: http://" + onion(2) +
                   "/\r\nRetry-After: 5\r\n" +
                   (status == 204 ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" +
                   body);
        auto response = f.fetch(get(onion(1)));
        REQUIRE(response.ok());
        CHECK(response->status == status);
        CHECK(response->body == body);
        CHECK(response->header("Retry-After") == "5");
    }
    for (const auto& name : f.server.names())
        CHECK(name == onion(1));
}

TEST_CASE("only the last header block counts; trailers do not")
{
    Fixture f;
    f.host(onion(1),
           "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Early: 2\r\n\r\n"
           "HTTP/1.1 200 OK\r\nX-Late: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
           "5\r\nhello\r\n0\r\nHTTP/1.1: 200\r\nX-Trailer: 4\r\n\r\n");
    auto response = f.fetch(get(onion(1)));
    REQUIRE(response.ok());
    CHECK(response->status == 200);
    CHECK(response->body == "hello");
    CHECK(!response->header("X-Early"));
    CHECK(response->header("X-Late") == "3");
    CHECK(!response->header("X-Trailer"));
}

TEST_CASE("a body up to the limit, and one byte more")
{
    Fixture f;
    auto fetch_with = [&](uint64_t limit) {
        auto request = get(onion(1));
        request.limit_bytes = limit;
        return f.fetch(std::move(request));
    };
    const std::string body(100'000, 'b');
    std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 10; ++i)
        chunked += "2710\r\n" + std::string(10'000, 'b') + "\r\n";
    chunked += "0\r\n\r\n";
    for (const auto& response : {ok_response(body), chunked, "HTTP/1.1 200 OK\r\n\r\n" + body}) {
        f.host(onion(1), response, true);
        auto fits = fetch_with(100'000);
        REQUIRE(fits.ok());
        CHECK(fits->body == body);
        auto larger = fetch_with(99'999);
        REQUIRE(!larger.ok());
        CHECK(larger.error().kind == ErrorKind::TooLarge);
        auto none = fetch_with(0);
        REQUIRE(!none.ok());
        CHECK(none.error().kind == ErrorKind::TooLarge);
    }
}

TEST_CASE("a header without end")
{
    Fixture f;
    std::string many, field = "X-Field: " + std::string(900, 'x') + "\r\n";
    for (int i = 0; i < 40; ++i)
        many += field;
    f.host(onion(1), ok_response("x", many));
    CHECK(has(f.problem(get(onion(1)), ErrorKind::TooLarge), "header"));
    std::string small;
    for (int i = 0; i < 99; ++i)
        small += "A: b\r\n";
    f.host(onion(2), ok_response("x", small)); // a hundred with Content-Length
    auto fits = f.fetch(get(onion(2)));
    REQUIRE(fits.ok());
    CHECK(fits->headers.size() == 100);
    f.host(onion(2), ok_response("x", small + "A: b\r\n"));
    CHECK(has(f.problem(get(onion(2)), ErrorKind::TooLarge), "header"));
    std::string early;
    for (int i = 0; i < 5'000; ++i)
        early += "HTTP/1.1 100 Continue\r\n\r\n";
    f.host(onion(3), early + ok_response("x"));
    CHECK(has(f.problem(get(onion(3)), ErrorKind::TooLarge), "header"));
}

TEST_CASE("answers that are none")
{
    Fixture f;
    f.host(onion(1), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true);
    CHECK(has(f.problem(get(onion(1))), "cut off"));
    f.host(onion(2), "", true);
    CHECK(has(f.problem(get(onion(2))), "without an answer"));
    f.host(onion(3), "SSH-2.0-OpenSSH_9.2\r\n", true);
    CHECK(has(f.problem(get(onion(3))), "HTTP"));
    f.host(onion(4), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", true);
    CHECK(!f.problem(get(onion(4))).empty());
    f.host(onion(5), "HTTP/1.1 200 OK\r\nContent-Le", true);
    CHECK(!f.problem(get(onion(5))).empty());
    // A folded header.
    f.host(onion(6), ok_response("x", "X-One: 1\r\n and more\r\n"));
    CHECK(has(f.problem(get(onion(6))), "HTTP"));
}

TEST_CASE("time limits")
{
    Fixture f;
    SocksServer::Host silent;
    silent.stall = true;
    f.server.host(onion(1), silent);
    auto request = get(onion(1));
    request.timeout_ms = 300;
    const int64_t before = system_clock().monotonic_ms();
    CHECK(has(f.problem(std::move(request)), "did not come in time"));
    CHECK(system_clock().monotonic_ms() - before < 3'000);

    silent.response = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    f.server.host(onion(2), silent);
    auto half = get(onion(2));
    half.timeout_ms = 300;
    CHECK(has(f.problem(std::move(half)), "in time"));

    SocksServer::Host unreachable;
    unreachable.stall_socks = true;
    f.server.host(onion(3), unreachable);
    auto never = get(onion(3));
    never.timeout_ms = 300;
    CHECK(has(f.problem(std::move(never)), "could not be reached in time"));
}

TEST_CASE("what tor answers becomes words")
{
    Fixture f;
    for (unsigned code = 1; code <= 8; ++code) {
        SocksServer::Host host;
        host.reply = static_cast<unsigned char>(code);
        f.server.host(onion(1), host);
        CAPTURE(code);
        CHECK(f.problem(get(onion(1))) == tor::meaning_of_socks_reply(code).words);
    }
    for (int code : {0xf0, 0xf2, 0xf6, 0x55}) {
        SocksServer::Host host;
        host.reply = static_cast<unsigned char>(code);
        f.server.host(onion(1), host);
        CHECK(f.problem(get(onion(1))) == tor::meaning_of_socks_reply(0xff).words);
    }
}

TEST_CASE("one connection for the same circuit, never across circuits")
{
    Fixture f;
    f.host(onion(1), ok_response("x"));
    f.host(onion(2), ok_response("x"));
    auto fetch_as = [&](const std::string& host, const std::string& user, const std::string& password) {
        auto request = get(host);
        request.isolation = {user, password};
        REQUIRE(f.fetch(std::move(request)).ok());
        auto last = f.server.requests().back();
        CHECK(last.user == user);
        CHECK(last.password == password);
        return last.connection;
    };
    int first = fetch_as(onion(1), "a", "1");
    CHECK(fetch_as(onion(1), "a", "1") == first);
    int other = fetch_as(onion(1), "b", "1");
    CHECK(other != first);
    CHECK(fetch_as(onion(1), "a", "2") != first);
    CHECK(fetch_as(onion(2), "a", "1") != first);
    CHECK(fetch_as(onion(1), "a", "1") == first);
    CHECK(fetch_as(onion(1), "b", "1") == other);
    CHECK(f.server.connections() == 4);

    // A new proxy address gets new connections, and so does the old one when it comes back.
    REQUIRE(f.client->set_proxy("").ok());
    CHECK(f.problem(get(onion(1))) == "tor is not ready");
    REQUIRE(f.client->set_proxy(f.server.address()).ok());
    CHECK(fetch_as(onion(1), "a", "1") == 5);
    REQUIRE(f.client->set_proxy(f.server.address()).ok()); // the same again: nothing changes
    CHECK(fetch_as(onion(1), "a", "1") == 5);
    // A connection that died while idle is replaced without a word.
    f.server.hang_up_all();
    CHECK(fetch_as(onion(1), "a", "1") == 6);
}

TEST_CASE("URLs that are refused never reach a socket")
{
    Fixture f;
    std::string bad = onion(1);
    bad[0] = bad[0] == 'a' ? 'b' : 'a';
    std::string upper = onion(1);
    upper[0] = 'A';
    const std::vector<std::string> urls{"https://" + onion(1) + "/",
                                        std::string("http://example.com/"),
                                        std::string("http://127.0.0.1/"),
                                        std::string("http://[::1]/"),
                                        std::string("http://localhost/"),
                                        std::string("http://2130706433/"),
                                        "http://" + bad + "/",
                                        "http://www." + onion(1) + "/",
                                        "http://user@" + onion(1) + "/",
                                        "http://user:password@" + onion(1) + "/",
                                        "http://:@" + onion(1) + "/",
                                        "http://" + upper + "/",
                                        "http://" + onion(1) + "./",
                                        "http://" + onion(1) + ":0/",
                                        "http://" + onion(1) + ":99999/",
                                        "http://" + onion(1) + "@example.com/",
                                        "http://example.com\\@" + onion(1) + "/",
                                        "http://" + onion(1) + "%2eexample.com/",
                                        "http://" + onion(1) + "#@example.com/",
                                        "http://" + onion(1) + "/#fragment",
                                        "http://" + onion(1) + "/a b",
                                        "http://" + onion(1) + "/\r\nX: y",
                                        "http://" + onion(1) + std::string("/\0x", 3),
                                        "ftp://" + onion(1) + "/",
                                        "file:///etc/passwd",
                                        "gopher://" + onion(1) + "/",
                                        onion(1) + "/",
                                        "//" + onion(1) + "/",
                                        std::string(),
                                        std::string("http://"),
                                        std::string("http:///x"),
                                        "http://expyuzz4wqqyqhjn.onion/",
                                        "HTTP:" + onion(1)};
    for (const auto& url : urls) {
        CAPTURE(url);
        OutRequest request = get(onion(1));
        request.url = url;
        f.problem(std::move(request), ErrorKind::Invalid);
    }
    CHECK(f.server.connections() == 0);
    // Other ports are fine.
    f.host(onion(1), ok_response("x"));
    auto request = get(onion(1));
    request.url = "http://" + onion(1) + ":8080/x";
    REQUIRE(f.fetch(std::move(request)).ok());
    CHECK(f.server.requests().back().port == 8080);
    CHECK(has(f.server.requests().back().head, "Host: " + onion(1) + ":8080\r\n"));
}

TEST_CASE("requests that smuggle are refused")
{
    Fixture f;
    auto refused = [&](auto change) {
        auto request = get(onion(1));
        change(request);
        auto result = f.fetch(std::move(request));
        CHECK(!result.ok());
    };
    refused([](OutRequest& r) { r.headers = {{"A", "b\r\nC: d"}}; });
    refused([](OutRequest& r) { r.headers = {{"A", "b\nC: d"}}; });
    refused([](OutRequest& r) { r.headers = {{"A: b\r\nC", "d"}}; });
    refused([](OutRequest& r) { r.headers = {{"", "d"}}; });
    refused([](OutRequest& r) { r.headers = {{"A", std::string("x\0y", 3)}}; });
    refused([](OutRequest& r) { r.method = "GET / HTTP/1.1\r\nX:"; });
    refused([](OutRequest& r) { r.method = ""; });
    refused([](OutRequest& r) { r.isolation = {}; });
    refused([](OutRequest& r) { r.isolation = {"<torS0X>0", "x"}; });
    CHECK(f.server.connections() == 0);
}

TEST_CASE("proxies that are not on this machine are refused")
{
    EventLoop loop;
    HttpClient client(loop);
    for (const char* address :
         {"192.0.2.1:9050", "localhost:9050", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
          "127.0.0.1:9050x", "127.0.0.1:9050@192.0.2.1", "[::1]:9050", "0.0.0.0:9050", "unix:relative",
          "socks5h://127.0.0.1:9050", "127.0.0.2:9050"}) {
        CAPTURE(address);
        auto set = client.set_proxy(address);
        REQUIRE(!set.ok());
        CHECK(set.error().kind == ErrorKind::Invalid);
    }
    CHECK(client.set_proxy("unix:/run/tor/socks").ok());
    CHECK(client.set_proxy("127.0.0.1:9050").ok());
    CHECK(client.set_proxy("").ok());
}

TEST_CASE("without tor nothing is sent")
{
    Fixture f;
    f.host(onion(1), ok_response("x"));
    REQUIRE(f.client->set_proxy("").ok());
    CHECK(f.problem(get(onion(1))) == "tor is not ready");
    CHECK(f.server.connections() == 0);
    // A port where nobody listens: words as well.
    REQUIRE(f.client->set_proxy("127.0.0.1:1").ok());
    CHECK(has(f.problem(get(onion(1))), "SOCKS port"));
}

TEST_CASE("variables of the environment do not matter")
{
    const char* names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY",
                           "all_proxy",  "no_proxy",   "NO_PROXY"};
    Fixture f;
    f.host(onion(1), ok_response("x"));
    for (const char* value : {"*", "http://127.0.0.1:1", "socks5://127.0.0.1:1", ".onion,onion"}) {
        for (const char* name : names)
            ::setenv(name, value, 1);
        CAPTURE(value);
        auto request = get(onion(1));
        request.isolation.user = value; // a new connection each time
        CHECK(f.fetch(std::move(request)).ok());
    }
    for (const char* name : names)
        ::unsetenv(name);
    CHECK(f.server.requests().size() == 4);
    for (const auto& name : f.server.names())
        CHECK(name == onion(1));
}

TEST_CASE("SOCKS over a unix socket")
{
    char name[] = "/tmp/bivouac-socks-XXXXXX";
    REQUIRE(::mkdtemp(name));
    {
        Fixture f(std::string(name) + "/a socket%20");
        f.host(onion(1), ok_response("over unix"));
        auto response = f.fetch(get(onion(1)));
        REQUIRE(response.ok());
        CHECK(response->body == "over unix");
    }
    std::filesystem::remove_all(name);
}

TEST_CASE("a body into a spool")
{
    char name[] = "/tmp/bivouac-spool-XXXXXX";
    REQUIRE(::mkdtemp(name));
    {
        Fixture f;
        std::string body;
        for (int i = 0; i < 300'000; ++i)
            body += std::to_string(i);
        f.host(onion(1), ok_response(body));
        auto request = get(onion(1));
        request.spool_directory = name;
        request.limit_bytes = body.size();
        auto response = f.fetch(std::move(request));
        REQUIRE(response.ok());
        CHECK(response->body.empty());
        REQUIRE(response->spool);
        CHECK(response->spool->size() == body.size());
        auto text = response->spool->text(body.size());
        REQUIRE(text.ok());
        CHECK(*text == body);
        auto tight = get(onion(1));
        tight.spool_directory = name;
        tight.limit_bytes = body.size() - 1;
        f.problem(std::move(tight), ErrorKind::TooLarge);
        // Nobody's directory: our trouble, not the peer's.
        auto nowhere = get(onion(1));
        nowhere.spool_directory = "/nonexistent";
        CHECK(!f.fetch(std::move(nowhere)).ok());
    }
    CHECK(std::filesystem::is_empty(name));
    std::filesystem::remove_all(name);
}

TEST_CASE("only the file goes into a spool, not what an error says")
{
    char name[] = "/tmp/bivouac-spool-XXXXXX";
    REQUIRE(::mkdtemp(name));
    {
        Fixture f;
        auto file = [&](uint64_t limit) {
            auto request = get(onion(1));
            request.spool_directory = name;
            request.limit_bytes = limit;
            return request;
        };
        auto answer = [](const std::string& status, const std::string& body) {
            return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                   body;
        };
        // The words of an error may be longer than a small file, and a file that is gone must be told from
        // one that is too large.
        const std::string words(2'000, 'w');
        f.host(onion(1), answer("404 Not Found", words));
        auto gone = f.fetch(file(10));
        REQUIRE(gone.ok());
        CHECK(gone->status == 404);
        CHECK(!gone->spool);
        CHECK(gone->body == words);
        // But they do not have the limit of a large file.
        f.host(onion(1), answer("404 Not Found", std::string(64u << 10, 'w')));
        auto most = f.fetch(file(1u << 30));
        REQUIRE(most.ok());
        CHECK(most->body.size() == 64u << 10);
        f.host(onion(1), answer("404 Not Found", std::string((64u << 10) + 1, 'w')), true);
        f.problem(file(1u << 30), ErrorKind::TooLarge);
        f.problem(file(10), ErrorKind::TooLarge);
        // A file over its limit, where the limit is below that of errors.
        f.host(onion(1), answer("200 OK", std::string(11, 'x')), true);
        f.problem(file(10), ErrorKind::TooLarge);
        f.host(onion(1), answer("200 OK", std::string(10, 'x')), true);
        auto fits = f.fetch(file(10));
        REQUIRE(fits.ok());
        REQUIRE(fits->spool);
        CHECK(fits->spool->size() == 10);
        // An empty file is a file.
        f.host(onion(1), answer("200 OK", ""));
        auto empty = f.fetch(file(10));
        REQUIRE(empty.ok());
        REQUIRE(empty->spool);
        CHECK(empty->spool->size() == 0);
        Spool::Reader reader(*empty->spool);
        auto piece = reader.next();
        REQUIRE(piece.ok());
        CHECK(piece->empty());
    }
    std::filesystem::remove_all(name);
}

TEST_CASE("two hundred at once, each its own circuit")
{
    Fixture f;
    std::vector<OutRequest> requests;
    for (int i = 0; i < 200; ++i) {
        auto number = static_cast<unsigned char>(i % 20);
        f.host(onion(number), ok_response(std::to_string(number)));
        requests.push_back(get(onion(number)));
        requests.back().isolation.user = "user" + std::to_string(i);
    }
    auto results = f.fetch_all(std::move(requests));
    for (size_t i = 0; i < results.size(); ++i) {
        REQUIRE(results[i].ok());
        CHECK(results[i]->body == std::to_string(i % 20));
    }
    CHECK(f.client->in_flight() == 0);
}

TEST_CASE("stop(): what is in flight fails, and so does what comes later")
{
    Fixture f;
    SocksServer::Host silent;
    silent.stall = true;
    f.server.host(onion(1), silent);
    auto stopper = f.loop.after(100, [&] {
        CHECK(f.client->in_flight() == 3);
        f.client->stop();
        CHECK(f.client->in_flight() == 0);
    });
    std::vector<OutRequest> requests;
    for (int i = 0; i < 3; ++i)
        requests.push_back(get(onion(1)));
    for (auto& result : f.fetch_all(std::move(requests))) {
        REQUIRE(!result.ok());
        CHECK(result.error().kind == ErrorKind::Unavailable);
        CHECK(result.error().detail == "stopping");
    }
    CHECK(f.problem(get(onion(1))) == "stopping");
}

TEST_CASE("interrupt() ends the requests of one isolation and leaves the others")
{
    Fixture f;
    SocksServer::Host silent;
    silent.stall = true;
    f.server.host(onion(1), silent);
    auto hanging = get(onion(1));
    hanging.isolation.user = "interrupted";
    auto other = get(onion(1));
    other.isolation.user = "left-alone";
    other.timeout_ms = 600;
    auto interrupter = f.loop.after(100, [&] {
        CHECK(f.client->in_flight() == 2);
        f.client->interrupt(tor::Isolation{"interrupted", ""});
        CHECK(f.client->in_flight() == 1);
    });
    auto results = f.fetch_all({hanging, other});
    REQUIRE(results.size() == 2);
    REQUIRE(!results[0].ok());
    CHECK(results[0].error().detail.find("interrupted") != std::string::npos);
    REQUIRE(!results[1].ok());
    CHECK(results[1].error().detail.find("interrupted") == std::string::npos);
}

TEST_CASE("the proxy changes while requests are in flight")
{
    Fixture f;
    SocksServer second;
    SocksServer::Host silent;
    silent.stall = true;
    f.server.host(onion(1), silent);
    SocksServer::Host good;
    good.response = ok_response("second");
    second.host(onion(1), good);
    bool first_ended = false;
    auto slow = get(onion(1));
    slow.timeout_ms = 700;
    spawn([](Fixture& fixture, OutRequest request, bool& ended) -> Task<void> {
        auto result = co_await fixture.client->fetch(std::move(request));
        CHECK(!result.ok());
        ended = true;
    }(f, std::move(slow), first_ended));
    auto run_some = f.loop.after(100, [&] { f.loop.stop(); });
    f.loop.run();
    REQUIRE(f.client->set_proxy(second.address()).ok());
    CHECK(f.client->in_flight() == 1);
    auto response = f.fetch(get(onion(1)));
    REQUIRE(response.ok());
    CHECK(response->body == "second");
    CHECK(!first_ended);
    auto later = f.loop.after(1'000, [&] { f.loop.stop(); });
    f.loop.run();
    CHECK(first_ended);
    CHECK(f.client->in_flight() == 0);
}

TEST_CASE("destroyed with requests in flight, and from the one that has just ended")
{
    {
        Fixture f;
        SocksServer::Host silent;
        silent.stall = true;
        f.server.host(onion(1), silent);
        std::string words;
        spawn([](Fixture& fixture, std::string& out) -> Task<void> {
            auto result = co_await fixture.client->fetch(get(onion(1)));
            out = result.ok() ? "ok" : result.error().detail;
        }(f, words));
        auto run_some = f.loop.after(100, [&] { f.loop.stop(); });
        f.loop.run();
        f.client.reset();
        CHECK(words == "stopping");
    }
    Fixture f;
    f.host(onion(1), ok_response("x"));
    bool ended = false;
    spawn([](Fixture& fixture, bool& out) -> Task<void> {
        auto result = co_await fixture.client->fetch(get(onion(1)));
        CHECK(result.ok());
        fixture.client.reset();
        out = true;
        fixture.loop.stop();
    }(f, ended));
    f.loop.run();
    CHECK(ended);
}

TEST_CASE("a finished request starts the next one")
{
    Fixture f;
    f.host(onion(1), ok_response("x"));
    int done = 0;
    spawn([](Fixture& fixture, int& count) -> Task<void> {
        for (; count < 100; ++count) {
            auto result = co_await fixture.client->fetch(get(onion(1)));
            CHECK(result.ok());
        }
        fixture.loop.stop();
    }(f, done));
    f.loop.run();
    CHECK(done == 100);
    CHECK(f.server.connections() == 1);
}

namespace
{

// Answers one request on 127.0.0.1 or ::1 and remembers its head.
struct LoopbackServer {
    int listener = -1;
    uint16_t port = 0;
    std::string head;
    std::thread thread;

    explicit LoopbackServer(int family)
    {
        listener = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr_in6 at6{};
        at6.sin6_family = AF_INET6;
        at6.sin6_addr = in6addr_loopback;
        const bool six = family == AF_INET6;
        auto* address = six ? reinterpret_cast<sockaddr*>(&at6) : reinterpret_cast<sockaddr*>(&at);
        socklen_t length = six ? sizeof at6 : sizeof at;
        REQUIRE(::bind(listener, address, length) == 0);
        REQUIRE(::listen(listener, 4) == 0);
        REQUIRE(::getsockname(listener, address, &length) == 0);
        port = ntohs(six ? at6.sin6_port : at.sin_port);
        thread = std::thread([this] {
            const int fd = ::accept(listener, nullptr, nullptr);
            char buffer[4096];
            while (fd >= 0 && head.find("\r\n\r\n") == std::string::npos) {
                const ssize_t got = ::read(fd, buffer, sizeof buffer);
                if (got <= 0)
                    break;
                head.append(buffer, static_cast<size_t>(got));
            }
            const std::string answer = ok_response("here");
            if (fd >= 0 && ::write(fd, answer.data(), answer.size()) < 0)
                head.clear();
            if (fd >= 0)
                ::close(fd);
        });
    }
    ~LoopbackServer()
    {
        ::shutdown(listener, SHUT_RDWR);
        thread.join();
        ::close(listener);
    }
};

OutRequest direct(const std::string& authority, const std::string& target = "/")
{
    OutRequest request;
    request.url = "http://" + authority + target;
    request.direct_loopback = true;
    request.timeout_ms = 10'000;
    return request;
}

} // namespace

TEST_CASE("a direct request goes to this machine, without tor and whatever the environment says (section 6.7)")
{
    // A machine without IPv6 has no ::1 to go to.
    const bool six = std::ifstream("/proc/net/if_inet6").peek() != std::ifstream::traits_type::eof();
    for (const std::string host : {"127.0.0.1", "localhost", "[::1]"}) {
        CAPTURE(host);
        if (host == "[::1]" && !six)
            continue;
        LoopbackServer there(host == "[::1]" ? AF_INET6 : AF_INET);
        Fixture f;
        ::setenv("http_proxy", "http://127.0.0.1:1", 1);
        auto results = f.fetch_all({direct(host + ":" + std::to_string(there.port), "/hook?x=1")});
        ::unsetenv("http_proxy");
        REQUIRE(results[0].ok());
        CHECK(results[0]->body == "here");
        CHECK(there.head.starts_with("GET /hook?x=1 HTTP/1.1\r\n"));
        CHECK(f.server.names().empty());
    }
}

TEST_CASE("a direct request elsewhere is refused, and so is a request to this machine that is not direct (section 15)")
{
    Fixture f;
    for (const std::string authority :
         {"127.0.0.1.example", "127.0.0.2:80", "example.org", "[::2]:80", "[::ffff:127.0.0.1]:80", "user@127.0.0.1",
          "0.0.0.0", "2130706433x"}) {
        auto results = f.fetch_all({direct(authority)});
        CAPTURE(authority);
        REQUIRE_FALSE(results[0].ok());
        CHECK(results[0].error().kind == ErrorKind::Invalid);
    }
    auto onion_directly = f.fetch_all({direct(onion(1))});
    CHECK_FALSE(onion_directly[0].ok());
    OutRequest not_direct = direct("127.0.0.1:80");
    not_direct.direct_loopback = false;
    not_direct.isolation = {"user", "password"};
    auto through_tor = f.fetch_all({not_direct});
    REQUIRE_FALSE(through_tor[0].ok());
    CHECK(through_tor[0].error().kind == ErrorKind::Invalid);
    CHECK(f.server.names().empty());
}
