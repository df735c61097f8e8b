// SPDX-License-Identifier: BSD-3-Clause
// Groups of readers (Tent 0.3, section 8.2): a group post of ours, and one member post for each member that
// mentions it. What the posts say is kept in a table that permissions are decided by.
#pragma once

#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

// Invalid when the permissions name a group that is no group post of ours.
Result<void> check_groups(store::ReadTx& tx, const Self& self, const Post& post);

// A member post of ours was stored: its member and no other belongs to the group that it mentions.
// Invalid when it mentions no group of ours.
Result<void> member_stored(store::WriteTx& tx, const Self& self, const Post& post);
// A member post or a group post of ours is gone.
Result<void> member_deleted(store::WriteTx& tx, const Self& self, const std::string& post_id);
Result<void> group_deleted(store::WriteTx& tx, const Self& self, const std::string& post_id);

}  // namespace bivouac::tent
