// SPDX-License-Identifier: BSD-3-Clause
// Links between posts: tent+http://alice.onion?post=... (Tent 0.3, section 12.1). Pure.
#pragma once

#include <string>
#include <string_view>

#include <bivouac/base/result.h>

namespace bivouac {

// An empty string means that the parameter is absent.
struct TentUri {
    std::string entity;  // "http://alice.onion/blog"
    std::string post;
    std::string version;            // needs `post`
    std::string attachment_name;    // needs `post`
    std::string attachment_digest;  // "sha512t256-" and 64 hex digits

    bool operator==(const TentUri&) const = default;
};

// Invalid for anything that does not name an entity. Unknown parameters are ignored, repeated ones refused.
Result<TentUri> parse_tent_uri(std::string_view text);

// Of values that parse_tent_uri could have given; it reads the text back to the same values.
std::string write_tent_uri(const TentUri& uri);

}  // namespace bivouac
