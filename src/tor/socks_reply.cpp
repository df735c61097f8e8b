// SPDX-License-Identifier: BSD-3-Clause
// A flat table; the codes as measured with tor 0.4.9 and as in its socks-extensions.
#include <bivouac/tor/socks_reply.h>

namespace bivouac::tor
{

ReplyMeaning meaning_of_socks_reply(unsigned code)
{
    switch (code) {
    case 0x00: return {Reach::Fine, "reached"};
    case 0x01: return {Reach::Refusing, "the onion is there but its server does not answer"};
    case 0x02: return {Reach::ProxyTrouble, "tor does not allow this connection"};
    case 0x03: return {Reach::ProxyTrouble, "tor has no network"};
    case 0x04: return {Reach::Offline, "the onion is not there at the moment"};
    case 0x05: return {Reach::Refusing, "the onion is there but refuses the connection"};
    case 0x06: return {Reach::Offline, "the way to the onion took too long"};
    case 0x07: return {Reach::ProxyTrouble, "tor does not know this kind of request"};
    case 0x08: return {Reach::BadAddress, "tor does not accept this kind of address"};
    case 0xf0: return {Reach::Offline, "the onion is not published at the moment"};
    case 0xf1: return {Reach::Offline, "what the onion has published cannot be read"};
    case 0xf2: return {Reach::Offline, "the onion does not answer the introduction; it may be off"};
    case 0xf3: return {Reach::Offline, "the meeting with the onion failed on the way"};
    case 0xf4: return {Reach::NeedsKey, "the onion asks for a client key that tor does not have"};
    case 0xf5: return {Reach::NeedsKey, "the onion does not accept the client key that tor has"};
    case 0xf6: return {Reach::BadAddress, "this is no onion address"};
    case 0xf7: return {Reach::Offline, "the introduction to the onion took too long"};
    default: return {Reach::Offline, "tor could not reach the onion"};
    }
}

} // namespace bivouac::tor
