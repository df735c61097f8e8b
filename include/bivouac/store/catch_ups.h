// SPDX-License-Identifier: BSD-3-Clause
// How far we have read those whom we follow. One row an entity; the relay works on those that are due, a page at a
// time, and each page's posts are stored before the row says so: whatever kills the node, the worst is to ask again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bivouac/model/feed_query.h>
#include <bivouac/store/transaction.h>

namespace bivouac::store {

struct CatchUp {
    int64_t owner = 0;
    std::string peer;
    int64_t due_at = 0;
    bool fresh = true;  // begin with the newest posts; otherwise with what follows the cursor
    Cursor cursor;      // time: version.published_at
    int page_size = 100;
    int64_t pages = 0;  // of the run under way
    int64_t got = 0;    // new versions in it, or in the last one
    int64_t tries = 0;  // failures in a row
    int64_t done_at = 0;
    int64_t failed_at = 0;
    std::string problem;
};

enum class Begin { WhereItEnded, Anew };
// Due now; made if there is none.
Result<void> want_catch_up(WriteTx& tx, int64_t owner, std::string_view peer, Begin begin);
Result<void> drop_catch_up(WriteTx& tx, int64_t owner, std::string_view peer);
Result<void> save_catch_up(WriteTx& tx, const CatchUp& catch_up);
Result<std::optional<CatchUp>> next_catch_up(ReadTx& tx, int64_t owner, std::string_view peer);  // when it is due
Result<std::vector<CatchUp>> list_catch_ups(ReadTx& tx, int64_t owner);
// Those that ended before `done_before` are due at `due_at`, if that is earlier. `peer` empty: all of the owner's;
// `owner` 0: everybody's.
Result<void> hurry_catch_ups(WriteTx& tx, int64_t owner, std::string_view peer, int64_t done_before, int64_t due_at);

}  // namespace bivouac::store
