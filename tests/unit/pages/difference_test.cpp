// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "difference.h"

#include <random>

using namespace bivouac::pages;

namespace {

std::string without(const std::vector<Piece>& pieces, Piece::Kind kind)
{
    std::string out;
    for (const auto& piece : pieces)
        if (piece.kind != kind)
            out += piece.text;
    return out;
}

size_t bytes_of(const std::vector<Piece>& pieces, Piece::Kind kind)
{
    size_t out = 0;
    for (const auto& piece : pieces)
        out += piece.kind == kind ? piece.text.size() : 0;
    return out;
}

}  // namespace

TEST_CASE("a difference names the words that came and went")
{
    const auto pieces = difference("we meet at noon", "we meet at six");
    REQUIRE(pieces.size() == 3);
    CHECK(pieces[0] == Piece{Piece::Kind::Same, "we meet at "});
    CHECK(pieces[1] == Piece{Piece::Kind::Removed, "noon"});
    CHECK(pieces[2] == Piece{Piece::Kind::Added, "six"});
    CHECK(difference("", "").empty());
    CHECK(difference("same", "same") == std::vector<Piece>{{Piece::Kind::Same, "same"}});
}

TEST_CASE("without what was added it is the text before, without what was removed the text after")
{
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
        std::string before, after;
        for (auto* text : {&before, &after})
            for (int i = static_cast<int>(random() % 40); i > 0; --i)
                *text += std::string(1, static_cast<char>('a' + random() % 4)) + (random() % 3 ? " " : "\n");
        const auto pieces = difference(before, after);
        REQUIRE(without(pieces, Piece::Kind::Added) == before);
        REQUIRE(without(pieces, Piece::Kind::Removed) == after);
    }
}

TEST_CASE("two long texts that have nothing in common cost no more than their length")
{
    std::string before, after;
    for (int i = 0; i < 20000; ++i) {
        before += "a" + std::to_string(i) + " ";
        after += "b" + std::to_string(i) + " ";
    }
    const auto pieces = difference(before, after);
    CHECK(without(pieces, Piece::Kind::Added) == before);
    CHECK(bytes_of(pieces, Piece::Kind::Removed) >= before.size() - 1);
}
