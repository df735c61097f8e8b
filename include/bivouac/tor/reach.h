// SPDX-License-Identifier: BSD-3-Clause
// Where this program may send requests: to onions through Tor, and nowhere else. The one place that decides it, so
// that a build for testing against other people's suites can be told apart (docs/developer.md). Pure.
#pragma once

#include <string_view>

namespace bivouac::tor {

enum class Way { Nowhere, ThroughTor, Direct };

// Of "host" or "host:port" as it stands in an http URL. Anything else after the ':', such as a password in front of
// another host, leads nowhere.
Way way_to(std::string_view authority);

struct HostAndPort {
    std::string_view host;
    std::string_view port;  // empty when absent
    bool valid = false;
};
inline HostAndPort split_authority(std::string_view authority)
{
    HostAndPort out;
    const size_t colon = authority.find(':');
    out.host = authority.substr(0, colon);
    if (colon != std::string_view::npos)
        out.port = authority.substr(colon + 1);
    const bool digits = out.port.find_first_not_of("0123456789") == std::string_view::npos;
    out.valid = digits && out.port.size() <= 5 && (colon == std::string_view::npos || !out.port.empty());
    return out;
}

}  // namespace bivouac::tor
