// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/doors.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <new>
#include <utility>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bivouac/app/guardian.h>
#include <bivouac/base/broker.h>
#include <bivouac/net/listen.h>
#include <bivouac/relay/load.h>
#include <bivouac/store/load.h>
#include <bivouac/tor/launch.h>
#include <bivouac/tor/tor_control.h>

namespace bivouac::app {

namespace {

// What the broker says of itself: two bits, and above them the ABI of Landlock.
constexpr int64_t kSeccomp = 1, kMayStartTor = 2;
constexpr int kLandlockShift = 8;
constexpr int kSoonMs = 200;
constexpr int kTorEndMs = 1'000;

// What the guardian came to, for the worker that was there before: a page of both.
struct Shared {
    std::atomic<int> landlock{0};
    std::atomic<bool> tcp{false};
    bool seccomp = false;
};
Shared* g_shared = nullptr;

std::string directory_of(const std::string& path)
{
    const std::filesystem::path parent = std::filesystem::absolute(path).lexically_normal().parent_path();
    return parent.empty() ? "/" : parent.string();
}

bool is_loopback(const std::string& address)
{
    return address.starts_with("127.0.0.1:");
}

// On loopback it is decided at once, as a rule: then the one who asked hears of a refusal where it expects it.
Result<int> settled(int fd)
{
    pollfd one{.fd = fd, .events = POLLOUT, .revents = 0};
    int number = 0;
    socklen_t size = sizeof number;
    if (::poll(&one, 1, kSoonMs) != 1 || ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0 || number == 0)
        return fd;
    ::close(fd);
    return fail(ErrorKind::Unavailable, std::strerror(number));
}


// In the broker. What it is asked comes from a process that strangers talk to, and may be theirs.
class Doors {
public:
    explicit Doors(RunConfig config) : config_(std::move(config))
    {
        no_tor_of_ours_ = config_.no_tor || config_.onion_from_torrc || !config_.tor_control.empty();
        control_ = config_.tor_control;
        if (config_.onion_from_torrc)
            socks_ = config_.tor_socks.empty() ? "127.0.0.1:9050" : config_.tor_socks;
        close_up();
    }

    Result<BrokerAnswer> handle(BrokerTask task, const std::string& text, int64_t number)
    {
        switch (task) {
        case BrokerTask::FindTor: return find_tor();
        case BrokerTask::Connect: return connect(text);
        case BrokerTask::Listen: return listen(text, number);
        case BrokerTask::StartTor: return start_tor(number);
        case BrokerTask::Cookie: return cookie();
        case BrokerTask::Confinement: return holds();
        case BrokerTask::RemoveDirectory: return remove_directory();
        case BrokerTask::Forget: return forget();
        }
        return fail(ErrorKind::Invalid, "there is no such task");
    }

private:
    // As narrow as what may still be asked for allows. Reading stays free: tor's cookie is where tor says. A tor of our own would
    // inherit it and write where its torrc wants.
    void close_up()
    {
        if (no_tor_of_ours_) {
            std::vector<std::string> places{config_.data_directory};
            auto add = [&places](const std::string& address) {
                if (address.starts_with("unix:"))
                    places.push_back(directory_of(address.substr(5)));
            };
            add(config_.listen);
            for (const auto& [name, address] : config_.listen_for)
                add(address);
            (void)restrict_changes(places, directory_of(config_.data_directory)).ok();
        }
        (void)filter_system_calls(no_tor_of_ours_ ? Role::Broker : Role::BrokerWithTor).ok();
    }

    // Decided once: who began with a running tor stays with it.
    Result<BrokerAnswer> find_tor()
    {
        if (!no_tor_of_ours_ && config_.tor_extra.empty() && tor_.pid < 0) {
            control_ = tor::find_running_tor();
            if (!control_.empty()) {
                no_tor_of_ours_ = true;
                close_up();
            }
        }
        BrokerAnswer out;
        out.text = no_tor_of_ours_ ? control_ : "";
        return out;
    }

    bool may_connect(const std::string& address)
    {
        // Any port of this machine: apps are told of posts where their notification URLs are.
        if (is_loopback(address))
            return true;
        if (address.empty())
            return false;
        if (address == control_ || address == socks_)
            return true;
        if (control_.empty() || !no_tor_of_ours_)
            return false;
        // The worker learned it from tor; so does this one, and not from the worker.
        auto socks = tor::ask_socks_address(control_);
        if (socks.ok())
            socks_ = *socks;
        return address == socks_;
    }

    Result<BrokerAnswer> connect(const std::string& address)
    {
        if (!may_connect(address))
            return fail(ErrorKind::Forbidden, "that is neither on loopback nor this node's tor");
        BrokerAnswer out;
        out.fds[0] = TRY(settled(TRY(tor::connect_on_this_machine(address))));
        return out;
    }

    bool may_listen(const std::string& address) const
    {
        if (is_loopback(address))
            return true;
        if (address == "unix:" + DataPaths::in(config_.data_directory).socket || address == config_.listen)
            return true;
        for (const auto& [name, given] : config_.listen_for)
            if (given == address)
                return true;
        return false;
    }

    Result<BrokerAnswer> listen(const std::string& address, int64_t mode)
    {
        if (!may_listen(address))
            return fail(ErrorKind::Forbidden, "the node does not listen there");
        auto listener = TRY(net::open_listener(address, static_cast<mode_t>(mode & 0777)));
        BrokerAnswer out;
        out.fds[0] = listener.fd;
        out.text = listener.address;
        if (address.starts_with("unix:"))
            listening_[address.substr(5)] = {listener.device, listener.inode};
        return out;
    }

