// SPDX-License-Identifier: BSD-3-Clause
// Who gets and may read a post of ours: from the words of a person ("followers", "group:Close") to permissions, and
// from a post, written or not yet, to the list of its readers (Tent 0.3, sections 7.5 and 8).
#pragma once

#include <string>
#include <vector>

#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

// Each of `to`: "public", "followers", "group:NAME", "me", or addresses; several may stand in one, with commas. Sets
// the permissions, and mentions those named, so that it is delivered to them. Invalid (also when it names nobody),
// NotFound (a group).
Result<void> address_to(store::ReadTx& tx, const Self& self, Post& draft, const std::vector<std::string>& to);

// An answer goes to those of whom we know that they may see what it answers: everybody for a public post, otherwise its
// author and whom it names, and for a post of our own its readers. NotFound when the post is not here.
Result<void> address_as_reply(store::ReadTx& tx, const Self& self, Post& draft, const std::string& entity,
                              const std::string& post);

struct Reader {
    std::string entity;
    std::vector<std::string> because;  // "follower", "group:NAME", "named", "mentioned"
    bool delivered_to = false;         // by the rules of section 7.5; otherwise she may come and read
    std::string delivery;              // of a stored post: "waiting", "delivered", "refused", "given_up", or ""
    int64_t delivered_at = 0;
};
struct Readers {
    bool is_public = false;  // besides these whoever has the address (behind a sealed door: who is approved)
    std::vector<Reader> readers;  // by entity
    // What the person should know: "mentioned, but may not read it: ..." and the like.
    std::vector<std::string> warnings;
};
// `version_row`: of a stored version; 0 for a draft. Blocked entities are nobody's readers.
Result<Readers> readers_of(store::ReadTx& tx, const Self& self, const Post& post, int64_t version_row);

}  // namespace bivouac::tent
