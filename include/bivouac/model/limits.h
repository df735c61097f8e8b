// SPDX-License-Identifier: BSD-3-Clause
// Every limit with its unit and reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bivouac::limits {

// Tent 0.3, section 4.1: a JSON body is at most 1 MiB, with at most 1000 mentions, refs and parents each.
constexpr size_t kJsonBodyBytes = 1u << 20;
constexpr size_t kListElements = 1000;

// Depth and node count before memory is spent: a DOM can take 31 times its text (docs/dependencies.md).
constexpr size_t kJsonDepth = 32;
constexpr size_t kJsonNodes = 20'000;

constexpr size_t kAttachmentBytes = 100u << 20;  // default upload limit
constexpr size_t kAttachmentsPerPost = 50;
constexpr size_t kBlobChunkBytes = 64u << 10;    // what is held in memory of an attachment at a time

constexpr size_t kIdLength = 128;      // post ids of other servers; ours have 22 characters
constexpr size_t kEntityLength = 512;  // an onion entity has 69 characters and perhaps a path
constexpr size_t kTypeLength = 1024;
constexpr size_t kNameLength = 255;    // attachment names, categories, content types

// Tent 0.3, section 5: 60 s of clock difference either way, so a nonce matters for 120 s.
constexpr int64_t kHawkSkewSeconds = 60;
constexpr size_t kNonceLength = 128;
constexpr size_t kNoncesRemembered = 1'000'000;  // of 8 bytes: 30 MB when full

// A delivery is tried for two weeks: onions come and go with their owners' laptops.
constexpr int64_t kDeliveryPatienceMs = 14LL * 24 * 3600 * 1000;

// One request to a peer. First contact through Tor takes seconds to tens of seconds; Tor itself waits up to
// 120 s for a stream.
constexpr int64_t kPeerRequestMs = 150'000;
// What the target of a handshake may take for each of its requests back (section 15).
constexpr int64_t kHandshakeStepMs = 30'000;
static_assert(4 * kHandshakeStepMs <= kPeerRequestMs, "the initiator must outwait the target's four steps");

// Reading other servers for our own apps: well below the 180 s after which the front answers in our place.
constexpr int64_t kProxiedMs = 90'000;
// Refs and profiles around an answer that is here already.
constexpr int64_t kProxiedExtrasMs = 30'000;
constexpr uint64_t kProxiedBytes = 4u << 20;  // of one answer; attachments go to a file
constexpr size_t kProxiedAtOnce = 32;
constexpr size_t kProxiedAtOnceFromOne = 6;   // from one entity: one that stalls must not take all
constexpr size_t kProxiedWaiting = 256;       // for their turn; further ones are told to come back
constexpr size_t kProxiedPerAnswer = 40;      // refs, profiles or feeds of others fetched for one answer

// Pulling what was missed from those whom we follow.
constexpr uint64_t kCatchUpBytes = 4u << 20;         // of one page
constexpr int64_t kCatchUpPages = 50;                // without a pause
constexpr int64_t kCatchUpBreathMs = 60'000;
constexpr int64_t kCatchUpEveryMs = 6 * 3600'000;    // when nothing else makes it due; a quarter more or less
constexpr int64_t kCatchUpAbsenceMs = 600'000;       // away for less: those who have something bring it anyway
constexpr int64_t kCatchUpAfterHelloMs = 8'000;      // they are told that we are here, and deliver first

// Whether others can reach us.
constexpr int64_t kReachFirstMs = 60'000;            // after the onion was published
constexpr int64_t kReachEveryMs = 30 * 60'000;       // and up to a quarter more
constexpr int64_t kReachSecondMs = 20'000;           // after a failure, on another circuit
constexpr int64_t kReachThirdMs = 60'000;
constexpr int64_t kReachLostMs = 3 * 60'000;         // while it is lost
constexpr int64_t kReachAfterRepairMs = 15'000;      // after the onion was published again
constexpr int64_t kReachRepairApartMs = 15 * 60'000;
constexpr int64_t kReachTimeoutMs = 120'000;
constexpr int64_t kReachSuspendMs = 60'000;          // a sleep of the machine that is worth a look
constexpr int64_t kReachClockLookMs = 10'000;

// Work for strangers at one time: handshakes, in each of which we ask the other side back through tor. Those who are
// known have their own, so strangers with slow onions cannot keep them out.
constexpr size_t kInboundHandshakes = 24;
constexpr size_t kInboundHandshakesOfKnown = 16;
// From one circuit, where tor tells which one it is.
constexpr size_t kStrangersPerCircuit = 4;
// In a day (UTC), from all strangers of one entity together; whoever comes after that is told to come back, which her
// server does by itself.
constexpr int64_t kStrangersPerDay = 2000;
constexpr int64_t kHeldPostsPerDay = 2000;
constexpr int64_t kHeldBytesPerDay = 32LL << 20;
// Posts that a follower who is not approved yet may leave with us; they show once she is approved.
constexpr int64_t kHeldPostsPerPeer = 50;
constexpr size_t kNoteBytes = 2000;  // of what is said with a wish to follow
// Followers waiting at the desk; further ones are told to come back later. Who has an invite does not wait.
constexpr int64_t kPendingFollowers = 1000;
constexpr int64_t kOpenInvites = 1000;
constexpr int64_t kInviteUses = 1000;  // people by one link
constexpr int64_t kInviteLifetimeMs = 365LL * 24 * 3600 * 1000;

constexpr size_t kPeersAtOnce = 64;  // deliveries under way to different peers

// Tent 0.3, section 4.11. All that a batch asks and answers is held in memory; files go one by one.
constexpr size_t kBatchRequests = 100;
constexpr size_t kBatchBytes = 8u << 20;
constexpr size_t kBatchAnswerBytes = 16u << 20;

constexpr int kFeedLimitDefault = 25;
constexpr int kFeedLimitMaximum = 200;
// Filters of one feed: each costs an index walk or a comparison a row.
constexpr size_t kFeedTypes = 100;
constexpr size_t kFeedEntities = 100;
constexpr size_t kFeedMentions = 100;  // in all groups together
constexpr size_t kFeedMentionGroups = 10;
// Tent 0.3, section 4.2: refs embedded per post and per answer.
constexpr int kRefsPerPost = 10;
constexpr size_t kRefsPerAnswer = 1000;

}  // namespace bivouac::limits
