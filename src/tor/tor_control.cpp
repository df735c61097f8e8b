// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/tor/tor_control.h>

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/files.h>
#include <bivouac/base/log.h>
#include <bivouac/tor/onion_address.h>

#include "control_connection.h"
#include "tor_child.h"

namespace bivouac::tor {

namespace {

constexpr int64_t kFirstReconnectMs = 200;
constexpr int64_t kLongestReconnectMs = 10'000;
constexpr int64_t kLongestRestartMs = 60'000;
constexpr int64_t kTickMs = 500;            // until tor is bootstrapped and the onions are published
constexpr int64_t kCalmTickMs = 5'000;
constexpr int64_t kOnionPollMs = 20'000;    // behind Tails' filter a restart of tor cannot be seen otherwise
constexpr int64_t kPublishPatienceMs = 60'000;
constexpr int64_t kAddRetryMs = 5'000;
constexpr const char* kDefaultSocks = "127.0.0.1:9050";

struct Onion {
    OnionService service;
    bool added = false;
    bool published = false;
    int64_t added_at = 0;       // monotonic
    int64_t next_add_at = 0;
};

std::string filtered_words(const Reply& reply)
{
    if (reply.code == 510)
        return "510 Command filtered: the filter in front of tor's control port does not let bivouac do this; its "
               "profile for the filter is missing or was changed";
    return std::to_string(reply.code) + " " + reply.words();
}

}  // namespace

struct TorControl::Impl : std::enable_shared_from_this<TorControl::Impl> {
    EventLoop& loop;
    TorOptions options;
    Events events;
    TorState state;
    std::unique_ptr<TorChild> child;
    ControlConnection connection;
    std::vector<Onion> onions;
    bool stopping = false;
    bool usable = false;      // logged in and bootstrapped
    int connections = 0;
    int64_t reconnect_ms = kFirstReconnectMs;
    int64_t restart_ms = 500;
    int64_t last_onion_poll = 0;
    std::function<void()> waiting;  // of pause()
    EventLoop::Timer pause_timer;

    Impl(EventLoop& l, TorOptions o, Events e)
        : loop(l)
        , options(std::move(o))
        , events(std::move(e))
        , connection(l)
    {
    }

    static int64_t now() { return system_clock().monotonic_ms(); }

    void changed()
    {
        if (events.changed)
            events.changed();
    }

    void set_problem(std::string problem)
    {
        if (state.problem == problem)
            return;
        state.problem = std::move(problem);
        changed();
    }

    // Waits; ends early when something happened (the connection closed, an onion was added, stop).
    Task<void> pause(int64_t ms)
    {
        co_await suspend<bool>([this, ms](auto done) {
            waiting = [done = std::make_shared<decltype(done)>(std::move(done))] { (*done)(true); };
            pause_timer = loop.after(ms, [this] { wake(); });
        });
    }

    void wake()
    {
        pause_timer.cancel();
        if (waiting)
            std::exchange(waiting, nullptr)();
    }

    void set_published(Onion& onion, bool published)
    {
        if (onion.published == published)
            return;
        onion.published = published;
        if (events.published)
            events.published(onion.service.address, published);
    }

    void lost_tor()
    {
        for (auto& onion : onions) {
            onion.added = false;
            onion.next_add_at = 0;
            set_published(onion, false);
        }
        usable = false;
        state.connected = false;
        state.bootstrap = 0;
        state.bootstrap_text.clear();
        if (!state.socks_address.empty()) {
            state.socks_address.clear();
            if (events.socks)
                events.socks("");
        }
        changed();
    }

    // --- the life of the connection ---

    static Task<void> live(std::shared_ptr<Impl> self)
    {
        while (!self->stopping) {
            auto address = co_await self->find_address();
            if (self->stopping)
                break;
            Result<void> session;
            if (address.ok())
                session = co_await self->session(*address);
            else
                session = address.error();
            self->connection.close();
            if (self->stopping)
                break;
            self->lost_tor();
            if (!session.ok())
                self->set_problem(session.error().detail);
            co_await self->pause(self->reconnect_ms);
            self->reconnect_ms = std::min(self->reconnect_ms * 2, kLongestReconnectMs);
        }
    }