    Result<BrokerAnswer> start_tor(int64_t owner)
    {
        if (no_tor_of_ours_)
            return fail(ErrorKind::Forbidden, "this node has no tor of its own");
        end_tor();
        tor::ChildOptions options;
        options.directory = DataPaths::in(config_.data_directory).tor;
        options.extra_torrc_file = config_.tor_extra;
        tor_ = TRY(tor::launch_tor(options, static_cast<pid_t>(owner)));
        BrokerAnswer out;
        out.number = tor_.pid;
        out.fds[0] = ::fcntl(tor_.pidfd, F_DUPFD_CLOEXEC, 0);
        out.fds[1] = std::exchange(tor_.output, -1);
        return out;
    }

    void end_tor()
    {
        if (tor_.pid <= 0)
            return;
        for (int signal : {SIGTERM, SIGKILL}) {
            ::syscall(SYS_pidfd_send_signal, tor_.pidfd, signal, nullptr, 0u);
            pollfd one{.fd = tor_.pidfd, .events = POLLIN, .revents = 0};
            if (::poll(&one, 1, kTorEndMs) == 1)
                break;
        }
        ::waitpid(tor_.pid, nullptr, 0);
        ::close(tor_.pidfd);
        tor_ = {};
    }

    Result<BrokerAnswer> cookie()
    {
        if (!no_tor_of_ours_ || control_.empty())
            return fail(ErrorKind::Forbidden, "there is no running tor");
        const Secret cookie = TRY(tor::read_control_cookie(control_));
        BrokerAnswer out;
        out.text = std::string(cookie.view());
        return out;
    }

    Result<BrokerAnswer> holds()
    {
        BrokerAnswer out;
        out.number = (confinement().seccomp ? kSeccomp : 0) | (no_tor_of_ours_ ? 0 : kMayStartTor) |
                     (int64_t{confinement().landlock} << kLandlockShift);
        return out;
    }

    Result<BrokerAnswer> forget()
    {
        end_tor();
        // The worker removes what is in its directory; here goes what a killed one left, and what lies elsewhere.
        for (const auto& [path, file] : listening_) {
            struct stat info {
            };
            if (::lstat(path.c_str(), &info) == 0 && std::pair(info.st_dev, info.st_ino) == file)
                ::unlink(path.c_str());
        }
        listening_.clear();
        return BrokerAnswer();
    }

    // The worker cannot: it would need a right on the directory above.
    Result<BrokerAnswer> remove_directory()
    {
        ::rmdir(config_.data_directory.c_str());  // only when it is empty
        return BrokerAnswer();
    }

    RunConfig config_;
    bool no_tor_of_ours_ = false;
    std::string control_;  // of the running tor
    std::string socks_;    // that it told
    tor::Launched tor_;    // of our own
    std::map<std::string, std::pair<dev_t, ino_t>> listening_;  // unix sockets
};

}  // namespace

Result<void> open_doors(const RunConfig& config)
{
    TRY(Broker::start([config]() -> BrokerHandler {
        auto doors = std::make_shared<Doors>(config);
        return [doors](BrokerTask task, const std::string& text, int64_t number) { return doors->handle(task, text, number); };
    }));
    void* page = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED)
        g_shared = new (page) Shared;
    const bool filtered = filter_system_calls(Role::Guardian).ok();
    if (g_shared)
        g_shared->seccomp = filtered;
    return {};
}

void confine_worker(const RunConfig& config)
{
    // What they read or load once, they read now: OpenSSL its configuration, SQLite its first chance.
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS, nullptr);
    relay::load_http_client();
    store::load_database_library();
    (void)restrict_files({config.data_directory}).ok();
    (void)filter_system_calls(Role::Worker, guardian_pid()).ok();
}

void confine_guardian(const RunConfig& config)
{
    // The next worker needs the data directory, and inherits what holds here.
    (void)restrict_files({config.data_directory}).ok();
    if (!g_shared)
        return;
    g_shared->landlock = confinement().landlock;
    g_shared->tcp = confinement().tcp;
}

Confinements confinements()
{
    Confinements out;
    out.worker = confinement();
    if (g_shared) {
        out.guardian.seccomp = g_shared->seccomp;
        out.guardian.landlock = g_shared->landlock;
        out.guardian.tcp = g_shared->tcp;
    }
    Broker* broker = Broker::current();
    out.with_broker = broker != nullptr;
    if (!broker)
        return out;
    if (auto answer = broker->ask(BrokerTask::Confinement); answer.ok()) {
        out.broker.seccomp = (answer->number & kSeccomp) != 0;
        out.may_start_tor = (answer->number & kMayStartTor) != 0;
        out.broker.landlock = static_cast<int>(answer->number >> kLandlockShift);
    }
    // Their own words stay with them; what is missing there is said here.
    if (out.worker.seccomp && !out.guardian.seccomp)
        out.guardian.missing.push_back("guardian: no filter of system calls");
    if (out.worker.landlock > 0 && out.guardian.landlock == 0)
        out.guardian.missing.push_back("guardian: files are not restricted");
    if (out.worker.seccomp && !out.broker.seccomp)
        out.broker.missing.push_back("broker: no filter of system calls");
    if (out.worker.landlock > 0 && out.broker.landlock == 0 && !out.may_start_tor)
        out.broker.missing.push_back("broker: changes of files are not restricted");
    return out;
}

}  // namespace bivouac::app
