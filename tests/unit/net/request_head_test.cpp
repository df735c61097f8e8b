// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <string>

#include <bivouac/net/request_head.h>

using namespace bivouac;
using namespace bivouac::net;
using namespace std::string_literals;

namespace
{

struct Decoded {
    bool ok = true;
    bool done = false;
    std::string body;
    std::string rest;
};

// Gives the input in two pieces, cut at `cut`.
Decoded decode(std::string_view wire, size_t cut)
{
    ChunkedDecoder decoder;
    Decoded out;
    for (std::string_view piece : {wire.substr(0, cut), wire.substr(cut)}) {
        if (!decoder.feed(piece, out.body).ok()) {
            out.ok = false;
            return out;
        }
        out.rest += piece;
    }
    out.done = decoder.done();
    return out;
}

int status_of(const std::string& text)
{
    auto head = parse_request_head(text);
    return head.ok() ? 200 : head_error_status(head.error());
}

} // namespace

TEST_CASE("a plain head is read field by field")
{
    auto head =
        parse_request_head("POST /posts?a=%2F HTTP/1.1\r\nHost: ABC.onion:80\r\nContent-Length: 12\r\n"
                           "X-Raw:  %0d%0a \t\r\nConnection: Keep-Alive, CLOSE\r\n"
                           "Expect: 100-Continue\r\n\r\n");
    REQUIRE(head.ok());
    CHECK(head->method == "POST");
    CHECK(head->target == "/posts?a=%2F");
    CHECK(head->minor_version == 1);
    CHECK(head->host == "abc.onion:80");
    CHECK(head->content_length == 12u);
    CHECK_FALSE(head->chunked);
    CHECK(head->has_body());
    CHECK(head->close);
    CHECK(head->expects_continue);
    CHECK(find_header(head->headers, "x-raw") == "%0d%0a");
    CHECK_FALSE(find_header(head->headers, "x-missing").has_value());
}

