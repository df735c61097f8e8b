// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>

#include <array>
#include <cstdint>

#include <openssl/evp.h>
#include <sodium.h>

namespace bivouac {

namespace {

const unsigned char* data_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string encode_with(std::string_view bytes, int variant)
{
    std::string out(sodium_base64_encoded_len(bytes.size(), variant), '\0');
    sodium_bin2base64(out.data(), out.size(), data_of(bytes), bytes.size(), variant);
    out.pop_back();  // the end mark that libsodium writes
    return out;
}

std::optional<std::string> decode_with(std::string_view text, int variant)
{
    std::string out(text.size() / 4 * 3 + 3, '\0');
    size_t length = 0;
    const char* end = nullptr;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                          text.size(), nullptr, &length, &end, variant) != 0 ||
        end != text.data() + text.size())
        return std::nullopt;
    out.resize(length);
    return out;
}

constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";

}  // namespace

std::string to_hex(std::string_view bytes)
{
    std::string out(bytes.size() * 2 + 1, '\0');
    sodium_bin2hex(out.data(), out.size(), data_of(bytes), bytes.size());
    out.pop_back();
    return out;
}

std::optional<std::string> from_hex(std::string_view text)
{
    if (text.size() % 2 != 0)
        return std::nullopt;
    std::string out(text.size() / 2, '\0');
    size_t length = 0;
    const char* end = nullptr;
    if (sodium_hex2bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                       text.size(), nullptr, &length, &end) != 0 ||
        length != out.size() || end != text.data() + text.size())
        return std::nullopt;
    return out;
}

std::string to_base64(std::string_view bytes)
{
    return encode_with(bytes, sodium_base64_VARIANT_ORIGINAL);
}

std::string to_base64url(std::string_view bytes)
{
    return encode_with(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::optional<std::string> from_base64(std::string_view text)
{
    return decode_with(text, sodium_base64_VARIANT_ORIGINAL);
}

std::optional<std::string> from_base64url(std::string_view text)
{
    return decode_with(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::string to_base32(std::string_view bytes)
{
    std::string out;
    out.reserve((bytes.size() * 8 + 4) / 5);
    uint32_t buffer = 0;
    int bits = 0;
    for (char c : bytes) {
        buffer = (buffer << 8) | static_cast<unsigned char>(c);
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            out.push_back(kBase32[(buffer >> bits) & 31u]);
        }
    }
    if (bits > 0)
        out.push_back(kBase32[(buffer << (5 - bits)) & 31u]);
    return out;
}

std::optional<std::string> from_base32(std::string_view text)
{
    std::string out;
    uint32_t buffer = 0;
    int bits = 0;
    for (char c : text) {
        size_t digit = kBase32.find(c);
        if (digit == std::string_view::npos)
            return std::nullopt;
        buffer = (buffer << 5) | static_cast<uint32_t>(digit);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out.push_back(static_cast<char>((buffer >> bits) & 255u));
        }
    }
    // Left-over bits must be zero, and fewer than one digit: every value has one text form.
    if (bits >= 5 || (buffer & ((1u << bits) - 1u)) != 0)
        return std::nullopt;
    return out;
}

std::string sha256(std::string_view bytes)
{
    std::string out(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(out.data()), data_of(bytes), bytes.size());
    return out;
}

std::string sha512(std::string_view bytes)
{
    std::string out(crypto_hash_sha512_BYTES, '\0');
    crypto_hash_sha512(reinterpret_cast<unsigned char*>(out.data()), data_of(bytes), bytes.size());
    return out;
}

std::string sha3_256(std::string_view bytes)
{
    // libsodium 1.0.18 (Debian 12 and 13) has no SHA-3; libcrypto is there through SQLCipher anyway.
    std::string out(32, '\0');
    unsigned int length = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &length,
                   EVP_sha3_256(), nullptr) != 1 ||
        length != 32)
        std::abort();  // the algorithm is compiled in; only a broken libcrypto gets here
    return out;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes)
{
    std::string out(crypto_auth_hmacsha256_BYTES, '\0');
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, data_of(key), key.size());
    crypto_auth_hmacsha256_update(&state, data_of(bytes), bytes.size());
    crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(out.data()));
    sodium_memzero(&state, sizeof state);
    return out;
}

namespace {

// The algorithms are compiled in; only a broken libcrypto, or no memory at all, gets to the end of these.
DigestContext begin_digest(const EVP_MD* algorithm)
{
    DigestContext context(EVP_MD_CTX_new());
    if (!context || EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1)
        std::abort();
    return context;
}

void update_digest(const DigestContext& context, std::string_view bytes)
{
    if (EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1)
        std::abort();
}

std::string finish_digest(const DigestContext& context)
{
    std::string out(EVP_MAX_MD_SIZE, '\0');
    unsigned int length = 0;
    if (EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(out.data()), &length) != 1)
        std::abort();
    out.resize(length);
    return out;
}

// Looked up once: each look-up takes a lock.
const EVP_MD* sha256_algorithm()
{
    static const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return found;
}
const EVP_MD* sha512_algorithm()
{
    static const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA512", nullptr);
    return found;
}

}  // namespace

void EndDigest::operator()(evp_md_ctx_st* context) const
{
    EVP_MD_CTX_free(context);
}

Sha512Half::Sha512Half()
    : context_(begin_digest(sha512_algorithm()))
{
}

void Sha512Half::update(std::string_view bytes)
{
    update_digest(context_, bytes);
}

std::string Sha512Half::finish()
{
    return finish_digest(context_).substr(0, 32);
}

Sha256::Sha256()
    : context_(begin_digest(sha256_algorithm()))
{
}

void Sha256::update(std::string_view bytes)
{
    update_digest(context_, bytes);
}

std::string Sha256::finish()
{
    return finish_digest(context_);
}

std::string short_digest(std::string_view bytes)
{
    std::string out(16, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(), data_of(bytes), bytes.size(), nullptr, 0);
    return out;
}

bool equal_constant_time(std::string_view a, std::string_view b)
{
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string percent_encode(std::string_view text)
{
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size() * 3 / 2);
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            out.push_back(c);
        } else {
            out.push_back('%');
            out.push_back(kHex[byte >> 4]);
            out.push_back(kHex[byte & 15]);
        }
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(text[i]);
            continue;
        }
        if (i + 2 >= text.size())
            return std::nullopt;
        auto byte = from_hex(text.substr(i + 1, 2));
        if (!byte)
            return std::nullopt;
        out.push_back((*byte)[0]);
        i += 2;
    }
    return out;
}

bool is_valid_utf8(std::string_view text)
{
    const auto* p = data_of(text);
    const auto* end = p + text.size();
    while (p < end) {
        if (*p < 0x80) {
            ++p;
            continue;
        }
        int more = 0;
        uint32_t point = 0;
        uint32_t least = 0;
        if ((*p & 0xe0) == 0xc0) {
            more = 1, point = *p & 0x1fu, least = 0x80;
        } else if ((*p & 0xf0) == 0xe0) {
            more = 2, point = *p & 0x0fu, least = 0x800;
        } else if ((*p & 0xf8) == 0xf0) {
            more = 3, point = *p & 0x07u, least = 0x10000;
        } else {
            return false;
        }
        if (end - p <= more)
            return false;
        for (int i = 1; i <= more; ++i) {
            if ((p[i] & 0xc0) != 0x80)
                return false;
            point = (point << 6) | (p[i] & 0x3fu);
        }
        // Overlong forms, surrogates and what is beyond Unicode are not UTF-8 (RFC 3629 section 3).
        if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
        p += more + 1;
    }
    return true;
}

}  // namespace bivouac
