// SPDX-License-Identifier: BSD-3-Clause
// What a SOCKS5 reply code means when the proxy is Tor (RFC 1928 section 6; Tor socks-extensions for F0..F7).
#pragma once

#include <string_view>

namespace bivouac::tor {

enum class Reach {
    Fine,
    Offline,     // the onion is not there now: wait longer and longer
    Refusing,    // the onion is there and its server is down or refuses: likewise
    NeedsKey,    // client authorisation is missing or wrong: a person must act
    BadAddress,  // will never work
    ProxyTrouble // our own tor: not a fault of the peer, try again when tor is back
};

struct ReplyMeaning {
    Reach reach;
    std::string_view words;  // a sentence part a person understands: "the onion is not published at the moment"
};

ReplyMeaning meaning_of_socks_reply(unsigned code);

}  // namespace bivouac::tor
