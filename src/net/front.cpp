// SPDX-License-Identifier: BSD-3-Clause
// Each connection is a small state machine on the loop thread:
//
//   Head --> Body --> Waiting --> Writing --> Head again, or Draining --> closed
//
// It reads only in Head, Body and Draining, so what a client sends ahead stays in the kernel's buffer. All
// deadlines but the one of writing are absolute: a byte now and then does not move them. Workers know a
// connection by its RequestId only; an answer to one that is gone, or has moved on, is thrown away.
#include <bivouac/net/front.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <thread>
#include <unordered_map>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bivouac/base/bounded_queue.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/pace.h>
#include <bivouac/base/log.h>

#include "exchange.h"
#include "http_adapter.h"
#include "listen_socket.h"

namespace bivouac::net
{

namespace
{

constexpr size_t kReadBytes = 64u << 10;
constexpr size_t kHeadReadBytes = 16u << 10;
constexpr uint64_t kMiB = 1u << 20;
// In memory of each body; more goes to the encrypted file. Small, since as many bodies as connections may
// come.
constexpr size_t kBodyMemoryBytes = 256u << 10;
// After a refusal the client may still be sending. Closing at once would make the kernel send a reset, which
// can overtake the answer; so a little of it is read first.
constexpr size_t kDrainBytes = 64u << 10;
constexpr int64_t kDrainMs = 2'000;
constexpr int64_t kDropMs = 30'000; // between two pieces of a body that is dropped
constexpr int kAcceptsAtOnce = 64;
constexpr int64_t kAcceptPauseMs = 100; // when no file descriptor is left
constexpr size_t kKeptBufferBytes = 4u << 10;
constexpr size_t kOtherFiles = 64; // database, outbound connections, temporary files
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

int64_t now_ms()
{
    return system_clock().monotonic_ms();
}

enum class State { Head, Body, Waiting, Writing, Draining, Closed };

// The request that is being read.
struct Incoming {
    RequestHead head;
    BodyPolicy policy;
    std::shared_ptr<CountedBody> body;
    ChunkedDecoder decoder;
    uint64_t received = 0;
    int64_t began_ms = 0;
};

// An answer whose body is read by workers as the client takes it.
struct Pull {
    std::shared_ptr<BodySource> source;
    uint64_t at = 0;
    bool asked = false; // one piece at a time

    bool done() const { return at == source->size; }
};

} // namespace

struct Front::Impl : AnswerSink {
    struct Connection {
        Impl* impl = nullptr;
        RequestId id;
        int fd = -1;
        int listener = 0;
        bool awaits_circuit = false;
        std::optional<uint32_t> circuit;
        State state = State::Head;
        event read_event{};
        event write_event{};
        event timer_event{};
        int64_t deadline_ms = 0;
        int64_t timer_at_ms = 0; // 0: not set; may be earlier than the deadline, which moves more often
        std::string in;
        std::unique_ptr<Incoming> incoming;
        std::string out;
        size_t out_at = 0;
        std::optional<Pull> pull;
        bool close_after = false;
        bool from_handler = false;
        size_t drained = 0;
        uint64_t to_drop = 0; // of a refused body; until then our side stays open, since tor closes both at once

        size_t pending() const { return out.size() - out_at; }
    };
    struct Listener {
        Impl* impl = nullptr;
        int id = 0;
        ListenSocket socket;
        bool same_user_only = false;
        bool circuit_ids = false;
        event accept_event{};
    };

    Impl(EventLoop& loop, FrontLimits limits, std::string directory, Admit admit, Handler handler);
    virtual ~Impl();

    // accepting
    void accept_some(Listener& listener);
    void adopt(Listener& listener, int fd);
    void pause_accepting();

    // reading
    void readable(Connection& c);
    void take_head_bytes(Connection& c, std::string_view bytes);
    bool take_circuit(Connection& c);
    void process_head(Connection& c);
    void begin_request(Connection& c, RequestHead head);
    void take_body_bytes(Connection& c, std::string_view bytes);
    bool append_body(Connection& c, std::string_view bytes);
    void dispatch(Connection& c);
    void drain(Connection& c, size_t count);

