// SPDX-License-Identifier: BSD-3-Clause
// A plain non-blocking socket on the loop: nothing between us and the bytes, so that a key is in one place.
#include "control_connection.h"

#include <cerrno>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <bivouac/base/broker.h>

namespace bivouac::tor
{

namespace
{

// tor answers at once; one that does not is stopped or stuck.
constexpr int64_t kReplyMs = 30'000;
constexpr int64_t kConnectMs = 10'000;

} // namespace

Result<int> connect_control_socket(const std::string& address)
{
    Broker* broker = Broker::current();
    if (!broker)
        return connect_control_socket_here(address);
    auto answer = broker->ask(BrokerTask::Connect, address);
    if (!answer.ok() && answer.error().kind == ErrorKind::Unavailable)
        return fail(ErrorKind::Unavailable, "no tor answers at " + address + ": " + answer.error().detail);
    return TRY(std::move(answer)).release(0);
}

Result<int> connect_control_socket_here(const std::string& address)
{
    constexpr int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    auto refused = [&](int number) {
        return fail(ErrorKind::Unavailable, "no tor answers at " + address + ": " + std::strerror(number));
    };
    auto connected = [&](int fd, const sockaddr* to, socklen_t length) -> Result<int> {
        if (fd < 0)
            return refused(errno);
        if (::connect(fd, to, length) != 0 && errno != EINPROGRESS) {
            Error error = refused(errno);
            ::close(fd);
            return error;
        }
        return fd;
    };
    if (address.starts_with("unix:/")) {
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        std::string path = address.substr(5);
        if (path.size() >= sizeof to.sun_path)
            return fail(ErrorKind::Invalid, "the path of tor's control socket is too long");
        std::memcpy(to.sun_path, path.c_str(), path.size() + 1);
        return connected(::socket(AF_UNIX, type, 0), reinterpret_cast<sockaddr*>(&to), sizeof to);
    }
    constexpr std::string_view kLoopback = "127.0.0.1:";
    int port = 0;
    std::string_view digits = std::string_view(address).substr(std::min(kLoopback.size(), address.size()));
    auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (!address.starts_with(kLoopback) || code != std::errc() || end != digits.data() + digits.size() ||
        port < 1 || port > 65535)
        return fail(ErrorKind::Invalid, "tor's control address must be 127.0.0.1:PORT or unix:/path");
    // An IPv4 socket: Tails' filter finds its client by the IPv4 connection.
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connected(::socket(AF_INET, type, 0), reinterpret_cast<sockaddr*>(&to), sizeof to);
}

Task<Result<void>> ControlConnection::open(std::string address)
{
    close();
    auto fd = connect_control_socket(address);
    if (!fd.ok())
        co_return std::move(fd).error();
    fd_ = *fd;
    ++generation_;
    reader_.reset();
    bool up = co_await suspend<bool>([this](auto done) {
        connecting_ = std::move(done);
        watch(EV_WRITE, kConnectMs);
    });
    if (!up)
        co_return fail(ErrorKind::Unavailable, "no tor answers at " + address);
    co_return Result<void>();
}

void ControlConnection::watch(short kind, int64_t limit_ms)
{
    if (event_)
        event_free(event_);
    event_ = event_new(
        loop_.base(), fd_, kind,
        [](evutil_socket_t, short what, void* self) { static_cast<ControlConnection*>(self)->ready(what); },
        this);
    timeval limit{.tv_sec = limit_ms / 1000, .tv_usec = 0};
    event_add(event_, limit_ms > 0 ? &limit : nullptr);
}

void ControlConnection::ready(short what)
{
    auto alive = owner.lock();
    if (connecting_ && (what & EV_TIMEOUT))
        return broken();
    if (connecting_)
        return connected();
    readable();
}

void ControlConnection::connected()
{
    int number = 0;
    socklen_t length = sizeof number;
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &number, &length) != 0 || number != 0)
        return broken();
    watch(EV_READ | EV_PERSIST, 0);
    std::exchange(connecting_, nullptr)(true);
}

// Closes the socket and forgets it; those who wait are told by fail_waiting().
void ControlConnection::shut()
{
    if (event_)
        event_free(std::exchange(event_, nullptr));
    if (fd_ >= 0)
        ::close(std::exchange(fd_, -1));
    deadline_.cancel();
}

void ControlConnection::close()
{
    shut();
    fail_waiting();
}

void ControlConnection::fail_waiting()
{
    auto waiting = std::move(waiting_);
    waiting_.clear();
    if (connecting_)
        std::exchange(connecting_, nullptr)(false);
    for (auto& done : waiting)
        done(fail(ErrorKind::Unavailable, "tor's control connection ended"));
}

void ControlConnection::broken()
{
    if (fd_ < 0)
        return;
    auto alive = owner.lock();
    shut();
    // Before those who wait go on: on_close wakes one that sleeps, not one that has just been told.
    if (on_close)
        on_close();
    fail_waiting();
}

void ControlConnection::restart_deadline()
{
    if (waiting_.empty())
        deadline_.cancel();
    else
        deadline_ = loop_.after(kReplyMs, [this] { broken(); });
}

Task<Result<Reply>> ControlConnection::command(std::string_view line)
{
    if (fd_ < 0)
        co_return fail(ErrorKind::Unavailable, "tor's control connection ended");
    // Commands are short and few: they fit into the socket's buffer, and one that does not is a stuck tor.
    char end[] = "\r\n";
    iovec parts[] = {{const_cast<char*>(line.data()), line.size()}, {end, 2}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(line.size() + 2)) {
        broken();
        co_return fail(ErrorKind::Unavailable, "tor's control connection ended");
    }
    co_return co_await suspend<Result<Reply>>([this](auto done) {
        waiting_.push_back(std::move(done));
        // The oldest command sets the time: later ones do not give a stalled tor more of it.
        if (waiting_.size() == 1)
            restart_deadline();
    });
}

void ControlConnection::readable()
{
    char buffer[16 << 10];
    ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        return broken();
    auto replies = reader_.feed({buffer, static_cast<size_t>(n)});
    if (!replies.ok())
        return broken();
    const uint64_t generation = generation_;
    for (auto& reply : *replies) {
        if (reply.is_event()) {
            for (const auto& line : reply.lines)
                if (on_event)
                    on_event(line.text);
        } else {
            if (waiting_.empty())
                return broken();
            auto done = std::move(waiting_.front());
            waiting_.pop_front();
            restart_deadline();
            done(std::move(reply));
        }
        if (fd_ < 0 || generation != generation_)
            return; // what was called closed the connection
    }
}

} // namespace bivouac::tor
