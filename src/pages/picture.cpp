// SPDX-License-Identifier: BSD-3-Clause
#include "picture.h"

namespace bivouac::pages {

namespace {

constexpr uint32_t kSide = 30'000;

uint32_t byte(std::string_view bytes, size_t at) { return static_cast<unsigned char>(bytes[at]); }
uint32_t big16(std::string_view bytes, size_t at) { return byte(bytes, at) << 8 | byte(bytes, at + 1); }
uint32_t big32(std::string_view bytes, size_t at) { return big16(bytes, at) << 16 | big16(bytes, at + 2); }
uint32_t little16(std::string_view bytes, size_t at) { return byte(bytes, at) | byte(bytes, at + 1) << 8; }
uint32_t little24(std::string_view bytes, size_t at) { return little16(bytes, at) | byte(bytes, at + 2) << 16; }

// Marker by marker to the frame header (ITU T.81, B.2.2).
Picture of_jpeg(std::string_view bytes)
{
    for (size_t at = 2; at + 9 < bytes.size();) {
        if (byte(bytes, at) != 0xff)
            return {};
        const uint32_t marker = byte(bytes, at + 1);
        if (marker == 0xff) {  // padding
            ++at;
            continue;
        }
        const bool stands_alone = marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
        if (stands_alone) {
            at += 2;
            continue;
        }
        const bool is_frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
        if (is_frame)
            return {"image/jpeg", big16(bytes, at + 7), big16(bytes, at + 5)};
        if (marker == 0xd9 || marker == 0xda)
            return {};
        at += 2 + big16(bytes, at + 2);
    }
    return {};
}

// RFC 9649: the first chunk tells the kind.
Picture of_webp(std::string_view bytes)
{
    if (bytes.size() < 30)
        return {};
    const std::string_view kind = bytes.substr(12, 4);
    if (kind == "VP8X")
        return {"image/webp", little24(bytes, 24) + 1, little24(bytes, 27) + 1};
    if (kind == "VP8 " && bytes.substr(23, 3) == "\x9d\x01\x2a")
        return {"image/webp", little16(bytes, 26) & 0x3fff, little16(bytes, 28) & 0x3fff};
    if (kind == "VP8L" && bytes[20] == '\x2f') {
        const uint32_t bits = little16(bytes, 21) | little16(bytes, 23) << 16;
        return {"image/webp", (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
    }
    return {};
}

Picture read(std::string_view bytes)
{
    if (bytes.starts_with("\x89PNG\r\n\x1a\n") && bytes.size() >= 24 && bytes.substr(12, 4) == "IHDR")
        return {"image/png", big32(bytes, 16), big32(bytes, 20)};
    if (bytes.starts_with("\xff\xd8\xff"))
        return of_jpeg(bytes);
    if ((bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) && bytes.size() >= 10)
        return {"image/gif", little16(bytes, 6), little16(bytes, 8)};
    if (bytes.size() > 12 && bytes.starts_with("RIFF") && bytes.substr(8).starts_with("WEBP"))
        return of_webp(bytes);
    return {};
}

}  // namespace

std::optional<Picture> picture_of(std::string_view begin)
{
    const Picture found = read(begin);
    if (!found.type || found.width == 0 || found.height == 0 || found.width > kSide || found.height > kSide ||
        uint64_t(found.width) * found.height > kPicturePixels)
        return std::nullopt;
    return found;
}

}  // namespace bivouac::pages