    Task<Result<std::string>> find_address()
    {
        if (options.mode == TorOptions::Mode::Control)
            co_return options.control_address;
        if (!child->running()) {
            if (connections > 0 || !state.problem.empty())
                co_await pause(restart_ms);
            restart_ms = std::min(restart_ms * 2, kLongestRestartMs);
            if (stopping)
                co_return fail(ErrorKind::Unavailable, "stopping");
            auto started = child->start();
            if (!started.ok())
                co_return std::move(started).error();
        }
        // tor writes the file once it listens; one that has nothing to say after a while is given up.
        for (int i = 0; i < 600 && child->running() && !stopping; ++i) {
            if (auto address = child->control_address())
                co_return *address;
            co_await pause(50);
        }
        co_return fail(ErrorKind::Unavailable, stopping ? "stopping" : "tor ended at its start: " + child->last_words());
    }

    Task<Result<void>> session(std::string address)
    {
        auto opened = connection.open(address);
        if (!opened.ok())
            co_return std::move(opened).error();
        auto logged_in = co_await login(address);
        if (!logged_in.ok())
            co_return std::move(logged_in).error();
        state.connected = true;
        state.problem.clear();
        state.restarts = connections++;
        reconnect_ms = kFirstReconnectMs;
        restart_ms = 500;
        last_onion_poll = now();
        co_await learn_socks();
        changed();
        while (connection.is_open() && !stopping) {
            co_await watch_bootstrap();
            co_await watch_onions();
            if (!connection.is_open() || stopping)
                break;
            bool calm = usable && std::all_of(onions.begin(), onions.end(), [](const Onion& o) { return o.published; });
            co_await pause(calm ? kCalmTickMs : kTickMs);
        }
        co_return Result<void>();
    }

    Task<Result<void>> login(const std::string& address)
    {
        auto info_reply = co_await connection.command("PROTOCOLINFO 1");
        if (!info_reply.ok())
            co_return fail(ErrorKind::Unavailable, "no tor answers at " + address + "; is it running?");
        if (!info_reply->ok())
            co_return fail(ErrorKind::Unavailable, "tor's control port at " + address + " refuses: " +
                                                       filtered_words(*info_reply));
        ProtocolInfo info = parse_protocol_info(*info_reply);
        Result<Reply> done = fail(ErrorKind::Unavailable, "");
        if (info.null_method) {
            done = co_await connection.command("AUTHENTICATE");
        } else if (info.safe_cookie || info.cookie) {
            // tor writes a new cookie at each of its starts.
            auto cookie = read_file(info.cookie_file, 64);
            if (!cookie.ok() || cookie->size() != 32)
                co_return fail(ErrorKind::Unavailable,
                               "tor's control cookie cannot be read; your user must be in the group that may (on "
                               "Debian: debian-tor), or leave out --tor-control so that bivouac starts its own tor");
            if (info.safe_cookie)
                done = co_await prove_cookie(*cookie);
            else
                done = co_await connection.command("AUTHENTICATE " + to_hex(*cookie));
            wipe(*cookie);
        } else {
            co_return fail(ErrorKind::Unavailable, "tor's control port wants a password; bivouac uses cookies: set "
                                                   "CookieAuthentication 1");
        }
        if (!done.ok())
            co_return std::move(done).error();
        if (!done->ok())
            co_return fail(ErrorKind::Unavailable, "tor refused the login: " + filtered_words(*done));
        if (auto version = co_await connection.command("GETINFO version"); version.ok() && version->ok())
            state.version = version->info("version").value_or("");
        if (options.mode == TorOptions::Mode::Child) {
            // It ends with this connection, so it cannot be left behind.
            auto owned = co_await connection.command("TAKEOWNERSHIP");
            if (!owned.ok())
                co_return std::move(owned).error();
        }
        auto subscribed = co_await connection.command("SETEVENTS HS_DESC");
        if (!subscribed.ok())
            co_return std::move(subscribed).error();
        if (!subscribed->ok())
            log::warning("tor does not tell when the onion is published: " + filtered_words(*subscribed));
        co_return Result<void>();
    }

