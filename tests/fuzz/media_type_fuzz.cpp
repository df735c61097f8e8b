// SPDX-License-Identifier: BSD-3-Clause
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <bivouac/net/multipart.h>

using namespace bivouac::net;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto type = parse_media_type({reinterpret_cast<const char*>(data), size});
    if (!type.ok())
        return 0;
    if (type->type.find('/') == std::string::npos)
        std::abort();
    for (const auto& [name, value] : type->parameters) {
        if (name.empty() || type->parameter(name) != value)
            std::abort();
    }
    return 0;
}
