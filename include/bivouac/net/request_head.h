// SPDX-License-Identifier: BSD-3-Clause
// Strict parser of a request head (RFC 9112 sections 2 to 6). Pure, fuzzed. What two parsers could read
// differently is refused: that is what request smuggling lives on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/net/http_message.h>

namespace bivouac::net {

constexpr size_t kHeadLimitBytes = 16u << 10;
constexpr size_t kHeadLimitFields = 100;

struct RequestHead {
    std::string method;
    std::string target;  // origin form ("/..."), or "*" for OPTIONS
    int minor_version = 1;
    std::vector<Header> headers;
    std::string host;  // lower case
    std::optional<uint64_t> content_length;
    bool chunked = false;
    bool expects_continue = false;
    bool close = false;  // the client asked for it, or is HTTP/1.0

    bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// The head's bytes, from the request line to the empty line inclusive.
// Invalid -> 400, TooLarge -> 431, Unsupported -> 415 (Content-Encoding) or, for an unknown transfer coding, 501.
// Inside another request (a batch) the host is the outer one's, so there it may be left out.
enum class HostField { Needed, Optional };
Result<RequestHead> parse_request_head(std::string_view bytes, HostField host = HostField::Needed);

// The status for an error of parse_request_head.
int head_error_status(const Error& error);

// Where the head ends in what has been read so far: the position after the empty line, 0 when more is needed.
size_t find_head_end(std::string_view bytes);

// What tor sends before a connection's own bytes where its configuration says HiddenServiceExportCircuitID haproxy:
// "PROXY TCP6 <address> <address> <port> <port>", the line end not included (PROXY protocol, version 1). The circuit is
// the last 32 bits of the first address. Invalid for everything else.
constexpr size_t kCircuitLineBytes = 107;  // with its line end
Result<uint32_t> parse_circuit_line(std::string_view line);

// Chunked transfer coding, piece by piece (RFC 9112 section 7.1). No trailers, no extensions with quotes.
class ChunkedDecoder {
public:
    // Consumes from `input` (advances it), appends decoded bytes to `out`. Invalid when malformed.
    Result<void> feed(std::string_view& input, std::string& out);
    bool done() const { return state_ == State::Done; }

private:
    enum class State { Size, Extension, SizeEnd, Data, DataCr, DataLf, LastCr, LastLf, Done };
    State state_ = State::Size;
    uint64_t left_ = 0;
    int digits_ = 0;
    int extension_bytes_ = 0;
};

}  // namespace bivouac::net
