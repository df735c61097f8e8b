// SPDX-License-Identifier: BSD-3-Clause
// The parts of a search that need no database: what was typed, and what of a text is shown.
#include <bivouac/model/post_words.h>
#include <bivouac/store/search.h>

#include <algorithm>

#include "search_words.h"

namespace bivouac::store {

namespace {

constexpr size_t kContextBytes = 60;  // before the first mark of an excerpt

bool is_digit_or_letter(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

bool has_space(std::string_view text)
{
    return text.find_first_of(std::string_view(" \t\r\n\0", 5)) != std::string_view::npos || text.find("\u00a0") != std::string_view::npos ||
           text.find("\u3000") != std::string_view::npos;
}

}  // namespace

std::string fold_tag(std::string_view tag)
{
    std::string out;
    for (const auto& word : words_of(cut(tag, 200)))
        out += (out.empty() ? "" : "_") + word.folded;
    return out;
}

Wanted parse_wanted(std::string_view text)
{
    Wanted out;
    out.was_cut = text.size() > kSearchBytes;
    const std::string_view whole = cut(text, kSearchBytes);
    size_t words = 0;
    auto add = [&](std::string_view part, bool in_quotes) {
        // A word with signs in it ("e-mail") is a phrase; words side by side are each their own.
        std::vector<Wanted::Phrase> phrases;
        size_t last_end = std::string_view::npos;
        for (auto& word : words_of(part)) {
            if (++words > kSearchWords) {
                out.was_cut = true;
                break;
            }
            const bool apart = !in_quotes && (last_end == std::string_view::npos || has_space(part.substr(last_end, word.begin - last_end)));
            if (phrases.empty() || apart)
                phrases.emplace_back();
            phrases.back().words.push_back(std::move(word.folded));
            last_end = word.end;
        }
        for (auto& phrase : phrases)
            out.phrases.push_back(std::move(phrase));
    };
    size_t from = 0;
    bool ends_in_word = false;
    for (size_t at = 0; at <= whole.size(); ++at) {
        const bool at_end = at == whole.size();
        if (!at_end && whole[at] == '"') {
            add(whole.substr(from, at - from), false);
            const size_t end = std::min(whole.find('"', at + 1), whole.size());
            add(whole.substr(at + 1, end - at - 1), true);
            ends_in_word = end == whole.size() && end > at + 1;  // still being typed
            at = end;
            from = std::min(end + 1, whole.size());
            if (end == whole.size())
                break;
            continue;
        }
        const bool begins = at == 0 || !is_digit_or_letter(static_cast<unsigned char>(whole[at - 1]));
        if (!at_end && whole[at] == '#' && begins) {
            add(whole.substr(from, at - from), false);
            const size_t end = std::min(whole.find_first_of(std::string_view(" \t\r\n\"#,;\0", 9), at + 1), whole.size());
            if (std::string tag = fold_tag(whole.substr(at + 1, end - at - 1));
                !tag.empty() && out.tags.size() < kSearchWords && std::find(out.tags.begin(), out.tags.end(), tag) == out.tags.end())
                out.tags.push_back(std::move(tag));
            ends_in_word = false;
            from = end;
            at = end - 1;
            continue;
        }
        if (at_end && from < at) {
            const size_t before = out.phrases.size();
            add(whole.substr(from), false);
            ends_in_word = out.phrases.size() > before && is_digit_or_letter(static_cast<unsigned char>(whole.back()));
        }
    }
    if (ends_in_word && !out.phrases.empty())
        out.phrases.back().is_prefix = true;
    return out;
}

Wanted with_tags_as_words(Wanted wanted)
{
    for (const auto& tag : wanted.tags) {
        Wanted::Phrase phrase;
        for (auto& word : words_of(tag))
            phrase.words.push_back(std::move(word.folded));
        wanted.phrases.push_back(std::move(phrase));
    }
    return wanted;
}

std::vector<Piece> excerpt(std::string_view text, const Wanted& wanted, size_t most)
{
    const auto words = words_of(cut(text, kWordsOfPost));
    struct Range {
        size_t begin, end;
    };
    std::vector<Range> marks;
    for (size_t i = 0; i < words.size(); ++i)
        for (const auto& phrase : wanted.phrases) {
            const size_t length = phrase.words.size();
            bool same = length > 0 && i + length <= words.size();
            for (size_t k = 0; same && k < length; ++k)
                same = k + 1 == length && phrase.is_prefix ? words[i + k].folded.starts_with(phrase.words[k]) : words[i + k].folded == phrase.words[k];
            if (same)
                marks.push_back({words[i].begin, words[i + length - 1].end});
        }
    std::sort(marks.begin(), marks.end(), [](const Range& a, const Range& b) { return a.begin < b.begin || (a.begin == b.begin && a.end > b.end); });
    // From the beginning where that shows a mark, and else from a word a little before the first one.
    size_t begin = 0;
    if (!marks.empty() && marks.front().end > most) {
        const size_t wish = marks.front().begin - std::min(marks.front().begin, kContextBytes);
        for (const auto& word : words)
            if (word.begin >= wish) {
                begin = word.begin;
                break;
            }
    }
    const std::string_view shown = cut(text.substr(begin), most);
    const size_t end = begin + shown.size();
    std::vector<Piece> out;
    auto add = [&](size_t from, size_t to, bool marked) {
        if (from >= to)
            return;
        std::string piece(text.substr(from, to - from));
        std::replace_if(piece.begin(), piece.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
        out.push_back({std::move(piece), marked});
    };
    if (begin > 0)
        out.push_back({"\u2026", false});
    size_t at = begin;
    for (const auto& mark : marks) {
        if (mark.begin >= end)
            break;
        if (mark.end <= at)
            continue;
        add(at, std::max(at, mark.begin), false);
        add(std::max(at, mark.begin), std::min(mark.end, end), true);
        at = std::min(mark.end, end);
    }
    add(at, end, false);
    if (end < text.size())
        out.push_back({"\u2026", false});
    return out;
}

}  // namespace bivouac::store
