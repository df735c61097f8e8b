// SPDX-License-Identifier: BSD-3-Clause
#include "disposition.h"

#include <bivouac/base/bytes.h>
#include <bivouac/net/multipart.h>

#include <algorithm>

namespace bivouac::api {

namespace {

bool is_passive(const std::string& type)
{
    for (const char* known : {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "text/plain"})
        if (type == known)
            return true;
    // There is XML for everything, and it may hold scripts.
    return (type.starts_with("audio/") || type.starts_with("video/")) && !type.ends_with("xml");
}

bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

}  // namespace

std::string safe_content_type(const std::string& type)
{
    auto media = net::parse_media_type(type);
    const bool printable =
        std::all_of(type.begin(), type.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
    return media.ok() && printable ? type : "application/octet-stream";
}

std::string content_disposition(const std::string& type, std::string_view name)
{
    auto media = net::parse_media_type(type);
    std::string out = media.ok() && is_passive(media->type) ? "inline" : "attachment";
    std::string plain;
    std::string extended;
    for (char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        // A folder in a name is nothing that a client should follow.
        const char safe = byte < 0x20 || byte == 0x7f || c == '/' || c == '\\' ? '_' : c;
        extended += safe;
        if (byte >= 0x80 || c == '"')
            plain += is_continuation(byte) ? "" : "_";
        else
            plain += safe;
    }
    out += "; filename=\"" + plain + "\"";
    if (extended != plain && is_valid_utf8(extended))
        out += "; filename*=UTF-8''" + percent_encode(extended);
    return out;
}

}  // namespace bivouac::api
