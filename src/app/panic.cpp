// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/panic.h>

#include <bivouac/app/config.h>
#include <bivouac/app/guardian.h>
#include <bivouac/base/broker.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/files.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace bivouac::app {

namespace {

namespace fs = std::filesystem;

pid_t parent_of(pid_t process)
{
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string text;
    std::getline(file, text);
    // The name in brackets may hold anything.
    const size_t after = text.rfind(')');
    if (after == std::string::npos)
        return 0;
    std::istringstream rest(text.substr(after + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    return parent;
}

std::string name_of(pid_t process)
{
    std::ifstream file("/proc/" + std::to_string(process) + "/comm");
    std::string name;
    std::getline(file, name);
    return name;
}

pid_t listener_of(const std::string& socket_path)
{
    sockaddr_un address{};
    if (socket_path.size() >= sizeof address.sun_path)
        return 0;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    pid_t out = 0;
    if (fd >= 0 && ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
            out = peer.pid;
    }
    if (fd >= 0)
        ::close(fd);
    return out;
}

// "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"
pid_t holder_of(const std::string& lock_path)
{
    struct stat info{};
    if (::stat(lock_path.c_str(), &info) != 0)
        return 0;
    std::ifstream file("/proc/locks");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string number, kind, how, what, where;
        pid_t process = 0;
        words >> number >> kind >> how >> what >> process >> where;
        if (kind == "FLOCK" && process > 0 && where.substr(where.rfind(':') + 1) == std::to_string(info.st_ino) &&
            name_of(process) == name_of(::getpid()))
            return process;
    }
    return 0;
}

bool is_alive(pid_t process)
{
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string text;
    std::getline(file, text);
    const size_t after = text.rfind(')');
    return after != std::string::npos && text.size() > after + 2 && text[after + 2] != 'Z';
}

// In place: the old bytes must not stay beside a new file.
Result<void> overwrite(const std::string& path)
{
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fail(ErrorKind::Unavailable, std::strerror(errno));
    struct stat info{};
    bool done = ::fstat(fd, &info) == 0;
    const std::string noise = system_random().bytes(static_cast<size_t>(std::clamp<off_t>(info.st_size, 1, 1 << 20)));
    done = done && ::pwrite(fd, noise.data(), noise.size(), 0) == static_cast<ssize_t>(noise.size());
    done = done && ::fdatasync(fd) == 0;
    const int number = errno;
    ::close(fd);
    if (!done)
        return fail(ErrorKind::Unavailable, std::strerror(number));
    return {};
}

bool end_node(const std::string& directory)
{
    const NodeProcesses node = find_node(directory);
    if (node.worker == 0)
        return false;
    // The guardian first: it would start another.
    for (pid_t process : {node.guardian, node.worker})
        if (process > 0)
            ::kill(process, SIGKILL);
    for (int i = 0; i < 200 && is_alive(node.worker); ++i)
        ::usleep(10'000);
    return true;
}

bool is_ours(const std::string& name)
{
    for (const char* beginning : {"bivouac.db", "bivouac.keys"})
        if (name.starts_with(beginning))
            return true;
    return name == "lock" || name == "keys.lock" || name == "backup.lock" || name == "control.sock" || name == "tor";
}

}  // namespace

NodeProcesses find_node(const std::string& directory)
{
    const DataPaths paths = DataPaths::in(directory);
    NodeProcesses out;
    out.worker = listener_of(paths.socket);
    if (out.worker == 0)
        out.worker = holder_of(paths.lock);
    if (out.worker == 0)
        return out;
    const pid_t parent = parent_of(out.worker);
    if (parent > 1 && name_of(parent) == name_of(out.worker))
        out.guardian = parent;
    return out;
}

namespace {

void destroy_keys(const DataPaths& paths, Panicked& out)
{
    const auto begin = std::chrono::steady_clock::now();
    for (const std::string& keys : {paths.keys, paths.keys + ".new"}) {
        if (!file_exists(keys))
            continue;
        if (auto gone = overwrite(keys); !gone.ok())
            out.left.push_back(keys + ": could not be overwritten: " + gone.error().detail);
    }
    out.keys_destroyed_us =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count();
}

// Others remove and write there at the same time: a tor of the node's own, which is just ending. Nothing is left of that.
std::uintmax_t remove_whole(const fs::path& path, std::error_code& failed)
{
    static constexpr int kTurns = 50;
    static constexpr auto kPause = std::chrono::milliseconds(20);
    std::uintmax_t removed = 0;
    for (int turn = 0; turn < kTurns; ++turn) {
        failed.clear();
        const auto some = fs::remove_all(path, failed);
        if (!failed)
            return removed + some;
        if (failed != std::errc::no_such_file_or_directory && failed != std::errc::directory_not_empty)
            return removed;
        std::this_thread::sleep_for(kPause);
    }
    return removed;
}

void remove_files(const std::string& directory, Panicked& out)
{
    std::error_code error;
    std::vector<fs::path> mine;
    for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
        if (is_ours(it->path().filename().string()))
            mine.push_back(it->path());
    if (error && error != std::errc::no_such_file_or_directory)
        out.left.push_back(directory + ": " + error.message());
    // The keys before the rest, should this be cut short.
    std::stable_partition(mine.begin(), mine.end(), [](const fs::path& path) {
        return path.filename().string().starts_with("bivouac.keys");
    });
    for (const auto& path : mine) {
        std::error_code failed;
        const auto removed = remove_whole(path, failed);
        if (failed)
            out.left.push_back(path.string() + ": " + failed.message());
        else
            out.files += removed;
    }
    fs::remove(directory, error);  // only when it is empty
}

}  // namespace

Result<Panicked> destroy_node(const std::string& directory)
{
    const DataPaths paths = DataPaths::in(directory);
    if (!file_exists(paths.keys) && !file_exists(paths.database))
        return fail(ErrorKind::NotFound, "there is no node in " + directory);
    Panicked out;
    destroy_keys(paths, out);
    out.node_ended = end_node(directory);
    remove_files(directory, out);
    return out;
}

void destroy_own_node(const std::string& directory)
{
    static constexpr auto kForTheAnswer = std::chrono::milliseconds(300);
    Panicked out;
    destroy_keys(DataPaths::in(directory), out);
    std::thread([directory, guardian = guardian_pid()] {
        Panicked rest;
        remove_files(directory, rest);
        std::this_thread::sleep_for(kForTheAnswer);
        remove_files(directory, rest);  // what the node wrote meanwhile
        if (Broker* broker = Broker::current())
            (void)broker->ask(BrokerTask::RemoveDirectory).ok();
        if (guardian > 0)
            ::kill(guardian, SIGKILL);
        ::kill(::getpid(), SIGKILL);
    }).detach();
}

}  // namespace bivouac::app
