// SPDX-License-Identifier: BSD-3-Clause
// What an answer of the control API has under a name; empty or 0 when it is absent or of another kind.
#pragma once

#include <string>

#include <bivouac/model/json.h>

namespace bivouac::pages {

inline std::string text_of(const Json& json, const char* name)
{
    auto it = json.find(name);
    return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

inline int64_t time_of(const Json& json, const char* name)
{
    auto it = json.find(name);
    return it != json.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}

}  // namespace bivouac::pages
