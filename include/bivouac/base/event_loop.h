// SPDX-License-Identifier: BSD-3-Clause
// The loop thread: inbound connections, outbound requests, Tor's control connection and timers all live on it.
// post() may be called from every thread; everything else only on the loop thread (or before run()).
// Nothing here connects anywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <bivouac/base/task.h>

struct event_base;

namespace bivouac {

class EventLoop {
public:
    EventLoop();
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    void run();   // until stop()
    void stop();  // from every thread; run() returns after the current callback
    void post(std::function<void()> job);
    bool on_loop_thread() const;

    // A one-shot or repeating timer; destroying it cancels. The callback may destroy its own timer.
    class Timer {
    public:
        Timer() = default;
        Timer(Timer&&) noexcept = default;
        Timer& operator=(Timer&&) noexcept = default;
        void cancel() { state_.reset(); }
        explicit operator bool() const { return state_ != nullptr; }

    private:
        friend class EventLoop;
        struct State;
        std::shared_ptr<State> state_;
    };
    [[nodiscard]] Timer after(int64_t delay_ms, std::function<void()> callback);
    [[nodiscard]] Timer every(int64_t period_ms, std::function<void()> callback);

    // co_await loop.sleep(ms): goes on after the time, or as soon as wake_sleepers() is called (at stop).
    Task<void> sleep(int64_t delay_ms);
    void wake_sleepers();

    event_base* base() { return base_; }  // for front, http_client and tor_control

private:
    struct Jobs;
    event_base* base_;
    std::unique_ptr<Jobs> jobs_;
};

}  // namespace bivouac
