// SPDX-License-Identifier: BSD-3-Clause
// What the front's threads share: the way back to the loop, counters, and one Exchange for each request that
// was given to a handler. All of it may outlive the front and the connection, which are known by id only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <bivouac/base/event_loop.h>
#include <bivouac/base/spool.h>
#include <bivouac/net/front.h>

#include "http_adapter.h"

namespace bivouac::net
{

// One request of one connection. Neither number is used twice.
struct RequestId {
    uint64_t connection = 0;
    uint64_t serial = 0;
};

// The loop's end of it.
class AnswerSink
{
public:
    virtual void answered(RequestId id, WireAnswer answer) = 0;
    virtual void pulled(RequestId id, Result<std::string> piece) = 0;
    virtual void worker_ended() = 0;

protected:
    ~AnswerSink() = default;
};

class Shared : public std::enable_shared_from_this<Shared>
{
public:
    Shared(EventLoop& loop, AnswerSink& sink)
        : loop_(&loop)
        , sink_(&sink)
    {
    }

    // Runs on the loop thread with the sink, unless the front is gone by then.
    void post(std::function<void(AnswerSink&)> job);
    void detach(); // loop thread, or after the loop has ended

    HttpAdapter adapter;
    std::atomic<size_t> queued{0}; // requests waiting for a worker
    std::atomic<size_t> deferred{0}; // handlers that returned without an answer
    std::atomic<size_t> waiting{0}; // both, and those with a worker
    std::atomic<uint64_t> body_bytes{0};
    std::atomic<bool> abandoned{false}; // no handler is called any more

private:
    std::mutex mutex_;
    EventLoop* loop_;
    AnswerSink* sink_;
};

// A request's body. Its bytes count for as long as anybody holds it.
struct CountedBody {
    CountedBody(std::shared_ptr<Shared> counters, const std::string& directory, size_t memory_limit_bytes)
        : shared(std::move(counters))
        , spool(directory, memory_limit_bytes)
    {
    }
    CountedBody(const CountedBody&) = delete;
    CountedBody& operator=(const CountedBody&) = delete;
    ~CountedBody() { shared->body_bytes -= counted; }

    Result<void> append(std::string_view bytes)
    {
        counted += bytes.size();
        shared->body_bytes += bytes.size();
        return spool.append(bytes);
    }

    std::shared_ptr<Shared> shared;
    Spool spool;
    uint64_t counted = 0;
};

// From the queue to the answer. Copies of the Responder share it; when the last one goes unanswered, it
// answers 500 by itself.
class Exchange : public std::enable_shared_from_this<Exchange>
{
public:
    Exchange(std::shared_ptr<Shared> shared, RequestId id, std::string method, Persistence persistence);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    // On a worker, once.
    void run(HttpRequest& request, const Handler& handler);
    // From every thread; only the first call counts.
    void respond(HttpResponse response);

private:
    std::optional<HttpResponse> handler_returned();
    void settle(bool was_deferred);
    void deliver(HttpResponse response);

    const std::shared_ptr<Shared> shared_;
    const RequestId id_;
    const std::string method_;
    const Persistence persistence_;
    std::mutex mutex_;
    bool in_handler_ = true; // an answer is left to the worker, which is inside the adapter anyway
    bool answered_ = false;
    bool deferred_ = false;
    std::optional<HttpResponse> early_;
};

} // namespace bivouac::net
