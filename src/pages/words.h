// SPDX-License-Identifier: BSD-3-Clause
// The language of one answer. Texts are literals that xgettext finds: t("..."), tn("one", "many"), and T("...") where a
// literal is handed on.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace bivouac::pages {

class Msg {
public:
    consteval Msg(const char* literal) : text_(literal) {}
    std::string_view text() const { return text_; }
    const char* c_str() const { return text_.data(); }

private:
    std::string_view text_;
};
consteval Msg T(const char* literal) { return Msg(literal); }

class Words {
public:
    std::string_view operator()(Msg msg) const { return msg.text(); }
    std::string_view plural(Msg one, Msg many, int64_t n) const { return n == 1 ? one.text() : many.text(); }
    // What a deeper layer said, where there is a translation of exactly that.
    std::string_view runtime(std::string_view text) const { return text; }

    std::string tag() const { return "en"; }
    bool right_to_left() const { return false; }
    std::string date(int64_t ms) const;
    std::string date_time(int64_t ms) const;
    std::string number(int64_t n) const;
    std::string size(int64_t bytes) const;
};

}  // namespace bivouac::pages
