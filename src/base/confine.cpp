// SPDX-License-Identifier: BSD-3-Clause
// How: rules by the names of calls, so that a name which an architecture or an older libseccomp does not have is just left out.
// A call that no rule names is answered with ENOSYS in a worker: newer versions of the C library ask for calls that we do not
// know yet, and take that answer for an older kernel. What is forbidden on purpose is answered with EPERM. Nothing is logged: the
// kernel's log is on disk and would tell that bivouac was here.
#include <bivouac/base/confine.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bivouac {

namespace {

Confinement g_holds;

#ifdef BIVOUAC_UNCONFINED
constexpr const char* kForTesting = "this build is for testing, with a sanitizer that the rules would stop";
#endif

class Rules {
public:
    explicit Rules(uint32_t otherwise) : context_(seccomp_init(otherwise)) { fine_ = context_ != nullptr; }
    Rules(const Rules&) = delete;
    Rules& operator=(const Rules&) = delete;
    ~Rules()
    {
        if (context_)
            seccomp_release(context_);
    }

    void allow(std::initializer_list<const char*> names)
    {
        for (const char* name : names)
            add(SCMP_ACT_ALLOW, name, {});
    }
    void forbid(std::initializer_list<const char*> names)
    {
        for (const char* name : names)
            add(SCMP_ACT_ERRNO(EPERM), name, {});
    }
    void allow_if(const char* name, std::initializer_list<scmp_arg_cmp> when) { add(SCMP_ACT_ALLOW, name, when); }
    void forbid_if(const char* name, std::initializer_list<scmp_arg_cmp> when) { add(SCMP_ACT_ERRNO(EPERM), name, when); }
    void answer_with(const char* name, int number) { add(SCMP_ACT_ERRNO(static_cast<uint32_t>(number)), name, {}); }
    // Of one argument these bits: none of them may be set.
    void allow_without(const char* name, unsigned argument, uint64_t bits)
    {
        allow_if(name, {scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, bits, 0}});
        for (uint64_t bit = 1; bit != 0; bit <<= 1)
            if (bits & bit)
                forbid_if(name, {scmp_arg_cmp{argument, SCMP_CMP_MASKED_EQ, bit, bit}});
    }

    bool load()
    {
        // All threads, and refused as a whole when one cannot follow.
        fine_ = fine_ && seccomp_attr_set(context_, SCMP_FLTATR_CTL_TSYNC, 1) == 0;
        if (fine_)
            (void)seccomp_attr_set(context_, SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree; an older one has a list
        return fine_ && seccomp_load(context_) == 0;
    }

private:
    void add(uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> when)
    {
        const int call = seccomp_syscall_resolve_name(name);
        if (call < 0 || !fine_)  // not of this architecture, or not known here
            return;
        const int code = seccomp_rule_add_array(context_, action, call, static_cast<unsigned>(when.size()), when.begin());
        fine_ = code == 0 || code == -EEXIST;
    }

    scmp_filter_ctx context_;
    bool fine_ = false;
};

scmp_arg_cmp is(unsigned argument, uint64_t value)
{
    // Arguments of type int: the upper half is not looked at by the kernel either.
    return {argument, SCMP_CMP_MASKED_EQ, 0xffffffffu, value & 0xffffffffu};
}

// What reaches into other processes, name spaces, mounts, keys or the kernel itself. Nobody of us has a use for it, nor has tor.
void forbid_reaching_out(Rules& rules)
{
    rules.forbid({"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "keyctl", "add_key",
                  "request_key", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
                  "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
                  "fspick", "mount_setattr", "unshare", "setns", "init_module", "finit_module", "delete_module", "kexec_load",
                  "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "open_by_handle_at",
                  "name_to_handle_at", "lookup_dcookie", "syslog", "iopl", "ioperm", "modify_ldt", "vm86", "sethostname",
                  "setdomainname", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "vhangup", "fanotify_init",
                  "mknod", "mknodat", "personality", "nfsservctl", "uselib", "ustat", "sysfs", "_sysctl", "vserver"});
}

void forbid_new_name_spaces(Rules& rules)
{
    for (const uint64_t bit : {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP})
        rules.forbid_if("clone", {scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, bit, bit}});
}

