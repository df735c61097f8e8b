// SPDX-License-Identifier: BSD-3-Clause
// JPEG: libturbojpeg writes the same coefficients anew, turned upright if need be, and none of the markers besides. What was
// in those is read here first (ITU T.81, annex B), to say what went, and to know the size before memory is taken.
#include "formats.h"
#include "warm_up.h"

#include <algorithm>
#include <memory>

#include <turbojpeg.h>

namespace bivouac::media {

namespace {

struct Facts {
    bool whole = false;
    uint32_t removed = 0;
    int orientation = 1;
    bool progressive = false;
    int components = 0;
    uint64_t coefficient_bytes = 0;
};

bool is_frame(uint32_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

bool read_frame(std::string_view data, uint32_t marker, Facts& facts)
{
    if (facts.components != 0 || data.size() < 6)
        return false;
    const uint64_t height = big16(data, 1), width = big16(data, 3), count = byte_at(data, 5);
    if (height == 0 || width == 0 || count == 0 || count > 4 || data.size() != 6 + 3 * count)
        return false;
    uint64_t most_across = 1, most_down = 1, blocks = 0;
    for (size_t i = 0; i < count; ++i) {
        const uint64_t across = byte_at(data, 7 + 3 * i) >> 4, down = byte_at(data, 7 + 3 * i) & 15;
        if (across < 1 || across > 4 || down < 1 || down > 4)
            return false;
        most_across = std::max(most_across, across);
        most_down = std::max(most_down, down);
        blocks += across * down;
    }
    const uint64_t units = ((width + 8 * most_across - 1) / (8 * most_across)) * ((height + 8 * most_down - 1) / (8 * most_down));
    facts.components = static_cast<int>(count);
    facts.coefficient_bytes = units * blocks * 64 * 2;
    facts.progressive = marker == 0xc2;
    return true;
}

constexpr std::string_view kExifName("Exif\0\0", 6), kIccName("ICC_PROFILE\0", 12), kIptcName("Photoshop 3.0\0", 14);
constexpr std::string_view kXmpName("http://ns.adobe.com/"), kJfifName("JFIF\0", 5), kJfxxName("JFXX\0", 5), kAdobeName("Adobe", 5);

void read_segment(uint32_t marker, std::string_view data, Facts& facts)
{
    if (marker == 0xfe) {
        facts.removed |= kComment;
    } else if (marker == 0xe0 && data.starts_with(kJfifName) && data.size() >= 14) {
        if (byte_at(data, 12) * byte_at(data, 13) != 0 || data.size() > 14)
            facts.removed |= kThumbnail;
        // 72 is what is written where nobody knows.
        if (data[7] != 0 && (big16(data, 8) != 72 || big16(data, 10) != 72))
            facts.removed |= kResolution;
    } else if (marker == 0xe0 && data.starts_with(kJfxxName)) {
        facts.removed |= kThumbnail;
    } else if (marker == 0xe1 && data.starts_with(kExifName)) {
        facts.removed |= removed_with(data.substr(6));
        facts.orientation = read_exif(data.substr(6)).orientation;
    } else if (marker == 0xe1 && data.starts_with(kXmpName)) {
        facts.removed |= kXmp;
    } else if (marker == 0xe2 && data.starts_with(kIccName)) {
        facts.removed |= kColourProfile;
    } else if (marker == 0xed && data.starts_with(kIptcName)) {
        facts.removed |= kIptc;
    } else if (!(marker == 0xee && data.starts_with(kAdobeName) && data.size() == 12)) {
        // The one of Adobe says how colours are meant, and is written anew where it is needed.
        facts.removed |= kOther;
    }
}

Facts read_markers(std::string_view bytes)
{
    Facts facts;
    bool scan_seen = false;
    for (size_t at = 2; at + 2 <= bytes.size();) {
        if (byte_at(bytes, at) != 0xff) {
            // Between markers libjpeg skips what is none.
            ++at;
            continue;
        }
        const uint32_t marker = byte_at(bytes, at + 1);
        if (marker == 0xff) {
            ++at;
            continue;
        }
        at += 2;
        if (marker == 0xd9) {
            facts.whole = scan_seen;
            if (at != bytes.size())
                facts.removed |= kTrailing;
            return facts;
        }
        if (marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= 0xd7))
            continue;
        if (marker == 0xd8 || bytes.size() - at < 2)
            return facts;
        const size_t length = big16(bytes, at);
        if (length < 2 || length > bytes.size() - at)
            return facts;
        const std::string_view data = bytes.substr(at + 2, length - 2);
        at += length;
        if (is_frame(marker)) {
            if (!read_frame(data, marker, facts))
                return facts;
        } else if (marker == 0xfe || (marker >= 0xe0 && marker <= 0xef)) {
            read_segment(marker, data, facts);
        } else if (marker == 0xda) {
            if (facts.components == 0)
                return facts;
            scan_seen = true;
            // The picture itself: up to a marker that is none of its own.
            for (; at + 1 < bytes.size(); ++at) {
                at = std::min(bytes.find('\xff', at), bytes.size());
                if (at + 1 >= bytes.size())
                    return facts;
                const uint32_t next = byte_at(bytes, at + 1);
                if (next == 0xff)
                    continue;
                if (next != 0 && !(next >= 0xd0 && next <= 0xd7))
                    break;
            }
        }
    }
    return facts;
}

int operation_for(int orientation)
{
    constexpr int kOperations[] = {TJXOP_NONE,      TJXOP_NONE,  TJXOP_HFLIP,      TJXOP_ROT180, TJXOP_VFLIP,
                                   TJXOP_TRANSPOSE, TJXOP_ROT90, TJXOP_TRANSVERSE, TJXOP_ROT270};
    return kOperations[orientation];
}

struct Turbo {
    tjhandle handle = tjInitTransform();
    Turbo() = default;
    Turbo(const Turbo&) = delete;
    Turbo& operator=(const Turbo&) = delete;
    ~Turbo()
    {
        if (handle)
            tjDestroy(handle);
    }
};

// Empty: it cannot be done; `damaged`: because of the picture.
std::string transform(std::string_view bytes, int operation, bool progressive, bool& damaged)
{
    Turbo turbo;
    if (!turbo.handle)
        return {};
    tjtransform how{};
    how.op = operation;
    how.options = TJXOPT_COPYNONE | (operation == TJXOP_NONE ? 0 : TJXOPT_PERFECT) | (progressive ? TJXOPT_PROGRESSIVE : 0);
    unsigned char* raw = nullptr;
    unsigned long size = 0;
    const int code = tjTransform(turbo.handle, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), 1, &raw, &size, &how, TJFLAG_LIMITSCANS);
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> held(raw, tjFree);
    if (code != 0) {
        // Some cameras fill up the end of the picture; every program reads these files.
        const std::string_view words = tjGetErrorStr2(turbo.handle);
        damaged = tjGetErrorCode(turbo.handle) == TJERR_WARNING;
        if (!damaged || words.find("extraneous bytes") == std::string_view::npos)
            return {};
        damaged = false;
    }
    return raw ? std::string(reinterpret_cast<const char*>(raw), size) : std::string();
}

// How many pixels an inch has is of the camera or the program; how they relate is of the picture.
void forget_resolution(std::string& jpeg)
{
    constexpr size_t kUnit = 13, kAcross = 14, kDown = 16;
    if (jpeg.size() < 20 || std::string_view(jpeg).substr(2, 2) != "\xff\xe0" || std::string_view(jpeg).substr(6, 5) != kJfifName)
        return;
    jpeg[kUnit] = 0;
    if (big16(jpeg, kAcross) == big16(jpeg, kDown))
        jpeg.replace(kAcross, 4, std::string_view("\0\x01\0\x01", 4));
}

void keep_orientation(std::string& jpeg, int orientation)
{
    const std::string exif = std::string(kExifName) + minimal_exif(orientation);
    size_t at = 2;
    if (jpeg.size() > 6 && std::string_view(jpeg).substr(2, 2) == "\xff\xe0")
        at = std::min<size_t>(4 + big16(jpeg, 4), jpeg.size());
    std::string segment("\xff\xe1\0", 3);
    segment += static_cast<char>(exif.size() + 2);
    jpeg.insert(at, segment + exif);
}

}  // namespace

