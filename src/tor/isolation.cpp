// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/tor/isolation.h>

namespace bivouac::tor {

IsolationKey::IsolationKey()
    : key_(system_random().bytes(32))
{
}

Isolation IsolationKey::for_pair(std::string_view own_entity, std::string_view peer, std::string_view purpose) const
{
    std::string text = std::string(own_entity) + "\n" + std::string(peer) + "\n" + std::string(purpose);
    std::string name = to_hex(hmac_sha256(key_, text));
    return {name.substr(0, 32), name.substr(32)};
}

}  // namespace bivouac::tor
