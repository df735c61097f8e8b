// SPDX-License-Identifier: BSD-3-Clause
#include "visit.h"
#include "words.h"

#include <ctime>

namespace bivouac::pages {

const Words& words_for(std::string_view, std::string_view)
{
    static const Words words;
    return words;
}
std::string known_language(std::string_view) { return "en"; }

std::string Words::date(int64_t ms) const { return date_time(ms).substr(0, 10); }
std::string Words::date_time(int64_t ms) const
{
    std::time_t seconds = ms / 1000;
    std::tm tm{};
    gmtime_r(&seconds, &tm);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm);
    return text;
}
std::string Words::number(int64_t n) const { return std::to_string(n); }
std::string Words::size(int64_t bytes) const { return std::to_string(bytes) + " B"; }

}  // namespace bivouac::pages
