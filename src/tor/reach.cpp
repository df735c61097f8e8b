// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/tor/onion_address.h>
#include <bivouac/tor/reach.h>

namespace bivouac::tor {

Way way_to(std::string_view authority)
{
    const HostAndPort parts = split_authority(authority);
    return parts.valid && is_valid_onion_host(parts.host) ? Way::ThroughTor : Way::Nowhere;
}

}  // namespace bivouac::tor
