// SPDX-License-Identifier: BSD-3-Clause
// How: base32 and SHA3 come from base, points and seeds from libsodium.
#include <bivouac/base/bytes.h>
#include <bivouac/tor/onion_address.h>

#include <sodium.h>

namespace bivouac::tor
{

namespace
{

constexpr size_t kAddressLength = 56;
constexpr char kVersion = 3;

std::string checksum_of(std::string_view public_key)
{
    std::string text = ".onion checksum";
    text += public_key;
    text += kVersion;
    return sha3_256(text).substr(0, 2);
}

} // namespace

std::optional<std::string> public_key_of(std::string_view address)
{
    if (address.size() != kAddressLength)
        return std::nullopt;
    auto bytes = from_base32(address);
    if (!bytes || bytes->size() != 35 || (*bytes)[34] != kVersion)
        return std::nullopt;
    std::string key = bytes->substr(0, 32);
    if (checksum_of(key) != bytes->substr(32, 2))
        return std::nullopt;
    if (crypto_core_ed25519_is_valid_point(reinterpret_cast<const unsigned char*>(key.data())) != 1)
        return std::nullopt;
    return key;
}

bool is_valid_onion_address(std::string_view address)
{
    return public_key_of(address).has_value();
}

bool is_valid_onion_host(std::string_view host)
{
    constexpr std::string_view kSuffix = ".onion";
    return host.ends_with(kSuffix) && is_valid_onion_address(host.substr(0, host.size() - kSuffix.size()));
}

std::string onion_address_of(std::string_view public_key)
{
    if (public_key.size() != crypto_core_ed25519_BYTES)
        return {};
    return to_base32(std::string(public_key) + checksum_of(public_key) + kVersion);
}

std::string public_key_of_seed(const Secret& seed)
{
    if (seed.size() != crypto_sign_SEEDBYTES)
        return {};
    std::string public_key(crypto_sign_PUBLICKEYBYTES, '\0');
    Secret secret_key(crypto_sign_SECRETKEYBYTES);
    crypto_sign_seed_keypair(reinterpret_cast<unsigned char*>(public_key.data()), secret_key.data(),
                             seed.data());
    return public_key;
}

std::string onion_address_of_seed(const Secret& seed)
{
    return onion_address_of(public_key_of_seed(seed));
}

Secret expanded_key_of_seed(const Secret& seed)
{
    if (seed.size() != crypto_sign_SEEDBYTES)
        return {};
    Secret expanded(crypto_hash_sha512_BYTES);
    crypto_hash_sha512(expanded.data(), seed.data(), seed.size());
    expanded.data()[0] &= 248;
    expanded.data()[31] &= 63;
    expanded.data()[31] |= 64;
    return expanded;
}

} // namespace bivouac::tor
