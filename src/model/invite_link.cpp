// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/invite_link.h>
#include <bivouac/model/limits.h>

namespace bivouac {

namespace {

constexpr std::string_view kFragment = "invite=";

std::string lower(std::string_view text)
{
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c + ('a' - 'A'));
    return out;
}

}  // namespace

Result<InviteLink> parse_invite_link(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\n' || text.front() == '\r' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r' || text.back() == '\t'))
        text.remove_suffix(1);
    if (text.size() > limits::kEntityLength)
        return fail(ErrorKind::Invalid, "this is too long for an address or an invite");
    InviteLink out;
    const size_t hash = text.find('#');
    out.address = text.substr(0, hash);
    if (hash == std::string_view::npos)
        return out;
    const std::string fragment = lower(text.substr(hash + 1));
    if (fragment.starts_with(kFragment)) {
        const std::string written = fragment.substr(kFragment.size());
        auto secret = from_base32(written);
        // One secret has one form.
        if (secret && secret->size() == kInviteSecretBytes && to_base32(*secret) == written) {
            out.secret = std::move(*secret);
            return out;
        }
    }
    return fail(ErrorKind::Invalid, "the link of this invite is not whole: it ends with #invite= and 26 letters and digits "
                                    "(check that all of it was copied)");
}

std::string write_invite_link(const InviteLink& link)
{
    std::string out = link.address;
    if (!out.ends_with('/'))
        out += '/';
    return out + '#' + std::string(kFragment) + to_base32(link.secret);
}

}  // namespace bivouac
