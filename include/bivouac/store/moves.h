// SPDX-License-Identifier: BSD-3-Clause
// Entities that changed their address (Tent 0.3, section 1.6), as one local entity's store knows it: what was by or about
// the old address is by or about the new one, and keeps the old one as original_entity, so that version ids verify.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <bivouac/base/secret.h>
#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>

namespace bivouac::store {

// A post with every mention of `from` turned into `to`. False: there was none. Pure.
bool rename_in(Post& post, const std::string& from, const std::string& to);

// (old, new) of all moves known to the owner.
Result<std::vector<std::pair<std::string, std::string>>> load_moves(ReadTx& tx, int64_t owner);

// Notes the move and points everything at the new address: authors, mentions, permissions, groups, subscriptions, keys,
// deliveries, the relationship (where both are known, the old one's standing and the new one's keys count). The texts of
// posts follow by rewrite_posts(). Conflict: `from` has moved before.
Result<void> move_entity(WriteTx& tx, int64_t owner, const std::string& from, const std::string& to, int64_t moved_at);

// The next texts of posts, some hundreds; false when all are done.
Result<bool> rewrite_posts(WriteTx& tx, int64_t owner);
// Owners with texts to rewrite.
Result<std::vector<int64_t>> unfinished_moves(ReadTx& tx);

// The local entity itself. What is her address, and which she had; the peers that do not know it yet are marked.
Result<void> set_entity_address(WriteTx& tx, int64_t owner, const std::string& entity, const std::string& onion,
                                const Secret& seed, int64_t serve_old_until);

struct PreviousOnion {
    int64_t owner = 0;
    std::string onion;
    Secret seed;
    int64_t until = 0;
};
Result<std::vector<PreviousOnion>> previous_onions(ReadTx& tx);
Result<void> forget_previous_onions(WriteTx& tx, int64_t owner);  // those whose time is over

// The peer knows our present address now.
Result<void> peer_knows_us(WriteTx& tx, int64_t owner, std::string_view peer);

}  // namespace bivouac::store
