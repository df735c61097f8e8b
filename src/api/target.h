// SPDX-License-Identifier: BSD-3-Clause
// From a raw request target to what is asked for (Tent 0.3, section 1.5). Pure, fuzzed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bivouac::api {

struct Route {
    enum class Kind {
        Root,
        Feed,
        Post,
        PostAttachment,
        Attachment,
        OauthAuthorize,
        OauthToken,
        Batch,
        ServerInfo,
        Discover,
        Unknown,
    } kind = Kind::Unknown;
    std::string entity;
    std::string post;
    std::string name;    // of an attachment
    std::string digest;
    std::string query;   // raw, without '?'
};

Route parse_target(std::string_view target);

// The decoded value of a query parameter; nullopt when absent or malformed.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

}  // namespace bivouac::api
