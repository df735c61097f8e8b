// SPDX-License-Identifier: BSD-3-Clause
// One thread for work that blocks (writing a fetched file into the store), awaited from the loop.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include <bivouac/base/bounded_queue.h>
#include <bivouac/base/event_loop.h>
#include <bivouac/base/task.h>

namespace bivouac {

class Background {
public:
    explicit Background(EventLoop& loop, size_t limit = 1024)
        : loop_(loop)
        , queue_(limit)
        , thread_([this] {
            while (auto job = queue_.pop())
                (*job)();
        })
    {
    }
    ~Background()
    {
        queue_.close();
        thread_.join();
    }

    // Runs the function on the thread and goes on, on the loop, with what it returned.
    template <typename T>
    Task<T> run(std::function<T()> function)
    {
        // By reference: gcc 12 copies the bytes of a closure that is made inside a co_await expression.
        co_return co_await suspend<T>([this, &function](auto done) {
            auto finish = std::make_shared<decltype(done)>(std::move(done));
            std::function<void()> job = [this, function, finish] {
                auto value = std::make_shared<T>(function());
                loop_.post([finish, value] { (*finish)(std::move(*value)); });
            };
            queue_.push(std::move(job));
        });
    }

private:
    EventLoop& loop_;
    BoundedQueue<std::function<void()>> queue_;
    std::thread thread_;
};

}  // namespace bivouac
