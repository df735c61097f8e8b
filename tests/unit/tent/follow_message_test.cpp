// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/base/bytes.h>
#include <bivouac/tent/follow_message.h>

using namespace bivouac;
using namespace bivouac::tent;

TEST_CASE("wishes to follow: note and invite stand in one message and are read again (section 7.4)")
{
    for (const FollowMessage& message :
         {FollowMessage{"", ""}, FollowMessage{"abc.DEF-_9", ""}, FollowMessage{"abc.def", "Bob here\n\nfrom the march"},
          FollowMessage{"", "Bob"}, FollowMessage{"", "invite: abc"}, FollowMessage{"x", "invite: abc"}}) {
        CAPTURE(write_follow_message(message));
        CHECK(parse_follow_message(write_follow_message(message)) == message);
    }
    CHECK(write_follow_message({"abc.def", "Bob"}) == "invite: abc.def\nBob");
}

TEST_CASE("wishes to follow: what only speaks of invites is a note (section 7.4)")
{
    for (const char* text : {"invite: me, please", "invite:abc", "Invite: abc", "invite: ", "my invite: abc"}) {
        CAPTURE(text);
        CHECK(parse_follow_message(text).invite.empty());
        CHECK(!parse_follow_message(text).note.empty());
    }
    CHECK(parse_follow_message("invite: " + std::string(200, 'a')).invite.empty());
    CHECK(parse_follow_message("\ninvite: abc") == FollowMessage{"", "invite: abc"});
}

TEST_CASE("wishes to follow: whatever was sent, the note is short plain text (section 7.4)")
{
    CHECK(parse_follow_message("a\x1b[31mb\x7f" "c\xc2\x9b" "d\ne\t").note == "a [31mb c d\ne");
    std::string two_bytes;
    for (int i = 0; i < 3000; ++i)
        two_bytes += "\xc3\xa9";
    auto cut = parse_follow_message("x" + two_bytes).note;
    CHECK(cut.size() == 1999);
    CHECK(is_valid_utf8(cut));
    CHECK(parse_follow_message("\xff\xfe").note.empty());
}

TEST_CASE("notes: checked before they are sent (section 7.4)")
{
    CHECK(*checked_note(" Bob\r\nfrom the march\n") == "Bob\nfrom the march");
    CHECK(checked_note("").ok());
    std::string most;
    for (int i = 0; i < 500; ++i)
        most += "\xc3\xa9";
    CHECK(*checked_note(most) == most);
    CHECK(!checked_note(most + "x").ok());
    for (const char* bad : {"a\x1b[0m", "a\tb", "a\rb", "\x7f", "a\xc2\x85", "\xff", "\xc3"}) {
        CAPTURE(bad);
        CHECK(!checked_note(bad).ok());
    }
}
