// SPDX-License-Identifier: BSD-3-Clause
// What a person types or scans to follow somebody: an address, or the link of an invite, which is the address with a
// secret in its fragment, http://<56>.onion/#invite=<26 letters and digits>. A fragment is never sent to a server. Pure.
#pragma once

#include <string>
#include <string_view>

#include <bivouac/base/result.h>

namespace bivouac {

constexpr size_t kInviteSecretBytes = 16;

struct InviteLink {
    std::string address;  // as it was written, without the fragment; whether it is an onion is not looked at
    std::string secret;   // kInviteSecretBytes bytes; empty: an address and no invite

    bool operator==(const InviteLink&) const = default;
};

// Invalid for a fragment that is no invite's. Case does not matter, spaces around it are dropped.
Result<InviteLink> parse_invite_link(std::string_view text);

// `entity` as we write entities; the secret is there.
std::string write_invite_link(const InviteLink& link);

}  // namespace bivouac
