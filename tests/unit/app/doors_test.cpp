// SPDX-License-Identifier: BSD-3-Clause
// Guardian, broker and worker as `bivouac run` makes them, and each thing that must not work tried from inside.
#include <doctest/doctest.h>

#include <bivouac/app/doors.h>
#include <bivouac/app/guardian.h>
#include <bivouac/base/broker.h>
#include <bivouac/base/files.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace bivouac;
using namespace bivouac::app;

namespace {

struct Listening {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string address;
    sockaddr_in name{};

    Listening()
    {
        name.sin_family = AF_INET;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof name;
        REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&name), size) == 0);
        REQUIRE(::listen(fd, 64) == 0);
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
        address = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
    }
    ~Listening() { ::close(fd); }
};

struct Directory {
    std::string path;
    Directory()
    {
        char name[] = "/tmp/bivouac-doors-XXXXXX";
        REQUIRE(::mkdtemp(name));
        path = name;
    }
    ~Directory() { std::filesystem::remove_all(path); }
};

using Say = std::function<void(const std::string& what, const std::string& outcome)>;
using Outcomes = std::map<std::string, std::string>;

std::string outcome_of(long result)
{
    return result >= 0 ? "done" : std::string(strerrorname_np(errno));
}

// What `deed` says in a process of its own.
Outcomes in_a_process(const std::function<void(const Say&)>& deed)
{
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(pipe[0]);
        deed([&](const std::string& what, const std::string& outcome) {
            const std::string line = what + "\t" + outcome + "\n";
            if (::write(pipe[1], line.data(), line.size()) < 0)
                ::_exit(3);
        });
        ::_exit(0);
    }
    ::close(pipe[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = ::read(pipe[0], buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<size_t>(n));
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    Outcomes out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        out[line.substr(0, line.find('\t'))] = line.substr(line.find('\t') + 1);
    return out;
}

// As `bivouac run` does it.
Outcomes in_a_node(const RunConfig& config, const std::function<void(const Say&)>& worker,
                   const std::function<void(const Say&)>& guardian = {})
{
    return in_a_process([&](const Say& say) {
        if (auto opened = open_doors(config); !opened.ok())
            return say("open_doors", opened.error().detail);
        const int code = guard(
            [&](Begin) {
                confine_worker(config);
                worker(say);
                return 0;
            },
            [&] {
                confine_guardian(config);
                if (guardian)
                    guardian(say);
            });
        say("exit code", std::to_string(code));
    });
}

void try_sockets(const Say& say)
{
    for (auto [name, family, type] : {std::tuple("unix", AF_UNIX, SOCK_STREAM), std::tuple("inet", AF_INET, SOCK_STREAM),
                                      std::tuple("udp", AF_INET, SOCK_DGRAM), std::tuple("raw", AF_INET, SOCK_RAW),
                                      std::tuple("inet6", AF_INET6, SOCK_STREAM), std::tuple("netlink", AF_NETLINK, SOCK_RAW),
                                      std::tuple("packet", AF_PACKET, SOCK_RAW), std::tuple("alg", AF_ALG, SOCK_SEQPACKET),
                                      std::tuple("vsock", AF_VSOCK, SOCK_STREAM), std::tuple("bluetooth", AF_BLUETOOTH, SOCK_RAW),
                                      std::tuple("x25", AF_X25, SOCK_SEQPACKET)})
        say(std::string("socket ") + name, outcome_of(::socket(family, type, 0)));
}

void try_exec(const Say& say)
{
    char program[] = "/bin/true";
    char* const arguments[] = {program, nullptr};
    ::execve(program, arguments, nullptr);
    say("execve", outcome_of(-1));
    ::syscall(SYS_execveat, AT_FDCWD, program, arguments, nullptr, 0);
    say("execveat", outcome_of(-1));
}

void try_reaching_out(const Say& say)
{
    say("ptrace", outcome_of(::syscall(SYS_ptrace, 16 /* attach */, ::getppid(), 0, 0)));
    say("process_vm_readv", outcome_of(::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0)));
    say("keyctl", outcome_of(::syscall(SYS_keyctl, 0, -3, 1)));
    say("add_key", outcome_of(::syscall(SYS_add_key, "user", "x", "x", 1, -3)));
    say("bpf", outcome_of(::syscall(SYS_bpf, 0, nullptr, 0)));
    say("perf_event_open", outcome_of(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0)));
    say("userfaultfd", outcome_of(::syscall(SYS_userfaultfd, 0)));
    say("io_uring_setup", outcome_of(::syscall(SYS_io_uring_setup, 1, nullptr)));
    say("mount", outcome_of(::syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, nullptr)));
    say("unshare", outcome_of(::unshare(CLONE_NEWUSER)));
    say("setns", outcome_of(::syscall(SYS_setns, 0, CLONE_NEWNET)));
    say("chroot", outcome_of(::chroot("/")));
    say("clone with a name space", outcome_of(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)));
    say("pidfd_getfd", outcome_of(::syscall(SYS_pidfd_getfd, 0, 0, 0)));
    say("personality", outcome_of(::syscall(SYS_personality, 0x0400000)));
    say("init_module", outcome_of(::syscall(SYS_init_module, nullptr, 0, "")));
    say("open_by_handle_at", outcome_of(::syscall(SYS_open_by_handle_at, -1, nullptr, 0)));
    say("mknod", outcome_of(::mknod("/tmp/bivouac-was-here", S_IFCHR | 0600, 0)));
}

