// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/base/clock.h>
#include <bivouac/base/spool.h>

#include <filesystem>

#include <unistd.h>

using namespace bivouac;

namespace {

std::string read_all(const Spool& spool)
{
    Spool::Reader reader(spool);
    std::string out;
    for (;;) {
        auto piece = reader.next();
        REQUIRE(piece.ok());
        if (piece->empty())
            return out;
        out += *piece;
    }
}

}  // namespace

TEST_CASE("a spool gives back what went in, whatever the size and the pieces")
{
    for (size_t size : {size_t(0), size_t(1), size_t(65535), size_t(65536), size_t(65537), size_t(131072),
                        size_t(200'000), size_t(1'500'000)}) {
        CAPTURE(size);
        std::string bytes = system_random().bytes(size);
        Spool spool(std::filesystem::temp_directory_path().string(), 65536);
        for (size_t at = 0; at < size; at += 7777)
            REQUIRE(spool.append(std::string_view(bytes).substr(at, 7777)).ok());
        REQUIRE(spool.finish().ok());
        CHECK(spool.size() == size);
        CHECK(read_all(spool) == bytes);
        CHECK(read_all(spool) == bytes);  // again from the start
    }
}

TEST_CASE("a spool that cannot write says so and names no content")
{
    Spool spool("/proc", 65536);
    auto result = spool.append(std::string(200'000, 'x'));
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().detail.find("xxx") == std::string::npos);
}

TEST_CASE("text() refuses more than its limit")
{
    auto spool = Spool::of_text("0123456789");
    CHECK(*spool->text(10) == "0123456789");
    auto over = spool->text(9);
    REQUIRE_FALSE(over.ok());
    CHECK(over.error().kind == ErrorKind::TooLarge);
}
