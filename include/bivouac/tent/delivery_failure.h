// SPDX-License-Identifier: BSD-3-Clause
// Posts that tell apps of a delivery that failed (Tent 0.3, section 7.7): private, for our own apps, delivered to nobody.
#pragma once

#include <string>

#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

enum class FailureReason {
    Unreachable,         // no connection, no answer in time, or a status above 500
    DiscoveryFailed,     // no link, a dead one, no valid meta post, no server that we may use
    RelationshipFailed,  // a step of the handshake
    DeliveryFailed,      // any other answer than a good one
};

enum class FailureStatus {
    Temporary,  // after the first attempt that failed
    Permanent,  // no more attempts
};

// One for each failed post, entity and status; none for those who merely subscribe, and none for what servers make to
// keep their relationship in order.
Result<void> record_failure(store::WriteTx& tx, const Self& self, const Post& failed, const std::string& peer,
                            FailureReason reason, FailureStatus status);

}  // namespace bivouac::tent
