// SPDX-License-Identifier: BSD-3-Clause
// A tor process of our own: start, last words, end. Its log is kept in memory only. Loop thread.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include <bivouac/base/event_loop.h>
#include <bivouac/base/result.h>
#include <bivouac/tor/launch.h>

struct event;

namespace bivouac::tor
{

class TorChild
{
public:
    TorChild(EventLoop& loop, ChildOptions options);
    ~TorChild(); // kills what is left
    TorChild(const TorChild&) = delete;
    TorChild& operator=(const TorChild&) = delete;

    // NotFound: no tor program. Invalid: the extra file cannot be used.
    Result<void> start();
    bool running() const { return pid_ > 0; }
    // Once tor has written it: "127.0.0.1:PORT".
    std::optional<std::string> control_address() const;
    // What tor said last, for telling a person why it ended.
    std::string last_words() const;
    // Waits `patience_ms` for a tor that ends by itself, then SIGTERM, after a second SIGKILL; `done` when it
    // is gone and reaped. At once when nothing runs.
    void end(int64_t patience_ms, std::function<void()> done);

    std::function<void()> on_exit; // it ended by itself

private:
    bool read_output(); // false: nothing more for now
    void check_exit();
    void gone();

    EventLoop& loop_;
    ChildOptions options_;
    pid_t pid_ = -1;
    int pidfd_ = -1;
    int output_fd_ = -1;
    event* output_event_ = nullptr;
    std::string partial_line_;
    std::deque<std::string> lines_;
    EventLoop::Timer exit_timer_;
    EventLoop::Timer kill_timer_;
    std::function<void()> ended_;
};

} // namespace bivouac::tor
