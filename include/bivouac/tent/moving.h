// SPDX-License-Identifier: BSD-3-Clause
// Changing one's address with followers (Tent 0.3, section 1.6), and taking note of others who did. docs/protocol.md has
// what is told to whom; tent/succession.h what proves it. Each function is one step inside a transaction.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <bivouac/base/secret.h>
#include <bivouac/model/post.h>
#include <bivouac/store/moves.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

// What the store knows of moves, into `self`.
Result<void> load_moves(store::ReadTx& tx, const Self& self);

// `self` has the address of `new_seed` from the commit on: meta post, all her posts, relationships. The old address is
// served until `serve_old_until`. Everybody who is to know has the meta post in her queue. `progress`: versions looked
// at, and all. The present seed is `old_seed`.
Result<std::string> move_self(store::WriteTx& tx, const Self& self, const Secret& old_seed, const Secret& new_seed,
                              int64_t serve_old_until, const std::function<void(int64_t, int64_t)>& progress = {});

// The meta post of somebody says that it succeeds an address that we know: then all that concerns that one concerns her.
// False: it says no such thing, or nothing of an address that we know. Forbidden: it says so and it is not true (not signed by
// both keys, expired, or that address was left for another one).
Result<bool> follow_move(store::WriteTx& tx, const Self& self, const Post& meta, const std::string& from);
// The same for every address that it claims and that we know.
Result<bool> follow_moves(store::WriteTx& tx, const Self& self, const Post& meta);

// How the meta post goes to a peer that knows us by an earlier address: signed by the keys of the relationship, in the
// name of that address, with the present one in its content.
Post announcement(const Post& meta, const std::string& current, const std::string& known_as);

// What others call by an address that was left is called by the present one, as if they knew.
void bring_up_to_date(const Self& self, Post& post);

}  // namespace bivouac::tent
