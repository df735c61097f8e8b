// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/guardian.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bivouac/base/broker.h>

namespace bivouac::app {

namespace {

constexpr time_t kLockSeconds = 5;

pid_t g_guardian = 0;

sigset_t watched_signals()
{
    sigset_t set;
    sigemptyset(&set);
    for (int signal : {SIGTERM, SIGINT, SIGUSR1, SIGCHLD})
        sigaddset(&set, signal);
    return set;
}

pid_t start(const std::function<int(Begin)>& serve, Begin begin, const sigset_t& before)
{
    const pid_t guardian = ::getpid();
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child != 0)
        return child;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != guardian)
        ::_exit(1);  // it died before it was watched
    g_guardian = guardian;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    const int code = serve(begin);
    std::fflush(nullptr);
    ::_exit(code);
}

int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Until the child has ended.
int wait_for(pid_t child, const sigset_t& set)
{
    bool locking = false, broker_ended = false;
    timespec deadline{};
    for (;;) {
        int status = 0;
        if (::waitpid(child, &status, WNOHANG) == child)
            return broker_ended ? 1 : locking && !WIFEXITED(status) ? kExitLocked : exit_code(status);
        if (Broker* broker = Broker::current(); broker && !broker_ended && ::waitpid(broker->pid(), nullptr, WNOHANG) == broker->pid()) {
            std::fputs("bivouac: the process that opens sockets has ended; stopping\n", stderr);
            broker_ended = true;
            ::kill(child, SIGTERM);
        }
        siginfo_t info{};
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        timespec left{deadline.tv_sec - now.tv_sec, 0};
        if (locking && left.tv_sec <= 0) {
            ::kill(child, SIGKILL);
            left.tv_sec = 1;
        }
        const int signal = locking ? ::sigtimedwait(&set, &info, &left) : ::sigwaitinfo(&set, &info);
        if (signal == SIGUSR1) {
            ::kill(child, SIGUSR1);
            if (!locking)
                deadline = {now.tv_sec + kLockSeconds, 0};
            locking = true;
        } else if (signal == SIGTERM || (signal == SIGINT && info.si_code != SI_KERNEL)) {
            // Of a Ctrl-C the terminal has told the child already.
            ::kill(child, SIGTERM);
        }
    }
}

}  // namespace

pid_t guardian_pid()
{
    return g_guardian;
}

int guard(const std::function<int(Begin)>& serve, const std::function<void()>& settled)
{
    const sigset_t set = watched_signals();
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &set, &before);
    for (Begin begin = Begin::Open;; begin = Begin::Locked) {
        const pid_t child = start(serve, begin, before);
        if (child < 0) {
            std::perror("bivouac: a process cannot be started");
            return 1;
        }
        if (begin == Begin::Open && settled)
            settled();
        const int code = wait_for(child, set);
        if (Broker* broker = Broker::current())
            broker->tell(BrokerTask::Forget);
        if (code != kExitLocked) {
            Broker::end();
            return code;
        }
    }
}

}  // namespace bivouac::app
