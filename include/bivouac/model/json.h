// SPDX-License-Identifier: BSD-3-Clause
// The gate for JSON from outside: depth, node count and duplicate keys are checked before a document is built,
// numbers must be integers of 64 bits (Tent 0.3, section 2.2), text must be UTF-8. Pure.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <bivouac/base/result.h>

namespace bivouac {

using Json = nlohmann::json;

// Invalid with words that name no content. Numbers like 1.0 and 1e3 become integers.
Result<Json> parse_json(std::string_view text);

// A string member, or "" when absent or null; Invalid when it is something else.
Result<std::string> string_member(const Json& object, const char* name);
// The same where it is no mistake to be something else: "" then, too.
std::string text_in(const Json& object, const char* name);

}  // namespace bivouac
