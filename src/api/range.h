// SPDX-License-Identifier: BSD-3-Clause
// The Range header (RFC 9110, section 14.2), one range of bytes. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace bivouac::api {

struct ByteRange {
    enum class Kind {
        Whole,          // nothing asked, several ranges, or malformed: all of it
        Part,
        Unsatisfiable,  // begins behind the end
    } kind = Kind::Whole;
    uint64_t offset = 0;
    uint64_t length = 0;
};

ByteRange parse_byte_range(std::string_view header, uint64_t size);

}  // namespace bivouac::api
