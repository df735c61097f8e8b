// SPDX-License-Identifier: BSD-3-Clause
// What strangers have left with an entity today. Counted apart from what is stored, so that a limit costs one look-up.
#pragma once

#include <bivouac/store/transaction.h>

namespace bivouac::store {

struct StrangersToday {
    int64_t contacts = 0;  // entities that were not known before
    int64_t posts = 0;     // held until their author is let in
    int64_t bytes = 0;     // of those posts, as they came
};

// Days are those of UTC, by the transaction's clock.
Result<StrangersToday> strangers_today(ReadTx& tx, int64_t owner);
Result<void> count_strangers(WriteTx& tx, int64_t owner, const StrangersToday& more);

}  // namespace bivouac::store
