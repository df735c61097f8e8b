// SPDX-License-Identifier: BSD-3-Clause
// Hawk 1.0 as Tent uses it (Tent 0.3, section 5): headers, MACs, payload hashes, bewits. Pure functions over
// plain values; keys are the characters of hawk_key themselves. Times are seconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <bivouac/base/result.h>

namespace bivouac::auth {

struct HawkHeader {
    std::string id;
    int64_t ts = 0;
    std::string nonce;
    std::string mac;
    std::string hash;
    std::string ext;
    std::string app;
    std::string dlg;
    bool has_ext = false;
};

// What is signed besides the header's own fields.
struct HawkTarget {
    std::string method;
    std::string target;  // raw path and query
    std::string host;    // lower case, without port
    uint16_t port = 80;
};

// "Hawk id=..., ..." Unknown or repeated fields, bad characters: Invalid.
Result<HawkHeader> parse_hawk_header(std::string_view value);
std::string write_hawk_header(const HawkHeader& header);

enum class HawkKind { Header, Response };
std::string hawk_mac(HawkKind kind, std::string_view key, const HawkHeader& header, const HawkTarget& target);

// base64; content type without parameters, lower case (section 5.3).
std::string hawk_payload_hash(std::string_view content_type, std::string_view body);
// What goes before the body; after it comes a line feed. For hashing in pieces.
std::string hawk_payload_prefix(std::string_view content_type);

// Server-Authorization: mac over the request's fields with the response's hash (section 5.4).
std::string write_server_authorization(std::string_view key, const HawkHeader& request, const HawkTarget& target,
                                       std::string_view response_hash);
// The client's side of it: does the value fit? `response_hash` as computed, empty when there is no body.
bool verify_server_authorization(std::string_view value, std::string_view key, const HawkHeader& request,
                                 const HawkTarget& target, std::string_view response_hash);

std::string hawk_tsm(std::string_view key, int64_t ts);
// WWW-Authenticate of a stale request (section 5.5); and its reading by a client: the server's clock.
std::string write_stale_challenge(std::string_view key, int64_t ts);
std::optional<int64_t> read_stale_challenge(std::string_view value, std::string_view key);

struct Bewit {
    std::string id;
    int64_t exp = 0;
    std::string mac;
    std::string ext;
};
// `target` must be without the bewit parameter; host and port of the URL.
std::string bewit_mac(std::string_view key, int64_t exp, std::string_view ext, const HawkTarget& target);
std::string write_bewit(const Bewit& bewit);
Result<Bewit> parse_bewit(std::string_view text);
// Takes the bewit parameter, and the '?' or '&' that goes with it, out of a raw target.
struct SplitTarget {
    std::string target;
    std::string bewit;  // empty: there was none
};
SplitTarget split_bewit(std::string_view target);

// "host:port" of a Host header; port 80 when absent (section 5.2).
Result<HawkTarget> hawk_target(std::string_view method, std::string_view target, std::string_view host_header);

}  // namespace bivouac::auth
