// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/json.h>
#include <bivouac/model/markdown.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/post_words.h>
#include <bivouac/model/protocol.h>

#include <algorithm>

namespace bivouac {

namespace {

constexpr int kDeepest = 32;

void add(std::string& out, std::string_view text)
{
    if (text.empty() || out.size() >= kWordsOfPost)
        return;
    if (!out.empty())
        out += '\n';
    out += cut(text, kWordsOfPost - std::min(out.size(), kWordsOfPost));
}

void add_strings(std::string& out, const Json& value, int depth)
{
    if (value.is_string())
        add(out, value.get_ref<const std::string&>());
    else if (value.is_structured() && depth < kDeepest)
        for (const auto& element : value)
            add_strings(out, element, depth + 1);
}

void collect_tags(const std::vector<markdown::Span>& spans, std::vector<std::string>& out)
{
    for (const auto& span : spans) {
        if (out.size() >= kTagsOfPost)
            return;
        if (span.kind == markdown::Span::Kind::Hashtag && !span.text.empty() &&
            std::find(out.begin(), out.end(), span.text) == out.end())
            out.push_back(span.text);
        collect_tags(span.children, out);
    }
}

}  // namespace

std::string_view cut(std::string_view text, size_t most)
{
    if (text.size() <= most)
        return text;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80)
        --most;
    return text.substr(0, most);
}

std::string text_of_html(std::string_view html)
{
    static constexpr std::pair<std::string_view, std::string_view> kNamed[] = {
        {"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&apos;", "'"}, {"&nbsp;", "\u00a0"}};
    static constexpr std::string_view kBreaks[] = {"br", "p", "/p", "div", "/div", "li", "/h1", "/h2", "/h3", "/blockquote", "tr"};
    std::string out;
    out.reserve(html.size());
    for (size_t i = 0; i < html.size();) {
        if (html[i] == '<') {
            const size_t end = html.find('>', i);
            if (end == std::string_view::npos) {
                out += html.substr(i);  // no tag: somebody's heart
                break;
            }
            std::string name(html.substr(i + 1, std::min<size_t>(end - i - 1, 12)));
            std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
            for (auto tag : kBreaks)
                if (name.starts_with(tag) && (name.size() == tag.size() || name[tag.size()] == ' ' || name[tag.size()] == '/')) {
                    if (!out.empty() && !out.ends_with("\n\n"))
                        out += '\n';
                    break;
                }
            i = end + 1;
            continue;
        }
        bool named = false;
        if (html[i] == '&')
            for (const auto& [from, to] : kNamed)
                if (html.substr(i).starts_with(from)) {
                    out += to;
                    i += from.size();
                    named = true;
                    break;
                }
        if (!named)
            out += html[i++];
    }
    while (out.ends_with('\n'))
        out.pop_back();
    return out;
}

std::string words_of_post(const Post& post)
{
    const auto base = base_of(post);
    std::string out;
    if (is_bookkeeping(base) || base == type::kRepostBase || base == type::kFavoriteBase)
        return out;
    const Json content = content_of(post);
    if (base == type::kStatusBase) {
        add(out, markdown::to_plain_text(markdown::parse(text_in(content, "text"))));
    } else if (base == type::kEssayBase) {
        add(out, text_in(content, "title"));
        add(out, text_of_html(text_in(content, "excerpt")));
        add(out, text_of_html(text_in(content, "body")));
    } else if (base == type::kPhotoBase) {
        add(out, text_in(content, "caption"));
    } else {
        add_strings(out, content, 0);
    }
    for (const auto& attachment : post.attachments)
        add(out, attachment.name);
    return out;
}

std::vector<std::string> tags_of_post(const Post& post)
{
    std::vector<std::string> out;
    const auto base = base_of(post);
    if (base == type::kStatusBase)
        collect_tags(markdown::parse(text_in(content_of(post), "text")), out);
    else if (base == type::kTagBase)
        if (std::string name = text_in(content_of(post), "name"); !name.empty())
            out.emplace_back(cut(name, 200));
    return out;
}

}  // namespace bivouac
