// SPDX-License-Identifier: BSD-3-Clause
// The Accept header (RFC 9110, section 12.5.1): which of several forms a client wants. Pure, fuzzed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bivouac {

struct MediaRange {
    std::string type;     // lower case; "*" for any
    std::string subtype;  // lower case; "*" for any
    std::vector<std::pair<std::string, std::string>> parameters;  // names in lower case; without q and what follows it
    int q = 1000;         // thousandths; 0: not this
};

// What is wanted most comes first: by q, then the more specific range, then as sent. What is malformed is left out,
// and so is what lies beyond 50 ranges or 4 KiB.
std::vector<MediaRange> parse_accept(std::string_view header);

// Which of the media types (they may have parameters) fits best; of equals the first. Everything fits an empty list.
std::optional<size_t> best_match(const std::vector<MediaRange>& accept, const std::vector<std::string>& media_types);

// Is exactly this media type in the header? Parameters, q-values and wildcards do not count (section 4.4 of Tent 0.3).
bool wants(std::string_view header, std::string_view media_type);

}  // namespace bivouac
