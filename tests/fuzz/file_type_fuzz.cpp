// SPDX-License-Identifier: BSD-3-Clause
// The first line is the name, the rest the file. Every file has a type that is known; a name never makes a picture or plain text
// of bytes that are none; neutral names hold nothing of the given one.
#include <algorithm>
#include <string>
#include <string_view>

#include <bivouac/media/clean.h>

#include "target.h"

using namespace bivouac::media;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view all = view(data, size);
    const size_t line = std::min(all.find('\n'), all.size());
    const std::string_view name = all.substr(0, line), bytes = all.substr(std::min(line + 1, all.size()));
    const Type* type = find_type(type_of(bytes, name));
    const Type* nameless = find_type(type_of(bytes, ""));
    HOLDS(type && nameless);
    HOLDS(type_of(bytes.substr(0, kBeginning), name) == type_of(bytes, name));
    if (type->group == Group::Picture)
        HOLDS(type == nameless);
    if (type->group == Group::Text)
        HOLDS(nameless->group == Group::Text);
    HOLDS((refusal_of(*type) == Refusal::None) == (type->group == Group::Picture || type->group == Group::Text));
    const std::string neutral = neutral_name(*type, 7);
    HOLDS(neutral.size() <= 20 && neutral.ends_with(type->extension) && neutral.find("-7.") != std::string::npos);
    return 0;
}
