// SPDX-License-Identifier: BSD-3-Clause
// Task<T>: a coroutine that somebody awaits. Used for what takes several round trips over Tor (handshake,
// delivery, fetching) so that the steps read from top to bottom on one thread, the loop.
// Lazy: it starts when awaited or spawned. It is not cancelled from outside: what it waits for fails
// (a request that is aborted at stop gives Unavailable) and it runs to its end.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace bivouac {

template <typename T = void>
class Task;

namespace detail {

struct TaskPromiseBase {
    std::coroutine_handle<> continuation = std::noop_coroutine();

    struct Final {
        bool await_ready() noexcept { return false; }
        template <typename P>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) noexcept
        {
            return h.promise().continuation;
        }
        void await_resume() noexcept {}
    };

    std::suspend_always initial_suspend() noexcept { return {}; }
    Final final_suspend() noexcept { return {}; }
    // Library exceptions become Results where the library is called; one that arrives here is our mistake.
    void unhandled_exception() { std::terminate(); }
};

template <typename T>
struct TaskPromise : TaskPromiseBase {
    std::optional<T> result;
    Task<T> get_return_object();
    template <typename U>
    void return_value(U&& value)
    {
        result.emplace(std::forward<U>(value));
    }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
    Task<void> get_return_object();
    void return_void() {}
};

}  // namespace detail

template <typename T>
class [[nodiscard]] Task {
public:
    using promise_type = detail::TaskPromise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    explicit Task(Handle handle) : handle_(handle) {}
    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Task(const Task&) = delete;
    Task& operator=(Task&&) = delete;
    ~Task()
    {
        if (handle_)
            handle_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept
    {
        handle_.promise().continuation = waiting;
        return handle_;
    }
    T await_resume()
    {
        if constexpr (!std::is_void_v<T>)
            return std::move(*handle_.promise().result);
    }

private:
    Handle handle_;
};

namespace detail {

template <typename T>
Task<T> TaskPromise<T>::get_return_object()
{
    return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object()
{
    return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

// A coroutine nobody awaits: owns itself and goes when it ends.
struct Detached {
    struct promise_type {
        Detached get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

}  // namespace detail

// Starts a task at once on the calling thread and lets it run on by itself.
inline void spawn(Task<void> task)
{
    [](Task<void> owned) -> detail::Detached { co_await owned; }(std::move(task));
}

// Awaits a function that takes a callback: co_await suspend<T>([&](auto done) { start(std::move(done)); });
// `done` may be called once, at once or later, on the thread that should go on.
template <typename T, typename Start>
class Suspend {
public:
    explicit Suspend(Start start) : start_(std::move(start)) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle)
    {
        handle_ = handle;
        start_([this](T value) {
            result_.emplace(std::move(value));
            if (suspended_)
                handle_.resume();
        });
        if (result_)
            return false;  // it was done at once: go straight on
        suspended_ = true;
        return true;
    }
    T await_resume() { return std::move(*result_); }

private:
    Start start_;
    std::coroutine_handle<> handle_;
    std::optional<T> result_;
    bool suspended_ = false;
};

template <typename T, typename Start>
Suspend<T, Start> suspend(Start start)
{
    return Suspend<T, Start>(std::move(start));
}

}  // namespace bivouac
