// SPDX-License-Identifier: BSD-3-Clause
// What we know of each other entity: keys, servers, follower and following states, subscriptions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bivouac/store/transaction.h>

namespace bivouac::store {

struct Relationship {
    int64_t owner = 0;
    std::string peer;
    std::string state = "none";  // "none", "initiated" (we started the handshake), "active"
    std::string our_post;        // ids of posts
    std::string our_hawk_id;     // what we gave them
    std::string their_post;
    std::string their_hawk_id;   // what they gave us: we sign with it
    std::string their_hawk_key;
    std::string servers;         // JSON array from their meta post
    std::string follower;        // "", "pending", "approved", "denied", "blocked", "removed"
    int64_t follower_since = 0;
    std::string following;       // "", "connecting", "requested", "approved", "refused"
    std::string following_post;  // our subscription post
    int64_t tries = 0;           // of the queue to this peer, since something last worked
    int64_t next_try_at = 0;
    std::string last_problem;
    std::string note;             // what came with her wish to follow; from outside
    int64_t first_seen = 0;       // set once, when the row is made
    int64_t verified_at = 0;      // when the owner said that she compared the safety phrase; 0: never
    std::string before_block;     // follower, as it was
    // Of moves (store/moves.h); save_relationship leaves them as they are.
    std::string knows_us_as;      // the address by which she knows us; empty: our present one
    std::string moved_from;       // her address before her last move
    int64_t moved_at = 0;         // when we learned of it
};

Result<std::optional<Relationship>> find_relationship(ReadTx& tx, int64_t owner, std::string_view peer);
// Inserts or replaces all members.
Result<void> save_relationship(WriteTx& tx, const Relationship& relationship);
Result<std::vector<Relationship>> list_relationships(ReadTx& tx, int64_t owner);
// Those of whose moves we learned since then, without the blocked.
Result<std::vector<Relationship>> moved_since(ReadTx& tx, int64_t owner, int64_t since_ms);
// Is anybody blocked? Asked for each feed, so an index answers it.
Result<bool> anybody_blocked(ReadTx& tx, int64_t owner);
Result<int64_t> count_followers(ReadTx& tx, int64_t owner, std::string_view state);

struct Subscription {
    std::string subscriber;
    std::string target;
    std::string selector;  // what is wanted: a type selector
    std::string post;      // id of the subscription post
};
Result<void> add_subscription(WriteTx& tx, int64_t owner, const Subscription& subscription);
// Those whose subscription post this is.
Result<std::optional<Subscription>> remove_subscription_by_post(WriteTx& tx, int64_t owner,
                                                                std::string_view subscriber, std::string_view post);
Result<std::vector<Subscription>> subscriptions_of(ReadTx& tx, int64_t owner, std::string_view subscriber,
                                                   std::string_view target);
// Approved followers with at least one subscription to us.
Result<std::vector<Subscription>> approved_subscriptions(ReadTx& tx, int64_t owner, std::string_view self);

}  // namespace bivouac::store
