// SPDX-License-Identifier: BSD-3-Clause
// What an app says about itself: as JSON its content, as text one of its URIs. Where a browser may be sent is plain
// ASCII and named in a Content-Security-Policy without breaking out of it.
#include "target.h"

#include <bivouac/model/json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tor/onion_address.h>

using namespace bivouac;
using namespace bivouac::tent;

namespace {

void check_uri(std::string_view uri)
{
    const std::string source = redirect_source(uri);
    if (is_safe_redirect(uri)) {
        for (unsigned char c : uri)
            HOLDS(c > 0x20 && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>' && c != '\\');
        HOLDS(source.size() > 1);
        HOLDS(source.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+.-_:/[]") == std::string::npos);
    }
    switch (notification_place(uri)) {
    case NotificationPlace::None: HOLDS(uri.empty()); break;
    case NotificationPlace::Onion: HOLDS(tor::is_valid_onion_host(source.substr(7, 62))); break;
    case NotificationPlace::ThisMachine: HOLDS(source.starts_with("http://")); break;
    case NotificationPlace::Elsewhere: break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view text = view(data, size);
    check_uri(text);
    auto json = parse_json(text);
    if (!json.ok() || !json->is_object())
        return 0;
    Post post;
    post.content = json->dump();
    post.type = type::kApp;
    if (auto content = app_content(post); content.ok()) {
        HOLDS(!content->name.empty() && is_safe_redirect(content->redirect_uri));
        HOLDS(check_grant(content->wanted).ok());
        check_uri(content->redirect_uri);
        check_uri(content->notification_url);
    } else {
        HOLDS(content.error().kind == ErrorKind::Invalid);
        HOLDS(!Json(content.error().detail).dump().empty());  // throws when the words are not UTF-8
    }
    post.type = type::kAppAuth;
    if (auto grant = grant_of(post); grant.ok())
        HOLDS(check_grant(*grant).ok());
    return 0;
}
