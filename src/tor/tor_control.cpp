// SPDX-License-Identifier: BSD-3-Clause
// How: one coroutine, live(), goes round for ever: find the control port (starting tor first if it is ours),
// log in, look after the onions until the connection ends, wait, again. Events only change what it looks at.
#include <bivouac/tor/tor_control.h>

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bivouac/base/broker.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/files.h>
#include <bivouac/base/log.h>
#include <bivouac/tor/onion_address.h>
#include <bivouac/tor/tails.h>

#include "control_connection.h"
#include "tor_child.h"

namespace bivouac::tor
{

namespace
{

constexpr int64_t kFirstReconnectMs = 200;
constexpr int64_t kLongestReconnectMs = 10'000;
constexpr int64_t kLongestRestartMs = 60'000;
constexpr int64_t kTickMs = 1'000; // until tor is bootstrapped and the onions are published
constexpr int64_t kCalmTickMs = 5'000;
constexpr int64_t kOnionPollMs = 20'000;
constexpr int64_t kFilteredPollMs = 10'000; // behind Tails' filter a restart of tor cannot be seen otherwise
constexpr int64_t kFilteredReconnectMs = 3'000; // the filter reads its profiles anew at each connection
constexpr int64_t kPublishPatienceMs = 60'000;
constexpr int64_t kAddRetryMs = 5'000;
constexpr int64_t kFirstRestartMs = 500;
constexpr int64_t kSettledMs = 30'000; // a tor that lived so long is started again without long waits
constexpr int64_t kOwnEndMs = 2'000; // for a tor that ends by itself when its owner's connection does
constexpr size_t kCookieBytes = 32;
constexpr const char* kNoSocks = "tor offers no SOCKS port on loopback; deliveries wait";
constexpr const char* kDefaultSocks = "127.0.0.1:9050";

struct Onion {
    uint64_t id = 0;
    OnionService service;
    bool added = false;
    bool published = false;
    int64_t added_at = 0; // monotonic
    int64_t next_add_at = 0;
};

constexpr int kFiltered = 510;

// For a person on Tails, mostly: nobody else has such a filter.
std::string filtered_words(const Reply& reply)
{
    if (reply.code == kFiltered)
        return "510 Command filtered: the filter in front of tor (on Tails: onion-grater) does not know bivouac. The profile that "
               "tells it, /etc/onion-grater.d/bivouac.yml, is missing or was changed. Restart Tails, which installs the package anew, or type "
               "the command that docs/tails.md has for it, then stop the node and start it";
    return std::to_string(reply.code) + " " + reply.words();
}

} // namespace

struct TorControl::Impl : std::enable_shared_from_this<TorControl::Impl> {
    EventLoop& loop;
    TorOptions options;
    Events events;
    TorState state;
    std::unique_ptr<TorChild> child;
    ControlConnection connection;
    std::vector<Onion> onions;
    bool stopping = false;
    bool usable = false; // logged in and bootstrapped
    int connections = 0;
    bool started_before = false;
    bool owned = false; // our tor ends with the connection
    uint64_t last_id = 0;
    int64_t reconnect_ms = kFirstReconnectMs;
    int64_t restart_ms = kFirstRestartMs;
    bool no_pow = false; // this tor does not take it
    bool behind_filter = false; // so it seems: no password and no cookie is wanted
    bool filtered = false; // the filter refused the onion; the connection ends, a new one may have a new profile
    int64_t last_onion_poll = 0;
    int64_t usable_since = 0;
    bool subscribed = false; // tor tells HS_DESC
    std::function<void()> waiting; // of pause()
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
        if (stopping)
            co_return;
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

    // The receiver may add or remove onions meanwhile.
    void publish_all(bool published)
    {
        for (const auto& address : addresses())
            if (Onion* onion = find(address))
                set_published(*onion, published);
    }

    std::vector<std::string> addresses() const
    {
        std::vector<std::string> out;
        for (const auto& onion : onions)
            out.push_back(onion.service.address);
        return out;
    }

    void lost_tor()
    {
        for (auto& onion : onions) {
            onion.added = false;
            onion.next_add_at = 0;
        }
        publish_all(false);
        usable = false;
        owned = false;
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
            self->set_problem(session.error().detail);
            co_await self->pause(self->reconnect_ms);
            self->reconnect_ms = std::min(self->reconnect_ms * 2, kLongestReconnectMs);
        }
    }