bool load_worker(pid_t guardian)
{
    Rules rules(SCMP_ACT_ERRNO(ENOSYS));
    const auto self = static_cast<uint64_t>(::getpid());
    // Files: where they may be is Landlock's business.
    rules.allow({"read", "pread64", "readv", "preadv", "preadv2", "write", "pwrite64", "writev", "pwritev", "pwritev2", "open", "openat",
                 "creat", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "flock", "stat", "lstat", "fstat", "stat64",
                 "lstat64", "fstat64", "newfstatat", "fstatat64", "statx", "statfs", "fstatfs", "statfs64", "fstatfs64", "access",
                 "faccessat", "faccessat2", "lseek", "_llseek", "fsync", "fdatasync", "sync_file_range", "ftruncate", "ftruncate64",
                 "truncate", "truncate64", "fallocate", "fadvise64", "fadvise64_64", "arm_fadvise64_64", "readahead", "getdents",
                 "getdents64", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "link", "linkat",
                 "readlink", "readlinkat", "getcwd", "chmod", "fchmod", "fchmodat", "fchown", "fchown32", "utimensat", "umask",
                 "copy_file_range", "sendfile", "sendfile64", "splice", "pipe", "pipe2", "memfd_create"});
    rules.allow({"brk", "munmap", "mremap", "madvise", "mincore", "msync", "mlock", "mlock2", "munlock", "membarrier"});
    for (const char* name : {"mmap", "mmap2", "mprotect"})
        rules.allow_without(name, 2, PROT_EXEC);
    // Threads, and no processes. clone3 takes its flags from memory, where nobody can look: the C library then uses clone.
    rules.allow_if("clone", {scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}});
    rules.forbid_if("clone", {scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0}});
    rules.allow({"futex", "futex_time64", "set_robust_list", "get_robust_list", "set_tid_address", "rseq", "exit", "exit_group", "gettid",
                 "getpid", "getppid", "getpgrp", "getpgid", "getsid", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam",
                 "sched_getscheduler", "getcpu", "restart_syscall"});
    rules.allow({"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_sigpending",
                 "rt_sigsuspend", "sigreturn", "sigaltstack", "pause", "wait4", "waitid", "waitpid"});
    rules.allow_if("kill", {is(0, self)});
    if (guardian > 1)
        rules.allow_if("kill", {is(0, static_cast<uint64_t>(guardian))});
    rules.allow_if("tgkill", {is(0, self)});
    rules.allow({"pidfd_send_signal"});  // to what a descriptor of ours stands for: a tor of our own
    rules.allow({"clock_gettime", "clock_gettime64", "clock_getres", "clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "gettimeofday",
                 "time", "times", "timerfd_create", "timerfd_settime", "timerfd_settime64", "timerfd_gettime"});
    rules.allow({"poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "epoll_create", "epoll_create1",
                 "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2"});
    // Sockets: those that the broker hands over, and pairs. A stream is never without its other end, so it cannot address anybody.
    for (const uint64_t type : {SOCK_STREAM, SOCK_SEQPACKET})
        rules.allow_if("socketpair", {is(0, AF_UNIX), scmp_arg_cmp{1, SCMP_CMP_MASKED_EQ, 0xf, type}});
    rules.allow({"accept", "accept4", "recvfrom", "recvmsg", "recvmmsg", "recv", "shutdown", "getsockname", "getpeername", "getsockopt",
                 "listen"});  // on what the broker has bound: so the kernel names this process as the listener
    // MSG_FASTOPEN is a connect() by another name.
    constexpr uint64_t kFastOpen = 0x20000000;
    rules.allow_if("sendto", {scmp_arg_cmp{3, SCMP_CMP_MASKED_EQ, kFastOpen, 0}, scmp_arg_cmp{4, SCMP_CMP_EQ, 0, 0}});
    rules.allow_without("sendmsg", 2, kFastOpen);
    rules.allow_without("sendmmsg", 3, kFastOpen);
    for (const uint64_t option : {SO_REUSEADDR, SO_KEEPALIVE, SO_SNDBUF, SO_RCVBUF, SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO})
        rules.allow_if("setsockopt", {is(1, SOL_SOCKET), is(2, option)});
    for (const uint64_t option : {TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT})
        rules.allow_if("setsockopt", {is(1, IPPROTO_TCP), is(2, option)});
    rules.allow({"getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "getuid32", "geteuid32", "getgid32",
                 "getegid32", "getrandom", "uname", "sysinfo", "getrusage", "getrlimit", "ugetrlimit", "setrlimit"});
    for (const uint64_t process : {uint64_t(0), self})
        rules.allow_if("prlimit64", {is(0, process)});
    constexpr uint64_t kSetVma = 0x53564d41;
    for (const uint64_t option : {uint64_t(PR_SET_NAME), uint64_t(PR_GET_NAME), uint64_t(PR_GET_DUMPABLE), uint64_t(PR_GET_SECCOMP),
                                  uint64_t(PR_GET_NO_NEW_PRIVS), uint64_t(PR_SET_NO_NEW_PRIVS), uint64_t(PR_SET_PDEATHSIG), kSetVma})
        rules.allow_if("prctl", {is(0, option)});
    rules.allow_if("prctl", {is(0, PR_SET_DUMPABLE), is(1, 0)});
    for (const uint64_t request : {uint64_t(TCGETS), uint64_t(TIOCGWINSZ), uint64_t(FIONREAD), uint64_t(FIONBIO), uint64_t(FIOCLEX)})
        rules.allow_if("ioctl", {is(1, request)});
    forbid_reaching_out(rules);
    rules.forbid({"socket", "bind", "execve", "execveat", "fork", "vfork", "symlink", "symlinkat", "tkill",
                  "pidfd_open", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "setuid", "setgid", "setreuid", "setregid", "setresuid",
                  "setresgid", "setgroups", "setfsuid", "setfsgid", "capset", "chown", "lchown", "fchownat", "setxattr", "lsetxattr",
                  "fsetxattr", "shmget", "shmat", "msgget", "semget", "mq_open", "inotify_init", "inotify_init1", "inotify_add_watch",
                  "setpriority", "seccomp"});
    // Never made, and yet no plain refusal: libcurl 7.88 connects what it was handed as connected, takes this answer for one that is on
    // its way, and then looks at the socket.
    rules.answer_with("connect", EINPROGRESS);
    return rules.load();
}