    Task<Result<Reply>> prove_cookie(std::string cookie)
    {
        std::string nonce = system_random().bytes(32);
        auto reply = co_await connection.command("AUTHCHALLENGE SAFECOOKIE " + to_hex(nonce));
        if (!reply.ok())
            co_return std::move(reply);
        auto challenge = parse_auth_challenge(*reply);
        bool proven = challenge && equal_constant_time(challenge->server_hash,
                                                       safe_cookie_server_hash(cookie, nonce, challenge->server_nonce));
        if (!proven) {
            wipe(cookie);
            co_return fail(ErrorKind::Unavailable, "what answers at tor's control port does not know tor's cookie");
        }
        std::string proof = to_hex(safe_cookie_client_hash(cookie, nonce, challenge->server_nonce));
        wipe(cookie);
        co_return co_await connection.command("AUTHENTICATE " + proof);
    }

    Task<void> learn_socks()
    {
        std::string address = options.socks_address;
        if (address.empty()) {
            auto reply = co_await connection.command("GETINFO net/listeners/socks");
            if (reply.ok() && reply->ok())
                address = choose_socks_listener(reply->info("net/listeners/socks").value_or(""));
            else if (reply.ok())
                address = kDefaultSocks;  // filtered, as on Tails
        }
        if (address.empty()) {
            set_problem("tor offers no SOCKS port on loopback; deliveries wait");
            co_return;
        }
        state.socks_address = address;
        if (events.socks)
            events.socks(address);
    }

    Task<void> watch_bootstrap()
    {
        if (usable)
            co_return;
        auto reply = co_await connection.command("GETINFO status/bootstrap-phase");
        if (!reply.ok() || !reply->ok())
            co_return;
        auto bootstrap = parse_bootstrap(reply->info("status/bootstrap-phase").value_or(""));
        if (!bootstrap)
            co_return;
        if (bootstrap->progress != state.bootstrap || bootstrap->summary != state.bootstrap_text) {
            state.bootstrap = bootstrap->progress;
            state.bootstrap_text = bootstrap->summary;
            changed();
        }
        if (bootstrap->progress == 100) {
            usable = true;
            if (events.back)
                events.back();
        }
    }

    Onion* find(const std::string& address)
    {
        for (auto& onion : onions)
            if (onion.service.address == address)
                return &onion;
        return nullptr;
    }

    Task<void> watch_onions()
    {
        if (now() - last_onion_poll >= kOnionPollMs) {
            last_onion_poll = now();
            co_await compare_onions();
        }
        std::vector<std::string> addresses;
        for (const auto& onion : onions)
            addresses.push_back(onion.service.address);
        for (const auto& address : addresses) {
            if (!connection.is_open() || stopping)
                co_return;
            Onion* onion = find(address);
            if (!onion)
                continue;
            // Added, and yet nothing was uploaded for a minute: once more (tor-spec keeps no promise here).
            bool overdue = onion->added && !onion->published && usable && now() - onion->added_at > kPublishPatienceMs;
            if (overdue) {
                onion->added = false;
                (void)co_await connection.command("DEL_ONION " + address);
                onion = find(address);
                if (!onion)
                    continue;
            }
            if (!onion->added && now() >= onion->next_add_at)
                co_await add(address);
        }
    }

    Task<void> compare_onions()
    {
        auto reply = co_await connection.command("GETINFO onions/current");
        if (!reply.ok() || !reply->ok())
            co_return;
        auto present = parse_onions(reply->info("onions/current").value_or(""));
        for (auto& onion : onions) {
            bool here = std::find(present.begin(), present.end(), onion.service.address) != present.end();
            if (here || !onion.added)
                continue;
            onion.added = false;
            onion.next_add_at = 0;
            set_published(onion, false);
            ++state.restarts;
        }
    }

    Task<void> add(std::string address)
    {
        Onion* onion = find(address);
        onion->next_add_at = now() + kAddRetryMs;
        Secret expanded = expanded_key_of_seed(onion->service.seed);
        Secret line = add_onion_command(expanded, onion->service.target);
        auto reply = co_await connection.command(line.view());
        onion = find(address);
        if (!onion || !reply.ok())
            co_return;
        if (reply->ok() && reply->lines[0].text == "ServiceID=" + address) {
            onion->added = true;
            onion->added_at = now();
            set_problem("");
            co_return;
        }
        if (reply->code == 550)
            set_problem("this onion runs at this tor already; is the node running a second time somewhere?");
        else
            set_problem("tor does not take the onion: " + filtered_words(*reply));
    }

