// SPDX-License-Identifier: BSD-3-Clause
// The history of our own reachability.
#pragma once

#include <string>
#include <vector>

#include <bivouac/store/transaction.h>

namespace bivouac::store {

struct Outage {
    int64_t began_at = 0;
    int64_t ended_at = 0;  // 0: not seen to be over
    int64_t repairs = 0;
    std::string why;       // of the first failure
};

constexpr int64_t kOutagesKept = 100;

Result<void> begin_outage(WriteTx& tx, int64_t owner, std::string_view why);
Result<void> count_repair(WriteTx& tx, int64_t owner);  // of the one that is open
Result<void> end_outage(WriteTx& tx, int64_t owner);    // all that are open
Result<std::vector<Outage>> list_outages(ReadTx& tx, int64_t owner);  // newest first

}  // namespace bivouac::store
