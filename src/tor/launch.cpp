// SPDX-License-Identifier: BSD-3-Clause
// How: fork and exec with a torrc of our own. What the broker asks a running tor goes over a connection of its own, blocking and with a
// deadline, so that it does not have to believe the process that it serves.
#include <bivouac/tor/launch.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/files.h>

#include "control_connection.h"
#include "control_protocol.h"

namespace bivouac::tor {

namespace {

constexpr size_t kExtraTorrcBytes = 64u << 10;
constexpr size_t kCookieBytes = 32;
constexpr int64_t kAskMs = 2'000;
constexpr const char* kDefaultSocks = "127.0.0.1:9050";

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

// One that nobody has at the moment. Should somebody be faster than tor, tor ends and is started again with others.
int free_port()
{
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    int out = 0;
    if (fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&name), size) == 0 &&
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0)
        out = ntohs(name.sin_port);
    if (fd >= 0)
        ::close(fd);
    return out;
}

std::string torrc_of(const std::string& directory, const Launched& tor, pid_t owner, const std::string& extra)
{
    std::string out;
    auto line = [&](const std::string& text) { out += text + "\n"; };
    line("DataDirectory " + quoted(directory + "/data"));
    line("SocksPort " + tor.socks_address);
    line("ControlPort " + tor.control_address);
    line("ControlPortWriteToFile " + quoted(directory + "/control-port"));
    line("CookieAuthentication 1");
    line("CookieAuthFile " + quoted(directory + "/cookie"));
    line("ClientOnly 1");
    line("SafeLogging 1");
    line("AvoidDiskWrites 1");
    line("Log notice stdout");
    line("ShutdownWaitLength 0");
    // tor watches the node and ends with it, should that be killed before it takes ownership.
    line("__OwningControllerProcess " + std::to_string(owner));
    return out + extra;
}

bool names_a_plugin(const std::string& torrc)
{
    std::string lower = torrc;
    for (char& c : lower)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return lower.find("transportplugin") != std::string::npos;
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
    // What is ignored here would be ignored there.
    for (int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD})
        ::signal(signal, SIG_DFL);
    ::execve(arguments[0], const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
    ::_exit(127);
}

// A connection of its own to a control port, for a few questions.
class Asking {
public:
    ~Asking()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }

    Result<void> open(const std::string& address)
    {
        fd_ = TRY(connect_on_this_machine(address));
        return {};
    }

    Result<Reply> ask(std::string_view line)
    {
        const std::string text = std::string(line) + "\r\n";
        if (!ready(POLLOUT) || ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
            return silent();
        for (char buffer[4096]; ready(POLLIN);) {
            const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
            if (n <= 0)
                break;
            auto replies = TRY(reader_.feed({buffer, static_cast<size_t>(n)}));
            for (auto& reply : replies)
                if (!reply.is_event())
                    return std::move(reply);
        }
        return silent();
    }

private:
    bool ready(short what)
    {
        const int64_t left = until_ - system_clock().monotonic_ms();
        pollfd one{.fd = fd_, .events = what, .revents = 0};
        return left > 0 && ::poll(&one, 1, static_cast<int>(left)) == 1;
    }
    static Error silent() { return fail(ErrorKind::Unavailable, "tor's control port does not answer"); }

    int fd_ = -1;
    int64_t until_ = system_clock().monotonic_ms() + kAskMs;
    ReplyReader reader_;
};

Result<Secret> cookie_of(const ProtocolInfo& info)
{
    auto cookie = read_file(info.cookie_file, kCookieBytes * 2);
    if (!cookie.ok() || cookie->size() != kCookieBytes)
        return fail(ErrorKind::Unavailable, "tor's control cookie cannot be read");
    Secret out{std::string_view(*cookie)};
    wipe(*cookie);
    return out;
}

}  // namespace

Result<int> connect_on_this_machine(const std::string& address)
{
    return connect_control_socket_here(address);
}

Result<Secret> read_control_cookie(const std::string& control_address)
{
    Asking tor;
    TRY(tor.open(control_address));
    return cookie_of(parse_protocol_info(TRY(tor.ask("PROTOCOLINFO 1"))));
}