    void event(const std::string& text)
    {
        auto desc = parse_hs_desc(text);
        if (!desc || desc->action != "UPLOADED")
            return;
        if (Onion* onion = find(desc->address); onion && onion->added)
            set_published(*onion, true);
    }
};

std::string find_running_tor()
{
    for (const char* address : {"unix:/run/tor/control", "127.0.0.1:9051", "127.0.0.1:951"}) {
        auto fd = connect_control_socket(address, true);
        if (!fd.ok())
            continue;
        timeval limit{.tv_sec = 1, .tv_usec = 0};
        ::setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        std::string_view ask = "PROTOCOLINFO 1\r\n";
        ReplyReader reader;
        bool usable = false;
        if (::send(*fd, ask.data(), ask.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(ask.size())) {
            char buffer[4096];
            for (int i = 0; i < 4; ++i) {
                ssize_t n = ::recv(*fd, buffer, sizeof buffer, 0);
                if (n <= 0)
                    break;
                auto replies = reader.feed({buffer, static_cast<size_t>(n)});
                if (!replies.ok())
                    break;
                if (replies->empty())
                    continue;
                ProtocolInfo info = parse_protocol_info(replies->front());
                bool cookie = (info.cookie || info.safe_cookie) && ::access(info.cookie_file.c_str(), R_OK) == 0;
                usable = replies->front().ok() && (info.null_method || cookie);
                break;
            }
        }
        ::close(*fd);
        if (usable)
            return address;
    }
    return {};
}

TorControl::TorControl(EventLoop& loop, TorOptions options, Events events)
    : impl_(std::make_shared<Impl>(loop, std::move(options), std::move(events)))
{
}

TorControl::~TorControl()
{
    impl_->stopping = true;
    impl_->events = {};
    impl_->connection.on_close = nullptr;
    impl_->connection.on_event = nullptr;
}

void TorControl::start()
{
    Impl& impl = *impl_;
    if (impl.options.mode == TorOptions::Mode::Torrc) {
        impl.loop.post([self = impl_] {
            self->state.connected = true;
            self->state.bootstrap = 100;
            self->state.bootstrap_text = "configured by hand";
            self->state.socks_address = self->options.socks_address;
            if (self->events.socks)
                self->events.socks(self->state.socks_address);
            for (auto& onion : self->onions)
                self->set_published(onion, true);
            self->changed();
            if (self->events.back)
                self->events.back();
        });
        return;
    }
    impl.connection.on_event = [raw = impl_.get()](const std::string& text) { raw->event(text); };
    impl.connection.on_close = [raw = impl_.get()] { raw->wake(); };
    if (impl.options.mode == TorOptions::Mode::Child) {
        impl.child = std::make_unique<TorChild>(
            impl.loop, ChildOptions{impl.options.child_directory, impl.options.extra_torrc_file,
                                    impl.options.tor_program});
        impl.child->on_exit = [raw = impl_.get()] { raw->wake(); };
    }
    impl.loop.post([self = impl_] { spawn(Impl::live(self)); });
}

void TorControl::add_onion(OnionService service)
{
    impl_->onions.push_back({std::move(service)});
    impl_->wake();
}

void TorControl::remove_onion(const std::string& address)
{
    std::erase_if(impl_->onions, [&](const Onion& onion) { return onion.service.address == address; });
    if (impl_->connection.is_open())
        spawn([](std::shared_ptr<Impl> self, std::string line) -> Task<void> {
            (void)co_await self->connection.command(line);
        }(impl_, "DEL_ONION " + address));
}

bool TorControl::is_published(const std::string& address) const
{
    Onion* onion = impl_->find(address);
    return onion && onion->published;
}

const TorState& TorControl::state() const
{
    return impl_->state;
}

void TorControl::stop(std::function<void()> done)
{
    Impl& impl = *impl_;
    impl.stopping = true;
    impl.events = {};
    // Closing takes the onions down, and a tor of our own ends with it.
    impl.connection.close();
    impl.wake();
    if (!impl.child)
        return done();
    impl.child->end(std::move(done));
}

}  // namespace bivouac::tor