const char* const kReachingOut[] = {"ptrace", "process_vm_readv", "keyctl", "add_key", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
                                    "mount", "unshare", "setns", "chroot", "clone with a name space", "pidfd_getfd", "personality",
                                    "init_module", "open_by_handle_at", "mknod"};

std::string asked(BrokerTask task, const std::string& text, int64_t number = 0)
{
    auto answer = Broker::current()->ask(task, text, number);
    return answer.ok() ? "done" : std::string(error_kind_name(answer.error().kind));
}

bool confined_build()
{
#ifdef BIVOUAC_UNCONFINED
    return false;
#else
    return true;
#endif
}

}  // namespace

TEST_CASE("the worker: nothing but its directory and what it is handed")
{
    if (!confined_build()) {
        MESSAGE("built for testing without confinement: nothing was seen of it");
        return;
    }
    Directory directory;
    Listening tor;
    Listening other;
    RunConfig config;
    config.data_directory = directory.path;
    config.tor_control = tor.address;
    const pid_t test = ::getpid();
    const int abi = landlock_abi();  // in there nobody can ask any more
    auto said = in_a_node(config, [&](const Say& say) {
        say("seccomp", confinement().seccomp ? "holds" : "no");
        say("landlock", confinement().landlock == abi ? "holds" : "no");
        const Confinements all = confinements();
        say("broker", all.broker.seccomp && !all.may_start_tor ? "holds" : "no");
        say("broker landlock", all.broker.landlock == abi && all.broker.missing.empty() ? "holds" : "no");
        say("guardian seccomp", all.guardian.seccomp ? "holds" : "no");

        // What it needs.
        const std::string file = directory.path + "/file";
        say("its file", write_file_atomically(file, "x").ok() ? "done" : "no");
        say("unnamed", outcome_of(::open(directory.path.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)));
        say("lock", FileLock::acquire(directory.path + "/lock").ok() ? "done" : "no");
        say("remove", outcome_of(::unlink(file.c_str())));
        say("mkdir", outcome_of(::mkdir((directory.path + "/folder").c_str(), 0700)));
        say("memfd", outcome_of(::memfd_create("x", MFD_CLOEXEC)));
        int pair[2];
        say("pair", outcome_of(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair)));
        say("kill itself", outcome_of(::kill(::getpid(), 0)));
        bool ran = false;
        std::thread([&] {
            ran = true;
            say("in a thread", outcome_of(::open("/etc/passwd", O_RDONLY)));
            say("socket in a thread", outcome_of(::socket(AF_INET, SOCK_STREAM, 0)));
        }).join();
        say("thread", ran ? "done" : "no");

        // Files.
        say("read elsewhere", outcome_of(::open("/etc/passwd", O_RDONLY)));
        say("list elsewhere", outcome_of(::open("/etc", O_RDONLY | O_DIRECTORY)));
        say("write elsewhere", outcome_of(::open("/tmp/bivouac-was-here", O_WRONLY | O_CREAT, 0600)));
        say("mkdir elsewhere", outcome_of(::mkdir("/tmp/bivouac-was-here", 0700)));
        say("out by dots", outcome_of(::open((directory.path + "/../../etc/passwd").c_str(), O_RDONLY)));
        say("proc", outcome_of(::open("/proc/self/mem", O_RDWR)));
        say("symlink", outcome_of(::symlink("/etc/passwd", (directory.path + "/link").c_str())));
        say("link from elsewhere", outcome_of(::link("/etc/passwd", (directory.path + "/link").c_str())));
        say("rename out", outcome_of(::rename((directory.path + "/folder").c_str(), "/tmp/bivouac-was-here")));

        // Sockets.
        try_sockets(say);
        say("datagram pair", outcome_of(::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)));
        say("connect", outcome_of(::connect(pair[0], reinterpret_cast<const sockaddr*>(&other.name), sizeof other.name)));
        say("bind", outcome_of(::bind(pair[0], reinterpret_cast<const sockaddr*>(&other.name), sizeof other.name)));
        say("fast open", outcome_of(::sendto(pair[0], "x", 1, MSG_FASTOPEN, nullptr, 0)));
        say("sendto somebody", outcome_of(::sendto(pair[0], "x", 1, 0, reinterpret_cast<const sockaddr*>(&other.name), sizeof other.name)));
        msghdr message{};
        say("fast open by message", outcome_of(::sendmsg(pair[0], &message, MSG_FASTOPEN)));

        // Programs, processes, memory.
        try_exec(say);
        say("fork", outcome_of(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
#ifdef SYS_fork
        say("old fork", outcome_of(::syscall(SYS_fork)));
#endif
        say("signal to another", outcome_of(::kill(test, 0)));
        say("signal to all", outcome_of(::kill(-1, 0)));
        say("pidfd_open", outcome_of(::syscall(SYS_pidfd_open, test, 0)));
        void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        say("memory", page != MAP_FAILED ? "done" : "no");
        say("code", outcome_of(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0));
        say("memory into code", outcome_of(::mprotect(page, 4096, PROT_READ | PROT_EXEC)));
        say("dumpable", outcome_of(::prctl(PR_SET_DUMPABLE, 1)));
        say("type into the terminal", outcome_of(::ioctl(0, TIOCSTI, "x")));
        say("setuid", outcome_of(::setuid(0)));
        try_reaching_out(say);

        // What the broker does, and what it does not.
        say("ask: its tor", asked(BrokerTask::Connect, tor.address));
        say("ask: another address", asked(BrokerTask::Connect, "127.0.0.2:80"));
        say("ask: outside", asked(BrokerTask::Connect, "192.0.2.1:80"));
        say("ask: a name", asked(BrokerTask::Connect, "localhost:80"));
        say("ask: nothing", asked(BrokerTask::Connect, ""));
        say("ask: another unix socket", asked(BrokerTask::Connect, "unix:/run/dbus/system_bus_socket"));
        say("ask: start tor", asked(BrokerTask::StartTor, "", ::getpid()));
        say("ask: a cookie", asked(BrokerTask::Cookie, "/etc/shadow"));
        say("ask: no such task", asked(static_cast<BrokerTask>(99), ""));
        say("ask: listen", asked(BrokerTask::Listen, "127.0.0.1:0"));
        say("ask: control socket", asked(BrokerTask::Listen, "unix:" + DataPaths::in(directory.path).socket, 0600));
        say("ask: listen to all", asked(BrokerTask::Listen, "0.0.0.0:0"));
        say("ask: listen elsewhere", asked(BrokerTask::Listen, "unix:/tmp/bivouac-was-here", 0600));
        say("ask: too long", asked(BrokerTask::Connect, std::string(5000, 'x')));
        // A socket that was handed over cannot go anywhere else.
        auto listener = Broker::current()->ask(BrokerTask::Listen, "127.0.0.1:0");
        if (listener.ok()) {
            const int fd = listener->fds[0];
            ::shutdown(fd, SHUT_RDWR);
            say("connect with a listener", outcome_of(::connect(fd, reinterpret_cast<const sockaddr*>(&other.name), sizeof other.name)));
            say("send with a listener", outcome_of(::sendto(fd, "x", 1, MSG_FASTOPEN, reinterpret_cast<const sockaddr*>(&other.name),
                                                            sizeof other.name)));
        }
        auto connected = Broker::current()->ask(BrokerTask::Connect, tor.address);
        if (connected.ok()) {
            sockaddr nowhere{};
            nowhere.sa_family = AF_UNSPEC;
            say("dissolve", outcome_of(::connect(connected->fds[0], &nowhere, sizeof nowhere)));
        }
    });
    CHECK(said["exit code"] == "0");
    for (const char* what : {"seccomp", "broker", "guardian seccomp"})
        CHECK_MESSAGE(said[what] == "holds", what);
    for (const char* what : {"its file", "unnamed", "lock", "remove", "mkdir", "memfd", "pair", "kill itself", "thread", "memory", "ask: its tor",
                             "ask: listen", "ask: control socket"})
        CHECK_MESSAGE(said[what] == "done", what, ": ", said[what]);
    if (landlock_abi() > 0) {
        CHECK(said["landlock"] == "holds");
        CHECK(said["broker landlock"] == "holds");
        for (const char* what : {"in a thread", "read elsewhere", "list elsewhere", "write elsewhere", "mkdir elsewhere", "out by dots", "proc"})
            CHECK_MESSAGE(said[what] == "EACCES", what, ": ", said[what]);
        // EPERM: a file of root's, for others than root (fs.protected_hardlinks).
        for (const char* what : {"link from elsewhere", "rename out"})
            CHECK_MESSAGE((said[what] == "EACCES" || said[what] == "EXDEV" || said[what] == "EPERM"), what, ": ", said[what]);
    } else {
        MESSAGE("this kernel has no Landlock: nothing was seen of files");
    }
    for (const char* what : {"socket unix", "socket inet", "socket udp", "socket raw", "socket inet6", "socket netlink", "socket packet",
                             "socket alg", "socket vsock", "socket bluetooth", "socket in a thread", "bind", "fast open by message",
                             "execve", "execveat", "fork", "pidfd_open", "code", "memory into code", "symlink", "setuid"})
        CHECK_MESSAGE(said[what] == "EPERM", what, ": ", said[what]);
    // What the filter answers for curl's sake; nothing was connected.
    for (const char* what : {"connect", "connect with a listener", "dissolve"})
        CHECK_MESSAGE(said[what] == "EINPROGRESS", what, ": ", said[what]);
    ::fcntl(other.fd, F_SETFL, O_NONBLOCK);
    CHECK(::accept(other.fd, nullptr, nullptr) == -1);
    CHECK(errno == EAGAIN);
    for (const char* what : kReachingOut)
        CHECK_MESSAGE((said[what] == "EPERM" || said[what] == "ENOSYS"), what, ": ", said[what]);
    // Refused by what no rule lets through.
    for (const char* what : {"datagram pair", "fast open", "sendto somebody", "signal to another", "signal to all", "dumpable",
                             "type into the terminal", "send with a listener"})
        CHECK_MESSAGE((said[what] == "ENOSYS" || said[what] == "EPERM"), what, ": ", said[what]);
#ifdef SYS_fork
    CHECK(said["old fork"] == "EPERM");
#endif
    const std::string forbidden(error_kind_name(ErrorKind::Forbidden)), invalid(error_kind_name(ErrorKind::Invalid));
    for (const char* what : {"ask: another address", "ask: outside", "ask: a name", "ask: nothing", "ask: another unix socket", "ask: start tor",
                             "ask: listen to all", "ask: listen elsewhere"})
        CHECK_MESSAGE(said[what] == forbidden, what, ": ", said[what]);
    CHECK(said["ask: a cookie"] == error_kind_name(ErrorKind::Unavailable));  // of its tor, which has none; whatever is named
    CHECK(said["ask: no such task"] == invalid);
    CHECK(said["ask: too long"] == invalid);
    CHECK(!file_exists("/tmp/bivouac-was-here"));
    CHECK(!file_exists(DataPaths::in(directory.path).socket));  // the broker removed what the worker left
}

