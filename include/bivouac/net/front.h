// SPDX-License-Identifier: BSD-3-Clause
// The inbound side: accepts on loopback or unix sockets, frames one request at a time within limits and
// absolute deadlines, hands it to a worker, writes the answer. cpp-httplib's request processing runs on the
// workers over memory only; it never gets a socket (docs/architecture.md says why).
//
// Threads: construct, listen() and run on the loop thread (or before it runs). The handler runs on worker
// threads. A Responder may be called from every thread, once; dropping it without a call answers 500.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <bivouac/base/event_loop.h>
#include <bivouac/base/result.h>
#include <bivouac/net/http_message.h>
#include <bivouac/net/request_head.h>

namespace bivouac::net {

struct FrontLimits {
    size_t workers = 4;
    size_t queue = 256;                  // requests waiting for a worker; beyond: 503
    size_t connections = 8192;           // beyond: accepted and closed at once
    size_t connections_per_circuit = 64; // where circuits are known; beyond: closed
    size_t deferred = 256;               // requests whose handler has not answered yet; beyond: 503
    uint64_t bytes_in_flight = 512u << 20;  // of all bodies together; beyond: 503
    int64_t head_ms = 15'000;            // from the first byte of a head to its end
    int64_t idle_ms = 30'000;            // between requests
    int64_t body_ms = 60'000;            // for bodies up to 1 MiB, from the end of the head
    int64_t body_ms_per_mib = 15'000;    // more for each further MiB (a slow onion circuit)
    int64_t write_stall_ms = 60'000;     // no byte taken by the client for so long: closed
    int64_t answer_ms = 180'000;         // the handler's time, deferred answers included: then 503
    size_t output_high_bytes = 256u << 10;
    size_t output_piece_bytes = 64u << 10;
};

using Responder = std::function<void(HttpResponse)>;
using Handler = std::function<void(HttpRequest, Responder)>;
using Admit = std::function<BodyPolicy(int listener, const RequestHead&)>;

class Front {
public:
    // `spool_directory` takes the encrypted overflow of large bodies.
    Front(EventLoop& loop, FrontLimits limits, std::string spool_directory, Admit admit, Handler handler);
    ~Front();  // after stop() has completed and the loop has ended
    Front(const Front&) = delete;
    Front& operator=(const Front&) = delete;

    struct Listen {
        // "127.0.0.1:PORT" (0: chosen by the system) or "unix:/path". Anything but loopback is refused.
        std::string address;
        bool same_user_only = false;  // unix sockets: the peer's uid must be ours
        mode_t unix_mode = 0600;
        bool circuit_ids = false;     // each connection begins with a line of tor's that names the circuit
    };
    struct Listening {
        int id = 0;           // goes into HttpRequest::listener
        std::string address;  // as above with the real port
    };
    // Conflict when the address is taken.
    Result<Listening> listen(const Listen& what);
    void close_listener(int id);  // and its connections

    // Takes no more connections and requests, finishes those in hand for at most `grace_ms`, then closes
    // everything and calls `done` on the loop thread. Workers have ended by then.
    void stop(int64_t grace_ms, std::function<void()> done);

    struct Stats {
        size_t connections = 0;
        size_t waiting = 0;   // requests in the queue, with a worker, or deferred
        uint64_t served = 0;
        uint64_t refused = 0;
    };
    Stats stats() const;  // loop thread

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bivouac::net
