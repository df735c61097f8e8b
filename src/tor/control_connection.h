// SPDX-License-Identifier: BSD-3-Clause
// One connection to a control port: commands in order, their replies awaited, events handed on. Loop thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <bivouac/base/event_loop.h>
#include <bivouac/base/result.h>
#include <bivouac/base/task.h>

#include "control_protocol.h"

struct event;

namespace bivouac::tor
{

// A socket to "127.0.0.1:PORT" or "unix:/path" that connects without blocking; nothing else is accepted.
Result<int> connect_control_socket(const std::string& address);
// The same by this process itself, whether there is a broker or not.
Result<int> connect_control_socket_here(const std::string& address);

class ControlConnection
{
public:
    explicit ControlConnection(EventLoop& loop)
        : loop_(loop)
    {
    }
    ~ControlConnection() { close(); }
    ControlConnection(const ControlConnection&) = delete;
    ControlConnection& operator=(const ControlConnection&) = delete;

    Task<Result<void>> open(std::string address);
    bool is_open() const { return fd_ >= 0; }
    // Everything that waits fails with Unavailable; on_close is not called.
    void close();

    // One line without its end. Written from the caller's memory straight into the socket, so that a key in
    // it is not left in a buffer.
    Task<Result<Reply>> command(std::string_view line);

    std::function<void(const std::string& text)> on_event;
    std::function<void()> on_close; // tor went away, stalled, or sent nonsense

    // Whoever holds this object; kept alive while callbacks run, since what they resume may let go of it.
    std::weak_ptr<void> owner;

private:
    void watch(short kind, int64_t limit_ms);
    void ready(short what);
    void connected();
    void readable();
    void broken();
    void shut();
    void fail_waiting();
    void restart_deadline();

    EventLoop& loop_;
    int fd_ = -1;
    uint64_t generation_ = 0; // of open()
    event* event_ = nullptr;
    std::function<void(bool)> connecting_;
    ReplyReader reader_;
    std::deque<std::function<void(Result<Reply>)>> waiting_;
    EventLoop::Timer deadline_;
};

} // namespace bivouac::tor
