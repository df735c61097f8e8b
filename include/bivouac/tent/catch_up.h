// SPDX-License-Identifier: BSD-3-Clause
// Pulling what was missed from an entity that we follow: her feed, read with the keys of the relationship (Tent 0.3,
// sections 4.2 and 7.3). What to ask, what came, and how it is kept: like a delivery, with the same checks and effects.
#pragma once

#include <string>
#include <vector>

#include <bivouac/model/json.h>
#include <bivouac/store/catch_ups.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

// The query of her posts_feed, without '?'. Others page by published_at: received_at is not shown to them.
std::string catch_up_query(const store::CatchUp& catch_up);

struct MissedPage {
    std::vector<Json> posts;  // hers, oldest first
    store::CatchUp after;     // with the cursor behind this page
    bool more = false;        // there may be more
};
// Pure. Invalid: not a feed. Posts of others are left out; a cursor never leads into the future, so that a post that is
// dated there hides none.
Result<MissedPage> read_missed(const std::string& body, const store::CatchUp& catch_up, int64_t now_ms);

// One of them. False: known already, or not as it should be: a bad post must not stop the others. Errors are those of
// the store, then nothing may be taken as read.
Result<bool> take_missed(store::WriteTx& tx, const Self& self, const std::string& peer, const Json& post);

// The page is stored, and `got` of it was new: go on at once, or be due in some hours.
Result<void> missed_page_done(store::WriteTx& tx, MissedPage page, int64_t got, int64_t rest_ms);
// It did not come: later, longer each time; in smaller pages when it was too much at once.
Result<void> missed_page_failed(store::WriteTx& tx, store::CatchUp catch_up, const std::string& problem, bool too_large,
                                int64_t wait_ms);

}  // namespace bivouac::tent
