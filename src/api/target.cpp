// SPDX-License-Identifier: BSD-3-Clause
#include "target.h"

#include <bivouac/base/bytes.h>

#include <algorithm>

namespace bivouac::api {

namespace {

// Escaped, or raw as tent-request sends it, perhaps with "//" collapsed on the way.
std::optional<std::string> decode_entity(std::string_view raw)
{
    auto decoded = percent_decode(raw);
    if (!decoded)
        return std::nullopt;
    for (std::string_view scheme : {"http:/", "https:/"})
        if (decoded->starts_with(scheme) && decoded->size() > scheme.size() && (*decoded)[scheme.size()] != '/')
            decoded->insert(scheme.size(), "/");
    return decoded;
}

Route two_parts(Route::Kind kind, std::string_view rest)
{
    // Everything before the last segment is the entity, which may be unescaped and have a path.
    size_t slash = rest.rfind('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == rest.size())
        return {};
    auto entity = decode_entity(rest.substr(0, slash));
    auto last = percent_decode(rest.substr(slash + 1));
    if (!entity || !last)
        return {};
    Route route;
    route.kind = kind;
    route.entity = std::move(*entity);
    (kind == Route::Kind::Attachment ? route.digest : route.post) = std::move(*last);
    return route;
}

}  // namespace

Route parse_target(std::string_view target)
{
    size_t question = target.find('?');
    std::string query(question == std::string_view::npos ? "" : target.substr(question + 1));
    std::string_view path = target.substr(0, question);
    Route route;
    constexpr std::string_view kPosts = "/posts/";
    constexpr std::string_view kAttachments = "/attachments/";
    constexpr std::pair<std::string_view, Route::Kind> kFixed[] = {
        {"/", Route::Kind::Root},
        {"/posts", Route::Kind::Feed},
        {"/oauth/authorize", Route::Kind::OauthAuthorize},
        {"/oauth/token", Route::Kind::OauthToken},
        {"/batch", Route::Kind::Batch},
        {"/server", Route::Kind::ServerInfo},
        {"/discover", Route::Kind::Discover},
    };
    for (const auto& [fixed, kind] : kFixed)
        if (path == fixed)
            route.kind = kind;
    if (route.kind != Route::Kind::Unknown) {
        route.query = std::move(query);
        return route;
    }
    if (path.starts_with(kAttachments)) {
        route = two_parts(Route::Kind::Attachment, path.substr(kAttachments.size()));
    } else if (path.starts_with(kPosts)) {
        size_t at = path.rfind(kAttachments);
        if (at != std::string_view::npos && at > kPosts.size()) {
            route = two_parts(Route::Kind::Post, path.substr(kPosts.size(), at - kPosts.size()));
            auto name = percent_decode(path.substr(at + kAttachments.size()));
            if (route.kind == Route::Kind::Post && name && !name->empty()) {
                route.kind = Route::Kind::PostAttachment;
                route.name = std::move(*name);
            } else {
                route = {};
            }
        } else {
            route = two_parts(Route::Kind::Post, path.substr(kPosts.size()));
        }
    }
    route.query = std::move(query);
    return route;
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name)
{
    while (!query.empty()) {
        size_t end = query.find('&');
        std::string_view pair = query.substr(0, end);
        size_t equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
            std::string value(pair.substr(equals + 1));
            std::replace(value.begin(), value.end(), '+', ' ');
            return percent_decode(value);
        }
        if (end == std::string_view::npos)
            break;
        query.remove_prefix(end + 1);
    }
    return std::nullopt;
}

}  // namespace bivouac::api
