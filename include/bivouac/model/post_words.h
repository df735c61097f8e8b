// SPDX-License-Identifier: BSD-3-Clause
// What of a post is words for people: for the search index, for lists and excerpts. Pure; any bytes are taken.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/model/post.h>

namespace bivouac {

// The words of a post that is longer stop here, at a whole character.
inline constexpr size_t kWordsOfPost = 64 << 10;
inline constexpr size_t kTagsOfPost = 64;
// What words_of_post() makes of a post, and the store of its words. The number changes when either does: what is in the search
// index was made by them, and can only be taken out by exactly the same words.
inline constexpr int kWordsVersion = 2;

// Status: its text without markup. Essay: title, excerpt and body. Photo: caption. Other types that people may read: the
// strings of the content. With the names of the attachments. Empty for bookkeeping, reposts and favorites.
std::string words_of_post(const Post& post);
// "#tag" in the text of a status, and the name of a tag post; without '#', each once as it was written.
std::vector<std::string> tags_of_post(const Post& post);

// HTML of others as plain text: tags are dropped, the few common entities decoded.
std::string text_of_html(std::string_view html);
// At most so many bytes, whole characters.
std::string_view cut(std::string_view text, size_t most);

}  // namespace bivouac