    // answering
    void answered(RequestId id, WireAnswer answer) override;
    void pulled(RequestId id, Result<std::string> piece) override;
    void refuse(Connection& c, int status, std::string_view text);
    void refuse(Connection& c, HttpResponse response);
    void refuse_too_large(Connection& c, uint64_t came);
    void flush(Connection& c);
    bool send_pending(Connection& c);
    void pull_more(Connection& c);
    void answer_done(Connection& c);
    void next_request(Connection& c);
    void linger(Connection& c);

    // time and end
    void set_deadline(Connection& c, int64_t at_ms);
    void timer_fired(Connection& c);
    void expired(Connection& c);
    void watch_reading(Connection& c, bool on);
    void close(Connection& c);
    void close_listener(int id);
    void begin_stop(int64_t grace_ms, std::function<void()> done);
    void close_all();
    void end_workers_when_idle();
    void worker_ended() override;
    void work();
    void start_workers();
    Connection* find(RequestId id);

    EventLoop& loop_;
    FrontLimits limits_;
    const std::string directory_;
    const Admit admit_;
    const Handler handler_;
    const std::shared_ptr<Shared> shared_;
    BoundedQueue<std::function<void()>> jobs_;
    std::vector<std::thread> workers_;
    size_t workers_running_ = 0;

    std::map<int, std::unique_ptr<Listener>> listeners_;
    int next_listener_ = 1;
    EventLoop::Timer accept_again_;
    std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
    uint64_t next_connection_ = 1;
    std::unordered_map<uint32_t, size_t> circuits_;  // their open connections
    // Closed ones wait here until the callback they were closed in has returned.
    std::vector<std::unique_ptr<Connection>> graveyard_;
    std::array<char, kReadBytes> scratch_;
    uint64_t served_ = 0;
    uint64_t refused_ = 0;

