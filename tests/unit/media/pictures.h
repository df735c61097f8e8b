// SPDX-License-Identifier: BSD-3-Clause
// Small pictures, made by hand, that tell more than they show.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <turbojpeg.h>
#include <zlib.h>

namespace pictures {

inline std::string big(uint32_t value, int bytes)
{
    std::string out;
    for (int i = bytes - 1; i >= 0; --i)
        out += static_cast<char>(value >> (8 * i) & 255);
    return out;
}
inline std::string little(uint32_t value, int bytes)
{
    std::string out;
    for (int i = 0; i < bytes; ++i)
        out += static_cast<char>(value >> (8 * i) & 255);
    return out;
}

// EXIF as cameras write it: maker, orientation, GPS, and a thumbnail in the second directory.
inline std::string exif(int orientation = 1, bool little_endian = false)
{
    auto number = [&](uint32_t value, int bytes) { return little_endian ? little(value, bytes) : big(value, bytes); };
    auto entry = [&](uint32_t tag, uint32_t type, uint32_t count, const std::string& value) {
        return number(tag, 2) + number(type, 2) + number(count, 4) + (value + std::string(4, '\0')).substr(0, 4);
    };
    // First directory: 3 entries at 8; then GPS: 1 entry; then the second directory: 2 entries.
    const uint32_t gps = 8 + 2 + 3 * 12 + 4, second = gps + 2 + 12 + 4, thumbnail = second + 2 + 2 * 12 + 4;
    std::string out = std::string(little_endian ? "II" : "MM") + number(42, 2) + number(8, 4);
    out += number(3, 2) + entry(0x010f, 2, 4, "Cam") + entry(0x0112, 3, 1, number(static_cast<uint32_t>(orientation), 2)) +
           entry(0x8825, 4, 1, number(gps, 4)) + number(second, 4);
    out += number(1, 2) + entry(0x0001, 2, 2, "N") + number(0, 4);
    out += number(2, 2) + entry(0x0201, 4, 1, number(thumbnail, 4)) + entry(0x0202, 4, 1, number(9, 4)) + number(0, 4);
    return out + "THUMBNAIL";
}

// ---- JPEG

inline std::string jpeg(int width, int height, int subsampling = TJSAMP_420, int flags = 0)
{
    std::vector<unsigned char> pixels(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            unsigned char* p = &pixels[static_cast<size_t>(3 * (y * width + x))];
            p[0] = static_cast<unsigned char>(x * 7 + y);
            p[1] = static_cast<unsigned char>(y * 5);
            p[2] = static_cast<unsigned char>((x ^ y) * 3);
        }
    unsigned char* bytes = nullptr;
    unsigned long size = 0;
    tjhandle handle = tjInitCompress();
    tjCompress2(handle, pixels.data(), width, 0, height, TJPF_RGB, &bytes, &size, subsampling, 90, flags);
    tjDestroy(handle);
    std::string out(reinterpret_cast<char*>(bytes), size);
    tjFree(bytes);
    return out;
}

struct Pixels {
    int width = 0, height = 0;
    std::string bytes;
    bool operator==(const Pixels&) const = default;
};

inline Pixels decoded(std::string_view jpeg)
{
    Pixels out;
    int subsampling = 0, colours = 0;
    tjhandle handle = tjInitDecompress();
    const auto* bytes = reinterpret_cast<const unsigned char*>(jpeg.data());
    if (tjDecompressHeader3(handle, bytes, jpeg.size(), &out.width, &out.height, &subsampling, &colours) == 0) {
        out.bytes.resize(static_cast<size_t>(out.width) * static_cast<size_t>(out.height) * 3);
        tjDecompress2(handle, bytes, jpeg.size(), reinterpret_cast<unsigned char*>(out.bytes.data()), out.width, 0, out.height, TJPF_RGB, TJFLAG_ACCURATEDCT);
    }
    tjDestroy(handle);
    return out;
}

// The same, turned again without loss.
inline std::string turned(std::string_view jpeg, int operation)
{
    tjtransform how{};
    how.op = operation;
    how.options = TJXOPT_PERFECT;
    unsigned char* bytes = nullptr;
    unsigned long size = 0;
    tjhandle handle = tjInitTransform();
    std::string out;
    if (tjTransform(handle, reinterpret_cast<const unsigned char*>(jpeg.data()), jpeg.size(), 1, &bytes, &size, &how, 0) == 0)
        out.assign(reinterpret_cast<char*>(bytes), size);
    tjDestroy(handle);
    tjFree(bytes);
    return out;
}

inline std::string segment(int marker, const std::string& data)
{
    return std::string("\xff") + static_cast<char>(marker) + big(static_cast<uint32_t>(data.size() + 2), 2) + data;
}

// After the first segment, which is JFIF.
inline std::string with_segments(const std::string& jpeg, const std::string& segments)
{
    return jpeg.substr(0, 20) + segments + jpeg.substr(20);
}

inline std::string exif_segment(int orientation = 1, bool little_endian = false)
{
    return segment(0xe1, std::string("Exif\0\0", 6) + exif(orientation, little_endian));
}
inline std::string xmp_segment() { return segment(0xe1, std::string("http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>SECRET", 46)); }

// ---- PNG

inline std::string chunk(const std::string& name, const std::string& data)
{
    const std::string both = name + data;
    return big(static_cast<uint32_t>(data.size()), 4) + both + big(static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(both.data()), static_cast<uInt>(both.size()))), 4);
}

