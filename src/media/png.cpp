// SPDX-License-Identifier: BSD-3-Clause
// PNG (W3C, third edition, with animation): chunks of a list that belong to the picture stay, all others go.
#include "formats.h"

#include <zlib.h>

namespace bivouac::media {

namespace {

constexpr std::string_view kSignature("\x89PNG\r\n\x1a\n", 8);

// Chunks that make the picture, and how long each may be, so that nothing travels in them besides.
struct Known {
    std::string_view name;
    uint32_t least, most;
};
constexpr Known kKnown[] = {
    {"IHDR", 13, 13},       {"PLTE", 3, 768}, {"IDAT", 0, 0x7fffffff}, {"IEND", 0, 0},  {"tRNS", 1, 256},
    {"cHRM", 32, 32},       {"gAMA", 4, 4},   {"sRGB", 1, 1},          {"cICP", 4, 4},  {"sBIT", 1, 4},
    {"bKGD", 1, 6},         {"acTL", 8, 8},   {"fcTL", 26, 26},        {"fdAT", 4, 0x7fffffff},
};

const Known* find_known(std::string_view name)
{
    for (const auto& known : kKnown)
        if (known.name == name)
            return &known;
    return nullptr;
}

bool is_name(std::string_view name)
{
    for (char c : name)
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
            return false;
    return true;
}

bool is_critical(std::string_view name)
{
    return name[0] >= 'A' && name[0] <= 'Z';
}

uint32_t checksum(std::string_view name_and_data)
{
    return static_cast<uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(name_and_data.data()), static_cast<uInt>(name_and_data.size())));
}

void put_chunk(std::string& out, std::string_view name, std::string_view data)
{
    put_big32(out, static_cast<uint32_t>(data.size()));
    const size_t at = out.size();
    out += name;
    out += data;
    put_big32(out, checksum(std::string_view(out).substr(at)));
}

// What goes with a chunk that is not kept.
uint32_t removed_with_chunk(std::string_view name, std::string_view data)
{
    if (name == "eXIf")
        return removed_with(data);
    if (name == "tIME")
        return kTime;
    if (name == "iCCP")
        return kColourProfile;
    if (name == "pHYs")
        return kResolution;
    if (name != "tEXt" && name != "zTXt" && name != "iTXt")
        return kOther;
    const std::string_view keyword = data.substr(0, std::min<size_t>(data.find('\0'), 80));
    if (keyword == "XML:com.adobe.xmp" || keyword == "Raw profile type xmp")
        return kXmp;
    if (keyword == "Raw profile type exif" || keyword == "Raw profile type APP1")
        return kExif;
    if (keyword == "Raw profile type iptc" || keyword == "Raw profile type 8bim")
        return kIptc;
    return kComment;
}

}  // namespace

Picture clean_png(std::string_view bytes)
{
    if (!bytes.starts_with(kSignature))
        return refused(Refusal::Damaged);
    Picture out;
    out.bytes.reserve(bytes.size());
    out.bytes += kSignature;
    bool first = true, data_seen = false;
    for (size_t at = kSignature.size();;) {
        if (bytes.size() - at < 12)
            return refused(Refusal::Damaged);
        const uint32_t length = big32(bytes, at);
        const std::string_view name = bytes.substr(at + 4, 4);
        if (length > 0x7fffffff || length > bytes.size() - at - 12 || !is_name(name) || first != (name == "IHDR"))
            return refused(Refusal::Damaged);
        const std::string_view whole = bytes.substr(at, length + 12), data = whole.substr(8, length);
        at += whole.size();
        first = false;
        const Known* known = find_known(name);
        if (!known && is_critical(name))
            return refused(Refusal::Unusual);
        if (known && (length < known->least || length > known->most)) {
            if (is_critical(name))
                return refused(Refusal::Damaged);
            known = nullptr;
        }
        if (known) {
            if (big32(whole, length + 8) != checksum(whole.substr(4, length + 4)))
                return refused(Refusal::Damaged);
            out.bytes += whole;
            data_seen = data_seen || name == "IDAT";
            if (name == "IEND") {
                if (!data_seen)
                    return refused(Refusal::Damaged);
                if (at != bytes.size())
                    out.removed |= kTrailing;
                return out;
            }
            continue;
        }
        if (name == "pHYs" && data.size() == 9 && big32(data, 0) != big32(data, 4)) {
            // Pixels that are not square: their shape stays, their size goes.
            if (data[8] != 0)
                out.removed |= kResolution;
            put_chunk(out.bytes, name, std::string(data.substr(0, 8)) + '\0');
            continue;
        }
        out.removed |= removed_with_chunk(name, data);
        if (name == "eXIf")
            if (const int orientation = read_exif(data).orientation; orientation != 1)
                put_chunk(out.bytes, name, minimal_exif(orientation));
    }
}

}  // namespace bivouac::media
