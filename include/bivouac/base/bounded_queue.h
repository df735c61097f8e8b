// SPDX-License-Identifier: BSD-3-Clause
// A queue between threads with a limit and a close. Full means the sender is told, never that memory grows.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

namespace bivouac {

template <typename T>
class BoundedQueue {
public:
    explicit BoundedQueue(size_t limit) : limit_(limit) {}

    // False when full or closed; `value` is then untouched.
    bool try_push(T&& value)
    {
        {
            std::lock_guard lock(mutex_);
            if (closed_ || items_.size() >= limit_)
                return false;
            items_.push_back(std::move(value));
        }
        ready_.notify_one();
        return true;
    }

    // Waits for room. False when closed.
    bool push(T&& value)
    {
        {
            std::unique_lock lock(mutex_);
            room_.wait(lock, [this] { return closed_ || items_.size() < limit_; });
            if (closed_)
                return false;
            items_.push_back(std::move(value));
        }
        ready_.notify_one();
        return true;
    }

    // Waits for an item; nullopt when closed and empty.
    std::optional<T> pop()
    {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [this] { return closed_ || !items_.empty(); });
        return take(lock);
    }

    std::optional<T> try_pop()
    {
        std::unique_lock lock(mutex_);
        return take(lock);
    }

    // Waits until `deadline`.
    std::optional<T> pop_until(std::chrono::steady_clock::time_point deadline)
    {
        std::unique_lock lock(mutex_);
        ready_.wait_until(lock, deadline, [this] { return closed_ || !items_.empty(); });
        return take(lock);
    }

    // What is inside can still be taken out; nothing more goes in.
    void close()
    {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        ready_.notify_all();
        room_.notify_all();
    }

private:
    std::optional<T> take(std::unique_lock<std::mutex>& lock)
    {
        if (items_.empty())
            return std::nullopt;
        std::optional<T> item(std::move(items_.front()));
        items_.pop_front();
        lock.unlock();
        room_.notify_one();
        return item;
    }

    const size_t limit_;
    std::mutex mutex_;
    std::condition_variable ready_;
    std::condition_variable room_;
    std::deque<T> items_;
    bool closed_ = false;
};

}  // namespace bivouac
