// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <string>

#include "picture.h"

using namespace bivouac::pages;
using namespace std::string_literals;

namespace {

std::string png(const std::string& size) { return "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"s + size + "\x08\x02\0\0\0"s; }

}  // namespace

TEST_CASE("the size of a picture stands at its beginning")
{
    auto found = picture_of(png("\0\0\x01\x02\0\0\0\x07"s));
    REQUIRE(found);
    CHECK((found->type == "image/png"s && found->width == 258 && found->height == 7));
    found = picture_of("GIF89a\x10\x00\x20\x01rest"s);
    REQUIRE(found);
    CHECK((found->type == "image/gif"s && found->width == 16 && found->height == 288));
    // Padding and two other segments stand before the frame header.
    found = picture_of("\xff\xd8\xff\xe0\x00\x04"s + "ab\xff\xff\xdb\x00\x03x\xff\xc2\x00\x11\x08\x02\x00\x01\x10\x03\x01\x11"s);
    REQUIRE(found);
    CHECK((found->type == "image/jpeg"s && found->width == 272 && found->height == 512));
    found = picture_of("RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x01\0\x0f\0\0 and the rest"s);
    REQUIRE(found);
    CHECK((found->type == "image/webp"s && found->width == 512 && found->height == 16));
    found = picture_of("RIFF\0\0\0\0WEBPVP8 \x0a\0\0\0abc\x9d\x01\x2a\x20\x03\x58\x02 and the rest"s);
    REQUIRE(found);
    CHECK((found->width == 800 && found->height == 600));
    found = picture_of("RIFF\0\0\0\0WEBPVP8L\x0a\0\0\0\x2f\x1f\xc3\x95\x00 and the rest"s);
    REQUIRE(found);
    CHECK((found->width == 800 && found->height == 600));
}

TEST_CASE("no picture: other things, what is cut off, and more pixels than a browser should unpack")
{
    for (const std::string& bytes : {""s, "<html>"s, "<svg xmlns='http://www.w3.org/2000/svg'/>"s, "\x89PNG\r\n\x1a\n"s, "GIF89a"s, "GIF89a\0\0\1\0"s, "\xff\xd8\xff"s,
                                     "\xff\xd8\xff\xda\x00\x08 0123456789"s, "\xff\xd8\xff\xe0\xff\xff 0123456789"s, "\xff\xd8\xffx0123456789"s, "RIFF\0\0\0\0WEBPVP8X"s,
                                     "RIFF\0\0\0\0WAVEfmt and a sound that is long enough"s, "RIFF\0\0\0\0WEBPVP8 \x0a\0\0\0abcdef\x20\x03\x58\x02 and the rest"s})
        CHECK_FALSE(picture_of(bytes));
    CHECK_FALSE(picture_of(png("\0\0\0\0\0\0\0\x07"s)));
    CHECK_FALSE(picture_of(png("\xff\xff\xff\xff\xff\xff\xff\xff"s)));
    CHECK_FALSE(picture_of(png("\0\0\x75\x30\0\0\x75\x30"s)));    // 30,000 by 30,000
    CHECK(picture_of(png("\0\0\x1d\x4c\0\0\x1f\x40"s)));          // 7,500 by 8,000
    CHECK_FALSE(picture_of(png("\0\0\x1d\x4d\0\0\x1f\x40"s)));
    CHECK_FALSE(picture_of(png("\0\x00\x80\0\0\0\0\x01"s)));      // a line of 32,768
}
