// SPDX-License-Identifier: BSD-3-Clause
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <bivouac/words/words.h>

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string header(reinterpret_cast<const char*>(data), size);
    const std::vector<std::string_view> offered{"en", "fr", "pt-BR", "zh-Hant"};
    const size_t place = preferred_language(header, offered);
    if (place >= offered.size())
        std::abort();
    // Nothing of it begins with the letter of the language: then it was not asked for, except by a star.
    if (place != 0 && header.find('*') == std::string::npos && header.find(offered[place][0]) == std::string::npos &&
        header.find(static_cast<char>(offered[place][0] - 32)) == std::string::npos)
        std::abort();
    return 0;
}