inline std::string png_data(int side)
{
    std::string rows;
    for (int y = 0; y < side; ++y) {
        rows += '\0';
        for (int x = 0; x < side; ++x)
            rows += std::string{static_cast<char>(x * 9), static_cast<char>(y * 5), static_cast<char>(x ^ y)};
    }
    std::string out(compressBound(rows.size()), '\0');
    uLongf size = out.size();
    compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(rows.data()), rows.size());
    out.resize(size);
    return out;
}

inline std::string png(const std::string& before = {}, const std::string& after = {}, int side = 20)
{
    return std::string("\x89PNG\r\n\x1a\n", 8) + chunk("IHDR", big(static_cast<uint32_t>(side), 4) + big(static_cast<uint32_t>(side), 4) + std::string("\x08\x02\0\0\0", 5)) + before +
           chunk("IDAT", png_data(side)) + after + chunk("IEND", "");
}

// ---- GIF

inline std::string gif_head() { return std::string("GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff", 19); }
inline std::string gif_frame() { return std::string("\x2c\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x34\x05\0", 16); }
inline std::string gif_control(int delay = 10) { return std::string("\x21\xf9\x04\0", 4) + little(static_cast<uint32_t>(delay), 2) + std::string("\0\0", 2); }
inline std::string gif_loop() { return std::string("\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0", 19); }
inline std::string gif_comment() { return std::string("\x21\xfe\x06SECRET\0", 10); }
inline std::string gif_text() { return std::string("\x21\x01\x0c\0\0\0\0\x02\0\x02\0\x08\x08\x01\0\x06SECRET\0", 23); }
inline std::string gif_application(const std::string& eleven) { return "\x21\xff\x0b" + eleven + std::string("\x06SECRET\0", 8); }

// ---- WebP

inline std::string riff_chunk(const std::string& name, const std::string& data)
{
    return name + little(static_cast<uint32_t>(data.size()), 4) + data + (data.size() & 1 ? std::string(1, '\0') : std::string());
}
inline std::string webp(const std::string& chunks)
{
    return "RIFF" + little(static_cast<uint32_t>(chunks.size() + 4), 4) + "WEBP" + chunks;
}
// One transparent pixel, without loss.
inline std::string vp8l() { return riff_chunk("VP8L", std::string("\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07", 13)); }
inline std::string vp8x(int flags) { return riff_chunk("VP8X", little(static_cast<uint32_t>(flags), 4) + std::string(6, '\0')); }
inline std::string anmf(const std::string& inside) { return riff_chunk("ANMF", std::string(12, '\0') + little(100, 3) + '\0' + inside); }

}  // namespace pictures
