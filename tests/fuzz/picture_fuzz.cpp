// SPDX-License-Identifier: BSD-3-Clause
// What a browser is given as a picture has a known type and a size that can be unpacked; more bytes do not change it.
#include "target.h"

#include "src/pages/picture.h"

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto found = pages::picture_of(view(data, size));
    if (!found)
        return 0;
    HOLDS(std::string_view(found->type).starts_with("image/") && std::string_view(found->type) != "image/svg+xml");
    HOLDS(found->width > 0 && found->height > 0 && uint64_t(found->width) * found->height <= pages::kPicturePixels);
    auto again = pages::picture_of(std::string(view(data, size)) + "\xff\xc0more");
    HOLDS(again && again->width == found->width && again->height == found->height);
    return 0;
}
