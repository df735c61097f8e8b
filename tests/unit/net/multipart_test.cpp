// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include <bivouac/net/multipart.h>

using namespace bivouac;
using namespace bivouac::net;

namespace
{

struct Part {
    PartHead head;
    std::string data;
    bool ended = false;
};

struct Read {
    std::vector<Part> parts;
    Result<void> result;
};

MultipartReader::Events collect(std::vector<Part>& parts)
{
    return {.part_begin = [&](const PartHead& head) -> Result<void> {
                parts.push_back({head, {}, false});
                return {};
            },
            .part_data = [&](std::string_view bytes) -> Result<void> {
                parts.back().data += bytes;
                return {};
            },
            .part_end = [&]() -> Result<void> {
                parts.back().ended = true;
                return {};
            }};
}

Read read_in_pieces(std::string_view body, size_t piece, const std::string& boundary = "B")
{
    Read out;
    MultipartReader reader(boundary, collect(out.parts));
    for (size_t at = 0; at < body.size() && out.result.ok(); at += piece)
        out.result = reader.feed(body.substr(at, piece));
    if (out.result.ok())
        out.result = reader.finish();
    return out;
}

Read read_cut(std::string_view body, size_t cut)
{
    Read out;
    MultipartReader reader("B", collect(out.parts));
    out.result = reader.feed(body.substr(0, cut));
    if (out.result.ok())
        out.result = reader.feed(body.substr(cut));
    if (out.result.ok())
        out.result = reader.finish();
    return out;
}

const std::string kBody =
    "a preamble\r\n--B\r\n"
    "Content-Disposition: form-data; name=\"post\"; filename=\"post.json\"\r\n"
    "Content-Type: application/json; type=\"x\"\r\n\r\n"
    "{\"a\":1}\r\n--\r\n--A\r\n-B\r\n--B  \r\n"
    "content-disposition: FORM-DATA; name=photo; filename=\"a \\\"b\\\" c:\\d.jpg\"\r\n\r\n"
    "\r\n\r\n--B\r\n"
    "Content-Disposition: form-data; name=\"photo\"\r\n\r\n"
    "\r\n--B--\r\nan epilogue --B";

void check_body(const Read& read)
{
    REQUIRE(read.result.ok());
    REQUIRE(read.parts.size() == 3);
    CHECK(read.parts[0].head.name == "post");
    CHECK(read.parts[0].head.filename == "post.json");
    CHECK(read.parts[0].head.content_type == "application/json; type=\"x\"");
    CHECK(read.parts[0].data == "{\"a\":1}\r\n--\r\n--A\r\n-B");
    CHECK(read.parts[1].head.name == "photo");
    CHECK(read.parts[1].head.has_filename);
    CHECK(read.parts[1].head.filename == "a \"b\" c:\\d.jpg");
    CHECK(read.parts[1].data == "\r\n");
    CHECK_FALSE(read.parts[2].head.has_filename);
    CHECK(read.parts[2].data.empty());
    for (const Part& part : read.parts)
        CHECK(part.ended);
}

} // namespace

TEST_CASE("a multipart body is the same wherever it is cut (section 4.6)")
{
    for (size_t cut = 0; cut <= kBody.size(); ++cut) {
        CAPTURE(cut);
        check_body(read_cut(kBody, cut));
    }
    for (size_t piece : {1, 2, 3, 7, 64}) {
        CAPTURE(piece);
        check_body(read_in_pieces(kBody, piece));
    }
}

TEST_CASE("a multipart body cut off anywhere is an error")
{
    size_t end = kBody.find("--B--") + 5;
    for (size_t size = 0; size < end; ++size) {
        CAPTURE(size);
        CHECK_FALSE(read_in_pieces(std::string_view(kBody).substr(0, size), 16).result.ok());
    }
    CHECK(read_in_pieces(std::string_view(kBody).substr(0, end), 16).result.ok());
}

TEST_CASE("a part without body may end in its empty line")
{
    const std::string body = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n--B--";
    for (size_t cut = 0; cut <= body.size(); ++cut) {
        Read read = read_cut(body, cut);
        REQUIRE(read.result.ok());
        REQUIRE(read.parts.size() == 1);
        CHECK(read.parts[0].data.empty());
    }
}

