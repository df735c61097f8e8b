// SPDX-License-Identifier: BSD-3-Clause
// What the beginning of a file says of the picture in it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bivouac::pages {

struct Picture {
    const char* type = nullptr;  // "image/png" and the like
    uint32_t width = 0;          // pixels
    uint32_t height = 0;
};

// More pixels than a browser on a small machine should be made to unpack: a few kilobytes can hold them.
constexpr uint64_t kPicturePixels = 60'000'000;

// A JPEG, PNG, WebP or GIF of a size that can be shown; the bytes decide, not what their sender says. Nothing for
// everything else, also when the size does not stand within these bytes.
std::optional<Picture> picture_of(std::string_view begin);

}  // namespace bivouac::pages