TEST_CASE("HTTP/1.0 is read and closes")
{
    auto head = parse_request_head("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    REQUIRE(head.ok());
    CHECK(head->close);
    CHECK(head->minor_version == 0);
}

TEST_CASE("heads that are taken and heads that are refused")
{
    struct Case {
        const char* what;
        std::string text;
        int status;
    };
    const std::string get = "GET / HTTP/1.1\r\n";
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
    const Case cases[] = {
        {"least", get + "Host: a\r\n\r\n", 200},
        {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200},
        {"bytes over 127 in a value", get + "Host: a\r\nX: \xc3\xa4\r\n\r\n", 200},
        {"empty value", get + "Host: a\r\nX:\r\n\r\n", 200},
        {"chunked in any case", post + "Transfer-Encoding: Chunked\r\n\r\n", 200},
        {"IPv6 host", get + "Host: [::1]:80\r\n\r\n", 200},
        {"nothing", "", 400},
        {"empty line first", "\r\n" + get + "Host: a\r\n\r\n", 400},
        {"no end", get + "Host: a\r\n", 400},
        {"no Host", get + "\r\n", 400},
        {"two Hosts", get + "Host: a\r\nHost: a\r\n\r\n", 400},
        {"Host with user", get + "Host: a@b\r\n\r\n", 400},
        {"Host with slash", get + "Host: a/b\r\n\r\n", 400},
        {"empty Host", get + "Host:\r\n\r\n", 400},
        {"CL and TE", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"TE and CL", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
        {"two CLs that differ", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
        {"two CLs alike", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
        {"CL list", post + "Content-Length: 5, 5\r\n\r\n", 400},
        {"CL sign", post + "Content-Length: +5\r\n\r\n", 400},
        {"CL negative", post + "Content-Length: -1\r\n\r\n", 400},
        {"CL hexadecimal", post + "Content-Length: 0x5\r\n\r\n", 400},
        {"CL empty", post + "Content-Length:\r\n\r\n", 400},
        {"CL overflow", post + "Content-Length: 18446744073709551621\r\n\r\n", 400},
        {"CL inner blank", post + "Content-Length: 1 2\r\n\r\n", 400},
        {"two TEs", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"TE list", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"TE identity", post + "Transfer-Encoding: identity\r\n\r\n", 501},
        {"TE with vertical tab",
         post + "Transfer-Encoding: \x0b"
                "chunked\r\n\r\n",
         400},
        {"TE blank before colon", post + "Transfer-Encoding : chunked\r\n\r\n", 400},
        {"compressed", post + "Content-Length: 5\r\nContent-Encoding: gzip\r\n\r\n", 415},
        {"compressed and smuggling",
         post + "Content-Length: 5\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n", 400},
        {"folded", get + "Host: a\r\nX: 1\r\n 2\r\n\r\n", 400},
        {"folded with tab", get + "Host: a\r\nX: 1\r\n\t2\r\n\r\n", 400},
        {"folded first", get + " Host: a\r\n\r\n", 400},
        {"NUL in value", get + "Host: a\r\nX: 1\0002\r\n\r\n"s, 400},
        {"NUL in line", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
        {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
        {"one bare LF", get + "Host: a\nX: 1\r\n\r\n", 400},
        {"bare CR", get + "Host: a\rX: 1\r\n\r\n", 400},
        {"bare CR at the end", get + "Host: a\r\r\n\r\n", 400},
        {"control in value",
         get + "Host: a\r\nX: a\x01"
               "b\r\n\r\n",
         400},
        {"DEL in value", get + "Host: a\r\nX: a\x7f\r\n\r\n", 400},
        {"blank before colon", get + "Host : a\r\n\r\n", 400},
        {"blank in name", get + "Host: a\r\nX Y: 1\r\n\r\n", 400},
        {"empty name", get + "Host: a\r\n: 1\r\n\r\n", 400},
        {"no colon", get + "Host: a\r\nX\r\n\r\n", 400},
        {"absolute form", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"authority form", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"blank in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"bytes over 127 in target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"tab in request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"HTTP/0.9", "GET /\r\nHost: a\r\n\r\n", 400},
        {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400},
        {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
        {"lower case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        {"method no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"other expectation", get + "Host: a\r\nExpect: magic\r\n\r\n", 400},
        {"second head", get + "Host: a\r\n\r\n" + get + "Host: a\r\n\r\n", 400},
    };
    for (const Case& c : cases) {
        CAPTURE(c.what);
        CHECK(status_of(c.text) == c.status);
    }
}

TEST_CASE("a head may have 100 lines and 16 KiB, no more")
{
    std::string fields = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 99; ++i)
        fields += "X: 1\r\n";
    CHECK(status_of(fields + "\r\n") == 200);
    CHECK(status_of(fields + "X: 1\r\n\r\n") == 431);

    std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    std::string full = start + std::string(kHeadLimitBytes - start.size() - 4, 'x') + "\r\n\r\n";
    REQUIRE(full.size() == kHeadLimitBytes);
    CHECK(status_of(full) == 200);
    CHECK(status_of("GET /x" + full.substr(5)) == 431);
}

TEST_CASE("the end of a head is found at every kind of empty line")
{
    CHECK(find_head_end("") == 0);
    CHECK(find_head_end("GET / HTTP/1.1\r\nHost: a\r\n") == 0);
    CHECK(find_head_end("GET / HTTP/1.1\r\nHost: a\r\n\r") == 0);
    CHECK(find_head_end("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest") == 27);
    CHECK(find_head_end("GET / HTTP/1.1\nHost: a\n\nrest") == 24);
    CHECK(find_head_end("\r\n") == 2);
    CHECK(find_head_end("\n") == 1);
}

TEST_CASE("a chunked body is the same wherever it is cut")
{
    const std::string wire = "5\r\nhello\r\n1;a=b;c\r\n \r\n00A\r\nworld12345\r\n0\r\n\r\nGET /next";
    for (size_t cut = 0; cut <= wire.size(); ++cut) {
        CAPTURE(cut);
        Decoded out = decode(wire, cut);
        CHECK(out.ok);
        CHECK(out.done);
        CHECK(out.body == "hello world12345");
        CHECK(out.rest == "GET /next");
    }
}

TEST_CASE("malformed chunked bodies are refused wherever they are cut")
{
    const std::string cases[] = {
        "\r\n",
        "x\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "-5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "5\nhello\r\n",
        "5\r\nhelloX\r\n",
        "5\r\nhello\n",
        "5\r\nhello\rX",
        "5\rX",
        "ffffffffffffffff\r\n",
        "0000000000000\r\n",
        "5;a=\"b\"\r\nhello\r\n",
        "5;a\nhello\r\n",
        "5;a\0\r\n"s,
        "5;" + std::string(2000, 'a') + "\r\nhello\r\n",
        "0\r\nX-Trailer: 1\r\n\r\n",
        "0\r\n\n",
        "0\r\n\rX",
    };
    for (const std::string& wire : cases) {
        for (size_t cut = 0; cut <= wire.size(); ++cut) {
            CAPTURE(wire.substr(0, 40));
            CAPTURE(cut);
            CHECK_FALSE(decode(wire, cut).ok);
        }
    }
}

TEST_CASE("an unfinished chunked body is not done")
{
    CHECK_FALSE(decode("5\r\nhello\r\n", 3).done);
    CHECK_FALSE(decode("5\r\nhello\r\n0\r\n", 3).done);
}

TEST_CASE("tor's line about the circuit is taken as it is written, and nothing else is")
{
    CHECK(*parse_circuit_line("PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80") == 0x18);
    CHECK(*parse_circuit_line("PROXY TCP6 fc00:dead:beef:4dad::ffff:1 ::1 65535 80") == 0xffff0001u);
    for (const char* wrong : {"", "PROXY", "PROXY TCP6", "PROXY TCP6 ::1 ::1 1", "PROXY TCP6 ::1 ::1 1 2 3",
                              "PROXY  TCP6 ::1 ::1 1 2", "proxy TCP6 ::1 ::1 1 2", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2",
                              "PROXY TCP6 1.2.3.4 ::1 1 2", "PROXY TCP6 ::g ::1 1 2", "GET / HTTP/1.1"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_circuit_line(wrong).ok());
    }
    CHECK_FALSE(parse_circuit_line("PROXY TCP6 ::1 ::1 1 " + std::string(100, '2')).ok());
    CHECK_FALSE(parse_circuit_line("PROXY TCP6 ::1\0 ::1 1 2"s).ok());
}

TEST_CASE("a cookie is found by its whole name, in any of the headers")
{
    const std::vector<Header> headers{{"Accept", "x=1"}, {"Cookie", "a=b; language-12=fr;c=;=x; d"}, {"cookie", "e=f=g"}};
    CHECK(find_cookie(headers, "a") == "b");
    CHECK(find_cookie(headers, "language-12") == "fr");
    CHECK(find_cookie(headers, "c") == "");
    CHECK(find_cookie(headers, "e") == "f=g");
    for (const char* absent : {"x", "language-1", "language-123", "anguage-12", "d", "A"}) {
        CAPTURE(absent);
        CHECK(find_cookie(headers, absent).empty());
    }
    CHECK(find_cookie({{"Cookie", std::string(9000, ' ') + "a=b"}}, "a").empty());
}
