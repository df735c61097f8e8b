// SPDX-License-Identifier: BSD-3-Clause
// Three processes below the node. The keeper waits for the starter to end, which it does not, and then starts another one.
// The starter forks a child for a file when the node says so, ends it when the node says so, and says when it has ended.
// The child talks with the node by a socket of its own, so the starter sees no byte of a file.
#include <bivouac/media/cleaner.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <new>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "warm_up.h"

namespace bivouac::media {

namespace {

consteval const char* T(const char* text) { return text; }

constexpr const char* kStopped = T("It could not be cleaned: looking into it was stopped. It is damaged, was made to break in, or takes too much memory or time.");
constexpr const char* kLate = T("It could not be cleaned: it took too long.");
constexpr const char* kBusy = T("It could not be cleaned yet: other files are being cleaned. Try again in a minute.");
constexpr const char* kNoChild = T("It could not be cleaned: this system offers no filter for system calls (seccomp), or no further process.");
constexpr const char* kGone = T("It could not be cleaned: the part of the program that does it was ended. Try again; if it stays so, lock and unlock the node.");

constexpr size_t kPiece = 64u << 10;
constexpr size_t kMostName = 100;
constexpr int64_t kEndMs = 5'000;  // for a child that was killed

// Between node and starter.
struct Order {
    enum Kind : uint32_t {
        Begin = 'b',       // a child, for this turn
        Begun = 's',       // it is there, and what earlier ones did not read is not
        End = 'k',         // kill it
        Ended = 'e',       // it has ended, with this status
        NewStarter = 'g',  // the starter was gone, with the child that it had
    };
    uint32_t kind = 0;
    uint32_t turn = 0;
    int32_t status = 0;
};

// Between node and child, each a message. Node: kFile, eight bytes of size, the name; then the bytes.
// Child: kRefused, type, refusal. Or kCleaned, type, set of what was removed, size; then the bytes.
constexpr char kFile = 'F', kRefused = 'X', kCleaned = 'K';

template <typename Number>
void put(std::string& out, Number number)
{
    for (size_t i = 0; i < sizeof(Number); ++i)
        out += static_cast<char>(static_cast<uint64_t>(number) >> (8 * i) & 255);
}

template <typename Number>
Number take(std::string_view& from)
{
    uint64_t out = 0;
    for (size_t i = 0; i < sizeof(Number) && i < from.size(); ++i)
        out |= uint64_t(static_cast<unsigned char>(from[i])) << (8 * i);
    from.remove_prefix(std::min(sizeof(Number), from.size()));
    return static_cast<Number>(out);
}

ssize_t retried(const std::function<ssize_t()>& call)
{
    ssize_t n = -1;
    do
        n = call();
    while (n < 0 && errno == EINTR);
    return n;
}

void drain(int socket)
{
    // More than there is room for. An empty message looks like the end, and is not to hide others.
    constexpr int kMost = 10'000;
    char byte = 0;  // of a message that is longer the rest is dropped
    for (int i = 0; i < kMost && retried([&] { return ::recv(socket, &byte, 1, MSG_DONTWAIT); }) >= 0; ++i) {
    }
}

bool tell(int control, Order::Kind kind, uint32_t turn, int status = 0)
{
    const Order order{kind, turn, status};
    return retried([&] { return ::send(control, &order, sizeof order, MSG_NOSIGNAL); }) == sizeof order;
}

// ---- the starter

constexpr int kControl = 3, kData = 4;

class Starter {
public:
    Starter(const CleanerLimits& limits, const std::function<int(int, int)>& work)
        : limits_(limits)
        , work_(work)
    {
    }

    // Until the node is gone.
    void run()
    {
        for (;;) {
            pollfd wait[2] = {{kControl, POLLIN, 0}, {watch_, POLLIN, 0}};
            if (::poll(wait, child_ > 0 ? 2 : 1, -1) < 0 && errno != EINTR)
                return;
            if (child_ > 0 && wait[1].revents != 0)
                ended();
            if (wait[0].revents != 0) {
                Order order;
                const ssize_t n = retried([&] { return ::recv(kControl, &order, sizeof order, 0); });
                if (n != sizeof order)
                    break;
                if (order.kind == Order::Begin)
                    begin(order.turn);
                else if (order.kind == Order::End && child_ > 0 && order.turn == turn_)
                    end();
            }
        }
        if (child_ > 0)
            ::kill(child_, SIGKILL);
    }

private:
    void begin(uint32_t turn)
    {
        if (child_ > 0)
            end();
        // What the one before did not read.
        drain(kData);
        turn_ = turn;
        const pid_t starter = ::getpid();
        child_ = ::fork();
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != starter)
                ::_exit(1);
            Sandbox::enter(kData, kData, work_, limits_.child);
        }
        if (child_ > 0)
            watch_ = static_cast<int>(::syscall(SYS_pidfd_open, child_, 0));
        if (child_ < 0 || watch_ < 0) {
            if (child_ > 0)
                end();
            else
                tell(kControl, Order::Ended, turn, 1 << 8);
            return;
        }
        tell(kControl, Order::Begun, turn);
    }

