// SPDX-License-Identifier: BSD-3-Clause
// The little of EXIF (CIPA DC-008) that matters here: how the picture is turned, and what there is to tell of.
#include "formats.h"

#include <algorithm>

namespace bivouac::media {

namespace {

constexpr uint32_t kOrientation = 0x0112, kGpsDirectory = 0x8825, kThumbnailAt = 0x0201;
constexpr size_t kEntry = 12;
constexpr size_t kMostEntries = 1000;

struct Tiff {
    std::string_view bytes;
    bool little;

    uint32_t two(size_t at) const { return little ? little16(bytes, at) : big16(bytes, at); }
    uint32_t four(size_t at) const { return little ? little32(bytes, at) : big32(bytes, at); }
    bool holds(size_t at, size_t count) const { return at <= bytes.size() && count <= bytes.size() - at; }
};

// Of the directory at `at`; the next one, or 0.
template <typename Entry>
uint32_t each_entry(const Tiff& tiff, size_t at, const Entry& entry)
{
    if (!tiff.holds(at, 2))
        return 0;
    const size_t count = tiff.two(at);
    for (size_t i = 0; i < std::min(count, kMostEntries); ++i) {
        const size_t here = at + 2 + i * kEntry;
        if (!tiff.holds(here, kEntry))
            return 0;
        entry(tiff.two(here), tiff.two(here + 2), here + 8);
    }
    const size_t next = at + 2 + count * kEntry;
    return tiff.holds(next, 4) ? tiff.four(next) : 0;
}

}  // namespace

Exif read_exif(std::string_view bytes)
{
    Exif out;
    if (bytes.size() < 8 || (!bytes.starts_with("II") && !bytes.starts_with("MM")))
        return out;
    const Tiff tiff{bytes, bytes[0] == 'I'};
    if (tiff.two(2) != 42)
        return out;
    constexpr uint32_t kShort = 3;
    const uint32_t second = each_entry(tiff, tiff.four(4), [&](uint32_t tag, uint32_t type, size_t value) {
        if (tag == kOrientation && type == kShort && tiff.two(value) >= 1 && tiff.two(value) <= 8)
            out.orientation = static_cast<int>(tiff.two(value));
        out.place = out.place || tag == kGpsDirectory;
    });
    if (second != 0)
        each_entry(tiff, second, [&](uint32_t tag, uint32_t, size_t) { out.thumbnail = out.thumbnail || tag == kThumbnailAt; });
    return out;
}

std::string minimal_exif(int orientation)
{
    std::string out("II*\0\x08\0\0\0\x01\0", 10);
    out.append("\x12\x01\x03\0\x01\0\0\0", 8);
    out += static_cast<char>(orientation);
    out.append(7, '\0');
    return out;
}

uint32_t removed_with(std::string_view tiff)
{
    const Exif exif = read_exif(tiff);
    if (tiff == minimal_exif(exif.orientation))
        return 0;
    return kExif | (exif.place ? kPlace : 0u) | (exif.thumbnail ? kThumbnail : 0u);
}

}  // namespace bivouac::media
