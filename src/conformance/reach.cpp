// SPDX-License-Identifier: BSD-3-Clause
// In place of tor/reach.cpp, in conformance builds only: other people's test suites run on this machine.
#include <bivouac/tor/reach.h>

namespace bivouac::tor {

Way way_to(std::string_view authority)
{
    const HostAndPort parts = split_authority(authority);
    const bool here = parts.host == "127.0.0.1" || parts.host == "localhost";
    return parts.valid && here ? Way::Direct : Way::Nowhere;
}

}  // namespace bivouac::tor
