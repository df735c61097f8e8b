// SPDX-License-Identifier: BSD-3-Clause
// The tree is flat and no larger than its text; the HTML has the few elements it may have, each closed, with
// nothing unescaped between them; the plain text has no control characters.
#include "target.h"

#include <algorithm>
#include <vector>

#include <bivouac/model/markdown.h>

using namespace bivouac::markdown;

namespace {

size_t check_tree(const std::vector<Span>& spans, size_t depth)
{
    HOLDS(depth < kSpanDepth || spans.empty());
    size_t count = 0;
    for (const auto& span : spans) {
        if (span.kind == Span::Kind::Link)
            HOLDS(is_link_target(span.url) && !span.text.empty());
        count += 1 + check_tree(span.children, depth + 1);
    }
    return count;
}

// `at` stands on a '<'; returns what follows the element's '>'.
size_t check_element(std::string_view html, size_t at, std::vector<std::string_view>& open)
{
    size_t end = html.find('>', at);
    HOLDS(end != std::string_view::npos);
    std::string_view inside = html.substr(at + 1, end - at - 1);
    if (inside.starts_with('/')) {
        HOLDS(!open.empty() && open.back() == inside.substr(1));
        open.pop_back();
        return end + 1;
    }
    if (inside == "br")
        return end + 1;
    if (inside.starts_with("a href=\"")) {
        std::string_view rest = inside.substr(8);
        size_t quote = rest.find('"');
        HOLDS(rest.substr(quote) == "\" rel=\"nofollow noreferrer\"");
        std::string_view target = rest.substr(0, quote);
        HOLDS(target.starts_with("/tag?name=") || is_link_target(target));
        open.push_back("a");
        return end + 1;
    }
    HOLDS(inside == "strong" || inside == "em" || inside == "del" || inside == "code" || inside == "blockquote");
    open.push_back(inside);
    return end + 1;
}

void check_html(std::string_view html)
{
    std::vector<std::string_view> open;
    size_t at = 0;
    while (at < html.size()) {
        char c = html[at];
        if (c == '<') {
            at = check_element(html, at, open);
            HOLDS(open.size() <= kSpanDepth);
            continue;
        }
        HOLDS(c != '>' && c != '"' && c != '\'');
        if (c == '&') {
            std::string_view rest = html.substr(at);
            HOLDS(rest.starts_with("&amp;") || rest.starts_with("&lt;") || rest.starts_with("&gt;") ||
                  rest.starts_with("&quot;") || rest.starts_with("&#39;"));
        }
        ++at;
    }
    HOLDS(open.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view text = view(data, size);
    auto spans = parse(text);
    HOLDS(check_tree(spans, 0) <= 2 * size);
    const std::vector<Mention> mentions = {
        {"http://b.onion", "", false}, {"http://c.onion/'\"", "Xk3v", false}, {"http://d.onion", "", true}};
    check_html(to_html(spans, mentions));
    check_html(to_html(spans, mentions, {"/tag?name="}));
    std::string plain = to_plain_text(spans);
    HOLDS(std::none_of(plain.begin(), plain.end(),
                       [](unsigned char c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f; }));
    return 0;
}
