// SPDX-License-Identifier: BSD-3-Clause
// Which circuit a request goes through: Tor keeps streams with different SOCKS user names apart
// (IsolateSOCKSAuth, on by default). One name per pair of own entity and peer, stable while we run, and told
// to nobody but tor. It is derived with a key made anew at each start, so that even tor's memory does not hold
// a name that links two runs.
#pragma once

#include <string>
#include <string_view>

namespace bivouac::tor {

struct Isolation {
    std::string user;      // never empty, never starting with "<torS0X>" (reserved by tor 0.4.9)
    std::string password;
};

class IsolationKey {
public:
    IsolationKey();  // random
    // The same pair gives the same circuit; a purpose ("delivery", "discovery") splits further.
    Isolation for_pair(std::string_view own_entity, std::string_view peer, std::string_view purpose = {}) const;

private:
    std::string key_;
};

}  // namespace bivouac::tor
