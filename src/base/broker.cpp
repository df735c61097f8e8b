// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/broker.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <utility>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bivouac/base/secret.h>

namespace bivouac {

namespace {

constexpr int kSocket = 3;

struct Message {
    uint32_t id = 0;
    uint8_t task = 0;
    uint8_t failed = 0;  // of an answer
    uint16_t length = 0;
    int64_t number = 0;  // of an answer that failed: the kind of the error
    char text[BrokerAnswer::kMostText] = {};

    void set(std::string_view words)
    {
        length = static_cast<uint16_t>(std::min(words.size(), sizeof text));
        std::memcpy(text, words.data(), length);
    }
    size_t size() const { return offsetof(Message, text) + length; }
};

bool send_message(int socket, const Message& message, const int* fds)
{
    iovec part{const_cast<Message*>(&message), message.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * BrokerAnswer::kMostFds)] = {};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    size_t count = 0;
    while (fds && count < BrokerAnswer::kMostFds && fds[count] >= 0)
        ++count;
    if (count > 0) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        cmsghdr* first = CMSG_FIRSTHDR(&header);
        first->cmsg_level = SOL_SOCKET;
        first->cmsg_type = SCM_RIGHTS;
        first->cmsg_len = CMSG_LEN(sizeof(int) * count);
        std::memcpy(CMSG_DATA(first), fds, sizeof(int) * count);
    }
    ssize_t n = -1;
    do
        n = ::sendmsg(socket, &header, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == static_cast<ssize_t>(message.size());
}

// False: the other side is gone, or what came is no message. Descriptors go into `answer`.
bool receive_message(int socket, Message& message, BrokerAnswer& answer)
{
    iovec part{&message, sizeof message};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * BrokerAnswer::kMostFds)] = {};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t n = -1;
    do
        n = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    for (cmsghdr* one = n >= 0 ? CMSG_FIRSTHDR(&header) : nullptr; one; one = CMSG_NXTHDR(&header, one)) {
        if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t count = std::min<size_t>((one->cmsg_len - CMSG_LEN(0)) / sizeof(int), BrokerAnswer::kMostFds);
        std::memcpy(answer.fds, CMSG_DATA(one), count * sizeof(int));
    }
    return n >= static_cast<ssize_t>(offsetof(Message, text)) && n == static_cast<ssize_t>(message.size());
}

Broker* g_current = nullptr;

[[noreturn]] void serve(int socket, pid_t parent, const std::function<BrokerHandler()>& prepare)
{
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, "bivouac-broker");
    if (::getppid() != parent)
        ::_exit(1);
    // A terminal tells all of us of a Ctrl-C; this one ends after those whom it serves.
    for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGCHLD})
        std::signal(signal, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    // Nothing of what was open here is its business; the passphrase may come on standard input.
    const int kept = ::fcntl(socket, F_DUPFD, 10);
    const int null = ::open("/dev/null", O_RDWR);
    for (int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        ::dup2(null, standard);
    if (kept < 0 || ::dup2(kept, kSocket) != kSocket || ::fcntl(kSocket, F_SETFD, FD_CLOEXEC) != 0 ||
        ::syscall(SYS_close_range, kSocket + 1, ~0u, 0u) != 0)
        ::_exit(1);
    BrokerHandler handle = prepare();
    for (Message request; ;) {
        BrokerAnswer with;
        if (!receive_message(kSocket, request, with))
            ::_exit(0);
        Message reply;
        reply.id = request.id;
        reply.task = request.task;
        const std::string text(request.text, request.length);
        auto answer = handle(static_cast<BrokerTask>(request.task), text, request.number);
        if (static_cast<BrokerTask>(request.task) == BrokerTask::Forget)
            continue;
        if (answer.ok()) {
            reply.number = answer->number;
            reply.set(answer->text);
            wipe(answer->text);
        } else {
            reply.failed = 1;
            reply.number = static_cast<int64_t>(answer.error().kind);
            reply.set(answer.error().detail);
        }
        (void)send_message(kSocket, reply, answer.ok() ? answer->fds : nullptr);
        ::explicit_bzero(reply.text, sizeof reply.text);
    }
}

}  // namespace

BrokerAnswer::BrokerAnswer(BrokerAnswer&& other) noexcept
{
    *this = std::move(other);
}

BrokerAnswer& BrokerAnswer::operator=(BrokerAnswer&& other) noexcept
{
    std::swap(text, other.text);
    std::swap(number, other.number);
    std::swap(fds, other.fds);
    return *this;
}

BrokerAnswer::~BrokerAnswer()
{
    for (int fd : fds)
        if (fd >= 0)
            ::close(fd);
}

int BrokerAnswer::release(int which)
{
    return std::exchange(fds[which], -1);
}

Result<void> Broker::start(const std::function<BrokerHandler()>& prepare)
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(ErrorKind::Unavailable, std::string("no pair of sockets: ") + std::strerror(errno));
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::close(ends[0]);
        serve(ends[1], parent, prepare);
    }
    ::close(ends[1]);
    if (pid < 0) {
        ::close(ends[0]);
        return fail(ErrorKind::Unavailable, std::string("a process cannot be started: ") + std::strerror(errno));
    }
    g_current = new Broker(ends[0], pid);  // as long as the process
    return {};
}

Broker* Broker::current()
{
    return g_current;
}

Result<BrokerAnswer> Broker::ask(BrokerTask task, std::string_view text, int64_t number)
{
    if (text.size() > BrokerAnswer::kMostText)
        return fail(ErrorKind::Invalid, "the address is too long");
    std::lock_guard lock(mutex_);
    Message request;
    // Whoever was here before may have ended without taking its answer: its numbers are not ours.
    request.id = (static_cast<uint32_t>(::getpid()) << 12) ^ ++last_;
    request.task = static_cast<uint8_t>(task);
    request.number = number;
    request.set(text);
    auto gone = [] { return fail(ErrorKind::Unavailable, "the process that opens sockets for the node has ended; start the node again"); };
    if (!send_message(socket_, request, nullptr))
        return gone();
    for (;;) {
        Message reply;
        BrokerAnswer answer;
        if (!receive_message(socket_, reply, answer))
            return gone();
        if (reply.id != request.id)
            continue;
        std::string words(reply.text, std::min<size_t>(reply.length, sizeof reply.text));
        ::explicit_bzero(reply.text, sizeof reply.text);
        if (reply.failed)
            return Error{static_cast<ErrorKind>(reply.number), std::move(words)};
        answer.text = std::move(words);
        answer.number = reply.number;
        return answer;
    }
}

void Broker::tell(BrokerTask task)
{
    std::lock_guard lock(mutex_);
    Message request;
    request.task = static_cast<uint8_t>(task);
    (void)send_message(socket_, request, nullptr);
}

void Broker::end()
{
    if (!g_current)
        return;
    ::shutdown(g_current->socket_, SHUT_RDWR);
    for (int i = 0; i < 200; ++i) {
        if (::waitpid(g_current->pid_, nullptr, WNOHANG) != 0)
            return;
        ::usleep(10'000);
    }
    ::kill(g_current->pid_, SIGKILL);
    ::waitpid(g_current->pid_, nullptr, 0);
}

}  // namespace bivouac
