// SPDX-License-Identifier: BSD-3-Clause
// How: fork and exec with a torrc of our own; its end is seen by waitpid on a timer, not by SIGCHLD, which
// belongs to the program and not to a library.
#include "tor_child.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <event2/event.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bivouac/base/files.h>

namespace bivouac::tor
{

namespace
{

constexpr size_t kKeptLines = 30;
constexpr size_t kLongestLine = 4096;
constexpr size_t kLongestWords = 300;
constexpr size_t kExtraTorrcBytes = 64u << 10;

std::string find_program(const std::string& wanted)
{
    if (!wanted.empty())
        return ::access(wanted.c_str(), X_OK) == 0 ? wanted : std::string();
    std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
    path += ":/usr/sbin:/usr/bin:/usr/local/bin";
    while (!path.empty()) {
        size_t colon = path.find(':');
        std::string candidate = path.substr(0, colon) + "/tor";
        if (candidate[0] == '/' && ::access(candidate.c_str(), X_OK) == 0)
            return candidate;
        path = colon == std::string::npos ? "" : path.substr(colon + 1);
    }
    return {};
}

std::string quoted(const std::string& text)
{
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string torrc_of(const std::string& directory, const std::string& extra)
{
    std::string out;
    auto line = [&](const std::string& text) { out += text + "\n"; };
    line("DataDirectory " + quoted(directory + "/data"));
    line("SocksPort 127.0.0.1:auto");
    line("ControlPort 127.0.0.1:auto");
    line("ControlPortWriteToFile " + quoted(directory + "/control-port"));
    line("CookieAuthentication 1");
    line("CookieAuthFile " + quoted(directory + "/cookie"));
    line("ClientOnly 1");
    line("SafeLogging 1");
    line("AvoidDiskWrites 1");
    line("Log notice stdout");
    line("ShutdownWaitLength 0");
    // tor watches this process and ends with it, should we be killed before we take ownership.
    line("__OwningControllerProcess " + std::to_string(::getpid()));
    return out + extra;
}

// Between fork and exec only async-signal-safe calls: other threads may have held locks.
[[noreturn]] void become_tor(const char* const* arguments, const char* const* environment, int output,
                             pid_t parent)
{
    ::setsid();
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent)
        ::_exit(127);
    int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::syscall(SYS_close_range, 3u, ~0u, 0u);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::execve(arguments[0], const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
    ::_exit(127);
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
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    if (output_event_)
        event_free(output_event_);
    if (output_fd_ >= 0)
        ::close(output_fd_);
}

Result<void> TorChild::start()
{
    std::string program = find_program(options_.program);
    if (program.empty())
        return fail(ErrorKind::NotFound, "there is no tor program; install it with: apt install tor");
    const std::string& directory = options_.directory;
    TRY(ensure_private_directory(directory));
    TRY(ensure_private_directory(directory + "/data"));
    std::string extra;
    if (!options_.extra_torrc_file.empty()) {
        auto read = read_file(options_.extra_torrc_file, kExtraTorrcBytes);
        if (!read.ok())
            return std::move(read).error().in("--tor-extra");
        extra = *read;
    }
    TRY(write_file_atomically(directory + "/torrc", torrc_of(directory, extra)));
    TRY(write_file_atomically(directory + "/torrc-defaults", ""));
    // What an earlier tor left: its port is not this one's, nor is its cookie.
    ::unlink((directory + "/control-port").c_str());
    ::unlink((directory + "/cookie").c_str());

    const std::string defaults = directory + "/torrc-defaults";
    const std::string torrc = directory + "/torrc";
    const std::string home = "HOME=" + directory;
    const char* arguments[] = {program.c_str(), "--defaults-torrc", defaults.c_str(), "-f", torrc.c_str(),
                               nullptr};
    const char* environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", home.c_str(), nullptr};
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return fail(ErrorKind::Unavailable, std::string("tor cannot be started: ") + std::strerror(errno));
    // tor's own end must block, as an ordinary standard output does.
    ::fcntl(pipe_ends[1], F_SETFL, 0);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0)
        become_tor(arguments, environment, pipe_ends[1], parent);
    ::close(pipe_ends[1]);
    if (pid < 0) {
        ::close(pipe_ends[0]);
        return fail(ErrorKind::Unavailable, std::string("tor cannot be started: ") + std::strerror(errno));
    }
    pid_ = pid;
    lines_.clear();
    partial_line_.clear();
    output_fd_ = pipe_ends[0];
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
    if (pid_ <= 0 || ::waitpid(pid_, nullptr, WNOHANG) == 0)
        return;
    gone();
}

void TorChild::gone()
{
    // A few pieces at most: what tor left in the pipe, not what a process of its might still write.
    for (int i = 0; i < 8 && output_fd_ >= 0 && read_output(); ++i) {
    }
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
        // Not yet reaped, so the number is still this process.
        if (pid_ > 0)
            ::kill(pid_, SIGTERM);
        kill_timer_ = loop_.after(1000, [this] {
            if (pid_ > 0)
                ::kill(pid_, SIGKILL);
        });
    });
}

} // namespace bivouac::tor