TEST_CASE("the guardian: no program, no socket, no file")
{
    if (!confined_build()) {
        MESSAGE("built for testing without confinement: nothing was seen of it");
        return;
    }
    Directory directory;
    RunConfig config;
    config.data_directory = directory.path;
    config.no_tor = true;
    int stay[2];
    REQUIRE(::pipe(stay) == 0);
    auto said = in_a_node(
        config,
        [&](const Say&) {
            // Until the guardian has tried everything.
            ::close(stay[1]);
            char c = 0;
            (void)(::read(stay[0], &c, 1) == 1);
        },
        [&](const Say& say) {
            try_exec(say);
            try_sockets(say);
            try_reaching_out(say);
            say("read elsewhere", outcome_of(::open("/etc/passwd", O_RDONLY)));
            say("write elsewhere", outcome_of(::open("/tmp/bivouac-was-here", O_WRONLY | O_CREAT, 0600)));
            (void)(::write(stay[1], "x", 1) == 1);
        });
    ::close(stay[0]);
    ::close(stay[1]);
    CHECK(said["exit code"] == "0");
    CHECK(said["socket unix"] == "done");
    for (const char* what : {"execve", "execveat", "socket inet", "socket udp", "socket raw", "socket inet6", "socket netlink", "socket packet",
                             "socket alg", "socket vsock", "socket bluetooth"})
        CHECK_MESSAGE(said[what] == "EPERM", what, ": ", said[what]);
    for (const char* what : kReachingOut)
        CHECK_MESSAGE((said[what] == "EPERM" || said[what] == "ENOSYS"), what, ": ", said[what]);
    if (landlock_abi() > 0) {
        CHECK(said["read elsewhere"] == "EACCES");
        CHECK(said["write elsewhere"] == "EACCES");
    }
}

