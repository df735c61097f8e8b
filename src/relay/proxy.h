// SPDX-License-Identifier: BSD-3-Clause
// Asks other servers in the name of apps of ours (Tent 0.3, sections 4.9 and 4.10). Bounded in everything, and on
// circuits of its own: somebody who stalls here delays no delivery. Loop thread, but for ask().
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <bivouac/base/background.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/event_loop.h>
#include <bivouac/relay/http_client.h>
#include <bivouac/store/relationships.h>
#include <bivouac/store/store.h>
#include <bivouac/tent/proxying.h>

#include "peer_client.h"

namespace bivouac::relay {

class Proxy : public std::enable_shared_from_this<Proxy> {
public:
    // `idle` is called when nothing is under way (any more) after stop().
    Proxy(EventLoop& loop, store::Store& store, HttpClient& http, Clock& clock, std::string spool_directory,
          std::function<void()> idle);

    // From every thread; `done` is called on a thread of this object.
    void ask(tent::RemoteRequest request, std::function<void(tent::RemoteAnswer)> done);
    void stop();
    bool busy() const { return running_ > 0 || !waiting_.empty(); }

private:
    using PeerId = std::pair<int64_t, std::string>;
    struct Job {
        tent::RemoteRequest request;
        std::function<void(tent::RemoteAnswer)> done;
        int64_t until = 0;  // counted from when it was asked for: waiting for a turn is part of it
    };
    struct Servers {  // of somebody whom we have no relationship with
        std::vector<tent::ServerUrls> urls;
        int64_t until = 0;
    };
    struct Way {
        std::vector<tent::ServerUrls> servers;
        Key key;
    };

    void take(Job job);
    void start_waiting();
    void end_late();
    void come_to_nothing(Job job, tent::RemoteAnswer::Outcome why);
    static Task<void> run(std::shared_ptr<Proxy> self, Job job);
    static Task<void> answer(std::shared_ptr<Proxy> self, Job job, tent::RemoteAnswer answer);
    Task<tent::RemoteAnswer> look(const tent::RemoteRequest& request, int64_t until);
    Task<tent::RemoteAnswer> discover(const tent::RemoteRequest& request, int64_t until);
    Task<Result<Way>> find_way(const tent::RemoteRequest& request, int64_t until);
    Task<Result<InResponse>> request_any(const tent::RemoteRequest& request, const Way& way, int64_t until,
                                         std::string& url);
    void remember(const PeerId& id, std::vector<tent::ServerUrls> urls);

    EventLoop& loop_;
    store::Store& store_;
    Clock& clock_;
    PeerClient peers_;
    Background background_;
    std::function<void()> idle_;
    bool stopping_ = false;
    size_t running_ = 0;
    std::map<PeerId, size_t> running_from_;
    std::deque<Job> waiting_;
    EventLoop::Timer late_timer_;
    std::map<PeerId, Servers> found_;
};

// Where that is at one of an entity's servers; empty when the server has no such address. Pure.
std::string url_of(const tent::RemoteRequest& request, const tent::ServerUrls& server);

}  // namespace bivouac::relay
