// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <string>

#include "disposition.h"
#include "range.h"

using namespace bivouac::api;

namespace {

// "offset+length", "whole" or "none"
std::string range(std::string_view header, uint64_t size)
{
    ByteRange out = parse_byte_range(header, size);
    switch (out.kind) {
    case ByteRange::Kind::Whole: return "whole";
    case ByteRange::Kind::Unsatisfiable: return "none";
    case ByteRange::Kind::Part: break;
    }
    return std::to_string(out.offset) + "+" + std::to_string(out.length);
}

}  // namespace

TEST_CASE("ranges: one range in its three forms (section 4.8)")
{
    CHECK(range("bytes=0-0", 10) == "0+1");
    CHECK(range("bytes=2-5", 10) == "2+4");
    CHECK(range("bytes=2-", 10) == "2+8");
    CHECK(range("bytes=-3", 10) == "7+3");
    CHECK(range("bytes=-30", 10) == "0+10");
    CHECK(range("bytes=0-99", 10) == "0+10");
    CHECK(range("bytes=9-9", 10) == "9+1");
    CHECK(range("BYTES= 1-2 ", 10) == "1+2");
    CHECK(range("bytes=1-99999999999999999999999999", 10) == "1+9");
    CHECK(range("bytes=-99999999999999999999999999", 10) == "0+10");
}

TEST_CASE("ranges: what begins behind the end cannot be had")
{
    CHECK(range("bytes=10-", 10) == "none");
    CHECK(range("bytes=10-12", 10) == "none");
    CHECK(range("bytes=99999999999999999999999999-", 10) == "none");
    CHECK(range("bytes=-0", 10) == "none");
    CHECK(range("bytes=0-", 0) == "none");
    CHECK(range("bytes=-1", 0) == "none");
}

TEST_CASE("ranges: several, none or malformed ones are answered with all of it")
{
    for (std::string header : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=5-2", "bytes=1-2,4-5", "bytes=1-2,",
                               "items=0-1", "bytes=0x1-2", "bytes=+1-2", "bytes=1--2", "bytes=--1", "bytes 0-1", "=0-1", "bytes=1 - 2",
                               "byte\xf3=0-1"}) {
        CAPTURE(header);
        CHECK(range(header, 10) == "whole");
    }
    std::string thousands = "bytes=0-0";
    for (int i = 0; i < 5000; ++i)
        thousands += ",0-0";
    CHECK(range(thousands, 10) == "whole");
}

TEST_CASE("dispositions: what a browser would run is never shown in place (section 4.8)")
{
    for (const char* type : {"text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml", "image/svg+xml", "text/xml",
                             "application/xml", "application/atom+xml", "text/javascript", "application/javascript", "text/css",
                             "application/pdf", "application/json", "video/x+xml", "application/octet-stream", "", "text", "text/plain\r\nA: b",
                             "image/png;x=\"", "multipart/related", "application/x-shockwave-flash"}) {
        CAPTURE(type);
        CHECK(content_disposition(type, "a").starts_with("attachment; "));
    }
    for (const char* type : {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "audio/ogg", "video/webm; codecs=vp9",
                             "text/plain", "Text/Plain; charset=utf-8"}) {
        CAPTURE(type);
        CHECK(content_disposition(type, "a").starts_with("inline; "));
    }
    CHECK(content_disposition("image/png", "dot.png") == "inline; filename=\"dot.png\"");
}

TEST_CASE("dispositions: names cannot end the header, and are whole in the extended form")
{
    auto name = [](std::string_view text) { return content_disposition("image/png", text).substr(std::string("inline; ").size()); };
    CHECK(name("my file.png") == "filename=\"my file.png\"");
    CHECK(name("a\"b.png") == "filename=\"a_b.png\"; filename*=UTF-8''a%22b.png");
    CHECK(name("caf\xc3\xa9 \xe2\x98\x83.png") == "filename=\"caf_ _.png\"; filename*=UTF-8''caf%C3%A9%20%E2%98%83.png");
    CHECK(name("a\r\nSet-Cookie: x") == "filename=\"a__Set-Cookie: x\"");
    CHECK(name("../../.bashrc") == "filename=\".._.._.bashrc\"");
    CHECK(name("c:\\x") == "filename=\"c:_x\"");
    CHECK(name(std::string("a\0b\x7f", 4)) == "filename=\"a_b_\"");
    CHECK(name("\xff") == "filename=\"_\"");
    CHECK(name("") == "filename=\"\"");
}

TEST_CASE("content types are sent as they were given, or not at all")
{
    CHECK(safe_content_type("image/png") == "image/png");
    CHECK(safe_content_type("Text/Plain; charset=\"utf-8\"") == "Text/Plain; charset=\"utf-8\"");
    for (const char* type : {"", "html", "text/html\r\nA: b", "text/html x", "text/\xc3\xa9", "text/html;a=\"\xc3\xa9\"", "text/html; a=\"\n\""}) {
        CAPTURE(type);
        CHECK(safe_content_type(type) == "application/octet-stream");
    }
}
