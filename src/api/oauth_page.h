// SPDX-License-Identifier: BSD-3-Clause
// The page on which the owner allows or refuses an app (Tent 0.3, section 6.3). Plain HTML: no script, nothing that
// is fetched, everything that an app wrote is escaped. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bivouac/net/http_message.h>
#include <bivouac/tent/apps.h>

namespace bivouac::api {

// HTML under construction: markup only from literals of this program, everything else is text.
class Html {
public:
    class Markup {
    public:
        consteval Markup(const char* literal) : text_(literal) {}

    private:
        friend class Html;
        const char* text_;
    };

    Html& markup(Markup markup)
    {
        out_ += markup.text_;
        return *this;
    }
    // In an element or a quoted attribute. What a browser would not show as it is written (control characters, marks
    // that turn the direction of reading) is replaced.
    Html& text(std::string_view text);
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

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

net::HttpResponse consent_page(int status, const ConsentPage& page);
net::HttpResponse refusal_page(int status, std::string_view text);  // nothing to decide, nowhere to go back to
net::HttpResponse redirect(const std::string& location);

// An image that is safe to show without fetching, as a data URL; empty for what is not one of four plain formats.
std::string icon_url(std::string_view bytes);
constexpr int64_t kIconBytes = 64 << 10;

}  // namespace bivouac::api
