// SPDX-License-Identifier: BSD-3-Clause
// How text becomes the words of the search index: FTS5's unicode61 (words of letters, marks and digits, small, without
// diacritics), but each character of a script that is written without spaces is a word of its own. A search for such text
// is a phrase, so it finds every part of it, and marks it; an index of trigrams would find nothing shorter than three.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>

struct sqlite3;

namespace bivouac::store {

struct Word {
    std::string folded;
    size_t begin = 0;  // bytes of the text
    size_t end = 0;
};
// From every thread. Text that is no UTF-8 is taken as it comes.
std::vector<Word> words_of(std::string_view text);

// Gives a connection what the schema needs: the tokenizer "bivouac", search_words(body of a post), and the auxiliary function
// closeness() by which results are sorted.
Result<void> add_search_functions(sqlite3* database);

// When the file is opened: an index whose words were made otherwise than this program makes them is emptied, to be made anew.
class Database;
Result<void> check_words_version(Database& database);

}  // namespace bivouac::store
