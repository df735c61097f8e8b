// SPDX-License-Identifier: BSD-3-Clause
// What the loop knows and others ask for: tor's state, addresses. A copy behind a mutex.
#pragma once

#include <mutex>
#include <string>

#include <bivouac/relay/own_reach.h>
#include <bivouac/tor/tor_control.h>

namespace bivouac::app {

struct Status {
    std::string listen;
    std::string local_api;  // "http://127.0.0.1:PORT", empty when off
    bool no_tor = false;
    bool published = false;
    tor::TorState tor;
    relay::Reach reach;
    std::string tor_mode;   // "child", "control", "torrc", "none"
};

class StatusBoard {
public:
    Status get() const
    {
        std::lock_guard lock(mutex_);
        return status_;
    }
    template <typename F>
    void change(F function)
    {
        std::lock_guard lock(mutex_);
        function(status_);
    }

private:
    mutable std::mutex mutex_;
    Status status_;
};

}  // namespace bivouac::app
