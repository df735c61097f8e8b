// SPDX-License-Identifier: BSD-3-Clause
// How much an entity may hold, for nodes that host several. What is held is counted by triggers (sql/0013_hosting.sql).
#pragma once

#include <cstdint>
#include <optional>

#include <bivouac/store/transaction.h>

namespace bivouac::store {

// Bytes: of all versions of posts as text, and of the attachments that each of them lists. 0: no limit.
struct Quota {
    int64_t most_posts = 0;
    int64_t most_bytes = 0;
    int64_t posts = 0;
    int64_t bytes = 0;
};

// Nothing: she has no limits, and nothing is counted.
Result<std::optional<Quota>> load_quota(ReadTx& tx, int64_t owner);
// Counts what is there, which walks over all of it. Both 0: no limits any more.
Result<void> set_quota(WriteTx& tx, int64_t owner, int64_t most_posts, int64_t most_bytes);
// What she holds, counted now.
Result<Quota> count_usage(ReadTx& tx, int64_t owner);

// NoSpace when a post of that many bytes is one too many.
Result<void> check_quota(ReadTx& tx, int64_t owner, int64_t bytes);

}  // namespace bivouac::store
