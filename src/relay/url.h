// SPDX-License-Identifier: BSD-3-Clause
// The URLs that we fetch from: plain http on a v3 onion. Pure, fuzzed.
#pragma once

#include <string>
#include <string_view>

namespace bivouac::relay {

struct SplitUrl {
    std::string host;  // with port, as it goes into Host
    std::string target;
};

// Of an absolute URL.
SplitUrl split_url(const std::string& url);

// Relative to an absolute http URL; empty when the result is not one we may fetch.
std::string resolve_url(std::string_view base, std::string_view reference);

}  // namespace bivouac::relay