TEST_CASE("the broker's own filters")
{
    if (!confined_build()) {
        MESSAGE("built for testing without confinement: nothing was seen of it");
        return;
    }
    auto alone = in_a_process([](const Say& say) {
        say("filter", filter_system_calls(Role::Broker).ok() ? "holds" : "no");
        try_exec(say);
        try_sockets(say);
        try_reaching_out(say);
    });
    CHECK(alone["filter"] == "holds");
    CHECK(alone["socket unix"] == "done");
    CHECK(alone["socket inet"] == "done");
    for (const char* what : {"execve", "execveat", "socket udp", "socket raw", "socket inet6", "socket netlink", "socket packet", "socket alg"})
        CHECK_MESSAGE(alone[what] == "EPERM", what, ": ", alone[what]);
    if (landlock_abi() > 0) {
        Directory directory, elsewhere;
        const std::string top = directory.path.substr(0, directory.path.rfind('/'));
        auto files = in_a_process([&](const Say& say) {
            say("holds", restrict_changes({directory.path}, top).ok() ? "done" : "no");
            say("read", outcome_of(::open("/etc/passwd", O_RDONLY)));
            say("its file", outcome_of(::open((directory.path + "/file").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600)));
            say("its file away", outcome_of(::unlink((directory.path + "/file").c_str())));
            say("write", outcome_of(::open("/etc/passwd", O_WRONLY)));
            say("make", outcome_of(::open((elsewhere.path + "/file").c_str(), O_WRONLY | O_CREAT, 0600)));
            say("mkdir", outcome_of(::mkdir((elsewhere.path + "/folder").c_str(), 0700)));
            try_exec(say);
            say("directory away", outcome_of(::rmdir(directory.path.c_str())));
        });
        for (const char* what : {"holds", "read", "its file", "its file away", "directory away"})
            CHECK_MESSAGE(files[what] == "done", what, ": ", files[what]);
        for (const char* what : {"write", "make", "mkdir", "execve"})
            CHECK_MESSAGE(files[what] == "EACCES", what, ": ", files[what]);
    }
    // With a tor to start: its programs and families pass, what reaches out does not, in tor neither.
    auto with_tor = in_a_process([](const Say& say) {
        say("filter", filter_system_calls(Role::BrokerWithTor).ok() ? "holds" : "no");
        try_sockets(say);
        try_reaching_out(say);
        say("program", outcome_of(::system("exit 0") == 0 ? 0 : -1));
    });
    CHECK(with_tor["filter"] == "holds");
    CHECK(with_tor["program"] == "done");
    CHECK(with_tor["socket inet"] == "done");
    for (const char* what : {"socket packet", "socket x25", "socket alg", "socket vsock"})
        CHECK_MESSAGE(with_tor[what] == "EPERM", what, ": ", with_tor[what]);
    for (const Outcomes& said : {alone, with_tor})
        for (const char* what : kReachingOut)
            CHECK_MESSAGE((said.at(what) == "EPERM" || said.at(what) == "ENOSYS"), what, ": ", said.at(what));
}

