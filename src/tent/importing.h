// SPDX-License-Identifier: BSD-3-Clause
// Complete posts taken in as they are (Tent 0.3, sections 4.5.2 and 13), and the records rebuilt that live beside
// posts: keys, grants, relationships, subscriptions, groups.
#pragma once

#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

// Invalid: a version id that does not verify, or a post that lacks what only its publisher knows.
Result<Post> import_version(store::WriteTx& tx, const Self& self, Post post);

}  // namespace bivouac::tent
