// SPDX-License-Identifier: BSD-3-Clause
// The picture is read back by libpng; that other programs read the code is for tests/e2e/invites.py to show.
#include <doctest/doctest.h>

#include <cstring>

#include <png.h>

#include <bivouac/qr/qr.h>

using namespace bivouac;

namespace {

const std::string kLink = "http://" + std::string(55, 'a') + "d.onion/#invite=abcdefghijklmnopqrstuvwxya";

// Rows of modules with the quiet zone around them.
std::vector<std::string> framed(const QrCode& code)
{
    std::vector<std::string> rows(code.width + 8, std::string(code.width + 8, ' '));
    for (size_t row = 0; row < code.width; ++row)
        for (size_t column = 0; column < code.width; ++column)
            if (code.at(row, column))
                rows[row + 4][column + 4] = '#';
    return rows;
}

}  // namespace

TEST_CASE("QR codes: the link of an invite makes one with the marks in three corners")
{
    auto code = make_qr(kLink);
    REQUIRE(code.ok());
    CHECK(code->width % 4 == 1);
    CHECK(code->dark.size() == code->width * code->width);
    for (size_t i = 0; i < 7; ++i) {
        CHECK(code->at(0, i));
        CHECK(code->at(i, 0));
        CHECK(code->at(0, code->width - 1 - i));
        CHECK(code->at(code->width - 1, i));
    }
    CHECK(!code->at(1, 1));
    CHECK(!make_qr(std::string(5000, 'x')).ok());
}

TEST_CASE("QR codes: half blocks hold two rows each, in colours of their own when they are wanted")
{
    auto code = make_qr(kLink);
    REQUIRE(code.ok());
    const auto rows = framed(*code);
    std::string expected, coloured;
    for (size_t row = 0; row < rows.size(); row += 2) {
        std::string line;
        for (size_t column = 0; column < rows.size(); ++column) {
            const bool upper = rows[row][column] == '#', lower = row + 1 < rows.size() && rows[row + 1][column] == '#';
            line += upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ";
        }
        expected += line + "\n";
        coloured += "\x1b[38;5;16;48;5;231m" + line + "\x1b[0m\n";
    }
    CHECK(qr_for_terminal(*code, QrColours::No) == expected);
    CHECK(qr_for_terminal(*code, QrColours::Yes) == coloured);
}

TEST_CASE("QR codes: the picture holds the same modules, black on white")
{
    auto code = make_qr(kLink);
    REQUIRE(code.ok());
    auto bytes = qr_as_png(*code);
    REQUIRE(bytes.ok());
    png_image image;
    std::memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_memory(&image, bytes->data(), bytes->size()));
    image.format = PNG_FORMAT_GRAY;
    std::vector<unsigned char> pixels(PNG_IMAGE_SIZE(image));
    REQUIRE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr));
    const auto rows = framed(*code);
    REQUIRE(image.width == rows.size() * 8);
    REQUIRE(image.height == rows.size() * 8);
    bool same = true;
    for (size_t y = 0; y < image.height; ++y)
        for (size_t x = 0; x < image.width; ++x)
            same = same && (pixels[y * image.width + x] == 0) == (rows[y / 8][x / 8] == '#') &&
                   (pixels[y * image.width + x] == 0 || pixels[y * image.width + x] == 255);
    CHECK(same);
}
