// SPDX-License-Identifier: BSD-3-Clause
// Everything that goes to peers: the outbox, handshakes (both sides), fetching attachments. One queue a peer,
// in order; many peers at once; a peer that stalls delays nobody else. The outbox table is the truth, wake() only
// a hint. Lives on the loop thread; wake() and peer_seen() may be called from every thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <bivouac/base/clock.h>
#include <bivouac/base/event_loop.h>
#include <bivouac/model/json.h>
#include <bivouac/net/http_message.h>
#include <bivouac/relay/http_client.h>
#include <bivouac/store/store.h>
#include <bivouac/tent/proxying.h>
#include <bivouac/tent/self.h>

namespace bivouac::relay {

class Relay {
public:
    Relay(EventLoop& loop, store::Store& store, HttpClient& http, Clock& clock, std::string spool_directory,
          std::vector<tent::Self> entities);
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // Tor's SOCKS address; empty: tor is away, everything waits without counting as a failure.
    void set_proxy(const std::string& socks_address);
#ifdef BIVOUAC_CONFORMANCE
    void go_without_tor();  // there is none, and addresses that are reached without it (tor/reach.h)
#endif
    // What tor said when it looked for that onion (56 characters), in words; it goes with the problem of an attempt that
    // did not reach it.
    void onion_looked_up(const std::string& address, const std::string& words);
    // Tor can build circuits (again): what waited is due at once.
    void tor_is_back();
    // Others can reach us (again): those who may be holding something back for us are told, by an ordinary
    // signed request.
    void onion_is_published(int64_t owner);

    // How long a delivery is tried; limits::kDeliveryPatienceMs unless told. Before anything else.
    void set_patience(int64_t ms);

    // "127.0.0.1:PORT" where we or tor listen: apps are not told anything there.
    void avoid_address(const std::string& address);

    // There is something new for peers or for apps.
    void wake();
    // Something that waited was taken back, or somebody may read less than before: an attempt that is under way for what is
    // not to arrive any more is interrupted.
    void something_withdrawn();
    // A request signed by that peer came in: she is there, so what waits for her is due.
    void peer_seen(int64_t owner, std::string peer);

    // The target's side of a handshake (section 7.2, steps 3 to 6). `respond` is called on the loop thread.
    struct InitialRequest {
        tent::Self self;
        std::string url_entity;
        std::string url_post;
        std::string link;  // the Link header, joined
        Json body;
        std::optional<uint32_t> circuit = std::nullopt;  // where tor tells
    };
    void answer_initial(InitialRequest request, std::function<void(net::HttpResponse)> respond);

    // What an app of ours wants to read elsewhere (section 4.9). From every thread; `done` on one that may wait.
    void ask_remote(tent::RemoteRequest request, std::function<void(tent::RemoteAnswer)> done);

    // Lets requests in flight end for at most `grace_ms`, then aborts them; then `done`.
    void stop(int64_t grace_ms, std::function<void()> done);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace bivouac::relay
