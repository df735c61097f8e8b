// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/base/sealed_stream.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

using namespace bivouac;

namespace {

struct File {
    int fd = -1;

    File()
    {
        char name[] = "/tmp/bivouac-sealed-XXXXXX";
        fd = ::mkstemp(name);
        REQUIRE(fd >= 0);
        ::unlink(name);
    }
    explicit File(const std::string& content)
        : File()
    {
        REQUIRE(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
        ::lseek(fd, 0, SEEK_SET);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { ::close(fd); }

    std::string content() const
    {
        std::string out(static_cast<size_t>(::lseek(fd, 0, SEEK_END)), '\0');
        REQUIRE(::pread(fd, out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
        return out;
    }
};

const Secret& key()
{
    static const Secret made{std::string_view("0123456789abcdef0123456789abcdef")};
    return made;
}

std::string seal(const std::string& text, std::string_view bound = "head", size_t step = 10'000)
{
    File file;
    auto writer = SealedWriter::begin(file.fd, key(), bound);
    REQUIRE(writer.ok());
    for (size_t at = 0; at < text.size(); at += step)
        REQUIRE(writer->write(std::string_view(text).substr(at, step)).ok());
    REQUIRE(writer->finish().ok());
    return file.content();
}

// Nothing when it was refused.
std::optional<std::string> open(const std::string& sealed, std::string_view bound = "head", const Secret& with = key())
{
    File file(sealed);
    auto reader = SealedReader::begin(file.fd, with, bound);
    if (!reader.ok())
        return std::nullopt;
    std::string out;
    for (;;) {
        auto piece = reader->read();
        if (!piece.ok())
            return std::nullopt;
        if (piece->empty())
            return out;
        out += *piece;
    }
}

std::string some(size_t size)
{
    std::string out;
    while (out.size() < size)
        out += std::to_string(out.size() * 7919) + ";";
    out.resize(size);
    return out;
}

}  // namespace

TEST_CASE("what is sealed comes out again, whatever its size")
{
    for (size_t size : {size_t(0), size_t(1), size_t(100), kSealedPieceBytes - 1, kSealedPieceBytes, kSealedPieceBytes + 1,
                        2 * kSealedPieceBytes, 3 * kSealedPieceBytes + 5}) {
        CAPTURE(size);
        const std::string text = some(size);
        const std::string sealed = seal(text);
        const size_t pieces = std::max<size_t>(1, (size + kSealedPieceBytes - 1) / kSealedPieceBytes);
        CHECK(sealed.size() == 24 + size + 17 * pieces);
        auto opened = open(sealed);
        REQUIRE(opened);
        CHECK(*opened == text);
    }
    CHECK(seal("twice") != seal("twice"));
}

TEST_CASE("cut off, altered, longer, out of order, repeated, bound to something else: refused")
{
    const std::string text = some(3 * kSealedPieceBytes + 100);
    const std::string sealed = seal(text);
    const size_t piece = kSealedPieceBytes + 17;
    REQUIRE(open(sealed));
    for (size_t length : {size_t(0), size_t(10), size_t(24), size_t(30), 24 + piece, 24 + piece + 1, 24 + 3 * piece, sealed.size() - 1}) {
        CAPTURE(length);
        CHECK_FALSE(open(sealed.substr(0, length)));
    }
    for (size_t at = 0; at < sealed.size(); at += 3331) {
        std::string altered = sealed;
        altered[at] = static_cast<char>(altered[at] ^ 4);
        CHECK_FALSE(open(altered));
    }
    CHECK_FALSE(open(sealed + "x"));
    CHECK_FALSE(open(sealed.substr(0, 24) + sealed.substr(24 + piece, piece) + sealed.substr(24, piece) + sealed.substr(24 + 2 * piece)));
    CHECK_FALSE(open(sealed.substr(0, 24 + piece) + sealed.substr(24)));
    CHECK_FALSE(open(sealed, "another head"));
    const Secret other{std::string_view("0123456789abcdef0123456789abcdeF")};
    CHECK_FALSE(open(sealed, "head", other));
    // A wrong key is told from damage further on.
    File file(sealed);
    auto reader = SealedReader::begin(file.fd, other, "head");
    CHECK(reader->read().error().kind == ErrorKind::Forbidden);
}
