// SPDX-License-Identifier: BSD-3-Clause
// The language of one answer. Texts are literals that xgettext finds (po/update knows the functions that take one):
// t("..."), tn("one", "many"), T("...") where a literal is handed on, and Tc("context", "...") where the same English
// word has two meanings or says nothing without its place. Translations are in po/, compiled into the program.
// Everything here may be used by several threads at once.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace bivouac {

struct Catalogue;

class Msg {
public:
    consteval Msg(const char* literal)
        : text_(literal)
        , hash_(hashed(kHashBegin, literal))
    {
    }
    consteval Msg(const char* context, const char* literal)
        : text_(literal)
        , hash_(hashed(hashed(hashed(kHashBegin, context), "\x04"), literal))
    {
    }
    std::string_view text() const { return text_; }  // in English
    const char* c_str() const { return text_.data(); }
    uint64_t hash() const { return hash_; }

    // FNV-1a, which po/compile.py computes as well.
    static constexpr uint64_t kHashBegin = 0xcbf29ce484222325u;
    static constexpr uint64_t hashed(uint64_t hash, std::string_view text)
    {
        for (char c : text)
            hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
        return hash;
    }

private:
    std::string_view text_;
    uint64_t hash_;
};
consteval Msg T(const char* literal) { return Msg(literal); }
consteval Msg Tc(const char* context, const char* literal) { return Msg(context, literal); }

class Words {
public:
    explicit Words(const Catalogue* catalogue);  // none: English, as it is in the sources

    std::string_view operator()(Msg msg) const;
    std::string_view plural(Msg one, Msg many, int64_t n) const;
    // What a deeper layer said, where there is a translation of it (src/words/runtime_texts.cpp).
    std::string runtime(std::string_view text) const;

    std::string tag() const;  // of BCP 47
    std::string_view own_name() const { return own_name_; }  // "English", "français"
    bool right_to_left() const { return right_to_left_; }
    // In UTC.
    std::string date(int64_t ms) const;
    std::string date_time(int64_t ms) const;
    std::string number(int64_t n) const;
    std::string size(int64_t bytes) const;  // in multiples of 1024

private:
    std::string decimal(int64_t tenths) const;

    const Catalogue* catalogue_;
    std::string_view own_name_;
    bool right_to_left_ = false;
    std::array<std::string_view, 12> months_;
    std::string_view first_day_, date_, time_, date_time_;
    std::string_view thousands_, decimal_point_;
    std::array<std::string_view, 5> sizes_;
};

// All languages of this program, English first.
const std::vector<Words>& languages();
// The words of the language that a person chose (a tag; "" when she did not), or else of her browser.
const Words& words_for(std::string_view accept_language, std::string_view chosen);
// The tag, as we spell it, when it is one of ours; "" otherwise.
std::string known_language(std::string_view tag);

// RFC 4647, section 3.4 (lookup): the place in `offered` of what the header prefers; 0 when it prefers none of them.
// Reads no more than 1024 bytes and 32 ranges of it. Pure.
size_t preferred_language(std::string_view accept_language, const std::vector<std::string_view>& offered);

// Calls `text` for what is between the places ({0} to {9}) of a pattern, and `place` with the number of each.
template <typename Text, typename Place>
void for_pieces(std::string_view pattern, Text text, Place place)
{
    size_t from = 0;
    for (size_t open = pattern.find('{'); open != std::string_view::npos; open = pattern.find('{', open + 1)) {
        if (open + 2 >= pattern.size() || pattern[open + 2] != '}' || pattern[open + 1] < '0' || pattern[open + 1] > '9')
            continue;
        text(pattern.substr(from, open - from));
        place(static_cast<size_t>(pattern[open + 1] - '0'));
        from = open + 3;
    }
    text(pattern.substr(from));
}
// The pattern with {0} replaced by the first of `arguments`, and so on.
std::string filled(std::string_view pattern, std::initializer_list<std::string_view> arguments);

}  // namespace bivouac
