// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "http_adapter.h"

using namespace bivouac;
using namespace bivouac::net;

namespace
{

HttpRequest request_of(std::string method, std::string target, std::vector<Header> headers = {})
{
    HttpRequest out;
    out.method = std::move(method);
    out.target = std::move(target);
    out.headers = std::move(headers);
    out.body = Spool::of_text("");
    return out;
}

HttpResponse text_response(std::string text)
{
    HttpResponse out;
    out.body = std::move(text);
    out.with("Content-Type", "text/plain");
    return out;
}

std::string process(HttpAdapter& adapter, const HttpRequest& request, HttpResponse response)
{
    auto wire = adapter.process(request, Persistence::KeepAlive,
                                [&]() -> std::optional<HttpResponse> { return response; });
    REQUIRE(wire.has_value());
    return wire->bytes;
}

// The lines of its header sorted: httplib 0.18 keeps them in a hash.
std::string ordered(const std::string& bytes)
{
    const size_t begin = bytes.find("\r\n") + 2, end = bytes.find("\r\n\r\n") + 2;
    REQUIRE(end > begin);
    std::vector<std::string> lines;
    for (size_t at = begin; at < end;) {
        const size_t next = bytes.find("\r\n", at) + 2;
        lines.push_back(bytes.substr(at, next - at));
        at = next;
    }
    std::sort(lines.begin(), lines.end());
    std::string out = bytes.substr(0, begin);
    for (const auto& line : lines)
        out += line;
    return out + bytes.substr(end);
}

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

} // namespace

TEST_CASE("every method and every target reach the handler")
{
    HttpAdapter adapter;
    const std::string long_target = "/" + std::string(12'000, 'a');
    for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
        for (const std::string& target :
             {std::string("/"), std::string("/posts/http%3A%2F%2Fa.onion/x?y=%00"), std::string("*"),
              std::string("//x/../y"), long_target}) {
            CAPTURE(method);
            CAPTURE(target.substr(0, 60));
            CHECK(HttpAdapter::knows_method(method));
            HttpRequest request = request_of(method, target, {{"Host", "a"}});
            int calls = 0;
            auto wire =
                adapter.process(request, Persistence::KeepAlive, [&]() -> std::optional<HttpResponse> {
                    ++calls;
                    return text_response("hello");
                });
            CHECK(calls == 1);
            REQUIRE(wire.has_value());
            CHECK(wire->bytes.starts_with("HTTP/1.1 200 OK\r\n"));
            CHECK(contains(wire->bytes, "Content-Length: 5\r\n"));
            CHECK(wire->bytes.ends_with(std::string(method) == "HEAD" ? "\r\n\r\n" : "\r\n\r\nhello"));
        }
    }
    CHECK_FALSE(HttpAdapter::knows_method("TRACE"));
    CHECK_FALSE(HttpAdapter::knows_method("get"));
}

TEST_CASE("an answer has our headers and none of the library's")
{
    HttpAdapter adapter;
    HttpResponse response = text_response("x");
    response.with("Link", "<a>; rel=b").with("Link", "<c>; rel=d").with("Server", "me").with("date", "now");
    response.with("Last-Modified", "then").with("Content-Length", "77").with("Transfer-Encoding", "chunked");
    response.with("Connection", "upgrade").with("EXCEPTION_WHAT", "secret");
    CHECK(ordered(process(adapter, request_of("GET", "/"), response)) ==
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Type: text/plain\r\nLink: <a>; rel=b\r\n"
          "Link: <c>; rel=d\r\n\r\nx");
    CHECK(ordered(adapter.serialise("GET", Persistence::Close, response).bytes) ==
          "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\nContent-Type: text/plain\r\n"
          "Link: <a>; rel=b\r\nLink: <c>; rel=d\r\n\r\nx");
}

TEST_CASE("header bytes stay raw both ways")
{
    HttpAdapter adapter;
    HttpRequest request =
        request_of("GET", "/", {{"X-Raw", "a%0d%0aSet-Cookie: b"}, {"REMOTE_ADDR", "1.2.3.4"}});
    HttpResponse response;
    response.with("X-Raw", request.headers[0].value);
    std::string wire = process(adapter, request, response);
    CHECK(contains(wire, "X-Raw: a%0d%0aSet-Cookie: b\r\n"));
}

