// SPDX-License-Identifier: BSD-3-Clause
// What is typed is the first line, the rest is a text. Words lie in their text, one after the other; nothing that is looked for
// could end a string of FTS5; an excerpt has its bounds, and the text between its marks is that of the text.
#include "target.h"

#include <algorithm>

#include <bivouac/model/post_words.h>
#include <bivouac/store/search.h>

#include "src/store/search_words.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

void check_words(std::string_view text)
{
    size_t at = 0;
    for (const auto& word : words_of(text)) {
        HOLDS(word.begin >= at && word.begin < word.end && word.end <= text.size());
        HOLDS(!word.folded.empty() && word.folded.find_first_of(std::string_view("\"\0 ", 3)) == std::string::npos);
        at = word.end;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view all = view(data, size);
    const std::string_view typed = all.substr(0, all.find('\n'));
    const std::string_view text = all.substr(std::min(typed.size() + 1, all.size()));
    check_words(typed);
    check_words(text);
    const Wanted wanted = parse_wanted(typed);
    HOLDS(wanted.phrases.size() <= kSearchWords && wanted.tags.size() <= kSearchWords);
    for (const auto& phrase : wanted.phrases)
        HOLDS(!phrase.words.empty());
    for (size_t most : {size_t(0), size_t(5), size_t(50), size_t(1000)}) {
        size_t shown = 0;
        for (const auto& piece : excerpt(text, with_tags_as_words(wanted), most)) {
            HOLDS(!piece.text.empty());
            shown += piece.text == "\u2026" && !piece.marked ? 0 : piece.text.size();
        }
        HOLDS(shown <= most);
    }
    HOLDS(text_of_html(text).size() <= 2 * text.size() + 1);
    return 0;
}
