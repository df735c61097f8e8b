// SPDX-License-Identifier: BSD-3-Clause
// Against addresses and keys that tor itself made (tests/vectors/onion_addresses.json): of the "valid" ones
// tor made the key, for the "seed" ones it named the address of the key we gave it.
#include "vectors.h"

#include <bivouac/base/bytes.h>
#include <bivouac/tor/onion_address.h>

#include <sodium.h>

using namespace bivouac;
using namespace bivouac::tor;

TEST_CASE("addresses and keys as tor makes them")
{
    int valid = 0, seeds = 0, invalid = 0;
    for (const auto& vector : load_vectors("onion_addresses.json")) {
        const std::string kind = vector["kind"];
        const std::string address = vector["address"];
        CAPTURE(address);
        if (kind == "invalid") {
            ++invalid;
            CAPTURE(vector["why"].get<std::string>());
            CHECK(!is_valid_onion_address(address));
            CHECK(!is_valid_onion_host(address + ".onion"));
            CHECK(!public_key_of(address));
            continue;
        }
        CHECK(is_valid_onion_address(address));
        std::string expanded = *from_hex(vector["expanded"].get<std::string>());
        REQUIRE(expanded.size() == 64);
        std::string key;
        if (kind == "valid") {
            ++valid;
            key = *from_hex(vector["public_key"].get<std::string>());
        } else {
            ++seeds;
            Secret seed(*from_hex(vector["seed"].get<std::string>()));
            CHECK(expanded_key_of_seed(seed).view() == expanded);
            CHECK(onion_address_of_seed(seed) == address);
            key = public_key_of_seed(seed);
        }
        CHECK(onion_address_of(key) == address);
        CHECK(public_key_of(address) == key);
        // The expanded key belongs to the public key.
        std::string again(32, '\0');
        crypto_scalarmult_ed25519_base_noclamp(reinterpret_cast<unsigned char*>(again.data()),
                                               reinterpret_cast<const unsigned char*>(expanded.data()));
        CHECK(again == key);
    }
    CHECK(valid >= 3);
    CHECK(seeds >= 3);
    CHECK(invalid >= 15);
}

TEST_CASE("a host is one label and .onion, nothing else")
{
    Secret seed(32);
    seed.data()[0] = 7;
    const std::string address = onion_address_of_seed(seed);
    CHECK(is_valid_onion_host(address + ".onion"));
    for (const std::string& host :
         {address, address + ".onion.", "www." + address + ".onion", "." + address + ".onion",
          address + ".ONION", address + ".onion:80", address + ".com", address + ".onion ",
          std::string(".onion"), std::string("onion"), std::string(), std::string("localhost"),
          std::string("127.0.0.1"), address + std::string(1, '\0') + ".onion"}) {
        CAPTURE(host);
        CHECK(!is_valid_onion_host(host));
    }
}

TEST_CASE("keys of a wrong size give nothing")
{
    CHECK(onion_address_of("short").empty());
    CHECK(public_key_of_seed(Secret(31)).empty());
    CHECK(onion_address_of_seed(Secret()).empty());
    CHECK(expanded_key_of_seed(Secret(33)).empty());
}

TEST_CASE("a changed character never stays valid")
{
    Secret seed(32);
    seed.data()[3] = 9;
    const std::string address = onion_address_of_seed(seed);
    for (size_t i = 0; i < address.size(); ++i) {
        std::string other = address;
        other[i] = other[i] == 'a' ? 'b' : 'a';
        CHECK(!is_valid_onion_address(other));
    }
}