TEST_CASE("a handler cannot split an answer in two")
{
    HttpAdapter adapter;
    HttpResponse response;
    response.with("X-A", "1\r\nX-B: 2")
        .with("X-C\r\nX-D", "3")
        .with("", "4")
        .with("X-E", std::string("5\0", 2));
    std::string wire = process(adapter, request_of("GET", "/"), response);
    CHECK(wire == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("an answer is not compressed and not cut into ranges")
{
    HttpAdapter adapter;
    std::string long_text(100'000, 'a');
    HttpRequest request = request_of(
        "GET", "/",
        {{"Accept-Encoding", "br, gzip"}, {"Range", "bytes=0-0,2-2,4-4"}, {"Connection", "close"}});
    std::string wire = process(adapter, request, text_response(long_text));
    CHECK(wire ==
          "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nContent-Type: text/plain\r\n\r\n" + long_text);
}

TEST_CASE("request headers that would make the library read a body do nothing")
{
    HttpAdapter adapter;
    HttpRequest request = request_of("POST", "/",
                                     {{"Content-Type", "multipart/form-data; boundary=x"},
                                      {"Content-Length", "1000"},
                                      {"Transfer-Encoding", "chunked"},
                                      {"Expect", "100-continue"},
                                      {"Upgrade", "h2c"}});
    CHECK(process(adapter, request, text_response("x")).starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("statuses without a body have none")
{
    HttpAdapter adapter;
    HttpResponse response = text_response("x");
    response.status = 204;
    CHECK(process(adapter, request_of("GET", "/"), response) ==
          "HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n\r\n");
    response.status = 304;
    CHECK(process(adapter, request_of("GET", "/"), response).ends_with("\r\n\r\n"));
    response.status = 100;
    CHECK(process(adapter, request_of("GET", "/"), response).starts_with("HTTP/1.1 500 "));
    response.status = 0;
    CHECK(adapter.serialise("GET", Persistence::Close, response).status == 500);
}

TEST_CASE("HEAD tells the length that GET would have when the handler knows it")
{
    HttpAdapter adapter;
    HttpResponse response;
    CHECK_FALSE(contains(process(adapter, request_of("HEAD", "/"), response), "Content-Length"));
    response.with("Content-Length", "1234");
    std::string wire = process(adapter, request_of("HEAD", "/"), response);
    CHECK(contains(wire, "Content-Length: 1234\r\n"));
    CHECK(wire.ends_with("\r\n\r\n"));
}

TEST_CASE("a large body is left out and its size is in the head")
{
    HttpAdapter adapter;
    HttpResponse response;
    response.large = BodySource{.size = 5'000'000'000, .read = nullptr};
    auto wire = adapter.serialise("GET", Persistence::KeepAlive, response);
    CHECK(wire.bytes == "HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n");
    REQUIRE(wire.large.has_value());
    CHECK(wire.large->size == 5'000'000'000);
    CHECK_FALSE(adapter.serialise("HEAD", Persistence::KeepAlive, response).large.has_value());
}

TEST_CASE("what a handler throws is a 500 that does not tell what it was")
{
    HttpAdapter adapter;
    auto wire = adapter.process(request_of("GET", "/"), Persistence::KeepAlive,
                                []() -> std::optional<HttpResponse> { throw std::runtime_error("secret"); });
    REQUIRE(wire.has_value());
    CHECK(wire->bytes.starts_with("HTTP/1.1 500 "));
    CHECK(contains(wire->bytes, "Content-Type: application/vnd.tent.error.v0+json\r\n"));
    CHECK(wire->bytes.ends_with("{\"error\":\"internal error\"}"));
    CHECK_FALSE(contains(wire->bytes, "secret"));
}

TEST_CASE("a deferred answer gives nothing at first, and one run may be inside another")
{
    HttpAdapter adapter;
    HttpRequest request = request_of("GET", "/");
    std::string inner;
    auto deferred = adapter.process(request, Persistence::KeepAlive, [&]() -> std::optional<HttpResponse> {
        inner = adapter.serialise("GET", Persistence::KeepAlive, text_response("inner")).bytes;
        return std::nullopt;
    });
    CHECK_FALSE(deferred.has_value());
    CHECK(inner.ends_with("inner"));
    std::string outer = process(adapter, request, text_response(inner));
    CHECK(contains(outer, "\r\n\r\nHTTP/1.1 200 OK\r\n"));
}
