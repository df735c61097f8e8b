// SPDX-License-Identifier: BSD-3-Clause
// HTML under construction, escaped by construction: markup comes only from literals of this program, everything else is
// text. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bivouac/model/markdown.h>

namespace bivouac {

class Html {
public:
    class Markup {
    public:
        consteval Markup(const char* literal) : text_(literal) {}

    private:
        friend class Html;
        std::string_view text_;
    };

    Html& markup(Markup markup)
    {
        out_ += markup.text_;
        return *this;
    }
    // In an element or a quoted attribute. What a browser would not show as it is written (control characters, marks
    // that turn the direction of reading) is replaced.
    Html& text(std::string_view text);
    // A part that was made by this class.
    Html& part(const Html& other)
    {
        out_ += other.out_;
        return *this;
    }
    // The text of a post as model/markdown writes it, which is the only other place where HTML is made.
    Html& post_text(std::string_view markdown, const std::vector<markdown::Mention>& mentions,
                    const markdown::HtmlOptions& options);

    void reserve(size_t bytes) { out_.reserve(bytes); }
    size_t size() const { return out_.size(); }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

}  // namespace bivouac
