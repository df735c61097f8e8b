// SPDX-License-Identifier: BSD-3-Clause
// The process that does for a confined one (base/confine.h) what that must not do itself: open sockets, start tor. It is asked over
// a pair of unix sockets, one short message each way, and decides for itself what is fair to ask (app/doors.h).
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include <sys/types.h>

#include <bivouac/base/result.h>

namespace bivouac {

enum class BrokerTask : uint8_t {
    FindTor = 1,  // text: none. Gives the address of a running tor's control port, or "".
    Connect,      // text: an address. Gives a socket, which may still be connecting.
    Listen,       // text: an address; number: mode of a unix socket. Gives a listening socket, and the address in text.
    StartTor,     // Gives its pid as number, a pidfd, and the reading end of its output.
    Cookie,       // Gives the control cookie of the running tor as text.
    Confinement,  // Gives what holds in the broker: number, see app/doors.cpp.
    RemoveDirectory,  // The data directory, when it is empty.
    Forget,       // Of whoever asked before: end tor, remove sockets. No answer.
};

// Descriptors belong to whoever holds the answer, until release().
struct BrokerAnswer {
    static constexpr size_t kMostText = 1000;
    static constexpr int kMostFds = 2;

    std::string text;
    int64_t number = 0;
    int fds[kMostFds] = {-1, -1};

    BrokerAnswer() = default;
    BrokerAnswer(BrokerAnswer&& other) noexcept;
    BrokerAnswer& operator=(BrokerAnswer&& other) noexcept;
    ~BrokerAnswer();
    int release(int which);
};

using BrokerHandler = std::function<Result<BrokerAnswer>(BrokerTask task, const std::string& text, int64_t number)>;

class Broker {
public:
    // Forks. Before any thread or secret. In the new process `prepare` gives the handler; it answers one request after the
    // other and ends when nobody is left who could ask, or when its parent does. Unavailable: no process.
    static Result<void> start(const std::function<BrokerHandler()>& prepare);
    // Of this process or the one that it was forked from; null: there is none, do it yourself.
    static Broker* current();

    // Any thread; waits for the answer. Errors: the handler's; Unavailable: the broker has ended.
    Result<BrokerAnswer> ask(BrokerTask task, std::string_view text = {}, int64_t number = 0);
    // Without waiting.
    void tell(BrokerTask task);
    pid_t pid() const { return pid_; }
    // Nobody here asks any more; waits up to two seconds for its end, then ends it. Only in the process that started it.
    static void end();

private:
    Broker(int socket, pid_t pid) : socket_(socket), pid_(pid) {}
    int socket_;
    pid_t pid_;
    uint32_t last_ = 0;
    std::mutex mutex_;
};

}  // namespace bivouac
