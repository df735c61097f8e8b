// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/tent_uri.h>

#include <algorithm>

namespace bivouac {

namespace {

constexpr size_t kVersionBytes = 128;
constexpr size_t kDigestBytes = 128;
constexpr size_t kNamesBytes = 128;  // of the scheme and of the parameters
// The longest of each part, every byte of the values escaped.
constexpr size_t kUriBytes = kNamesBytes + limits::kEntityLength +
                             3 * (limits::kIdLength + kVersionBytes + limits::kNameLength + kDigestBytes);

Error bad(const char* what)
{
    return fail(ErrorKind::Invalid, std::string("a tent: link ") + what);
}

bool starts_with_scheme(std::string_view text, std::string_view scheme)
{
    return text.size() >= scheme.size() &&
           std::equal(scheme.begin(), scheme.end(), text.begin(),
                      [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + ('a' - 'A') : b); });
}

// The entity with its scheme in lower case: entities are compared byte by byte.
std::string entity_of(std::string_view text)
{
    for (std::string_view scheme : {"tent+http://", "tent+https://"})
        if (starts_with_scheme(text, scheme))
            return std::string(scheme.substr(5)) + std::string(text.substr(scheme.size()));
    return {};
}

bool is_plain_text(std::string_view text, size_t limit)
{
    return !text.empty() && text.size() <= limit && is_valid_utf8(text) &&
           std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

Result<void> set_parameter(TentUri& uri, std::string_view name, std::string value)
{
    std::string* place = name == "post"                ? &uri.post
                         : name == "version"           ? &uri.version
                         : name == "attachment_name"   ? &uri.attachment_name
                         : name == "attachment_digest" ? &uri.attachment_digest
                                                       : nullptr;
    if (!place)
        return {};
    if (!place->empty())
        return bad("names one thing twice");
    if (place == &uri.attachment_digest)
        value = normal_digest(value);
    size_t limit = place == &uri.version ? kVersionBytes : limits::kNameLength;
    if (place == &uri.post ? !is_valid_post_id(value) : !is_plain_text(value, limit))
        return bad("has a parameter of a wrong form");
    *place = std::move(value);
    return {};
}

}  // namespace

Result<TentUri> parse_tent_uri(std::string_view text)
{
    if (text.size() > kUriBytes)
        return bad("is too long");
    TentUri uri;
    size_t question = text.find('?');
    uri.entity = entity_of(text.substr(0, question));
    if (!is_entity_url(uri.entity))
        return bad("starts with tent+http:// or tent+https:// and an entity");
    std::string_view rest = question == std::string_view::npos ? "" : text.substr(question + 1);
    if (rest.find('#') != std::string_view::npos)
        return bad("has no fragment");
    while (!rest.empty()) {
        std::string_view pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        size_t equals = pair.find('=');
        if (equals == std::string_view::npos)
            continue;
        auto value = percent_decode(pair.substr(equals + 1));
        if (!value)
            return bad("is not percent-encoded properly");
        TRY(set_parameter(uri, pair.substr(0, equals), std::move(*value)));
    }
    if (uri.post.empty() && !(uri.version.empty() && uri.attachment_name.empty()))
        return bad("names a version or an attachment without its post");
    return uri;
}

std::string write_tent_uri(const TentUri& uri)
{
    std::string out = "tent+" + uri.entity;
    char separator = '?';
    auto add = [&](const char* name, const std::string& value) {
        if (value.empty())
            return;
        out += separator + std::string(name) + "=" + percent_encode(value);
        separator = '&';
    };
    add("post", uri.post);
    add("version", uri.version);
    add("attachment_name", uri.attachment_name);
    add("attachment_digest", uri.attachment_digest);
    return out;
}

}  // namespace bivouac