TEST_CASE("Landlock alone keeps TCP where the kernel can, and says so")
{
    if (!confined_build()) {
        MESSAGE("built for testing without confinement: nothing was seen of it");
        return;
    }
    Directory directory;
    Listening other;
    auto said = in_a_process([&](const Say& say) {
        auto abi = restrict_files({directory.path});
        say("abi", abi.ok() ? std::to_string(*abi) : "none");
        say("tcp", confinement().tcp ? "kept" : "not kept");
        say("missing", std::to_string(confinement().missing.size()));
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        say("connect", outcome_of(::connect(fd, reinterpret_cast<const sockaddr*>(&other.name), sizeof other.name)));
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        say("bind", outcome_of(::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any)));
        say("missing directory", restrict_files({"/nonexistent"}).ok() ? "done" : "refused");
    });
    const int abi = landlock_abi();
    CHECK(said["abi"] == (abi > 0 ? std::to_string(abi) : "none"));
    CHECK(said["missing"] == (abi > 0 ? "0" : "1"));
    CHECK(said["tcp"] == (abi >= 4 ? "kept" : "not kept"));
    CHECK(said["connect"] == (abi >= 4 ? "EACCES" : "done"));
    CHECK(said["missing directory"] == "refused");
}

TEST_CASE("a broker outlives a worker that ends in the middle, and answers the next one only")
{
    Directory directory;
    RunConfig config;
    config.data_directory = directory.path;
    config.no_tor = true;
    auto said = in_a_process([&](const Say& say) {
        if (!open_doors(config).ok())
            return;
        int round = 0;
        const int code = guard([&](Begin begin) {
            if (begin == Begin::Open) {
                // Asked, and ended before the answer was taken.
                for (int i = 0; i < 20; ++i)
                    Broker::current()->tell(BrokerTask::Confinement);
                return kExitLocked;
            }
            ++round;
            auto listener = Broker::current()->ask(BrokerTask::Listen, "127.0.0.1:0");
            say("listener", listener.ok() && listener->text.starts_with("127.0.0.1:") && listener->fds[0] >= 0 ? "done" : "no");
            return 0;
        });
        say("exit code", std::to_string(code));
    });
    CHECK(said["listener"] == "done");
    CHECK(said["exit code"] == "0");
}
