// SPDX-License-Identifier: BSD-3-Clause
// Groups of readers (Tent 0.3, section 8.2): a group post of ours, and one member post for each member that
// mentions it. What the posts say is kept in a table that permissions are decided by. Whenever a person changes
// who is in a group, the group post gets a new version, so that her apps notice.
#pragma once

#include <string>
#include <vector>

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

struct Group {
    std::string id;    // of the group post
    std::string name;  // "followers": the approved followers, whom approving and denying put in and out
    int64_t members = 0;
};
// The followers first, then by name.
Result<std::vector<Group>> list_groups(store::ReadTx& tx, const Self& self);
// By name, or by the id of its post. NotFound.
Result<Group> find_group(store::ReadTx& tx, const Self& self, const std::string& name_or_id);
// Conflict when there is one of that name; Invalid for a name that means something else with --to.
Result<Group> make_group(store::WriteTx& tx, const Self& self, const std::string& name);
// What was only for the group has no other readers any more. Invalid for the followers.
Result<Group> remove_group(store::WriteTx& tx, const Self& self, const std::string& name_or_id);
Result<std::vector<std::string>> group_members(store::ReadTx& tx, const Self& self, const std::string& group_id);
// Nothing happens when she is in it already, or is not. She need not be a follower, but gets deliveries only as one.
Result<void> join_group(store::WriteTx& tx, const Self& self, const std::string& group_id, const std::string& entity);
Result<void> leave_group(store::WriteTx& tx, const Self& self, const std::string& group_id, const std::string& entity);
Result<void> leave_all_groups(store::WriteTx& tx, const Self& self, const std::string& entity);

}  // namespace bivouac::tent
