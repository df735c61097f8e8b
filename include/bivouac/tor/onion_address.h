// SPDX-License-Identifier: BSD-3-Clause
// Version 3 onion addresses (Tor rend-spec-v3, section 6) and the keys behind them. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <bivouac/base/secret.h>

namespace bivouac::tor {

// 56 characters a-z2-7, right version and checksum, and a key in the prime-order group: a rejected torsion
// point matters because the address is an identity here.
bool is_valid_onion_address(std::string_view address_without_suffix);

// "<56>.onion" in lower case, nothing in front: the only host form we talk to.
bool is_valid_onion_host(std::string_view host);

std::string onion_address_of(std::string_view public_key_32);
std::optional<std::string> public_key_of(std::string_view address_without_suffix);

// A 32-byte Ed25519 seed is what we keep. It can sign, and it gives tor its expanded key.
std::string public_key_of_seed(const Secret& seed);
std::string onion_address_of_seed(const Secret& seed);
// The 64 bytes for ADD_ONION ED25519-V3 (before base64).
Secret expanded_key_of_seed(const Secret& seed);

}  // namespace bivouac::tor
