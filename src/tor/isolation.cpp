// SPDX-License-Identifier: BSD-3-Clause
// How: HMAC under the key of this run; half of it is the user name, half the password.
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/tor/isolation.h>

namespace bivouac::tor
{

IsolationKey::IsolationKey()
    : key_(system_random().bytes(32))
{
}

Isolation IsolationKey::for_pair(std::string_view own_entity, std::string_view peer,
                                 std::string_view purpose) const
{
    // Lengths in front: no two triples give the same text.
    std::string text;
    for (std::string_view part : {own_entity, peer, purpose})
        text += std::to_string(part.size()) + ":" + std::string(part);
    std::string name = to_hex(hmac_sha256(key_, text));
    return {name.substr(0, 32), name.substr(32)};
}

} // namespace bivouac::tor
