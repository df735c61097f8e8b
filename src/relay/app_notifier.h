// SPDX-License-Identifier: BSD-3-Clause
// Tells apps of new posts at their notification URLs (Tent 0.3, section 6.7): in order for each app, many apps at
// once. Onions through Tor, programs on this machine directly, nobody else. Loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <bivouac/base/clock.h>
#include <bivouac/base/event_loop.h>
#include <bivouac/relay/http_client.h>
#include <bivouac/store/notifications.h>
#include <bivouac/store/store.h>
#include <bivouac/tent/self.h>

#include "peer_client.h"

namespace bivouac::relay {

class AppNotifier : public std::enable_shared_from_this<AppNotifier> {
public:
    // `idle` is called when nothing is under way (any more) after stop().
    AppNotifier(EventLoop& loop, store::Store& store, HttpClient& http, Clock& clock, std::vector<tent::Self> entities,
                std::function<void()> idle);

    void set_tor(bool ready);  // while it is away, apps behind onions wait without counting as failed
    // A port of this machine where no app listens, but we or tor do: nothing is sent there.
    void avoid_port(std::string port) { avoided_.insert(std::move(port)); }
    void pump();
    void stop();
    bool busy() const { return pumping_ || !running_.empty(); }

private:
    using AppId = std::pair<int64_t, std::string>;
    struct Job;  // one notification, ready to go

    static Task<void> look(std::shared_ptr<AppNotifier> self);
    static Task<void> serve(std::shared_ptr<AppNotifier> self, AppId id);
    static Result<Job> next_job(store::WriteTx& tx, const tent::Self& self, const std::string& app);
    enum class Next { GoOn, Wait, Stuck };
    Task<Next> send(AppId id, Job job);
    bool may_send_to(const std::string& url) const;

    EventLoop& loop_;
    store::Store& store_;
    PeerClient client_;
    std::map<int64_t, tent::Self> entities_;
    std::function<void()> idle_;
    std::set<std::string> avoided_;
    bool has_tor_ = false;
    bool stopping_ = false;
    bool pumping_ = false;
    bool pump_again_ = false;
    bool resting_ = false;
    std::set<AppId> running_;
    std::set<AppId> stuck_;  // nothing can be done for them before something changes
    EventLoop::Timer timer_;
    EventLoop::Timer rest_timer_;
};

}  // namespace bivouac::relay
