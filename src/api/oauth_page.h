// SPDX-License-Identifier: BSD-3-Clause
// The page on which the owner allows or refuses an app (Tent 0.3, section 6.3). Plain HTML: no script, nothing that
// is fetched, everything that an app wrote is escaped. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bivouac/html/html.h>
#include <bivouac/net/http_message.h>
#include <bivouac/tent/apps.h>
#include <bivouac/words/words.h>

namespace bivouac::api {

struct ConsentPage {
    std::string action;  // where the form goes: path and query
    std::string token;
    std::string entity;  // whose server this is
    tent::AppContent app;
    std::string icon;    // "data:image/png;base64,...", or empty
    // What is ticked, in the order of app.wanted.
    std::vector<bool> read;
    std::vector<bool> write;
    std::vector<bool> scopes;
    bool allowed_before = false;
    std::string message;  // why it is shown again; empty the first time
};

net::HttpResponse consent_page(int status, const Words& words, const ConsentPage& page);
net::HttpResponse refusal_page(int status, const Words& words, Msg text);  // nothing to decide, nowhere to go back to
net::HttpResponse redirect(const std::string& location);

// An image that is safe to show without fetching, as a data URL; empty for what is not one of four plain formats.
std::string icon_url(std::string_view bytes);
constexpr int64_t kIconBytes = 64 << 10;

}  // namespace bivouac::api
