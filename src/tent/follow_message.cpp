// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/tent/follow_message.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

constexpr std::string_view kInvite = "invite: ";
constexpr size_t kInviteLength = 128;
constexpr size_t kNoteCharacters = 500;

// A line that only says something about invites is a part of the note.
bool is_invite_line(std::string_view line)
{
    if (!line.starts_with(kInvite) || line.size() == kInvite.size() || line.size() > kInvite.size() + kInviteLength)
        return false;
    line.remove_prefix(kInvite.size());
    return std::all_of(line.begin(), line.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view kBlank = " \n";
    const size_t first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// Each character of a kind that could move the cursor or hide what stands beside it, replaced. U+0080 to U+009F are two
// bytes in UTF-8.
std::string without_controls(std::string_view text)
{
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1)
            ++i;
        out += c1 || (byte < 0x20 && byte != '\n') || byte == 0x7f ? ' ' : text[i];
    }
    return out;
}

}  // namespace

Result<std::string> checked_note(std::string_view text)
{
    if (!is_valid_utf8(text))
        return fail(ErrorKind::Invalid, "a note is text in UTF-8");
    std::string lines;
    for (size_t i = 0; i < text.size(); ++i)
        if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n')
            lines += text[i];
    if (without_controls(lines) != lines)
        return fail(ErrorKind::Invalid, "a note is plain text: no control characters");
    std::string out(trimmed(lines));
    const auto characters = std::count_if(out.begin(), out.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    });
    if (static_cast<size_t>(characters) > kNoteCharacters)
        return fail(ErrorKind::Invalid, "a note holds at most 500 characters");
    return out;
}

std::string write_follow_message(const FollowMessage& message)
{
    if (!message.invite.empty())
        return std::string(kInvite) + message.invite + (message.note.empty() ? "" : "\n" + message.note);
    // What a person wrote must not be taken for an invite.
    const bool looks_like_one = is_invite_line(std::string_view(message.note).substr(0, message.note.find('\n')));
    return (looks_like_one ? "\n" : "") + message.note;
}

FollowMessage parse_follow_message(std::string_view text)
{
    FollowMessage out;
    const size_t end = text.find('\n');
    if (const auto line = text.substr(0, end); is_invite_line(line)) {
        out.invite = line.substr(kInvite.size());
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    std::string note(without_controls(text).substr(0, limits::kNoteBytes));
    while (!note.empty() && !is_valid_utf8(note))  // cut inside a character
        note.pop_back();
    out.note = trimmed(note);
    return out;
}

}  // namespace bivouac::tent
