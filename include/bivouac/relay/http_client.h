// SPDX-License-Identifier: BSD-3-Clause
// Outbound HTTP through Tor's SOCKS port: libcurl's multi-socket interface on our loop. There is one place
// that makes a request handle, and it refuses to make one without a loopback SOCKS proxy or for a host that
// is not a valid v3 onion; but for requests that say so and go to this machine. No redirects are followed, no name is
// ever resolved here.
// Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <bivouac/base/event_loop.h>
#include <bivouac/base/result.h>
#include <bivouac/base/spool.h>
#include <bivouac/base/task.h>
#include <bivouac/net/http_message.h>
#include <bivouac/tor/isolation.h>

namespace bivouac::relay {

struct OutRequest {
    std::string method = "GET";
    std::string url;  // http://<56>.onion/..., with the path and query already escaped: sent as it stands
    std::vector<net::Header> headers;
    std::string body;
    tor::Isolation isolation;            // which circuit
    // Not through Tor: to a program on this machine, http://127.0.0.1[:PORT], http://[::1][:PORT] or
    // http://localhost[:PORT] and nothing else.
    bool direct_loopback = false;
    uint64_t limit_bytes = 4u << 20;     // of the response body; beyond: TooLarge
    int64_t timeout_ms = 120'000;        // for all of it
    std::string spool_directory;         // not empty: the body goes into a Spool there, not into `body`
};

struct InResponse {
    int status = 0;
    std::vector<net::Header> headers;
    std::string body;
    std::unique_ptr<Spool> spool;

    std::optional<std::string_view> header(std::string_view name) const
    {
        return net::find_header(headers, name);
    }
};

// The failure that fetch() gives when the time was up, and whether one is that.
Error too_late();
bool is_too_late(const Error& error);

class HttpClient {
public:
    // `bytes of memory for headers` and the like are bounded inside.
    explicit HttpClient(EventLoop& loop);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // "127.0.0.1:PORT" or "unix:/path"; empty: no tor, every fetch fails with Unavailable.
    // Changing it closes idle connections. Anything that is not loopback or a unix socket is Invalid.
    Result<void> set_proxy(const std::string& socks_address);

    // Result: whatever HTTP answer came. Unavailable with words (tor/socks_reply) when none came;
    // Invalid for a URL we refuse; TooLarge.
    Task<Result<InResponse>> fetch(OutRequest request);

    // Requests in flight with this isolation fail with Unavailable; their connections are closed.
    void interrupt(const tor::Isolation& isolation);
    // Every request in flight fails with Unavailable, new ones too.
    void stop();

    size_t in_flight() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bivouac::relay
