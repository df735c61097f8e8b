// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post.h>
#include <bivouac/model/protocol.h>

#include <algorithm>

namespace bivouac {

Result<TypeUri> parse_type(std::string_view text)
{
    bool uri = text.starts_with("https://") || text.starts_with("http://");
    size_t hash = text.find('#');
    size_t host = text.find("://") + 3;
    if (!uri || text.size() > limits::kTypeLength || host >= std::min(hash, text.size()) ||
        std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; }))
        return fail(ErrorKind::Invalid, "a type must be a URI such as https://tent.io/types/status/v0#");
    TypeUri type;
    type.base = std::string(text.substr(0, hash));
    if (hash != std::string_view::npos) {
        type.has_fragment = true;
        std::string_view raw = text.substr(hash + 1);
        type.fragment = percent_decode(raw).value_or(std::string(raw));
    }
    return type;
}

bool is_bookkeeping(std::string_view base)
{
    for (const char* known : {type::kMetaBase, type::kAppBase, type::kAppAuthBase, type::kCredentialsBase,
                              type::kRelationshipBase, type::kSubscriptionBase, type::kDeleteBase,
                              type::kDeliveryFailureBase, type::kGroupBase, type::kGroupMemberBase})
        if (base == known)
            return true;
    return false;
}

std::string_view base_of(const Post& post)
{
    return std::string_view(post.type).substr(0, post.type.find('#'));
}

bool type_matches(std::string_view selector, std::string_view type)
{
    if (selector == kAllTypes)
        return true;
    auto wanted = parse_type(selector);
    auto given = parse_type(type);
    if (!wanted.ok() || !given.ok() || wanted->base != given->base)
        return false;
    return !wanted->has_fragment || wanted->fragment == given->fragment;
}

bool is_valid_post_id(std::string_view id)
{
    return !id.empty() && id.size() <= limits::kIdLength &&
           std::all_of(id.begin(), id.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_';
           });
}

std::string normal_digest(std::string_view text)
{
    std::string_view prefix = kDigestPrefix;
    if (text.starts_with(prefix))
        text.remove_prefix(prefix.size());
    bool hex = text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    return hex ? std::string(prefix) + std::string(text) : std::string();
}

}  // namespace bivouac