bool load_others(Role role)
{
    Rules rules(SCMP_ACT_ALLOW);
    forbid_reaching_out(rules);
    forbid_new_name_spaces(rules);
    rules.answer_with("clone3", ENOSYS);  // its flags are in memory, where nobody can look; clone does the same
    if (role == Role::BrokerWithTor) {
        // tor asks netlink for its addresses. All that is left of the others lies between.
        rules.forbid_if("socket", {scmp_arg_cmp{0, SCMP_CMP_GT, AF_NETLINK, 0}});
        for (uint64_t family = 0; family < AF_NETLINK; ++family)
            if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
                rules.forbid_if("socket", {is(0, family)});
    } else {
        rules.forbid({"execve", "execveat"});
        if (role == Role::Guardian) {
            rules.forbid_if("socket", {scmp_arg_cmp{0, SCMP_CMP_NE, AF_UNIX, 0}});
        } else {
            rules.forbid_if("socket", {scmp_arg_cmp{0, SCMP_CMP_GT, AF_INET, 0}});
            for (const uint64_t type : {SOCK_DGRAM, SOCK_RAW})
                rules.forbid_if("socket", {scmp_arg_cmp{0, SCMP_CMP_EQ, AF_INET, 0}, scmp_arg_cmp{1, SCMP_CMP_MASKED_EQ, 0xf, type}});
        }
    }
    return rules.load();
}

// ---- Landlock, by its numbers: the headers of Debian 12 know two of its seven ABIs.

constexpr uint64_t kExecute = 1u << 0, kWriteFile = 1u << 1, kReadFile = 1u << 2, kReadDir = 1u << 3, kRemoveDir = 1u << 4,
                   kRemoveFile = 1u << 5, kMakeChar = 1u << 6, kMakeDir = 1u << 7, kMakeReg = 1u << 8, kMakeSock = 1u << 9,
                   kMakeFifo = 1u << 10, kMakeBlock = 1u << 11, kMakeSym = 1u << 12, kRefer = 1u << 13, kTruncate = 1u << 14,
                   kIoctlDev = 1u << 15;
constexpr uint64_t kBindTcp = 1u << 0, kConnectTcp = 1u << 1;
constexpr uint64_t kScopeAbstractUnix = 1u << 0;