    bool stopping_ = false;
    bool ending_ = false;
    EventLoop::Timer grace_;
    std::function<void()> stopped_;
};

Front::Impl::Impl(EventLoop& loop, FrontLimits limits, std::string directory, Admit admit, Handler handler)
    : loop_(loop)
    , limits_(limits)
    , directory_(std::move(directory))
    , admit_(std::move(admit))
    , handler_(std::move(handler))
    , shared_(std::make_shared<Shared>(loop, *this))
    // Requests are counted against limits.queue before they come here. The rest is room for what must not
    // fail: one pull a connection.
    , jobs_(limits.queue + limits.connections + 1)
{
    size_t files = raise_file_limit(limits_.connections + 2 * kOtherFiles);
    size_t allowed = files > 2 * kOtherFiles ? files - kOtherFiles : kOtherFiles;
    if (allowed < limits_.connections) {
        log::warning("the limit of open files allows " + std::to_string(allowed) +
                     " inbound connections only");
        limits_.connections = allowed;
    }
    start_workers();
}

Front::Impl::~Impl()
{
    shared_->detach();
    shared_->abandoned = true;
    jobs_.close();
    for (auto& worker : workers_) {
        if (worker.joinable())
            worker.join();
    }
    ending_ = true;
    close_all();
    while (!listeners_.empty())
        close_listener(listeners_.begin()->first);
}

// ---- workers

void Front::Impl::start_workers()
{
    // Signals are for the thread that waits for them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    workers_running_ = std::max<size_t>(limits_.workers, 1);
    for (size_t i = 0; i < workers_running_; ++i)
        workers_.emplace_back([this] { work(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Front::Impl::work()
{
    // Each job handles its own failures; what arrives here is the memory running out.
    while (auto job = jobs_.pop()) {
        try {
            (*job)();
        } catch (const std::exception&) {
            log::error("a worker of the HTTP front failed");
        }
    }
    shared_->post([](AnswerSink& sink) { sink.worker_ended(); });
}

// ---- accepting

void Front::Impl::accept_some(Listener& listener)
{
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
        int fd = ::accept4(listener.socket.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            adopt(listener, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        // The connection stays in the backlog and the socket readable: without a pause this would spin.
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting();
        return;
    }
}

void Front::Impl::pause_accepting()
{
    for (auto& [id, listener] : listeners_)
        event_del(&listener->accept_event);
    accept_again_ = loop_.after(kAcceptPauseMs, [this] {
        for (auto& [id, listener] : listeners_)
            event_add(&listener->accept_event, nullptr);
    });
}

void Front::Impl::adopt(Listener& listener, int fd)
{
    bool full = connections_.size() >= limits_.connections;
    if (full || (listener.same_user_only && !is_same_user(fd))) {
        ++refused_;
        ::close(fd);
        return;
    }
    if (!listener.socket.is_unix()) {
        int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    auto owned = std::make_unique<Connection>();
    Connection& c = *owned;
    c.impl = this;
    c.id.connection = next_connection_++;
    c.fd = fd;
    c.listener = listener.id;
    c.awaits_circuit = listener.circuit_ids;
    event_assign(
        &c.read_event, loop_.base(), fd, EV_READ | EV_PERSIST,
        [](evutil_socket_t, short, void* argument) {
            auto& connection = *static_cast<Connection*>(argument);
            Impl& impl = *connection.impl;
            impl.readable(connection);
            impl.graveyard_.clear();
        },
        &c);
    event_assign(
        &c.write_event, loop_.base(), fd, EV_WRITE,
        [](evutil_socket_t, short, void* argument) {
            auto& connection = *static_cast<Connection*>(argument);
            Impl& impl = *connection.impl;
            impl.flush(connection);
            impl.graveyard_.clear();
        },
        &c);
    event_assign(
        &c.timer_event, loop_.base(), -1, 0,
        [](evutil_socket_t, short, void* argument) {
            auto& connection = *static_cast<Connection*>(argument);
            Impl& impl = *connection.impl;
            impl.timer_fired(connection);
            impl.graveyard_.clear();
        },
        &c);
    connections_.emplace(c.id.connection, std::move(owned));
    set_deadline(c, now_ms() + limits_.idle_ms);
    watch_reading(c, true);
}

// ---- reading

void Front::Impl::watch_reading(Connection& c, bool on)
{
    if (on)
        event_add(&c.read_event, nullptr);
    else
        event_del(&c.read_event);
}

void Front::Impl::readable(Connection& c)
{
    // A head is read in smaller pieces: what comes behind it has to be kept.
    size_t room = c.state == State::Head ? kHeadReadBytes : kReadBytes;
    ssize_t count = ::recv(c.fd, scratch_.data(), room, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        close(c);
        return;
    }
    std::string_view bytes(scratch_.data(), static_cast<size_t>(count));
    switch (c.state) {
    case State::Head: take_head_bytes(c, bytes); break;
    case State::Body: take_body_bytes(c, bytes); break;
    case State::Draining: drain(c, bytes.size()); break;
    case State::Waiting:
    case State::Writing:
    case State::Closed: break;
    }
}

void Front::Impl::take_head_bytes(Connection& c, std::string_view bytes)
{
    if (c.in.empty())
        set_deadline(c, now_ms() + limits_.head_ms);
    c.in.append(bytes);
    if (!c.awaits_circuit || take_circuit(c))
        process_head(c);
}

// False while the line is not whole, and when this was the end of the connection.
bool Front::Impl::take_circuit(Connection& c)
{
    const size_t end = c.in.find("\r\n");
    if (end == std::string::npos && c.in.size() < kCircuitLineBytes)
        return false;
    auto circuit = parse_circuit_line(std::string_view(c.in).substr(0, std::min(end, c.in.size())));
    if (!circuit.ok()) {
        log::warning("a connection for the onion did not begin with tor's word for its circuit; see --circuit-ids");
        ++refused_;
        close(c);
        return false;
    }
    c.awaits_circuit = false;
    c.in.erase(0, end + 2);
    if (size_t& open = circuits_[*circuit]; ++open > limits_.connections_per_circuit) {
        --open;
        ++refused_;
        close(c);
        return false;
    }
    c.circuit = *circuit;
    if (c.in.empty())
        set_deadline(c, now_ms() + limits_.idle_ms);
    return !c.in.empty();
}

void Front::Impl::process_head(Connection& c)
{
    size_t end = find_head_end(c.in);
    if (end == 0 && c.in.size() <= kHeadLimitBytes)
        return;
    if (end == 0 || end > kHeadLimitBytes) {
        refuse(c, 431, "the request head is over 16 KiB");
        return;
    }
    auto head = parse_request_head(std::string_view(c.in).substr(0, end));
    if (!head) {
        refuse(c, head_error_status(head.error()), head.error().detail);
        return;
    }
    c.in.erase(0, end);
    begin_request(c, std::move(*head));
}

void Front::Impl::begin_request(Connection& c, RequestHead head)
{
    c.incoming = std::make_unique<Incoming>();
    Incoming& incoming = *c.incoming;
    incoming.head = std::move(head);
    incoming.began_ms = now_ms();
    c.close_after = incoming.head.close;
    if (!HttpAdapter::knows_method(incoming.head.method)) {
        refuse(c, 501, "this method is not known here");
        return;
    }
    try {
        incoming.policy = admit_(c.listener, incoming.head);
    } catch (const std::exception&) {
        refuse(c, 500, "internal error");
        return;
    }
    uint64_t announced = incoming.head.content_length.value_or(0);
    if (announced > incoming.policy.limit_bytes) {
        refuse_too_large(c, c.in.size());
        return;
    }
    if (shared_->deferred >= limits_.deferred || shared_->body_bytes + announced > limits_.bytes_in_flight) {
        refuse(c, 503, "too busy, try again later");
        return;
    }
    incoming.body = std::make_shared<CountedBody>(shared_, directory_, kBodyMemoryBytes);
    if (!incoming.head.has_body()) {
        dispatch(c);
        return;
    }
    c.state = State::Body;
    set_deadline(c, incoming.began_ms + limits_.body_ms);
    if (incoming.head.expects_continue && c.in.empty()) {
        c.out += kContinue;
        flush(c);
    }
    if (c.state == State::Body && !c.in.empty()) {
        std::string ahead = std::move(c.in);
        c.in.clear();
        take_body_bytes(c, ahead);
    }
}

void Front::Impl::take_body_bytes(Connection& c, std::string_view bytes)
{
    Incoming& incoming = *c.incoming;
    if (incoming.head.chunked) {
        std::string decoded;
        if (!incoming.decoder.feed(bytes, decoded)) {
            refuse(c, 400, "the chunked body is malformed");
            return;
        }
        if (!append_body(c, decoded))
            return;
        if (!incoming.decoder.done())
            return;
    } else {
        uint64_t left = *incoming.head.content_length - incoming.received;
        std::string_view own = bytes.substr(0, static_cast<size_t>(std::min<uint64_t>(left, bytes.size())));
        bytes.remove_prefix(own.size());
        if (!append_body(c, own))
            return;
        if (incoming.received < *incoming.head.content_length)
            return;
    }
    c.in.assign(bytes); // the beginning of the next request
    dispatch(c);
}

// False when the request has been refused.
bool Front::Impl::append_body(Connection& c, std::string_view bytes)
{
    Incoming& incoming = *c.incoming;
    uint64_t before = incoming.received;
    incoming.received += bytes.size();
    if (incoming.received > incoming.policy.limit_bytes) {
        refuse_too_large(c, incoming.received);
        return false;
    }
    if (shared_->body_bytes + bytes.size() > limits_.bytes_in_flight) {
        refuse(c, 503, "too busy, try again later");
        return false;
    }
    if (auto kept = incoming.body->append(bytes); !kept) {
        bool full = kept.error().kind == ErrorKind::NoSpace;
        log::error("a request body could not be kept: " + kept.error().detail);
        refuse(c, full ? 507 : 503, full ? "the disk is full" : "try again later");
        return false;
    }
    // Each MiB that has come earns the time for the next: a large body has to keep up a least rate.
    if (incoming.received / kMiB != before / kMiB) {
        auto whole = static_cast<int64_t>(incoming.received / kMiB);
        set_deadline(c, incoming.began_ms + limits_.body_ms + whole * limits_.body_ms_per_mib);
    }
    return true;
}

void Front::Impl::dispatch(Connection& c)
{
    Incoming& incoming = *c.incoming;
    if (auto finished = incoming.body->spool.finish(); !finished) {
        log::error("a request body could not be kept: " + finished.error().detail);
        refuse(c, 503, "try again later");
        return;
    }
    if (shared_->queued >= limits_.queue) {
        refuse(c, 503, "too busy, try again later");
        return;
    }
    auto request = std::make_shared<HttpRequest>();
    request->method = incoming.head.method;
    request->target = std::move(incoming.head.target);
    request->headers = std::move(incoming.head.headers);
    request->host = std::move(incoming.head.host);
    request->body = std::shared_ptr<const Spool>(incoming.body, &incoming.body->spool);
    request->listener = c.listener;
    request->circuit = c.circuit;
    incoming.body.reset();

    ++c.id.serial;
    auto exchange = std::make_shared<Exchange>(shared_, c.id, incoming.head.method,
                                               c.close_after ? Persistence::Close : Persistence::KeepAlive);
    ++shared_->queued;
    bool pushed = jobs_.try_push([this, exchange, request] {
        --shared_->queued;
        if (!shared_->abandoned)
            exchange->run(*request, handler_);
    });
    c.state = State::Waiting;
    watch_reading(c, false);
    set_deadline(c, now_ms() + limits_.answer_ms);
    if (!pushed) {
        --shared_->queued;
        refuse(c, 503, "too busy, try again later");
    }
}

void Front::Impl::drain(Connection& c, size_t count)
{
    if (c.to_drop > 0) {
        c.to_drop -= std::min<uint64_t>(count, c.to_drop);
        if (c.to_drop == 0)
            ::shutdown(c.fd, SHUT_WR);
        set_deadline(c, now_ms() + (c.to_drop > 0 ? kDropMs : kDrainMs));
        return;
    }
    c.drained += count;
    if (c.drained > kDrainBytes)
        close(c);
}

// ---- answering

Front::Impl::Connection* Front::Impl::find(RequestId id)
{
    auto found = connections_.find(id.connection);
    if (found == connections_.end() || found->second->id.serial != id.serial)
        return nullptr;
    return found->second.get();
}

void Front::Impl::answered(RequestId id, WireAnswer answer)
{
    Connection* c = find(id);
    if (!c || c->state != State::Waiting)
        return;
    c->state = State::Writing;
    c->from_handler = true;
    if (c->out.empty())
        c->out = std::move(answer.bytes);
    else
        c->out += answer.bytes;
    if (answer.large)
        c->pull = Pull{.source = std::make_shared<BodySource>(std::move(*answer.large))};
    set_deadline(*c, now_ms() + limits_.write_stall_ms);
    flush(*c);
    graveyard_.clear();
}

void Front::Impl::pulled(RequestId id, Result<std::string> piece)
{
    Connection* c = find(id);
    if (!c || c->state != State::Writing || !c->pull)
        return;
    Pull& pull = *c->pull;
    pull.asked = false;
    if (!piece || piece->empty() || piece->size() > pull.source->size - pull.at) {
        // The head has promised more; cutting the connection is the only way left to tell.
        log::error("an answer was cut short: " + (piece ? "its size is wrong" : piece.error().detail));
        close(*c);
    } else {
        // The client was not to blame for the time that reading took.
        if (c->pending() == 0)
            set_deadline(*c, now_ms() + limits_.write_stall_ms);
        pull.at += piece->size();
        c->out += *piece;
        flush(*c);
    }
    graveyard_.clear();
}

void Front::Impl::refuse_too_large(Connection& c, uint64_t came)
{
    const BodyPolicy& policy = c.incoming->policy;
    const uint64_t announced = c.incoming->head.content_length.value_or(0);
    const uint64_t left = announced - std::min(came, announced);
    if (left <= policy.drop_bytes)
        c.to_drop = left;
    try {
        if (policy.too_large)
            return refuse(c, policy.too_large());
    } catch (const std::exception&) {
        // then in fewer words
    }
    refuse(c, 413, "the body is too large");
}

void Front::Impl::refuse(Connection& c, int status, std::string_view text)
{
    refuse(c, error_response(status, text));
}

void Front::Impl::refuse(Connection& c, HttpResponse response)
{
    ++refused_;
    std::string_view method = c.incoming ? std::string_view(c.incoming->head.method) : "GET";
    c.out += shared_->adapter.serialise(method, Persistence::Close, std::move(response)).bytes;
    c.state = State::Writing;
    c.close_after = true;
    c.from_handler = false;
    watch_reading(c, false);
    set_deadline(c, now_ms() + limits_.write_stall_ms);
    flush(c);
}

void Front::Impl::flush(Connection& c)
{
    if (c.state == State::Closed || !send_pending(c))
        return;
    if (c.state != State::Writing)
        return;
    if (c.pull && !c.pull->done())
        pull_more(c);
    else if (c.pending() == 0)
        answer_done(c);
}

// False when the connection is closed.
bool Front::Impl::send_pending(Connection& c)
{
    bool moved = false;
    while (c.pending() > 0) {
        ssize_t count = ::send(c.fd, c.out.data() + c.out_at, c.pending(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN) {
            event_add(&c.write_event, nullptr);
            break;
        }
        if (count <= 0) {
            close(c);
            return false;
        }
        c.out_at += static_cast<size_t>(count);
        moved = true;
    }
    if (moved && c.state == State::Writing)
        set_deadline(c, now_ms() + limits_.write_stall_ms);
    if (c.pending() == 0) {
        c.out.clear();
        c.out_at = 0;
    } else if (c.out_at >= limits_.output_piece_bytes) {
        c.out.erase(0, c.out_at);
        c.out_at = 0;
    }
    return true;
}

void Front::Impl::pull_more(Connection& c)
{
    Pull& pull = *c.pull;
    if (pull.asked || c.pending() >= limits_.output_high_bytes)
        return;
    pull.asked = true;
    size_t want =
        static_cast<size_t>(std::min<uint64_t>(limits_.output_piece_bytes, pull.source->size - pull.at));
    bool pushed = jobs_.try_push([shared = shared_, source = pull.source, id = c.id, at = pull.at, want] {
        Result<std::string> piece = fail(ErrorKind::Internal, "reading it failed");
        try {
            piece = source->read(at, want);
        } catch (const std::exception&) {
            // said by the error that is there already
        }
        shared->post(
            [id, read = std::move(piece)](AnswerSink& sink) mutable { sink.pulled(id, std::move(read)); });
    });
    if (!pushed)
        close(c);
}

void Front::Impl::answer_done(Connection& c)
{
    if (c.from_handler)
        ++served_;
    if (c.close_after || stopping_)
        linger(c);
    else
        next_request(c);
}

void Front::Impl::next_request(Connection& c)
{
    c.state = State::Head;
    c.incoming.reset();
    c.pull.reset();
    c.from_handler = false;
    if (c.out.capacity() > kKeptBufferBytes)
        std::string().swap(c.out);
    if (c.in.empty() && c.in.capacity() > kKeptBufferBytes)
        std::string().swap(c.in);
    set_deadline(c, now_ms() + (c.in.empty() ? limits_.idle_ms : limits_.head_ms));
    watch_reading(c, true);
    if (!c.in.empty())
        process_head(c);
}

void Front::Impl::linger(Connection& c)
{
    if (ending_) {
        close(c);
        return;
    }
    if (c.to_drop == 0)
        ::shutdown(c.fd, SHUT_WR);
    c.state = State::Draining;
    c.incoming.reset();
    c.pull.reset();
    std::string().swap(c.in);
    std::string().swap(c.out);
    set_deadline(c, now_ms() + (c.to_drop > 0 ? kDropMs : kDrainMs));
    watch_reading(c, true);
}

// ---- time

void Front::Impl::set_deadline(Connection& c, int64_t at_ms)
{
    c.deadline_ms = at_ms;
    if (c.timer_at_ms != 0 && c.timer_at_ms <= at_ms)
        return; // it fires earlier and looks again
    int64_t wait = real_ms(std::max<int64_t>(at_ms - now_ms(), 0));
    timeval after{.tv_sec = wait / 1000, .tv_usec = (wait % 1000) * 1000};
    event_add(&c.timer_event, &after);
    c.timer_at_ms = at_ms;
}

void Front::Impl::timer_fired(Connection& c)
{
    c.timer_at_ms = 0;
    if (now_ms() < c.deadline_ms)
        set_deadline(c, c.deadline_ms);
    else
        expired(c);
}

void Front::Impl::expired(Connection& c)
{
    switch (c.state) {
    case State::Head:
        if (c.in.empty())
            close(c);
        else
            refuse(c, 408, "the request head took too long");
        break;
    case State::Body: refuse(c, 408, "the request body took too long"); break;
    case State::Waiting: refuse(c, 503, "the answer took too long"); break;
    case State::Writing:
        if (c.pull && c.pull->asked && c.pending() == 0)
            set_deadline(c, now_ms() + limits_.write_stall_ms); // we are slow, not the client
        else
            close(c);
        break;
    case State::Draining: close(c); break;
    case State::Closed: break;
    }
}

// ---- the end

void Front::Impl::close(Connection& c)
{
    if (c.state == State::Closed)
        return;
    c.state = State::Closed;
    event_del(&c.read_event);
    event_del(&c.write_event);
    event_del(&c.timer_event);
    ::close(c.fd);
    c.incoming.reset();
    c.pull.reset();
    if (c.circuit)
        if (auto open = circuits_.find(*c.circuit); --open->second == 0)
            circuits_.erase(open);
    auto found = connections_.find(c.id.connection);
    graveyard_.push_back(std::move(found->second));
    connections_.erase(found);
    end_workers_when_idle();
}

void Front::Impl::close_all()
{
    while (!connections_.empty())
        close(*connections_.begin()->second);
}

void Front::Impl::close_listener(int id)
{
    auto found = listeners_.find(id);
    if (found == listeners_.end())
        return;
    event_del(&found->second->accept_event);
    listeners_.erase(found);
    std::vector<Connection*> its;
    for (auto& [number, connection] : connections_) {
        if (connection->listener == id)
            its.push_back(connection.get());
    }
    for (Connection* connection : its)
        close(*connection);
}

void Front::Impl::begin_stop(int64_t grace_ms, std::function<void()> done)
{
    stopped_ = std::move(done);
    stopping_ = true;
    accept_again_.cancel();
    for (auto& [id, listener] : listeners_) {
        event_del(&listener->accept_event);
        listener->socket.close();
    }
    listeners_.clear();
    std::vector<Connection*> idle;
    for (auto& [number, connection] : connections_) {
        if (connection->state == State::Head)
            idle.push_back(connection.get());
    }
    for (Connection* connection : idle)
        close(*connection);
    if (grace_ms > 0 && !connections_.empty())
        grace_ = loop_.after(grace_ms, [this] { close_all(); });
    else
        close_all();
    end_workers_when_idle();
}

void Front::Impl::end_workers_when_idle()
{
    if (!stopping_ || ending_ || !connections_.empty())
        return;
    ending_ = true;
    shared_->abandoned = true;
    jobs_.close();
}

// Joined here and not waited for: a handler may itself be waiting for the loop.
void Front::Impl::worker_ended()
{
    if (--workers_running_ > 0)
        return;
    for (auto& worker : workers_)
        worker.join();
    workers_.clear();
    shared_->detach();
    grace_.cancel();
    graveyard_.clear();
    if (auto done = std::move(stopped_))
        done();
}

// ---- the public face

Front::Front(EventLoop& loop, FrontLimits limits, std::string spool_directory, Admit admit, Handler handler)
    : impl_(std::make_unique<Impl>(loop, limits, std::move(spool_directory), std::move(admit),
                                   std::move(handler)))
{
}

Front::~Front() = default;

Result<Front::Listening> Front::listen(const Listen& what)
{
    if (impl_->stopping_)
        return fail(ErrorKind::Unavailable, "the front is stopping");
    ListenSocket socket = TRY(ListenSocket::open(what.address, what.unix_mode));
    int id = impl_->next_listener_++;
    Listening out{.id = id, .address = socket.address()};
    auto listener = std::unique_ptr<Impl::Listener>(new Impl::Listener{
        .impl = impl_.get(), .id = id, .socket = std::move(socket), .same_user_only = what.same_user_only,
        .circuit_ids = what.circuit_ids});
    event_assign(
        &listener->accept_event, impl_->loop_.base(), listener->socket.fd(), EV_READ | EV_PERSIST,
        [](evutil_socket_t, short, void* argument) {
            auto& ready = *static_cast<Impl::Listener*>(argument);
            ready.impl->accept_some(ready);
        },
        listener.get());
    event_add(&listener->accept_event, nullptr);
    impl_->listeners_.emplace(id, std::move(listener));
    return out;
}

void Front::close_listener(int id)
{
    impl_->close_listener(id);
}

void Front::stop(int64_t grace_ms, std::function<void()> done)
{
    impl_->begin_stop(grace_ms, std::move(done));
}

Front::Stats Front::stats() const
{
    return {.connections = impl_->connections_.size(),
            .waiting = impl_->shared_->waiting,
            .served = impl_->served_,
            .refused = impl_->refused_};
}

} // namespace bivouac::net
