// SPDX-License-Identifier: BSD-3-Clause
// Unsigned integers as bytes, big and little endian. Who reads has made sure that the bytes are there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bivouac {

inline uint32_t byte_at(std::string_view bytes, size_t at)
{
    return static_cast<unsigned char>(bytes[at]);
}
inline uint32_t big16(std::string_view bytes, size_t at)
{
    return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}
inline uint32_t big32(std::string_view bytes, size_t at)
{
    return big16(bytes, at) << 16 | big16(bytes, at + 2);
}
inline uint32_t little16(std::string_view bytes, size_t at)
{
    return byte_at(bytes, at) | byte_at(bytes, at + 1) << 8;
}
inline uint32_t little32(std::string_view bytes, size_t at)
{
    return little16(bytes, at) | little16(bytes, at + 2) << 16;
}
inline void put_big32(std::string& out, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        out += static_cast<char>(value >> shift & 255);
}
inline void put_little32(std::string& out, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        out += static_cast<char>(value >> shift & 255);
}

}  // namespace bivouac
