// SPDX-License-Identifier: BSD-3-Clause
// Following and being followed (Tent 0.3, section 7), and the owner's decisions about those who ask. Every
// function is one step inside a transaction; the network is the relay's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bivouac/model/post.h>
#include <bivouac/store/relationships.h>
#include <bivouac/store/strangers.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/follow_message.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

// What a person typed or an app sent, as the entity URL we use: "http://<56>.onion", a missing scheme added,
// one trailing slash removed, lower case. Invalid when it is not a v3 onion.
Result<std::string> peer_entity(std::string_view text);
// The same, and her address of today where we know that she has moved.
Result<std::string> peer_entity(const Self& self, std::string_view text);
// Host of a peer entity ("<56>.onion"); nullopt when we may not talk to it.
std::optional<std::string> peer_host(std::string_view entity);

// --- following ---
// `message` goes with the wish (tent/follow_message.h). An invite goes after a wish that is under way already, too.
Result<store::Relationship> follow(store::WriteTx& tx, const Self& self, const std::string& entity,
                                   const FollowMessage& message = {});
Result<void> unfollow(store::WriteTx& tx, const Self& self, const std::string& entity);

// An app follows by a subscription post of its own (section 7.4): stored, in force, on its way to its target. A
// second one for the same target and type gives back the first. Invalid without a target.
Result<Post> subscribe(store::WriteTx& tx, const Self& self, Post draft);
// A new version of one may not turn it to somebody else or to another type: Invalid.
Result<void> check_subscription(const Post& current, const Post& draft);
// A subscription post of ours is gone.
Result<void> subscription_deleted(store::WriteTx& tx, const Self& self, const Post& post);
// A relationship post of ours is gone: so are the keys that belong to it, and the relationship if it was the current
// one (section 4.7).
Result<void> relationship_deleted(store::WriteTx& tx, const Self& self, const Post& post);
// What is left to say finds its way by a new handshake.
Result<void> end_relationship(store::WriteTx& tx, const Self& self, store::Relationship relationship);
// A peer that no longer goes by the keys of the relationship: a new handshake, and our wishes to follow once more; what waits
// for her stays.
Result<void> meet_anew(store::WriteTx& tx, const Self& self, const std::string& peer);
// Readers who are named in the permissions and whom we have no relationship with yet get one, so that they can come
// and read (section 7.5).
Result<void> introduce_to_readers(store::WriteTx& tx, const Self& self, const Post& post);

// --- followers ---
// NotFound when she has not asked. All are silent towards her but approve, which publishes our relationship
// post with the fragment "subscriber" for her (section 7.1).
// Into these groups as well (ids of group posts).
Result<void> approve(store::WriteTx& tx, const Self& self, const std::string& entity,
                     const std::vector<std::string>& groups = {});
// Says once more to an approved follower that she is one.
Result<void> confirm_follower(store::WriteTx& tx, const Self& self, const store::Relationship& relationship);
Result<void> deny(store::WriteTx& tx, const Self& self, const std::string& entity);
// Whether further strangers are told to come back later: today's share is used up, or the desk is full.
bool strangers_are_refused(const store::StrangersToday& today, int64_t pending);
// Everybody who waits, after a flood; how many. Each can still be approved.
Result<int64_t> deny_all(store::WriteTx& tx, const Self& self);
Result<void> block(store::WriteTx& tx, const Self& self, const std::string& entity);
// Back to what she was before; nothing that was refused meanwhile comes again.
Result<void> unblock(store::WriteTx& tx, const Self& self, const std::string& entity);
// No longer a follower: her keys and groups are gone, and what waited for her. What she may keep is said.
struct Held {
    int64_t delivered = 0;  // posts, of those that people read, that went to her
    int64_t readable = 0;   // posts that are not public and that she could have read
    int64_t last_delivered_at = 0;
};
Result<Held> remove_follower(store::WriteTx& tx, const Self& self, const std::string& entity);
Result<Held> held_by(store::ReadTx& tx, const Self& self, const std::string& entity);
// The owner has compared the safety phrase with her, or takes that back.
Result<void> verify(store::WriteTx& tx, const Self& self, const std::string& entity, bool verified);
// Eight words that both sides of a relationship can work out from the two addresses, to be compared by voice: whoever
// stands between them with addresses of his own would get other words. Invalid for anything but onions.
Result<std::string> safety_phrase(const std::string& one, const std::string& other);
// Her subscription ended: no longer a follower (denied and blocked stay what they are).
Result<void> follower_left(store::WriteTx& tx, const Self& self, const std::string& entity);

// --- handshake (section 7.2) ---
struct OurSide {
    Post relationship;        // R
    std::string hawk_id;      // C's id
};
// Step 0: makes R_A and C_A, or gives the ones of an earlier try.
Result<OurSide> initiate(store::WriteTx& tx, const Self& self, const std::string& peer);
// Steps 6: we are the target and have checked everything. Forbidden for a blocked entity.
struct TheirSide {
    std::string entity;
    std::string servers;  // JSON array of their meta post
    Post meta;
    Post relationship;
    std::string hawk_id;
    std::string hawk_key;
};
// Forbidden: she is blocked. TooMany: she is not known, and strangers had their share of today.
Result<OurSide> accept(store::WriteTx& tx, const Self& self, const TheirSide& theirs);
// Step 10: we are the initiator and have their credentials. Queues steps 11 and 12.
Result<void> complete(store::WriteTx& tx, const Self& self, const TheirSide& theirs);

// A version of ours reached the peer: a subscription becomes "requested".
Result<void> delivered(store::WriteTx& tx, const Self& self, const std::string& peer, const Post& post);
// The peer will never take it: a wish to follow that never reached her is "refused".
Result<void> refused(store::WriteTx& tx, const Self& self, const std::string& peer, const Post& post);
// Is this a wish to follow that came with an invite?
bool carries_invite(const Post& post);

// The group behind the audience "followers"; made once, at init.
Result<void> make_followers_group(store::WriteTx& tx, const Self& self);

}  // namespace bivouac::tent
