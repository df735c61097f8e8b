// SPDX-License-Identifier: BSD-3-Clause
// What is taken as an address is the only text for its key, and a host is that text and nothing more.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <sodium.h>

#include <bivouac/tor/onion_address.h>

using namespace bivouac::tor;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static const int ready = sodium_init();
    if (ready < 0)
        std::abort();
    std::string_view text(reinterpret_cast<const char*>(data), size);
    auto key = public_key_of(text);
    if (key.has_value() != is_valid_onion_address(text))
        std::abort();
    if (key && (key->size() != 32 || onion_address_of(*key) != text))
        std::abort();
    if (is_valid_onion_host(text) && (size != 62 || !is_valid_onion_address(text.substr(0, 56))))
        std::abort();
    // Random bytes seldom have a checksum: the first 32 as a key reach what is behind it.
    if (size >= 32) {
        std::string address = onion_address_of(text.substr(0, 32));
        if (address.size() != 56)
            std::abort();
        bool point = crypto_core_ed25519_is_valid_point(data) == 1;
        if (is_valid_onion_address(address) != point)
            std::abort();
    }
    return 0;
}
