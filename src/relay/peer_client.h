// SPDX-License-Identifier: BSD-3-Clause
// Requests to one peer in the name of one local entity: signed with what the peer gave us, its answers checked
// (Tent 0.3, section 5). And discovery (section 1.2). Loop thread.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include <bivouac/base/clock.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post.h>
#include <bivouac/relay/http_client.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/self.h>
#include <bivouac/tor/isolation.h>

#include "url.h"

namespace bivouac::relay {

// With constructors on purpose: gcc 12 copies the bytes of an aggregate that is made inside a co_await
// expression, which a std::string does not survive.
struct Key {
    std::string id;
    std::string key;

    Key() {}
    Key(std::string hawk_id, std::string hawk_key) : id(std::move(hawk_id)), key(std::move(hawk_key)) {}
    bool empty() const { return id.empty(); }
};

struct PeerRequest {
    std::string method = "GET";
    std::string url;
    std::string accept;
    std::string content_type;  // of the body
    std::string body;
    std::string link;          // a Link header
    Key key;                   // empty: unsigned
    int64_t timeout_ms = 0;
    uint64_t limit_bytes = 2u << 20;
    bool to_spool = false;
    bool direct_loopback = false;  // to an app on this machine
};

struct Discovered {
    Post meta;
    std::string servers;  // JSON array
    std::vector<tent::ServerUrls> usable;
    std::string moved_to;  // her address of today, when that is another one and proves it (tent/succession.h)
};

class PeerClient {
public:
    PeerClient(HttpClient& http, Clock& clock, std::string spool_directory)
        : http_(http)
        , clock_(clock)
        , spool_directory_(std::move(spool_directory))
    {
    }

    // Unavailable also when the answer's Server-Authorization does not fit. A 401 that tells the peer's clock
    // is followed by one more try with that clock.
    Task<Result<InResponse>> request(const tent::Self& self, std::string peer, PeerRequest request);

    // The meta post whose content.entity is the entity, or what succeeds it: see moved_to. Unavailable: nobody answers; Invalid: the answers lead nowhere.
    // All of it takes `total_ms` at most, where that is given.
    Task<Result<Discovered>> discover(const tent::Self& self, std::string entity, int64_t step_timeout_ms,
                                      int64_t total_ms = 0);

    // What is on its way to that peer fails at once.
    void interrupt(const tent::Self& self, const std::string& peer)
    {
        http_.interrupt(way_to(self, peer));
    }

    // A post envelope: the answer's body as {"post": ...}.
    static Result<Json> post_in(const InResponse& response);

private:
    Task<Result<InResponse>> get_following_redirects(const tent::Self& self, std::string peer, PeerRequest request,
                                                     std::string& final_url, int64_t until);
    Result<Discovered> read_meta(const InResponse& response, const std::string& entity);

    // One circuit a pair of own entity and peer, another one after it failed.
    tor::Isolation way_to(const tent::Self& self, const std::string& peer) const;
    void leave_circuit(const std::string& pair, uint32_t used);

    HttpClient& http_;
    Clock& clock_;
    std::string spool_directory_;
    tor::IsolationKey isolation_;
    std::unordered_map<std::string, int64_t> clock_offsets_;  // seconds, by Hawk id; bounded
    std::unordered_map<std::string, uint32_t> detours_;       // circuits left, by "self peer"; bounded
};

}  // namespace bivouac::relay