struct RulesetAttributes {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};
struct __attribute__((packed)) PathBeneath {
    uint64_t allowed;
    int32_t parent;
};
constexpr unsigned kPathBeneath = 1;

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

struct Descriptor {
    int fd;
    ~Descriptor()
    {
        if (fd >= 0)
            ::close(fd);
    }
};

}  // namespace

int landlock_abi()
{
    constexpr unsigned kVersion = 1;
    const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, size_t(0), kVersion);
    return abi > 0 ? static_cast<int>(abi) : 0;
}

Result<void> filter_system_calls(Role role, pid_t guardian)
{
#ifdef BIVOUAC_UNCONFINED
    (void)role, (void)guardian, (void)load_worker, (void)load_others;
    g_holds.missing.push_back(std::string("no filter of system calls: ") + kForTesting);
    return fail(ErrorKind::Unavailable, g_holds.missing.back());
#else
    errno = 0;
    const bool loaded = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                        (role == Role::Worker ? load_worker(guardian) : load_others(role));
    if (loaded) {
        g_holds.seccomp = true;
        return {};
    }
    g_holds.missing.push_back("no filter of system calls: this kernel does not offer one (seccomp)");
    return fail(ErrorKind::Unavailable, g_holds.missing.back());
#endif
}

namespace {

struct Beneath {
    std::string directory;
    bool only_emptied;
};

// reading: it is restricted, too; and TCP.
Result<int> restrict(const std::vector<Beneath>& places, bool reading)
{
    auto missing = [](const std::string& why) {
        g_holds.missing.push_back("files are not restricted: " + why);
        return fail(ErrorKind::Unavailable, g_holds.missing.back());
    };
#ifdef BIVOUAC_UNCONFINED
    (void)places, (void)reading;
    return missing(kForTesting);
#else
    const int abi = landlock_abi();
    if (abi == 0)
        return missing("this kernel has no Landlock, or it is switched off");
    uint64_t all = (kMakeSym << 1) - 1;
    uint64_t ours = kWriteFile | kReadFile | kReadDir | kRemoveDir | kRemoveFile | kMakeDir | kMakeReg | kMakeSock;
    if (abi >= 2) {
        all |= kRefer;
        ours |= kRefer;
    }
    if (abi >= 3) {
        all |= kTruncate;
        ours |= kTruncate;
    }
    if (abi >= 5)
        all |= kIoctlDev;
    if (!reading)
        all &= ~(kReadFile | kReadDir | kIoctlDev);
    ours &= all;
    // No rule follows for the network: everything of it is refused, as seccomp does, too. Signals are left to seccomp, which
    // knows whom they may reach.
    const RulesetAttributes attributes{all, abi >= 4 && reading ? kBindTcp | kConnectTcp : 0, abi >= 6 ? kScopeAbstractUnix : 0};
    const size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    const Descriptor ruleset{static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0u))};
    if (ruleset.fd < 0)
        return missing(std::strerror(errno));
    for (const auto& [directory, only_emptied] : places) {
        const Descriptor parent{::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
        if (parent.fd < 0)
            return missing(directory + ": " + std::strerror(errno));
        const PathBeneath rule{only_emptied ? kRemoveDir : ours, parent.fd};
        if (::syscall(SYS_landlock_add_rule, ruleset.fd, kPathBeneath, &rule, 0u) != 0)
            return missing(directory + ": " + std::strerror(errno));
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::syscall(SYS_landlock_restrict_self, ruleset.fd, 0u) != 0)
        return missing(std::strerror(errno));
    g_holds.landlock = abi;
    g_holds.tcp = abi >= 4 && reading;
    return abi;
#endif
}

}  // namespace

Result<int> restrict_files(const std::vector<std::string>& directories)
{
    std::vector<Beneath> places;
    for (const auto& directory : directories)
        places.push_back({directory, false});
    return restrict(places, true);
}

Result<int> restrict_changes(const std::vector<std::string>& directories, const std::string& emptied)
{
    std::vector<Beneath> places{{emptied, true}};
    for (const auto& directory : directories)
        places.push_back({directory, false});
    return restrict(places, false);
}

const Confinement& confinement()
{
    return g_holds;
}

}  // namespace bivouac
