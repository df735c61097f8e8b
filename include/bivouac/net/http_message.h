// SPDX-License-Identifier: BSD-3-Clause
// One HTTP request and one response as plain values, so that handlers are tested without a socket.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/base/spool.h>

namespace bivouac::net {

struct Header {
    std::string name;   // as sent; compared without regard to case
    std::string value;  // trimmed
};

// The first value of that name, or nothing.
std::optional<std::string_view> find_header(const std::vector<Header>& headers, std::string_view name);
// The value of a cookie, out of every Cookie header ("a=1; b=2"); empty when there is none. Headers of more than 8 KiB
// are not looked into.
std::string_view find_cookie(const std::vector<Header>& headers, std::string_view name);

struct HttpRequest {
    std::string method;
    std::string target;  // raw, exactly as sent: Hawk is computed over it (Tent 0.3, section 1.5)
    std::vector<Header> headers;
    std::string host;                   // the Host header in lower case, port included as sent
    std::shared_ptr<const Spool> body;  // finished; never null, may be empty
    int listener = 0;                   // which listener it came in through: this decides the entity
    std::optional<uint32_t> circuit;    // tor's, where it tells (Front::Listen::circuit_ids)

    std::optional<std::string_view> header(std::string_view name) const { return find_header(headers, name); }
};

// A body too large to hold: read in pieces by a worker whenever the connection has room for one.
struct BodySource {
    uint64_t size = 0;
    // At most `limit` bytes from `offset`. Called on worker threads, one call at a time.
    std::function<Result<std::string>(uint64_t offset, size_t limit)> read;
};

struct HttpResponse {
    int status = 200;
    std::vector<Header> headers;  // without Content-Length, which the front adds
    std::string body;
    std::optional<BodySource> large;  // instead of body

    HttpResponse& with(std::string name, std::string value)
    {
        headers.push_back({std::move(name), std::move(value)});
        return *this;
    }
    std::optional<std::string_view> header(std::string_view name) const { return find_header(headers, name); }
};

// Decided on the loop thread from the head alone, quickly and without I/O.
struct BodyPolicy {
    uint64_t limit_bytes = 1u << 20;  // beyond: 413
    // So much more is read and dropped after a 413, where the client said how much it sends: a browser looks for the
    // answer only when it has sent everything.
    uint64_t drop_bytes = 0;
    std::function<HttpResponse()> too_large;  // the answer then, made on the loop thread; null: the usual one
};

}  // namespace bivouac::net
