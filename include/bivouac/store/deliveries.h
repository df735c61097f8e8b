// SPDX-License-Identifier: BSD-3-Clause
// The outbox and the list of attachments still to be fetched. Rows are written in the transaction that stores
// the post; the relay claims what is due.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bivouac/store/transaction.h>

namespace bivouac::store {

// Nothing happens when that version is already on its way to, or with, that peer.
enum class Order { InTurn, Ahead };  // Ahead: before everything in turn (the end of a handshake)
Result<void> enqueue_delivery(WriteTx& tx, int64_t owner, std::string_view peer, int64_t version_row,
                              Order order = Order::InTurn);
// Whatever became of it before.
Result<void> deliver_again(WriteTx& tx, int64_t owner, std::string_view peer, int64_t version_row);

struct DuePeer {
    int64_t owner = 0;
    std::string peer;
};
// Peers with something waiting (deliveries or fetches) whose time has come.
Result<std::vector<DuePeer>> due_peers(ReadTx& tx, int64_t now_ms, int64_t limit);
// When the next one is due; nullopt when nothing waits.
Result<std::optional<int64_t>> next_due_at(ReadTx& tx);

struct Delivery {
    int64_t id = 0;
    int64_t version_row = 0;
    int64_t tries = 0;
    int64_t created_at = 0;
};
// The oldest that waits for this peer: the order of posting is the order of arrival.
Result<std::optional<Delivery>> next_delivery(ReadTx& tx, int64_t owner, std::string_view peer);
Result<void> end_delivery(WriteTx& tx, int64_t id, std::string_view state, std::string_view problem);
Result<void> count_delivery_try(WriteTx& tx, int64_t id, std::string_view problem);
Result<void> drop_deliveries(WriteTx& tx, int64_t owner, std::string_view peer);
struct GivenUp {
    int64_t owner = 0;
    std::string peer;
    int64_t version_row = 0;
};
Result<bool> is_waiting(ReadTx& tx, int64_t id);

// Marks what has waited for longer than the patience, a bounded number at a time. Only what was tried in vain after that
// time: a node that was off for longer tries before it gives up.
Result<std::vector<GivenUp>> give_up_old(WriteTx& tx, int64_t patience_ms);

// Versions that wait for the peer and whose failing no app was told of yet (tent/delivery_failure).
Result<std::vector<int64_t>> untold_deliveries(ReadTx& tx, int64_t owner, std::string_view peer);
Result<void> mark_told(WriteTx& tx, int64_t owner, std::string_view peer);

// The peer's queue: after a failure not before `next_try_at`; `tries` 0 forgets earlier failures.
Result<void> set_peer_wait(WriteTx& tx, int64_t owner, std::string_view peer, int64_t tries, int64_t next_try_at,
                           std::string_view problem);
// Everything waiting is due now (tor came back), or what waits for one peer (it contacted us).
Result<void> wake_all(WriteTx& tx);
Result<bool> wake_peer(WriteTx& tx, int64_t owner, std::string_view peer);

// Who has, or is about to get, any version of that post. It may be on its way to whoever is due now: nobody writes down that an
// attempt begins, only how it ends.
Result<std::vector<std::string>> recipients_of(ReadTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                                               int64_t now_ms);

// The ledger: what became of each version for each of its recipients. Empty members do not filter.
struct LedgerFilter {
    std::string post;   // id of a post of ours
    std::string peer;
    std::string state;  // "waiting", "delivered", "refused", "given_up", "cancelled"
};
struct LedgerEntry {
    int64_t id = 0;  // grows with time
    std::string peer;
    std::string post;
    std::string version;
    std::string type;
    std::string state;
    int64_t tries = 0;
    int64_t created_at = 0;
    int64_t ended_at = 0;     // 0 while it waits
    int64_t next_try_at = 0;  // of the peer's queue; 0: as soon as it can
    std::string problem;      // of the last try of this one, or, while it waits in the queue, of the queue
};
// Newest first; `before`: only those with a smaller id (0: from the newest).
Result<std::vector<LedgerEntry>> load_ledger(ReadTx& tx, int64_t owner, const LedgerFilter& filter, int64_t before,
                                             int64_t limit);
// What waits is taken back; nothing of what is under way at this moment can be. How many.
Result<int64_t> cancel_deliveries(WriteTx& tx, int64_t owner, const LedgerFilter& filter);
// What waits is due now. With a post or a peer also what was given up, refused or cancelled waits again. How many.
Result<int64_t> retry_deliveries(WriteTx& tx, int64_t owner, const LedgerFilter& filter);

struct OutboxCounts {
    int64_t waiting = 0;
    int64_t delivered = 0;
    int64_t refused = 0;
    int64_t given_up = 0;
    int64_t cancelled = 0;
    int64_t fetching = 0;
};
Result<OutboxCounts> count_outbox(ReadTx& tx, int64_t owner);

struct Fetch {
    int64_t id = 0;
    std::string digest;
    int64_t size = 0;
    int64_t tries = 0;
    int64_t created_at = 0;
};
Result<void> enqueue_fetch(WriteTx& tx, int64_t owner, std::string_view peer, std::string_view digest,
                           int64_t size);
// For all that we hold of this author without its bytes: she was a stranger when the posts came.
Result<void> enqueue_missing_fetches(WriteTx& tx, int64_t owner, std::string_view author, int64_t largest_bytes);
Result<std::optional<Fetch>> next_fetch(ReadTx& tx, int64_t owner, std::string_view peer);
Result<void> end_fetch(WriteTx& tx, int64_t id);
Result<void> postpone_fetch(WriteTx& tx, int64_t id, int64_t next_try_at);

}  // namespace bivouac::store