    // Where the control port is. In Child mode tor is started first if it does not run.
    Task<Result<std::string>> find_address()
    {
        if (options.mode == TorOptions::Mode::Control)
            co_return options.control_address;
        if (!child->running()) {
            if (started_before) {
                co_await pause(restart_ms);
                restart_ms = std::min(restart_ms * 2, kLongestRestartMs);
            }
            if (stopping)
                co_return fail(ErrorKind::Unavailable, "stopping");
            started_before = true;
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
        if (stopping)
            co_return fail(ErrorKind::Unavailable, "stopping");
        if (child->running())
            co_return fail(ErrorKind::Unavailable,
                           "tor does not open its control port: " + child->last_words());
        co_return fail(ErrorKind::Unavailable, "tor ended at its start: " + child->last_words());
    }

    // Ends with an error always: why tor is no longer there.
    Task<Result<void>> session(std::string address)
    {
        auto opened = co_await connection.open(address);
        if (!opened.ok())
            co_return std::move(opened).error();
        auto logged_in = co_await login(address);
        if (!logged_in.ok())
            co_return std::move(logged_in).error();
        state.connected = true;
        if (!std::exchange(filtered, false))
            state.problem.clear();
        if (connections++ > 0)
            ++state.restarts;
        reconnect_ms = kFirstReconnectMs;
        const int64_t started_at = now();
        last_onion_poll = started_at;
        changed();
        while (connection.is_open() && !stopping) {
            if (state.socks_address.empty())
                co_await learn_socks();
            co_await watch_bootstrap();
            co_await watch_onions();
            if (!connection.is_open() || stopping)
                break;
            if (filtered) {
                reconnect_ms = kFilteredReconnectMs;
                co_return fail(ErrorKind::Unavailable, state.problem);
            }
            bool calm = usable && !state.socks_address.empty() &&
                        std::all_of(onions.begin(), onions.end(), [](const Onion& o) { return o.published; });
            co_await pause(calm ? kCalmTickMs : kTickMs);
            if (now() - started_at >= kSettledMs)
                restart_ms = kFirstRestartMs;
        }
        if (child && !child->running())
            co_return fail(ErrorKind::Unavailable, "tor ended and is started again: " + child->last_words());
        co_return fail(ErrorKind::Unavailable, "tor's control connection ended; trying again");
    }

    // A confined node cannot read what is not in its own directory; its broker asks tor itself where the cookie is.
    Result<std::string> read_cookie(const std::string& file) const
    {
        Broker* broker = Broker::current();
        if (!broker || options.mode == TorOptions::Mode::Child)
            return read_file(file, 64);
        BrokerAnswer answer = TRY(broker->ask(BrokerTask::Cookie));
        std::string cookie = answer.text;
        wipe(answer.text);
        return cookie;
    }

    Task<Result<void>> login(const std::string& address)
    {
        auto info_reply = co_await connection.command("PROTOCOLINFO 1");
        if (!info_reply.ok())
            co_return fail(ErrorKind::Unavailable, "no tor answers at " + address + "; is it running?");
        if (!info_reply->ok())
            co_return fail(ErrorKind::Unavailable,
                           "tor's control port at " + address + " refuses: " + filtered_words(*info_reply));
        ProtocolInfo info = parse_protocol_info(*info_reply);
        behind_filter = info.null_method;
        Result<Reply> done = fail(ErrorKind::Unavailable, "");
        if (info.null_method) {
            done = co_await connection.command("AUTHENTICATE");
        } else if (info.safe_cookie || info.cookie) {
            // tor writes a new cookie at each of its starts.
            auto cookie = read_cookie(info.cookie_file);
            if (!cookie.ok() || cookie->size() != kCookieBytes)
                co_return fail(
                    ErrorKind::Unavailable,
                    "tor's control cookie cannot be read; your user must be in the group that may (on "
                    "Debian: debian-tor), or leave out --tor-control so that bivouac starts its own tor");
            if (info.safe_cookie) {
                done = co_await prove_cookie(*cookie);
            } else {
                std::string line = "AUTHENTICATE " + to_hex(*cookie);
                done = co_await connection.command(line);
                wipe(line);
            }
            wipe(*cookie);
        } else {
            co_return fail(ErrorKind::Unavailable,
                           "tor's control port wants a password; bivouac uses cookies: set "
                           "CookieAuthentication 1");
        }
        if (!done.ok())
            co_return std::move(done).error();
        if (!done->ok())
            co_return fail(ErrorKind::Unavailable, "tor refused the login: " + filtered_words(*done));
        no_pow = false;
        if (auto version = co_await connection.command("GETINFO version"); version.ok() && version->ok())
            state.version = version->info("version").value_or("");
        if (options.mode == TorOptions::Mode::Child) {
            // It ends with this connection, so it cannot be left behind.
            auto taken = co_await connection.command("TAKEOWNERSHIP");
            if (!taken.ok())
                co_return std::move(taken).error();
            owned = taken->ok();
        }
        // A filter may let through only the one that matters.
        for (const char* line : {"SETEVENTS HS_DESC STATUS_CLIENT", "SETEVENTS HS_DESC"}) {
            auto reply = co_await connection.command(line);
            if (!reply.ok())
                co_return std::move(reply).error();
            subscribed = reply->ok();
            if (subscribed)
                break;
        }
        if (!subscribed)
            log::warning("tor does not tell when the onion is published; asking now and then instead");
        co_return Result<void>();
    }

    Task<Result<Reply>> prove_cookie(const std::string& cookie)
    {
        std::string nonce = system_random().bytes(32);
        std::string ask = "AUTHCHALLENGE SAFECOOKIE " + to_hex(nonce);
        auto reply = co_await connection.command(ask);
        if (!reply.ok())
            co_return std::move(reply);
        auto challenge = parse_auth_challenge(*reply);
        bool proven =
            challenge && equal_constant_time(challenge->server_hash,
                                             safe_cookie_server_hash(cookie, nonce, challenge->server_nonce));
        if (!proven)
            co_return fail(ErrorKind::Unavailable,
                           "what answers at tor's control port does not know tor's cookie");
        std::string proof =
            "AUTHENTICATE " + to_hex(safe_cookie_client_hash(cookie, nonce, challenge->server_nonce));
        co_return co_await connection.command(proof);
    }

    // tor opens its SOCKS port late while the person has its network switched off (Tails): asked until known.
    Task<void> learn_socks()
    {
        std::string address = options.socks_address;
        if (address.empty()) {
            auto reply = co_await connection.command("GETINFO net/listeners/socks");
            if (!reply.ok())
                co_return;
            address = reply->ok() ? choose_socks_listener(reply->info("net/listeners/socks").value_or(""))
                                  : kDefaultSocks; // filtered, as on Tails
        }
        if (address.empty()) {
            if (usable)
                set_problem(kNoSocks);
            co_return;
        }
        if (state.problem == kNoSocks)
            state.problem.clear();
        state.socks_address = address;
        changed();
        if (events.socks)
            events.socks(address);
    }

    void set_bootstrap(const Bootstrap& bootstrap)
    {
        if (bootstrap.progress != state.bootstrap || bootstrap.summary != state.bootstrap_text) {
            state.bootstrap = bootstrap.progress;
            state.bootstrap_text = bootstrap.summary;
            changed();
        }
        if (bootstrap.progress == 100 && !usable) {
            usable = true;
            usable_since = now();
            if (events.back)
                events.back();
        }
    }

    Task<void> watch_bootstrap()
    {
        if (usable || !connection.is_open())
            co_return;
        auto reply = co_await connection.command("GETINFO status/bootstrap-phase");
        if (!reply.ok())
            co_return;
        if (!reply->ok()) {
            // Filtered: nobody tells, and waiting for it would stop the deliveries for ever.
            set_bootstrap({100, "tor does not say how far it is"});
            co_return;
        }
        if (auto bootstrap = parse_bootstrap(reply->info("status/bootstrap-phase").value_or("")))
            set_bootstrap(*bootstrap);
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
        if (now() - last_onion_poll >= (behind_filter ? kFilteredPollMs : kOnionPollMs) || (!subscribed && usable)) {
            last_onion_poll = now();
            co_await compare_onions();
        }
        for (const auto& address : addresses()) {
            if (!connection.is_open() || stopping)
                co_return;
            Onion* onion = find(address);
            if (!onion)
                continue;
            // Added, and yet nothing was uploaded for a minute of a working tor: once more.
            const int64_t since = std::max(onion->added_at, usable_since);
            if (onion->added && !onion->published && subscribed && usable &&
                now() - since > kPublishPatienceMs) {
                onion->added = false;
                onion->next_add_at = 0;
                (void)co_await remove_from_tor(address);
                onion = find(address);
            }
            if (onion && !onion->added && now() >= onion->next_add_at)
                co_await add(address);
        }
    }

    // Behind a filter tor may have started anew without our noticing: then our onions are missing.
    Task<void> compare_onions()
    {
        auto reply = co_await connection.command("GETINFO onions/current");
        if (!reply.ok() || !reply->ok())
            co_return;
        auto present = parse_onions(reply->info("onions/current").value_or(""));
        bool missing = false;
        for (const auto& address : addresses()) {
            Onion* onion = find(address);
            if (!onion || !onion->added)
                continue;
            if (std::find(present.begin(), present.end(), address) != present.end()) {
                // Without events there is no better sign.
                if (!subscribed && usable)
                    set_published(*onion, true);
                continue;
            }
            onion->added = false;
            onion->next_add_at = 0;
            missing = true;
            set_published(*onion, false);
        }
        if (!missing)
            co_return;
        ++state.restarts;
        usable = false; // a tor that started anew must find its way again
        changed();
        co_await watch_bootstrap();
    }

    Task<Result<Reply>> remove_from_tor(std::string address)
    {
        std::string line = "DEL_ONION " + address;
        co_return co_await connection.command(line);
    }

    Task<void> add(std::string address)
    {
        Onion* onion = find(address);
        onion->next_add_at = now() + kAddRetryMs;
        const uint64_t id = onion->id;
        Result<Reply> reply = fail(ErrorKind::Unavailable, "");
        // A tor without the defence, or a filter in front of it, does not know the words: then without them.
        for (Pow pow : {Pow::On, Pow::Off}) {
            if (pow == Pow::On && no_pow)
                continue;
            {
                Secret line = add_onion_command(expanded_key_of_seed(onion->service.seed), onion->service.target, pow);
                reply = co_await connection.command(line.view());
            }
            if (!reply.ok())
                co_return;
            onion = find(address);
            const bool other_reason = reply->ok() || reply->code == 550 || !onion || onion->id != id;
            if (pow == Pow::Off || other_reason) {
                state.pow = reply->ok() && pow == Pow::On;
                break;
            }
            no_pow = true;
        }
        bool accepted = reply->ok() && reply->lines[0].text == "ServiceID=" + address;
        if (!onion || onion->id != id) {
            // Removed while tor was adding it.
            if (accepted)
                (void)co_await remove_from_tor(address);
            co_return;
        }
        if (accepted) {
            onion->added = true;
            onion->added_at = now();
            set_problem("");
            co_return;
        }
        if (reply->code == 550)
            set_problem("this onion runs at this tor already; is the node running a second time somewhere?");
        else if (reply->ok())
            set_problem("tor gave the onion another address than its key has");
        else
            set_problem("tor does not take the onion: " + filtered_words(*reply));
        filtered = reply->code == kFiltered;
    }

    void event(const std::string& text)
    {
        if (text.starts_with("STATUS_CLIENT ")) {
            if (auto bootstrap = parse_bootstrap(text))
                set_bootstrap(*bootstrap);
            return;
        }
        auto desc = parse_hs_desc(text);
        if (!desc)
            return;
        if (auto words = words_for_lookup(*desc); words && events.looked_up && is_valid_onion_address(desc->address))
            events.looked_up(desc->address, *words);
        if (desc->action != "UPLOADED")
            return;
        // One for each directory; the first is enough.
        if (Onion* onion = find(desc->address); onion && onion->added)
            set_published(*onion, true);
    }
};

namespace
{

// Whether a tor that we can log in to answers there before the time.
bool answers(const std::string& address, int64_t until_ms)
{
    auto fd = connect_control_socket_here(address);
    if (!fd.ok())
        return false;
    auto ready = [&](short what) {
        const int64_t left = until_ms - system_clock().monotonic_ms();
        pollfd one{.fd = *fd, .events = what, .revents = 0};
        return left > 0 && ::poll(&one, 1, static_cast<int>(left)) == 1;
    };
    constexpr std::string_view kAsk = "PROTOCOLINFO 1\r\n";
    ReplyReader reader;
    bool usable = false;
    if (ready(POLLOUT) &&
        ::send(*fd, kAsk.data(), kAsk.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(kAsk.size())) {
        char buffer[4096];
        while (ready(POLLIN)) {
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
    return usable;
}

} // namespace

bool is_tails(const std::string& os_release)
{
    auto text = read_file(os_release, 64u << 10);
    if (!text.ok())
        return false;
    for (const char* line : {"ID=tails", "ID=\"tails\"", "ID='tails'"})
        if (("\n" + *text + "\n").find("\n" + std::string(line) + "\n") != std::string::npos)
            return true;
    return false;
}

std::string find_running_tor()
{
    constexpr int64_t kProbeMs = 1'000;
    if (is_tails())
        return kTailsControl;
    for (const char* address : {"unix:/run/tor/control", "127.0.0.1:9051", "127.0.0.1:951"})
        if (answers(address, system_clock().monotonic_ms() + kProbeMs))
            return address;
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
    // What waits ends now, so that nothing keeps the state alive.
    impl_->connection.close();
    impl_->wake();
    impl_->child.reset();
}

void TorControl::start()
{
    Impl& impl = *impl_;
    if (impl.options.mode == TorOptions::Mode::Torrc) {
        impl.loop.post([self = impl_] {
            if (self->stopping)
                return;
            self->state.connected = true;
            self->state.bootstrap = 100;
            self->state.bootstrap_text = "configured by hand";
            self->state.socks_address = self->options.socks_address;
            if (self->state.socks_address.empty())
                self->state.problem = "the address of tor's SOCKS port is not given; deliveries wait";
            self->usable = true;
            self->changed();
            if (self->events.socks)
                self->events.socks(self->state.socks_address);
            self->publish_all(true);
            if (self->events.back)
                self->events.back();
        });
        return;
    }
    impl.connection.owner = impl_;
    impl.connection.on_event = [raw = impl_.get()](const std::string& text) { raw->event(text); };
    impl.connection.on_close = [raw = impl_.get()] { raw->wake(); };
    if (impl.options.mode == TorOptions::Mode::Child) {
        impl.child = std::make_unique<TorChild>(impl.loop, ChildOptions{impl.options.child_directory,
                                                                        impl.options.extra_torrc_file,
                                                                        impl.options.tor_program});
        impl.child->on_exit = [raw = impl_.get()] {
            // Its connection has ended or will in a moment; here only what waits for its start is told.
            if (!raw->connection.is_open())
                raw->wake();
        };
    }
    impl.loop.post([self = impl_] { spawn(Impl::live(self)); });
}

void TorControl::add_onion(OnionService service)
{
    if (impl_->stopping || impl_->find(service.address))
        return;
    std::string address = service.address;
    Onion onion;
    onion.service = std::move(service);
    onion.id = ++impl_->last_id;
    impl_->onions.push_back(std::move(onion));
    if (impl_->options.mode == TorOptions::Mode::Torrc) {
        if (impl_->usable)
            impl_->publish_all(true);
        return;
    }
    if (impl_->connection.is_open())
        impl_->wake();
}

void TorControl::remove_onion(const std::string& address)
{
    const std::string gone = address; // it may be ours, and go with what is erased
    auto impl = impl_;
    Onion* onion = impl->find(gone);
    if (!onion)
        return;
    const bool added = onion->added;
    impl->set_published(*onion, false);
    std::erase_if(impl->onions, [&](const Onion& o) { return o.service.address == gone; });
    if (added && impl->connection.is_open())
        spawn([](std::shared_ptr<Impl> self, std::string which) -> Task<void> {
            (void)co_await self->remove_from_tor(std::move(which));
        }(impl, gone));
}

bool TorControl::republish(const std::string& address)
{
    Onion* onion = impl_->find(address);
    if (!onion || !onion->added || !impl_->connection.is_open() || impl_->options.mode == TorOptions::Mode::Torrc)
        return false;
    onion->added = false;
    onion->next_add_at = 0;
    impl_->set_published(*onion, false);
    spawn([](std::shared_ptr<Impl> self, std::string which) -> Task<void> {
        (void)co_await self->remove_from_tor(std::move(which));
        self->wake();
    }(impl_, address));
    return true;
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
    if (impl.stopping)
        return done();
    impl.stopping = true;
    impl.events = {};
    const bool owned = impl.owned && impl.connection.is_open();
    // Closing takes the onions down (they are not detached), and a tor of our own ends with it.
    impl.connection.close();
    impl.wake();
    if (!impl.child)
        return done();
    impl.child->end(owned ? kOwnEndMs : 0, std::move(done));
}

} // namespace bivouac::tor
