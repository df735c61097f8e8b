// SPDX-License-Identifier: BSD-3-Clause
// A post as people see it: on the timeline, alone, on the public pages.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <bivouac/model/feed_query.h>
#include <bivouac/model/post.h>
#include <bivouac/model/post_list.h>
#include <bivouac/model/post_words.h>
#include <bivouac/store/reactions.h>
#include <bivouac/store/search.h>
#include <bivouac/tent/audience.h>

#include "page.h"

namespace bivouac::pages {

enum class Reader { Owner, Stranger };

// What is shown around posts, loaded for a whole page at once.
struct Around {
    std::map<std::string, Profile> profiles;
    std::map<std::pair<std::string, std::string>, store::Reactions> reactions;  // by author and id
    std::map<std::pair<std::string, std::string>, Post> others;                  // what is reposted or favored
    std::pair<std::string, std::string> shown_above;  // a post that the page shows anyway: it is not quoted
};
Result<Around> load_around(store::ReadTx& tx, const tent::Self& self, const std::vector<Post>& posts, Reader reader);

std::string author_name(const Around& around, const tent::Self& self, const std::string& entity);  // "" when she has none

enum class Detail { Card, Whole };
void show_post(Page& page, const Post& post, const Around& around, Reader reader, Detail detail);

// One result of a search: who, when, and the excerpt, with a link to the post.
void show_found(Page& page, const Post& post, const Around& around, const std::vector<store::Piece>& excerpt);
void show_pieces(Page& page, const std::vector<store::Piece>& pieces);

// With the names of readers, as far as they are known.
Result<void> load_readers(store::ReadTx& tx, const tent::Self& self, const tent::Readers& readers, Around& around);
void show_readers(Page& page, const tent::Readers& readers, const Around& around);

// The cursors of a feed, and nothing else of the query: the rest is ours to say.
Result<FeedQuery> stream_query(const Visit& visit);

// The words of a post, for lists, search results and feeds. At most `most` bytes, cut at a character.
std::string plain_text_of(const Post& post, size_t most);
// What an image is by its bytes' beginning: "image/png" and the like; null for everything that is not one of four plain
// formats, which a browser only gets as a download.
const char* plain_image_type(std::string_view content_type);

}  // namespace bivouac::pages
