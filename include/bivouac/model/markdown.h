// SPDX-License-Identifier: BSD-3-Clause
// The text of status posts: Tent-flavoured Markdown (Tent 0.3, section 12.2) as a tree, as HTML, as plain text.
// Pure; any bytes are taken, in a time that grows with their number only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bivouac::markdown {

// Quotes within quotes; further '>' are text. Bold, italic and struck can each be in the others once.
inline constexpr size_t kQuoteDepth = 8;
inline constexpr size_t kSpanDepth = kQuoteDepth + 4;

struct Span {
    enum class Kind {
        Text,       // text
        Code,       // text
        Mention,    // text and the index into the post's mentions
        Link,       // text and url, which is_link_target
        Hashtag,    // text without '#'
        LineBreak,
        Bold,       // children
        Italic,
        Struck,
        Quote,
    };
    Kind kind = Kind::Text;
    std::string text;
    std::string url;
    size_t mention = 0;
    std::vector<Span> children;

    bool operator==(const Span&) const = default;
};

std::vector<Span> parse(std::string_view text);

// http, https, tent+http and tent+https with a host, or mailto.
bool is_link_target(std::string_view url);

// A mention of the post, with its entity filled in where it is the post's own.
struct Mention {
    std::string entity;
    std::string post;     // empty: the entity itself is mentioned
    bool hidden = false;  // a private one that the reader must not know of
};

struct HtmlOptions {
    std::string hashtag_path;  // "/tag?name=": where hashtags lead; empty: they are text
    // "/at?entity=": where mentions lead, of a post with "&post=" and its id; empty: to the entity itself.
    std::string mention_path;
};

// Escaped by construction: a, strong, em, del, code, blockquote and br are all that it writes.
std::string to_html(const std::vector<Span>& spans, const std::vector<Mention>& mentions,
                    const HtmlOptions& options = {});
// No control characters but the line feed, so a terminal may show it.
std::string to_plain_text(const std::vector<Span>& spans);

std::string render(std::string_view text, const std::vector<Mention>& mentions);  // to HTML

}  // namespace bivouac::markdown
