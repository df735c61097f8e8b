// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/event_loop.h>
#include <bivouac/base/pace.h>

#include <algorithm>

#include <atomic>
#include <csignal>
#include <deque>
#include <list>
#include <mutex>
#include <new>
#include <thread>

#include <event2/event.h>
#include <event2/thread.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace bivouac {

struct EventLoop::Jobs {
    std::mutex mutex;
    std::deque<std::function<void()>> waiting;
    int wake_fd = -1;
    event* wake_event = nullptr;
    std::atomic<std::thread::id> thread{};
    struct Sleeper {
        Timer timer;
        std::function<void(bool)> done;
    };
    std::list<Sleeper> sleepers;
};

struct EventLoop::Timer::State {
    event* ev = nullptr;
    std::function<void()> callback;
    std::weak_ptr<State> self;

    ~State()
    {
        if (ev)
            event_free(ev);
    }

    static void fired(evutil_socket_t, short, void* argument)
    {
        // Held while the callback runs: the callback may drop the Timer that owns this state.
        auto state = static_cast<State*>(argument)->self.lock();
        if (state)
            state->callback();
    }
};

EventLoop::EventLoop()
    : jobs_(std::make_unique<Jobs>())
{
    static const int threads_ready = evthread_use_pthreads();
    (void)threads_ready;
    base_ = event_base_new();
    if (!base_)
        throw std::bad_alloc();
    jobs_->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    jobs_->wake_event = event_new(
        base_, jobs_->wake_fd, EV_READ | EV_PERSIST,
        [](evutil_socket_t fd, short, void* argument) {
            uint64_t count = 0;
            [[maybe_unused]] auto ignored = ::read(fd, &count, sizeof count);
            auto* jobs = static_cast<Jobs*>(argument);
            std::deque<std::function<void()>> batch;
            {
                std::lock_guard lock(jobs->mutex);
                batch.swap(jobs->waiting);
            }
            for (auto& job : batch)
                job();
        },
        jobs_.get());
    event_add(jobs_->wake_event, nullptr);
}

EventLoop::~EventLoop()
{
    jobs_->sleepers.clear();
    {
        // Jobs may own things that post again while they are destroyed.
        std::deque<std::function<void()>> left;
        std::lock_guard lock(jobs_->mutex);
        left.swap(jobs_->waiting);
    }
    event_free(jobs_->wake_event);
    ::close(jobs_->wake_fd);
    event_base_free(base_);
}

void EventLoop::run()
{
    jobs_->thread = std::this_thread::get_id();
    event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY);
    jobs_->thread = std::thread::id();
}

void EventLoop::stop()
{
    post([this] { event_base_loopbreak(base_); });
}

void EventLoop::post(std::function<void()> job)
{
    bool was_empty = false;
    {
        std::lock_guard lock(jobs_->mutex);
        was_empty = jobs_->waiting.empty();
        jobs_->waiting.push_back(std::move(job));
    }
    if (was_empty) {
        uint64_t one = 1;
        [[maybe_unused]] auto ignored = ::write(jobs_->wake_fd, &one, sizeof one);
    }
}

bool EventLoop::on_loop_thread() const
{
    return jobs_->thread.load() == std::this_thread::get_id();
}

namespace {

timeval to_timeval(int64_t ms)
{
    ms = real_ms(std::max<int64_t>(ms, 0));
    return {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

}  // namespace

EventLoop::Timer EventLoop::after(int64_t delay_ms, std::function<void()> callback)
{
    Timer timer;
    timer.state_ = std::make_shared<Timer::State>();
    timer.state_->self = timer.state_;
    timer.state_->callback = std::move(callback);
    timer.state_->ev = event_new(base_, -1, 0, &Timer::State::fired, timer.state_.get());
    timeval wait = to_timeval(delay_ms);
    event_add(timer.state_->ev, &wait);
    return timer;
}

EventLoop::Timer EventLoop::every(int64_t period_ms, std::function<void()> callback)
{
    Timer timer;
    timer.state_ = std::make_shared<Timer::State>();
    timer.state_->self = timer.state_;
    timer.state_->callback = std::move(callback);
    timer.state_->ev = event_new(base_, -1, EV_PERSIST, &Timer::State::fired, timer.state_.get());
    timeval wait = to_timeval(period_ms);
    event_add(timer.state_->ev, &wait);
    return timer;
}

Task<void> EventLoop::sleep(int64_t delay_ms)
{
    co_await suspend<bool>([this, delay_ms](auto done) {
        auto& sleepers = jobs_->sleepers;
        sleepers.emplace_back();
        auto it = std::prev(sleepers.end());
        it->done = std::move(done);
        it->timer = after(delay_ms, [&sleepers, it] {
            auto resume = std::move(it->done);
            sleepers.erase(it);
            resume(true);
        });
    });
}

void EventLoop::wake_sleepers()
{
    auto sleepers = std::move(jobs_->sleepers);
    jobs_->sleepers.clear();
    for (auto& sleeper : sleepers)
        sleeper.done(true);
}

}  // namespace bivouac
