// SPDX-License-Identifier: BSD-3-Clause
// Text forms of bytes (hex, base64, base32) and the two digests that everything needs. Pure functions.
// std::string holds bytes as well as text here; string_view borrows either.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace bivouac {

std::string to_hex(std::string_view bytes);  // lower case
std::optional<std::string> from_hex(std::string_view text);

std::string to_base64(std::string_view bytes);     // RFC 4648 section 4, padded
std::string to_base64url(std::string_view bytes);  // RFC 4648 section 5, no padding
std::optional<std::string> from_base64(std::string_view text);
std::optional<std::string> from_base64url(std::string_view text);

std::string to_base32(std::string_view bytes);  // RFC 4648 section 6, lower case, no padding (Tor's form)
std::optional<std::string> from_base32(std::string_view text);  // lower case only

std::string sha256(std::string_view bytes);    // 32 bytes
std::string sha512(std::string_view bytes);    // 64 bytes
std::string sha3_256(std::string_view bytes);  // 32 bytes
std::string hmac_sha256(std::string_view key, std::string_view bytes);

// What is hashed in pieces can be large, and libcrypto has the instructions that processors have for it.
struct EndDigest {
    void operator()(evp_md_ctx_st* context) const;
};
using DigestContext = std::unique_ptr<evp_md_ctx_st, EndDigest>;

// SHA-512 in pieces, cut to its first 32 bytes: Tent's digest of attachments (Tent 0.3, section 3.6).
class Sha512Half {
public:
    Sha512Half();
    void update(std::string_view bytes);
    std::string finish();  // 32 bytes; call once

private:
    DigestContext context_;
};

// SHA-256 in pieces: Hawk's payload hash (section 5.3).
class Sha256 {
public:
    Sha256();
    void update(std::string_view bytes);
    std::string finish();  // 32 bytes; call once

private:
    DigestContext context_;
};

// BLAKE2b of 16 bytes: for what only we compare (ETags), several times as fast as SHA-256.
std::string short_digest(std::string_view bytes);

// Compares without telling by its time where two values differ. Their lengths are not secret.
bool equal_constant_time(std::string_view a, std::string_view b);

// Percent-encodes everything outside RFC 3986 "unreserved".
std::string percent_encode(std::string_view text);
// Decodes %XX; nullopt for a malformed escape. '+' stays '+'.
std::optional<std::string> percent_decode(std::string_view text);

bool is_valid_utf8(std::string_view text);

}  // namespace bivouac