Picture clean_jpeg(std::string_view bytes)
{
    if (!bytes.starts_with("\xff\xd8\xff"))
        return refused(Refusal::Damaged);
    const Facts facts = read_markers(bytes);
    if (!facts.whole)
        return refused(Refusal::Damaged);
    if (facts.components != 1 && facts.components != 3)
        return refused(Refusal::Unusual);
    if (facts.coefficient_bytes > kMostCoefficientBytes)
        return refused(Refusal::TooManyPixels);
    Picture out;
    out.removed = facts.removed;
    bool damaged = false, turned = true;
    // Turning takes the coefficients twice.
    if (facts.orientation != 1 && 2 * facts.coefficient_bytes <= kMostCoefficientBytes)
        out.bytes = transform(bytes, operation_for(facts.orientation), facts.progressive, damaged);
    if (out.bytes.empty()) {
        out.bytes = transform(bytes, TJXOP_NONE, facts.progressive, damaged);
        if (out.bytes.empty())
            return refused(damaged ? Refusal::Damaged : Refusal::Unusual);
        turned = false;
    }
    // Coefficients that no encoder makes can be read, and come out as something else: whatever is not the same again is damaged.
    if (transform(out.bytes, TJXOP_NONE, facts.progressive, damaged) != out.bytes)
        return refused(Refusal::Damaged);
    if (!turned && facts.orientation != 1)
        keep_orientation(out.bytes, facts.orientation);
    forget_resolution(out.bytes);
    return out;
}

void warm_up()
{
    constexpr int kSide = 16;
    unsigned char pixels[kSide * kSide * 3] = {};
    unsigned char* jpeg = nullptr;
    unsigned long size = 0;
    if (tjhandle handle = tjInitCompress()) {
        if (tjCompress2(handle, pixels, kSide, 0, kSide, TJPF_RGB, &jpeg, &size, TJSAMP_420, 75, 0) == 0)
            (void)clean_jpeg({reinterpret_cast<const char*>(jpeg), size});
        tjDestroy(handle);
    }
    tjFree(jpeg);
}

}  // namespace bivouac::media
