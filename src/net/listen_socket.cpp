// SPDX-License-Identifier: BSD-3-Clause
#include "listen_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bivouac/base/broker.h>

namespace bivouac::net
{

namespace
{

constexpr int kBacklog = 1024;
constexpr std::string_view kLoopback = "127.0.0.1:";
constexpr std::string_view kUnix = "unix:";

Error socket_error(int number, std::string_view what)
{
    ErrorKind kind = number == EADDRINUSE ? ErrorKind::Conflict : ErrorKind::Unavailable;
    return fail(kind, std::string(what) + ": " + std::strerror(number));
}

struct Fd {
    int value = -1;
    explicit Fd(int fd)
        : value(fd)
    {
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    Fd(Fd&& other) noexcept
        : value(std::exchange(other.value, -1))
    {
    }
    ~Fd()
    {
        if (value >= 0)
            ::close(value);
    }
};

// A unix address takes 107 bytes. A longer path is reached through its folder, held open as long as this
// lives.
class UnixAddress
{
public:
    static Result<UnixAddress> of(const std::string& path)
    {
        UnixAddress out;
        out.raw_.sun_family = AF_UNIX;
        std::string shown = path;
        if (path.size() >= sizeof out.raw_.sun_path) {
            size_t slash = path.rfind('/');
            out.folder_.emplace(::open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
            if (out.folder_->value < 0)
                return socket_error(errno, "the folder of the unix socket cannot be opened");
            shown = "/proc/self/fd/" + std::to_string(out.folder_->value) + path.substr(slash);
            if (shown.size() >= sizeof out.raw_.sun_path)
                return fail(ErrorKind::Invalid, "the name of the unix socket is too long");
        }
        std::memcpy(out.raw_.sun_path, shown.c_str(), shown.size() + 1);
        return out;
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&raw_); }
    socklen_t size() const { return sizeof raw_; }

private:
    sockaddr_un raw_{};
    std::optional<Fd> folder_;
};

// A file that an earlier run left behind is removed; one that somebody answers on, or that is no socket, is
// not.
Result<void> remove_stale(const std::string& path, const UnixAddress& address)
{
    struct stat info {
    };
    if (::lstat(path.c_str(), &info) != 0)
        return errno == ENOENT ? Result<void>() : socket_error(errno, "the path of the unix socket");
    if (!S_ISSOCK(info.st_mode))
        return fail(ErrorKind::Conflict, "there is a file at the path of the unix socket");
    Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (probe.value < 0)
        return socket_error(errno, "unix socket");
    if (::connect(probe.value, address.get(), address.size()) == 0 || errno != ECONNREFUSED)
        return fail(ErrorKind::Conflict, "another process uses the unix socket");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return socket_error(errno, "the old unix socket cannot be removed");
    return {};
}

} // namespace

Result<ListenSocket> ListenSocket::open(std::string_view address, mode_t unix_mode)
{
    if (Broker* broker = Broker::current())
        return open_by(*broker, address, unix_mode);
    return open_here(address, unix_mode);
}

Result<ListenSocket> ListenSocket::open_here(std::string_view address, mode_t unix_mode)
{
    if (address.starts_with(kLoopback))
        return open_tcp(address.substr(kLoopback.size()));
    if (address.starts_with(std::string(kUnix) + "/"))
        return open_unix(std::string(address.substr(kUnix.size())), unix_mode);
    return fail(ErrorKind::Invalid, "only 127.0.0.1:PORT and unix:/PATH can be listened on");
}

Result<ListenSocket> ListenSocket::open_by(Broker& broker, std::string_view address, mode_t unix_mode)
{
    BrokerAnswer answer = TRY(broker.ask(BrokerTask::Listen, address, unix_mode));
    ListenSocket out;
    out.fd_ = answer.release(0);
    out.address_ = answer.text;
    if (!address.starts_with(kUnix))
        return out;
    out.remember(std::string(address.substr(kUnix.size())));
    // Who asks whose socket this is hears of whoever called this last (app/panic.h).
    if (::listen(out.fd_, kBacklog) != 0)
        return socket_error(errno, "listening on the unix socket");
    return out;
}

void ListenSocket::remember(std::string path)
{
    struct stat info {
    };
    if (::lstat(path.c_str(), &info) != 0)
        return;
    path_ = std::move(path);
    inode_ = info.st_ino;
    device_ = info.st_dev;
}

Result<ListenSocket> ListenSocket::open_tcp(std::string_view port)
{
    auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), digit))
        return fail(ErrorKind::Invalid, "the port is not a number");
    int number = std::stoi(std::string(port));
    if (number > 65535)
        return fail(ErrorKind::Invalid, "the port is over 65535");
    ListenSocket out;
    out.fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (out.fd_ < 0)
        return socket_error(errno, "socket");
    int on = 1;
    ::setsockopt(out.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(static_cast<uint16_t>(number));
    if (::bind(out.fd_, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 ||
        ::listen(out.fd_, kBacklog) != 0)
        return socket_error(errno, "listening on 127.0.0.1:" + std::string(port));
    socklen_t size = sizeof name;
    if (::getsockname(out.fd_, reinterpret_cast<sockaddr*>(&name), &size) != 0)
        return socket_error(errno, "getsockname");
    out.address_ = std::string(kLoopback) + std::to_string(ntohs(name.sin_port));
    return out;
}

Result<ListenSocket> ListenSocket::open_unix(std::string path, mode_t mode)
{
    if (path.find('\0') != std::string::npos || path.back() == '/')
        return fail(ErrorKind::Invalid, "the path of the unix socket is not a file name");
    UnixAddress address = TRY(UnixAddress::of(path));
    TRY(remove_stale(path, address));
    ListenSocket out;
    out.fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (out.fd_ < 0)
        return socket_error(errno, "unix socket");
    if (::bind(out.fd_, address.get(), address.size()) != 0)
        return socket_error(errno, "listening on the unix socket");
    out.remember(path);
    out.address_ = std::string(kUnix) + path;
    // Before listen(): until then nobody can connect, whatever the mode was meanwhile.
    if (::chmod(path.c_str(), mode) != 0)
        return socket_error(errno, "the mode of the unix socket");
    if (::listen(out.fd_, kBacklog) != 0)
        return socket_error(errno, "listening on the unix socket");
    return out;
}

Listener ListenSocket::release()
{
    path_.clear();
    return {std::exchange(fd_, -1), address_, device_, inode_};
}

Result<Listener> open_listener(std::string_view address, mode_t unix_mode)
{
    return TRY(ListenSocket::open_here(address, unix_mode)).release();
}

void ListenSocket::close()
{
    if (fd_ < 0)
        return;
    ::close(std::exchange(fd_, -1));
    struct stat info {
    };
    if (!path_.empty() && ::lstat(path_.c_str(), &info) == 0 && info.st_ino == inode_ &&
        info.st_dev == device_)
        ::unlink(path_.c_str());
}

bool is_same_user(int fd)
{
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

size_t raise_file_limit(size_t wanted)
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < wanted) {
        rlimit raised = limit;
        raised.rlim_cur = limit.rlim_max == RLIM_INFINITY ? wanted : std::min<rlim_t>(wanted, limit.rlim_max);
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur == RLIM_INFINITY ? wanted : static_cast<size_t>(limit.rlim_cur);
}

} // namespace bivouac::net
