// SPDX-License-Identifier: BSD-3-Clause
#include "range.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace bivouac::api {

namespace {

std::string_view trim(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

// A number too large to hold is the largest: it lies behind every end.
std::optional<uint64_t> number(std::string_view digits)
{
    constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
    if (digits.empty())
        return std::nullopt;
    uint64_t out = 0;
    for (char c : digits) {
        if (c < '0' || c > '9')
            return std::nullopt;
        const auto digit = static_cast<uint64_t>(c - '0');
        out = out > (kMost - digit) / 10 ? kMost : out * 10 + digit;
    }
    return out;
}

bool is_bytes_unit(std::string_view unit)
{
    constexpr std::string_view kBytes = "bytes";
    return unit.size() == kBytes.size() &&
           std::equal(unit.begin(), unit.end(), kBytes.begin(), [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace

ByteRange parse_byte_range(std::string_view header, uint64_t size)
{
    const ByteRange whole;
    const ByteRange unsatisfiable{ByteRange::Kind::Unsatisfiable, 0, 0};
    const size_t equals = header.find('=');
    if (equals == std::string_view::npos || !is_bytes_unit(header.substr(0, equals)))
        return whole;
    const std::string_view set = trim(header.substr(equals + 1));
    const size_t dash = set.find('-');
    if (dash == std::string_view::npos || set.find(',') != std::string_view::npos)
        return whole;
    const std::string_view before = set.substr(0, dash);
    const std::string_view after = set.substr(dash + 1);
    const auto first = number(before);
    const auto last = number(after);
    if ((!before.empty() && !first) || (!after.empty() && !last) || (before.empty() && after.empty()))
        return whole;
    if (!first) {  // the last so many
        const uint64_t length = std::min(*last, size);
        return length == 0 ? unsatisfiable : ByteRange{ByteRange::Kind::Part, size - length, length};
    }
    if (last && *last < *first)
        return whole;
    if (*first >= size)
        return unsatisfiable;
    const uint64_t end = last ? std::min(*last, size - 1) : size - 1;
    return {ByteRange::Kind::Part, *first, end - *first + 1};
}

}  // namespace bivouac::api
