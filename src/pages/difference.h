// SPDX-License-Identifier: BSD-3-Clause
// What changed between two texts, word by word. Pure; its work is bounded: texts that differ in too much are shown as one
// removed and one added.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bivouac::pages {

struct Piece {
    enum class Kind { Same, Added, Removed };
    Kind kind = Kind::Same;
    std::string text;

    bool operator==(const Piece&) const = default;
};

// The pieces without Added are `before`, without Removed `after`.
std::vector<Piece> difference(std::string_view before, std::string_view after);

}  // namespace bivouac::pages
