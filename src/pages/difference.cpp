// SPDX-License-Identifier: BSD-3-Clause
#include "difference.h"

#include <algorithm>
#include <cstdint>

namespace bivouac::pages {

namespace {

constexpr size_t kCells = 4'000'000;

// Words, and what is between them.
std::vector<std::string_view> words_of(std::string_view text)
{
    auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
    std::vector<std::string_view> out;
    for (size_t i = 0; i < text.size();) {
        size_t end = i + 1;
        if (!is_space(text[i]))
            while (end < text.size() && !is_space(text[end]))
                ++end;
        out.push_back(text.substr(i, end - i));
        i = end;
    }
    return out;
}

void add(std::vector<Piece>& out, Piece::Kind kind, std::string_view text)
{
    if (text.empty())
        return;
    if (!out.empty() && out.back().kind == kind)
        out.back().text += text;
    else
        out.push_back({kind, std::string(text)});
}

}  // namespace

std::vector<Piece> difference(std::string_view before, std::string_view after)
{
    std::vector<Piece> out;
    const auto a = words_of(before), b = words_of(after);
    size_t begin = 0, end = 0;
    while (begin < a.size() && begin < b.size() && a[begin] == b[begin])
        ++begin;
    while (end < a.size() - begin && end < b.size() - begin && a[a.size() - 1 - end] == b[b.size() - 1 - end])
        ++end;
    for (size_t i = 0; i < begin; ++i)
        add(out, Piece::Kind::Same, a[i]);
    const size_t n = a.size() - begin - end, m = b.size() - begin - end;
    if (n > 0 && m > 0 && (n + 1) * (m + 1) <= kCells) {
        // The longest common subsequence of what is left.
        std::vector<uint16_t> longest((n + 1) * (m + 1), 0);
        auto at = [&](size_t i, size_t j) -> uint16_t& { return longest[i * (m + 1) + j]; };
        for (size_t i = n; i-- > 0;)
            for (size_t j = m; j-- > 0;)
                at(i, j) = a[begin + i] == b[begin + j] ? static_cast<uint16_t>(at(i + 1, j + 1) + 1) : std::max(at(i + 1, j), at(i, j + 1));
        size_t i = 0, j = 0;
        while (i < n || j < m) {
            if (i < n && j < m && a[begin + i] == b[begin + j]) {
                add(out, Piece::Kind::Same, a[begin + i]);
                ++i, ++j;
            } else if (j == m || (i < n && at(i + 1, j) >= at(i, j + 1))) {
                add(out, Piece::Kind::Removed, a[begin + i++]);
            } else {
                add(out, Piece::Kind::Added, b[begin + j++]);
            }
        }
    } else {
        for (size_t i = 0; i < n; ++i)
            add(out, Piece::Kind::Removed, a[begin + i]);
        for (size_t j = 0; j < m; ++j)
            add(out, Piece::Kind::Added, b[begin + j]);
    }
    for (size_t i = a.size() - end; i < a.size(); ++i)
        add(out, Piece::Kind::Same, a[i]);
    return out;
}

}  // namespace bivouac::pages
