// SPDX-License-Identifier: BSD-3-Clause
// Full text search over the posts that the owner of an entity can read on her pages, her people and the tags (sql/0016_search.sql
// has the tables). New posts are indexed later: index_waiting() before a search, index_some() when nobody writes.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/model/post.h>
#include <bivouac/store/store.h>

namespace bivouac::store {

// What somebody looks for. All of it must be there.
struct Wanted {
    struct Phrase {
        std::vector<std::string> words;  // folded, one after the other
        bool is_prefix = false;          // the last one is the beginning of a word
        bool operator==(const Phrase&) const = default;
    };
    std::vector<Phrase> phrases;
    std::vector<std::string> tags;  // folded
    bool was_cut = false;           // it was longer than what is looked at

    bool empty() const { return phrases.empty() && tags.empty(); }
};
inline constexpr size_t kSearchBytes = 500;
inline constexpr size_t kSearchWords = 16;

// Takes whatever is typed: words, "words in this order", #tag; every other sign only separates. Pure.
Wanted parse_wanted(std::string_view text);
std::string fold_tag(std::string_view tag);  // "" where nothing is left of it

// For marks: what is tagged has the words of the tag in its text.
Wanted with_tags_as_words(Wanted wanted);

struct Piece {
    std::string text;
    bool marked = false;
};
// At most so many bytes of a text, around the first place that was looked for. Line breaks are spaces.
std::vector<Piece> excerpt(std::string_view text, const Wanted& wanted, size_t most);

enum class FoundOrder { Newest, Closest };
struct SearchPage {
    FoundOrder order = FoundOrder::Newest;
    int64_t before = 0;  // Newest: rows below this one; 0: from the top
    int64_t after = 0;   // Newest: the lowest rows above this one; 0: not asked
    int64_t skip = 0;    // Closest
    int64_t limit = 25;
};
// More than this are not sorted by closeness: the newest of them are.
inline constexpr int64_t kSortedByCloseness = 5000;

struct FoundPost {
    int64_t row = 0;  // for SearchPage
    Post post;
};
struct FoundPosts {
    std::vector<FoundPost> posts;
    bool older = false;  // there are more
    bool newer = false;
};
// Those that the timeline could show: of the owner and of people whom she follows or has approved, who are not blocked; the
// newest version. Newest: in the order in which they came here, as on the timeline.
Result<FoundPosts> search_posts(ReadTx& tx, int64_t owner, const Wanted& wanted, const SearchPage& page);

struct FoundPerson {
    std::string entity;
    std::string name;  // as she calls herself; may be empty
    std::string note;  // of her wish to follow
    std::string follower;
    std::string following;
};
// Without the blocked and without the owner. At most `limit`, after `skip`.
Result<std::vector<FoundPerson>> search_people(ReadTx& tx, int64_t owner, const Wanted& wanted, int64_t limit, int64_t skip);

struct FoundTag {
    std::string tag;  // as one post writes it
    int64_t posts = 0;
};
// Tags that begin with the first thing that was looked for, those of most posts first.
Result<std::vector<FoundTag>> search_tags(ReadTx& tx, int64_t owner, const Wanted& wanted, int64_t limit);

// Posts and people of all entities that are yet to be indexed: at most so many, and none when it is 0.
Result<int64_t> count_waiting(ReadTx& tx);
// Indexes some of them.
Result<void> index_some(WriteTx& tx, int64_t most);
// Until nothing waits, or for so long; how many still wait. Not on the writer's thread.
Result<int64_t> index_waiting(Store& store, std::chrono::milliseconds patience);
inline constexpr std::chrono::milliseconds kIndexingPatience{1500};

// The row of the newest post; when it is another one than before, somebody writes.
Result<int64_t> newest_post_row(ReadTx& tx);

// Before an entity with her posts is removed: one by one they would take minutes to leave the index.
Result<void> forget_before_removal(WriteTx& tx, int64_t owner);

}  // namespace bivouac::store
