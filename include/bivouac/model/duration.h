// SPDX-License-Identifier: BSD-3-Clause
// Lengths of time as people write them: 30m, 12h, 7d, 2w. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include <bivouac/base/result.h>

namespace bivouac {

// Milliseconds. Invalid for anything but a whole number above 0 and one of s, m, h, d, w, and beyond a hundred years.
Result<int64_t> parse_duration(std::string_view text);

}  // namespace bivouac
