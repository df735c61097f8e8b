// SPDX-License-Identifier: BSD-3-Clause
// What comes with a wish to follow: the note is plain and short whatever was sent, and what is written is read the same.
#include "target.h"

#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/tent/follow_message.h>

using namespace bivouac;
using namespace bivouac::tent;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const FollowMessage message = parse_follow_message(view(data, size));
    HOLDS(message.note.size() <= limits::kNoteBytes && is_valid_utf8(message.note));
    for (unsigned char c : message.note)
        HOLDS((c >= 0x20 && c != 0x7f) || c == '\n');
    for (unsigned char c : message.invite)
        HOLDS(c > 0x20 && c < 0x7f);
    HOLDS(parse_follow_message(write_follow_message(message)) == message);
    auto note = checked_note(view(data, size));
    if (!note.ok()) {
        HOLDS(note.error().kind == ErrorKind::Invalid);
        return 0;
    }
    HOLDS(*checked_note(*note) == *note);
    const FollowMessage sent{message.invite, *note};
    HOLDS(parse_follow_message(write_follow_message(sent)) == sent);
    return 0;
}
