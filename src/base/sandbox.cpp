// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/sandbox.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bivouac {

namespace {

constexpr int kIn = 3;
constexpr int kOut = 4;

bool bound(const SandboxLimits& limits)
{
    const rlimit memory{limits.memory_bytes, limits.memory_bytes}, time{limits.seconds, limits.seconds}, none{0, 0};
    return setrlimit(RLIMIT_AS, &memory) == 0 && setrlimit(RLIMIT_CPU, &time) == 0 && setrlimit(RLIMIT_FSIZE, &none) == 0 &&
           setrlimit(RLIMIT_CORE, &none) == 0 && setrlimit(RLIMIT_NPROC, &none) == 0;
}

// Reading and writing what is open, memory that cannot be run, and leaving.
bool filter()
{
    scmp_filter_ctx rules = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!rules)
        return false;
    bool fine = true;
    for (int call : {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(rt_sigreturn),
                     SCMP_SYS(rt_sigprocmask), SCMP_SYS(clock_gettime), SCMP_SYS(getrandom), SCMP_SYS(exit), SCMP_SYS(exit_group)})
        fine = fine && seccomp_rule_add(rules, SCMP_ACT_ALLOW, call, 0) == 0;
    for (int call : {SCMP_SYS(read), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(close)})
        fine = fine && seccomp_rule_add(rules, SCMP_ACT_ALLOW, call, 1, SCMP_A0(SCMP_CMP_EQ, kIn)) == 0;
    // How glibc asks for the same.
    fine = fine && seccomp_rule_add(rules, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, SCMP_A0(SCMP_CMP_EQ, kIn)) == 0;
    fine = fine && seccomp_rule_add(rules, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0(SCMP_CMP_EQ, kOut)) == 0;
    for (int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
        fine = fine && seccomp_rule_add(rules, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
    fine = fine && seccomp_load(rules) == 0;
    seccomp_release(rules);
    return fine;
}

}  // namespace

void Sandbox::enter(int input, int output, const std::function<int(int, int)>& work, const SandboxLimits& limits)
{
    // Both out of the way first, so that neither lands on the other's place.
    const int in = fcntl(input, F_DUPFD, 10), out = fcntl(output, F_DUPFD, 10);
    if (in < 0 || out < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || dup2(in, kIn) != kIn || dup2(out, kOut) != kOut ||
        close_range(0, 2, 0) != 0 || close_range(kOut + 1, ~0u, 0) != 0 || !bound(limits) || !filter())
        _exit(1);
    if (write(kOut, &kReady, 1) != 1)
        _exit(1);
    _exit(work(kIn, kOut));
}

Result<Sandbox> Sandbox::start(int input, std::function<int(int in, int out)> work, SandboxLimits limits)
{
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0)
        return fail(ErrorKind::Unavailable, std::string("no pipe: ") + std::strerror(errno));
    const pid_t child = ::fork();
    if (child == 0)
        enter(input, pipe[1], work, limits);
    ::close(pipe[1]);
    if (child < 0) {
        ::close(pipe[0]);
        return fail(ErrorKind::Unavailable, std::string("no process: ") + std::strerror(errno));
    }
    Sandbox out(child, pipe[0]);
    char ready = 0;
    ssize_t n = -1;
    do
        n = ::read(pipe[0], &ready, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1 || ready != kReady)
        return fail(ErrorKind::Unavailable, "the file cannot be read safely here: this system offers no filter for system calls (seccomp)");
    return out;
}

Sandbox::Sandbox(Sandbox&& other) noexcept
    : child_(std::exchange(other.child_, -1))
    , output_(std::exchange(other.output_, -1))
{
}

Sandbox::~Sandbox()
{
    if (output_ >= 0)
        ::close(output_);
    if (child_ > 0) {
        ::kill(child_, SIGKILL);
        while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
}

Result<void> Sandbox::finish()
{
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
    child_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return {};
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return fail(ErrorKind::Invalid, "whoever made this file meant to break into this machine, or it is damaged: reading it was stopped");
    return fail(ErrorKind::Invalid, WIFSIGNALED(status) ? "reading it was stopped: it is damaged, or takes too much memory or time"
                                                        : "it cannot be read");
}

}  // namespace bivouac
