// SPDX-License-Identifier: BSD-3-Clause
// One function a format: takes out what does not belong to the picture. Bytes in, bytes out.
#pragma once

#include <bivouac/base/integers.h>
#include <bivouac/media/clean.h>

#include <string>
#include <string_view>

namespace bivouac::media {

struct Picture {
    Refusal refusal = Refusal::None;
    uint32_t removed = 0;
    std::string bytes;
};

inline Picture refused(Refusal refusal)
{
    return {refusal, 0, {}};
}

Picture clean_jpeg(std::string_view bytes);
Picture clean_png(std::string_view bytes);
Picture clean_gif(std::string_view bytes);
Picture clean_webp(std::string_view bytes);

// What stands in EXIF, which is a TIFF file of its own (without "Exif\0\0" before it). Whatever cannot be read in it is
// taken as not there.
struct Exif {
    int orientation = 1;  // 1 to 8, as the standard counts
    bool place = false;
    bool thumbnail = false;
};
Exif read_exif(std::string_view tiff);
// As small as it can be: the orientation alone.
std::string minimal_exif(int orientation);
// What is lost when this is replaced by the minimal one.
uint32_t removed_with(std::string_view tiff);

}  // namespace bivouac::media
