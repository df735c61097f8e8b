// SPDX-License-Identifier: BSD-3-Clause
// What goes with a wish to follow (Tent 0.3, section 7.4): a note, and what an invite gave. Both stand in the
// version.message of the subscription post (section 2.6), which every server takes and none has to understand:
//
//   invite: <id>.<proof>
//   We met at the march.
//
// Pure.
#pragma once

#include <string>
#include <string_view>

#include <bivouac/base/result.h>

namespace bivouac::tent {

struct FollowMessage {
    std::string invite;  // one word; whether it is worth anything is for tent/invites.h to say
    std::string note;

    bool operator==(const FollowMessage&) const = default;
};

// A note as its writer may send it: line ends made one kind, blanks around it dropped. Invalid when it holds more than
// 500 characters, control characters, or is no UTF-8.
Result<std::string> checked_note(std::string_view text);

// Of a note that was checked.
std::string write_follow_message(const FollowMessage& message);
// From anybody: whatever was sent, the note is a few lines of plain text.
FollowMessage parse_follow_message(std::string_view text);

}  // namespace bivouac::tent
