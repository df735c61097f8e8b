// SPDX-License-Identifier: BSD-3-Clause
// A file is refused, or cleaned for good: what came out is of the same type, has nothing more to take out, and stays as it is
// when it is cleaned again. Checksums of a PNG are mended first, so that bent chunks get past them.
#include <string>
#include <string_view>

#include <zlib.h>

#include <bivouac/media/clean.h>

#include "target.h"

using namespace bivouac::media;

namespace
{

uint32_t number(const std::string& bytes, size_t at)
{
    uint32_t out = 0;
    for (size_t i = 0; i < 4; ++i)
        out = out << 8 | static_cast<unsigned char>(bytes[at + i]);
    return out;
}

void mend_png(std::string& bytes)
{
    for (size_t at = 8; bytes.size() >= at + 12;) {
        const uint32_t length = number(bytes, at);
        if (length > bytes.size() - at - 12)
            return;
        const auto sum = static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data() + at + 4), length + 4));
        for (size_t i = 0; i < 4; ++i)
            bytes[at + 8 + length + i] = static_cast<char>(sum >> (24 - 8 * i) & 255);
        at += 12 + length;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string bytes(view(data, size));
    if (bytes.starts_with("\x89PNG\r\n\x1a\n"))
        mend_png(bytes);
    const Cleaned once = clean(bytes, "x");
    HOLDS(find_type(once.type) != nullptr);
    HOLDS(once.type == type_of(bytes, "x") || once.refusal == Refusal::Unknown);
    if (once.refusal != Refusal::None) {
        HOLDS(once.bytes.empty() && once.removed == 0);
        HOLDS(words_of(once.refusal)[0] != '\0');
        return 0;
    }
    const Cleaned twice = clean(once.bytes, "x");
    HOLDS(twice.type == once.type && twice.refusal == Refusal::None);
    HOLDS(twice.removed == 0);
    HOLDS(twice.bytes == once.bytes);
    return 0;
}