    void end()
    {
        ::kill(child_, SIGKILL);
        ended();
    }

    void ended()
    {
        int status = 0;
        retried([&] { return ::waitpid(child_, &status, 0); });
        child_ = -1;
        if (watch_ >= 0)
            ::close(watch_);
        watch_ = -1;
        tell(kControl, Order::Ended, turn_, status);
    }

    const CleanerLimits& limits_;
    const std::function<int(int, int)>& work_;
    pid_t child_ = -1;
    int watch_ = -1;
    uint32_t turn_ = 0;
};

// Whatever was open before is not for these processes: standard input, say, where a passphrase may be waiting.
void keep_only(int control, int data)
{
    const int first = ::fcntl(control, F_DUPFD, 10), second = ::fcntl(data, F_DUPFD, 10);
    if (first < 0 || second < 0 || ::dup2(first, kControl) != kControl || ::dup2(second, kData) != kData ||
        ::close_range(0, 2, 0) != 0 || ::close_range(kData + 1, ~0u, 0) != 0)
        ::_exit(1);
}

void die_with(pid_t parent)
{
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0 || ::getppid() != parent)
        ::_exit(1);
}

[[noreturn]] void keep(pid_t node, int control, int data, const CleanerLimits& limits, const std::function<int(int, int)>& work)
{
    ::prctl(PR_SET_NAME, "media-cleaner");
    die_with(node);
    // Ctrl-C is for the node, which ends this when it is done.
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    keep_only(control, data);
    warm_up();
    for (;;) {
        const pid_t keeper = ::getpid(), starter = ::fork();
        if (starter == 0) {
            die_with(keeper);
            Starter(limits, work).run();
            ::_exit(0);
        }
        int status = 0;
        if (starter > 0)
            retried([&] { return ::waitpid(starter, &status, 0); });
        if (starter > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
            ::_exit(0);
        if (!tell(kControl, Order::NewStarter, 0))
            ::_exit(0);
        constexpr timespec kPause{0, 100'000'000};
        ::nanosleep(&kPause, nullptr);
    }
}

// ---- the child

bool say(int out, std::string_view message)
{
    return retried([&] { return ::write(out, message.data(), message.size()); }) == static_cast<ssize_t>(message.size());
}

int say_refused(int out, TypeId type, Refusal refusal)
{
    std::string message{kRefused};
    put(message, type);
    put(message, static_cast<uint8_t>(refusal));
    return say(out, message) ? 0 : 1;
}

int clean_from(int in, int out)
{
    std::string piece(kPiece + 16 + kMostName, '\0');
    auto listen = [&]() -> std::string_view {
        const ssize_t n = retried([&] { return ::read(in, piece.data(), piece.size()); });
        return {piece.data(), n > 0 ? static_cast<size_t>(n) : 0};
    };
    std::string_view head = listen();
    if (head.size() < 9 || head[0] != kFile)
        return 1;
    head.remove_prefix(1);
    const auto size = take<uint64_t>(head);
    const std::string name(head);
    std::string bytes;
    if (size <= kMostBytes)
        bytes.reserve(size);
    while (bytes.size() < size) {
        const std::string_view more = listen();
        if (more.empty() || more.size() > size - bytes.size())
            return 1;
        const bool first = bytes.empty();
        bytes += more;
        if (first) {  // the rest need not come
            const TypeId type = type_of(bytes, name);
            if (const Refusal refusal = refusal_of(*find_type(type)); refusal != Refusal::None)
                return say_refused(out, type, refusal);
            if (size > kMostBytes)
                return say_refused(out, type, Refusal::TooLarge);
        }
    }
    Cleaned cleaned = clean(bytes, name);
    std::string().swap(bytes);
    if (cleaned.refusal != Refusal::None)
        return say_refused(out, cleaned.type, cleaned.refusal);
    std::string message{kCleaned};
    put(message, cleaned.type);
    put(message, cleaned.removed);
    put(message, static_cast<uint64_t>(cleaned.bytes.size()));
    if (!say(out, message))
        return 1;
    for (size_t at = 0; at < cleaned.bytes.size(); at += kPiece)
        if (!say(out, std::string_view(cleaned.bytes).substr(at, kPiece)))
            return 1;
    return 0;
}

}  // namespace