TEST_CASE("hostile multipart bodies are refused wherever they are cut")
{
    const std::string begin = "--B\r\nContent-Disposition: form-data; name=a";
    const std::string end = "\r\n\r\nx\r\n--B--";
    const std::string cases[] = {
        "",
        "no boundary at all",
        "--B",
        "--Bx\r\n\r\n",
        "--B\n\n",
        "--B-x",
        "--B" + std::string(100, ' ') + "\r\n",
        "--B\r\n\r\nx\r\n--B--", // no disposition
        "--B\r\nContent-Disposition: attachment; name=a" + end, // not form-data
        "--B\r\nContent-Disposition: form-data" + end, // no name
        "--B\r\nContent-Disposition: form-data; name=\"a" + end, // quote not closed
        "--B\r\nContent-Disposition: form-data; name=a; name=b" + end, // twice
        "--B\r\nContent-Disposition: form-data; name" + end,
        "--B\r\nContent-Disposition: form-data name=a" + end,
        begin + "\r\nContent-Disposition: form-data; name=b" + end,
        begin + "\r\nContent-Type: a/b\r\nContent-Type: a/c" + end,
        begin + "\r\nContent-Transfer-Encoding: base64" + end,
        begin + "\r\n folded" + end,
        begin + "\r\nno colon" + end,
        begin + "\r\nX : 1" + end,
        begin + "\nX: 1" + end,
        begin + std::string("\r\nX: \0", 6) + end,
        begin + "\r\nX: " + std::string(9000, 'x') + end,
        begin + "\r\n\r\nx\r\n--Bx\r\n",
        begin + "\r\n\r\nx\r\n--B",
        begin + "\r\n\r\nx",
    };
    for (const std::string& body : cases) {
        CAPTURE(body.substr(0, 80));
        CHECK_FALSE(read_in_pieces(body, 1).result.ok());
        CHECK_FALSE(read_in_pieces(body, 65536).result.ok());
    }
}

TEST_CASE("64 parts are taken, 65 are not")
{
    std::string body;
    for (int i = 0; i < 64; ++i)
        body += "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
    CHECK(read_in_pieces(body + "--B--", 1000).parts.size() == 64);
    body += "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B--";
    auto read = read_in_pieces(body, 1000);
    REQUIRE_FALSE(read.result.ok());
    CHECK(read.result.error().kind == ErrorKind::TooLarge);
}

TEST_CASE("a bad boundary is refused")
{
    const std::string body = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B--";
    for (const std::string& boundary :
         {std::string(), std::string(71, 'a'), std::string("a\rb"), std::string("a "), std::string("a\nb")})
        CHECK_FALSE(read_in_pieces(body, 100, boundary).result.ok());
}

TEST_CASE("what an event returns ends the reading")
{
    std::vector<Part> parts;
    auto events = collect(parts);
    events.part_data = [](std::string_view) -> Result<void> { return fail(ErrorKind::TooLarge, "enough"); };
    MultipartReader reader("B", events);
    auto result = reader.feed(kBody);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().detail == "enough");
    CHECK_FALSE(reader.feed("more").ok());
    CHECK_FALSE(reader.finish().ok());
}

TEST_CASE("data full of almost-boundaries takes linear time")
{
    const std::string boundary(70, 'b');
    const std::string almost = "\r\n--" + boundary.substr(1) + "\r\r\n\r\n--" + boundary.substr(2);
    auto seconds_for = [&](size_t bytes) {
        std::string data = "--" + boundary + "\r\nContent-Disposition: form-data; name=a\r\n\r\n";
        while (data.size() < bytes)
            data += almost;
        data += "\r\n--" + boundary + "--";
        auto start = std::chrono::steady_clock::now();
        auto read = read_in_pieces(data, 65536, boundary);
        CHECK(read.result.ok());
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    seconds_for(1u << 20);
    double small = seconds_for(2u << 20);
    double large = seconds_for(16u << 20);
    // Eight times as much; quadratic would be sixty-four. The margin is for a busy machine.
    CHECK(large < small * 24 + 0.5);
}

TEST_CASE("media types are read with their parameters")
{
    auto type = parse_media_type(
        " Application/VND.Tent.post.v0+json; Type=\"https://tent.io/types/a;b/v0#\\\"\" ;; x='y z';z=1 ");
    REQUIRE(type.ok());
    CHECK(type->type == "application/vnd.tent.post.v0+json");
    CHECK(type->parameter("type") == "https://tent.io/types/a;b/v0#\"");
    CHECK(type->parameter("X") == "y z");
    CHECK(type->parameter("z") == "1");
    CHECK(type->parameter("missing").empty());
    CHECK(parse_media_type("a/b;")->parameters.empty());
    CHECK(parse_media_type("a/b; type=https://tent.io/types/status/v0#")->parameter("type") ==
          "https://tent.io/types/status/v0#");
}

TEST_CASE("malformed media types are refused")
{
    for (const char* text :
         {"", "a", "a/", "/b", "a /b", "a/b c", "a/b; c", "a/b; =d", "a/b; c=", "a/b; c=\"d", "a/b; c='d",
          "a/b; c=d e", "a/b; c=1; C=2", "a/b; c=\"d\"e", "a/b; c=a\x01", "a/b,c/d", "a/b; c=d\"e"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_media_type(text).ok());
    }
}
