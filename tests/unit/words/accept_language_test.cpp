// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/words/words.h>

using namespace bivouac;

namespace {

std::string chosen(std::string_view header, const std::vector<std::string_view>& offered = {"en", "fr", "pt-BR", "zh-Hant"})
{
    return std::string(offered[preferred_language(header, offered)]);
}

}  // namespace

TEST_CASE("lookup: the best weight, cut off from the right until one fits")
{
    CHECK(chosen("fr") == "fr");
    CHECK(chosen("FR-ca") == "fr");
    CHECK(chosen("fr-CA, fr;q=0.8, en-US;q=0.5, en;q=0.3") == "fr");
    CHECK(chosen("en;q=0.3, fr;q=0.8") == "fr");
    CHECK(chosen("en, fr") == "en");
    CHECK(chosen("fr, en") == "fr");
    CHECK(chosen("fr;q=0.5,en;q=0.5") == "fr");
    CHECK(chosen("de, nl;q=0.9, fr;q=0.1") == "fr");
    CHECK(chosen("pt-br") == "pt-BR");
    CHECK(chosen("pt-BR-x-private") == "pt-BR");
    CHECK(chosen("zh-Hant-CN-x-private1-private2") == "zh-Hant");
    CHECK(chosen("pt") == "en");
    CHECK(chosen("fr-") == "en");
    CHECK(chosen("frx") == "en");
    CHECK(chosen("fr ; q=0.9 , en;q=0.1") == "fr");
    CHECK(chosen("fr\t;\tq=1.000") == "fr");
}

TEST_CASE("lookup: a star is whatever comes, and a weight of nothing refuses")
{
    CHECK(chosen("*") == "en");
    CHECK(chosen("de, *;q=0.5") == "en");
    CHECK(chosen("*;q=0.1, fr;q=0.2") == "fr");
    CHECK(chosen("fr;q=0, en") == "en");
    CHECK(chosen("en;q=0, *") == "fr");
    CHECK(chosen("fr;q=0") == "en");
    CHECK(chosen("fr-CA, fr;q=0") == "en");
    CHECK(chosen("en;q=0, fr;q=0, pt-BR;q=0, zh-Hant;q=0, *") == "en");  // no answer would help nobody
}

TEST_CASE("lookup: what is no range counts for nothing")
{
    for (const char* header : {"", ",", ",,,;;;", "q=1", "fr;q=2", "fr;q=1.001", "fr;q=-1", "fr;q=0.0001", "fr;q=", "fr;x=1", "fr;q=0,5", "fr q=1", "f\xc3\xa9", "fr_FR",
                               "frrrrrrrrr", "-fr", "fr--CA", "\"fr\"", "fr;q=NaN", "*-fr", "\xff\xfe"}) {
        CAPTURE(header);
        CHECK(chosen(header) == "en");
    }
    CHECK(chosen("fr;q=2, fr;q=0.1") == "fr");
}

TEST_CASE("lookup: no more is read than a person's browser would send")
{
    std::string many;
    for (int i = 0; i < 32; ++i)
        many += "de,";
    CHECK(chosen(many + "fr") == "en");
    CHECK(chosen(many.substr(3) + "fr") == "fr");
    CHECK(chosen(std::string(1024, ' ') + "fr") == "en");
    CHECK(chosen(std::string(1000, ' ') + "fr") == "fr");
    CHECK(chosen(std::string(10u << 20, ',')) == "en");
    CHECK(chosen("fr" + std::string(10u << 20, '-')) == "en");
}