int Cleaner::clean_one(int in, int out)
{
    try {
        return clean_from(in, out);
    } catch (const std::bad_alloc&) {
        return 2;
    }
}

// ---- the node's side

// One file. Whatever happens, the child has ended when this is gone.
struct Cleaner::Turn {
    Cleaner& cleaner;
    const uint32_t number;
    int64_t deadline_ms;
    std::optional<int> ended{};  // with this status
    bool begun = false;
    bool ready = false;
    bool restarted = false;

    static int64_t now_ms()
    {
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        return int64_t(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
    }

    Turn(Cleaner& c, uint32_t n)
        : cleaner(c)
        , number(n)
        , deadline_ms(now_ms() + c.limits_.file_ms)
    {
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    ~Turn()
    {
        if (ended || cleaner.gone_)
            return;
        tell(cleaner.control_, Order::End, number);
        const int64_t until = now_ms() + kEndMs;
        while (!ended && !cleaner.gone_) {
            if (!wait(POLLIN, false, until))
                cleaner.gone_ = true;  // it hangs, and nothing can be said of its next child
        }
    }

    bool over() const { return ended.has_value() || cleaner.gone_; }

    Error why_over() const
    {
        if (cleaner.gone_ || restarted)
            return fail(ErrorKind::Unavailable, kGone);
        if (!ended)
            return fail(ErrorKind::Invalid, kLate);
        if (!ready)
            return fail(ErrorKind::Unavailable, kNoChild);
        return fail(ErrorKind::Invalid, kStopped);
    }

    // Until the data socket is ready, or the starter said something, which is taken in. false: it is too late.
    bool wait(short events, bool with_data, int64_t until)
    {
        pollfd both[2] = {{cleaner.control_, POLLIN, 0}, {cleaner.data_, events, 0}};
        const int64_t left = until - now_ms();
        if (left <= 0 || (cleaner.interrupted_ && until == deadline_ms))
            return false;
        constexpr int64_t kLookMs = 200;
        const int n = ::poll(both, with_data ? 2 : 1, static_cast<int>(std::min(left, kLookMs)));
        if (n < 0 && errno != EINTR)
            cleaner.gone_ = true;
        if (n > 0 && both[0].revents != 0)
            hear();
        return true;
    }

    void hear()
    {
        Order order;
        const ssize_t n = retried([&] { return ::recv(cleaner.control_, &order, sizeof order, MSG_DONTWAIT); });
        if (n < 0 && errno == EAGAIN)
            return;
        if (n != sizeof order) {
            cleaner.gone_ = true;
        } else if (order.kind == Order::NewStarter) {
            restarted = true;
            ended = 0;
        } else if (order.kind == Order::Begun && order.turn == number) {
            begun = true;
        } else if (order.kind == Order::Ended && order.turn == number) {
            ended = order.status;
        }
    }

    // false: the child has answered already, and reads no more.
    Result<bool> send(std::string_view message)
    {
        for (;;) {
            const ssize_t n = retried([&] { return ::send(cleaner.data_, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL); });
            if (n == static_cast<ssize_t>(message.size()))
                return true;
            if (n < 0 && errno != EAGAIN && errno != ENOBUFS) {
                cleaner.gone_ = true;
                return why_over();
            }
            pollfd answer{cleaner.data_, POLLIN, 0};
            if (::poll(&answer, 1, 0) > 0)
                return false;
            if (over() || !wait(POLLIN | POLLOUT, true, deadline_ms))
                return why_over();
        }
    }

    Result<std::string> receive()
    {
        std::string message(kPiece + 1, '\0');
        for (;;) {
            // What it said it may have said before it ended.
            const bool was_over = over();
            const ssize_t n = retried([&] { return ::recv(cleaner.data_, message.data(), message.size(), MSG_DONTWAIT); });
            if (n > 0) {
                message.resize(static_cast<size_t>(n));
                return message;
            }
            if (n == 0)
                return fail(ErrorKind::Invalid, kStopped);
            if (errno != EAGAIN)
                cleaner.gone_ = true;
            if (was_over || cleaner.gone_ || !wait(POLLIN, true, deadline_ms))
                return why_over();
        }
    }

    // How long our own side takes, a slow disk say, is not the child's fault.
    template <typename Call>
    auto not_counted(const Call& call)
    {
        const int64_t begin_ms = now_ms();
        auto out = call();
        deadline_ms += now_ms() - begin_ms;
        return out;
    }

    Result<Outcome> talk(uint64_t size, std::string_view name, const Source& source, const Sink& sink)
    {
        if (!tell(cleaner.control_, Order::Begin, number))
            cleaner.gone_ = true;
        while (!begun)
            if (over() || !wait(POLLIN, false, deadline_ms))
                return why_over();
        // Before anything is sent: whatever else the child says is its answer.
        if (TRY(receive()) != std::string(1, Sandbox::kReady))
            return fail(ErrorKind::Invalid, kStopped);
        ready = true;
        TRY(give(size, name, source));
        const std::string answer = TRY(receive());
        std::string_view rest = answer;
        const char kind = rest[0];
        rest.remove_prefix(1);
        Outcome out;
        if (kind == kRefused && rest.size() == 3) {
            out.type = take<TypeId>(rest);
            const auto refusal = take<uint8_t>(rest);
            if (!find_type(out.type) || refusal == 0 || refusal >= kRefusals)
                return fail(ErrorKind::Invalid, kStopped);
            out.refusal = static_cast<Refusal>(refusal);
            return out;
        }
        if (kind != kCleaned || rest.size() != 14)
            return fail(ErrorKind::Invalid, kStopped);
        out.type = take<TypeId>(rest);
        out.removed = words_of(take<uint32_t>(rest));
        out.size = take<uint64_t>(rest);
        if (!find_type(out.type) || refusal_of(out.what()) != Refusal::None || out.size > kMostBytes + kMostBytes / 4)
            return fail(ErrorKind::Invalid, kStopped);
        for (uint64_t got = 0; got < out.size;) {
            const std::string piece = TRY(receive());
            got += piece.size();
            if (got > out.size)
                return fail(ErrorKind::Invalid, kStopped);
            TRY(not_counted([&] { return sink(piece); }));
        }
        while (!over())
            if (!wait(POLLIN, false, deadline_ms))
                return why_over();
        if (!ended || restarted || *ended != 0)
            return why_over();
        return out;
    }

    Result<void> give(uint64_t size, std::string_view name, const Source& source)
    {
        std::string head{kFile};
        put(head, size);
        // The end of a name is what says the type.
        head += name.substr(name.size() - std::min(name.size(), kMostName));
        bool reads = TRY(send(head));
        for (uint64_t given = 0; reads && given < size;) {
            const std::string piece = TRY(not_counted(source));
            if (piece.empty() || piece.size() > size - given || piece.size() > kPiece)
                return fail(ErrorKind::Unavailable, "the file changed while it was read");
            given += piece.size();
            reads = TRY(send(piece));
        }
        return {};
    }
};

Result<std::unique_ptr<Cleaner>> Cleaner::start(CleanerLimits limits, std::function<int(int, int)> work)
{
    int control[2], data[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0)
        return fail(ErrorKind::Unavailable, std::string("no socket: ") + std::strerror(errno));
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, data) != 0) {
        const int error = errno;
        ::close(control[0]);
        ::close(control[1]);
        return fail(ErrorKind::Unavailable, std::string("no socket: ") + std::strerror(error));
    }
    const pid_t node = ::getpid(), keeper = ::fork();
    if (keeper == 0)
        keep(node, control[1], data[1], limits, work);
    ::close(control[1]);
    ::close(data[1]);
    if (keeper < 0) {
        ::close(control[0]);
        ::close(data[0]);
        return fail(ErrorKind::Unavailable, std::string("no process: ") + std::strerror(errno));
    }
    // A confined node may signal what it has a descriptor of, and no number (base/confine.h).
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, keeper, 0));
    if (descriptor >= 0)
        ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    return std::unique_ptr<Cleaner>(new Cleaner(keeper, descriptor, control[0], data[0], limits));
}

Cleaner::~Cleaner()
{
    ::close(control_);
    ::close(data_);
    if (descriptor_ < 0 || ::syscall(SYS_pidfd_send_signal, descriptor_, SIGKILL, nullptr, 0) != 0)
        ::kill(process_, SIGKILL);
    retried([&] { return ::waitpid(process_, nullptr, 0); });
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

Result<Outcome> Cleaner::clean(uint64_t size, std::string_view name, const Source& source, const Sink& sink)
{
    std::unique_lock lock(turn_, std::defer_lock);
    if (!lock.try_lock_for(std::chrono::milliseconds(limits_.turn_ms)))
        return fail(ErrorKind::Unavailable, kBusy);
    if (gone_)
        return fail(ErrorKind::Unavailable, kGone);
    // Of the child before, which has ended, and of a starter that was ended meanwhile.
    drain(data_);
    drain(control_);
    Turn turn(*this, ++number_);
    return turn.talk(size, name, source, sink);
}

std::vector<std::string> cleaner_words()
{
    return {kStopped, kLate, kBusy, kNoChild, kGone};
}

}  // namespace bivouac::media