Result<std::string> ask_socks_address(const std::string& control_address)
{
    Asking tor;
    TRY(tor.open(control_address));
    const ProtocolInfo info = parse_protocol_info(TRY(tor.ask("PROTOCOLINFO 1")));
    std::string login = "AUTHENTICATE";
    if (!info.null_method) {
        const Secret cookie = TRY(cookie_of(info));
        if (info.safe_cookie) {
            const std::string nonce = system_random().bytes(32);
            auto challenge = parse_auth_challenge(TRY(tor.ask("AUTHCHALLENGE SAFECOOKIE " + to_hex(nonce))));
            if (!challenge || !equal_constant_time(challenge->server_hash,
                                                   safe_cookie_server_hash(cookie.view(), nonce, challenge->server_nonce)))
                return fail(ErrorKind::Unavailable, "what answers at tor's control port does not know tor's cookie");
            login += " " + to_hex(safe_cookie_client_hash(cookie.view(), nonce, challenge->server_nonce));
        } else {
            login += " " + to_hex(cookie.view());
        }
    }
    auto logged_in = tor.ask(login);
    wipe(login);
    if (!logged_in.ok() || !logged_in->ok())
        return fail(ErrorKind::Unavailable, "tor refused the login");
    const Reply reply = TRY(tor.ask("GETINFO net/listeners/socks"));
    std::string address = reply.ok() ? choose_socks_listener(reply.info("net/listeners/socks").value_or("")) : kDefaultSocks;
    if (address.empty())
        return fail(ErrorKind::Unavailable, "tor offers no SOCKS port on loopback");
    return address;
}

Result<Launched> launch_tor(const ChildOptions& options, pid_t owner)
{
    std::string program = find_program(options.program);
    if (program.empty())
        return fail(ErrorKind::NotFound, "there is no tor program; install it with: apt install tor");
    const std::string& directory = options.directory;
    TRY(ensure_private_directory(directory));
    TRY(ensure_private_directory(directory + "/data"));
    std::string extra;
    if (!options.extra_torrc_file.empty()) {
        auto read = read_file(options.extra_torrc_file, kExtraTorrcBytes);
        if (!read.ok())
            return std::move(read).error().in("--tor-extra");
        extra = *read;
    }
    Launched out;
    const int control = free_port();
    int socks = free_port();
    for (int i = 0; i < 10 && socks == control; ++i)
        socks = free_port();
    out.control_address = "127.0.0.1:" + std::to_string(control);
    out.socks_address = "127.0.0.1:" + std::to_string(socks);
    TRY(write_file_atomically(directory + "/torrc", torrc_of(directory, out, owner, extra)));
    TRY(write_file_atomically(directory + "/torrc-defaults", ""));
    // What an earlier tor left: its port is not this one's, nor is its cookie.
    ::unlink((directory + "/control-port").c_str());
    ::unlink((directory + "/cookie").c_str());

    const std::string defaults = directory + "/torrc-defaults";
    const std::string torrc = directory + "/torrc";
    const std::string home = "HOME=" + directory;
    // Here and not in the file: whoever holds the control port, or writes into the directory, cannot take it back.
    const bool plugins = names_a_plugin(extra);
    const char* arguments[] = {program.c_str(), "--defaults-torrc", defaults.c_str(), "-f", torrc.c_str(),
                               plugins ? nullptr : "--NoExec", "1", nullptr};
    const char* environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", home.c_str(), nullptr};
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return fail(ErrorKind::Unavailable, std::string("tor cannot be started: ") + std::strerror(errno));
    // tor's own end must block, as an ordinary standard output does.
    ::fcntl(pipe_ends[1], F_SETFL, 0);
    const pid_t parent = ::getpid();
    out.pid = ::fork();
    if (out.pid == 0)
        become_tor(arguments, environment, pipe_ends[1], parent);
    const int number = errno;
    ::close(pipe_ends[1]);
    out.output = pipe_ends[0];
    if (out.pid > 0)
        out.pidfd = static_cast<int>(::syscall(SYS_pidfd_open, out.pid, 0u));
    if (out.pid > 0 && out.pidfd >= 0)
        return out;
    ::close(out.output);
    if (out.pid > 0) {
        ::kill(out.pid, SIGKILL);
        ::waitpid(out.pid, nullptr, 0);
        return fail(ErrorKind::Unavailable, "tor cannot be watched: this kernel is too old");
    }
    return fail(ErrorKind::Unavailable, std::string("tor cannot be started: ") + std::strerror(number));
}

}  // namespace bivouac::tor
