// SPDX-License-Identifier: BSD-3-Clause
// How: started by launch_tor(), here or in the broker, which may; its end is seen at a descriptor that stands for it, asked on a timer.
#include "tor_child.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <event2/event.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bivouac/base/broker.h>
#include <bivouac/base/files.h>

namespace bivouac::tor
{

namespace
{

constexpr size_t kKeptLines = 30;
constexpr size_t kLongestLine = 4096;
constexpr size_t kLongestWords = 300;

bool has_ended(int pidfd, int wait_ms)
{
    pollfd one{.fd = pidfd, .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, wait_ms) == 1;
}

void send_signal(int pidfd, int signal)
{
    ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0u);
}

Result<Launched> launch(const ChildOptions& options)
{
    Broker* broker = Broker::current();
    if (!broker)
        return launch_tor(options, ::getpid());
    // It knows where and with what, and would not believe us.
    BrokerAnswer answer = TRY(broker->ask(BrokerTask::StartTor, {}, ::getpid()));
    Launched out;
    out.pid = static_cast<pid_t>(answer.number);
    out.pidfd = answer.release(0);
    out.output = answer.release(1);
    return out;
}

} // namespace

TorChild::TorChild(EventLoop& loop, ChildOptions options)
    : loop_(loop)
    , options_(std::move(options))
{
}

TorChild::~TorChild()
{
    if (pid_ > 0) {
        send_signal(pidfd_, SIGKILL);
        (void)has_ended(pidfd_, 2'000);
        ::waitpid(pid_, nullptr, WNOHANG); // none of ours where the broker started it
        ::close(pidfd_);
    }
    if (output_event_)
        event_free(output_event_);
    if (output_fd_ >= 0)
        ::close(output_fd_);
}

Result<void> TorChild::start()
{
    const Launched tor = TRY(launch(options_));
    pid_ = tor.pid;
    pidfd_ = tor.pidfd;
    lines_.clear();
    partial_line_.clear();
    output_fd_ = tor.output;
    output_event_ = event_new(
        loop_.base(), output_fd_, EV_READ | EV_PERSIST,
        [](evutil_socket_t, short, void* self) { (void)static_cast<TorChild*>(self)->read_output(); }, this);
    event_add(output_event_, nullptr);
    exit_timer_ = loop_.every(100, [this] { check_exit(); });
    return {};
}

bool TorChild::read_output()
{
    char buffer[16 << 10];
    ssize_t n = ::read(output_fd_, buffer, sizeof buffer);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            event_del(output_event_);
        return false;
    }
    partial_line_.append(buffer, static_cast<size_t>(n));
    for (size_t end; (end = partial_line_.find('\n')) != std::string::npos;) {
        lines_.push_back(partial_line_.substr(0, end));
        partial_line_.erase(0, end + 1);
        if (lines_.size() > kKeptLines)
            lines_.pop_front();
    }
    if (partial_line_.size() > kLongestLine)
        partial_line_.clear();
    return true;
}

std::optional<std::string> TorChild::control_address() const
{
    auto text = read_file(options_.directory + "/control-port", 256);
    // One line for each port; --tor-extra may have added some.
    constexpr std::string_view kMark = "PORT=127.0.0.1:";
    if (!running() || !text.ok() || !text->ends_with('\n'))
        return std::nullopt;
    size_t at = text->starts_with(kMark) ? 0 : text->find("\n" + std::string(kMark)) + 1;
    if (at == 0 && !text->starts_with(kMark))
        return std::nullopt;
    return text->substr(at + 5, text->find('\n', at) - at - 5);
}

std::string TorChild::last_words() const
{
    // The last warning or error says why; without one the last line has to do.
    for (auto it = lines_.rbegin(); it != lines_.rend(); ++it)
        for (const char* mark : {"[err] ", "[warn] "})
            if (size_t at = it->find(mark);
                at != std::string::npos && it->find("Reading config failed") == std::string::npos)
                return it->substr(at + std::strlen(mark), kLongestWords);
    return lines_.empty() ? "it said nothing" : lines_.back().substr(0, kLongestWords);
}

void TorChild::check_exit()
{
    if (pid_ > 0 && has_ended(pidfd_, 0))
        gone();
}

void TorChild::gone()
{
    // A few pieces at most: what tor left in the pipe, not what a process of its might still write.
    for (int i = 0; i < 8 && output_fd_ >= 0 && read_output(); ++i) {
    }
    ::waitpid(pid_, nullptr, WNOHANG);
    ::close(std::exchange(pidfd_, -1));
    pid_ = -1;
    if (output_event_)
        event_free(std::exchange(output_event_, nullptr));
    if (output_fd_ >= 0)
        ::close(std::exchange(output_fd_, -1));
    kill_timer_.cancel();
    exit_timer_.cancel();
    if (ended_)
        std::exchange(ended_, nullptr)();
    else if (on_exit)
        on_exit();
}

void TorChild::end(int64_t patience_ms, std::function<void()> done)
{
    if (pid_ <= 0)
        return done();
    ended_ = std::move(done);
    exit_timer_ = loop_.every(20, [this] { check_exit(); });
    kill_timer_ = loop_.after(patience_ms, [this] {
        if (pid_ > 0)
            send_signal(pidfd_, SIGTERM);
        kill_timer_ = loop_.after(1000, [this] {
            if (pid_ > 0)
                send_signal(pidfd_, SIGKILL);
        });
    });
}

} // namespace bivouac::tor
