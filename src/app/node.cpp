// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/entities.h>
#include <bivouac/app/guardian.h>
#include <bivouac/app/panic.h>
#include <bivouac/app/node.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <thread>

#include <pthread.h>
#include <unistd.h>

#include <bivouac/api/api.h>
#include <bivouac/api/error_response.h>
#include <bivouac/auth/authenticator.h>
#include <bivouac/base/broker.h>
#include <bivouac/base/event_loop.h>
#include <bivouac/base/log.h>
#include <bivouac/media/cleaner.h>
#include <bivouac/net/front.h>
#include <bivouac/pages/pages.h>
#include <bivouac/relay/http_client.h>
#include <bivouac/relay/relay.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/moves.h>
#include <bivouac/store/sessions.h>
#include <bivouac/tent/moving.h>
#include <bivouac/tor/tor_control.h>

#include "control_api.h"
#include "housekeeping.h"
#include "page_job.h"
#include "passphrase_gate.h"
#include "status_board.h"

namespace bivouac::app {

namespace {

// What is in hand may end; then everything is closed. Together with closing the store below five seconds.
constexpr int64_t kGraceMs = 2'500;
constexpr int64_t kIdleLookMs = 15'000;
constexpr int64_t kLockDelayMs = 700;
constexpr auto kStopLimit = std::chrono::milliseconds(4'500);
constexpr auto kAnewLimit = std::chrono::seconds(20);
constexpr uint64_t kControlBodyBytes = 400u << 20;  // several attachments of the command line

sigset_t stop_signals()
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);  // lock
    sigaddset(&set, SIGUSR2);  // begin anew with what is in the store now
    return set;
}

std::string find_running_tor()
{
    Broker* broker = Broker::current();
    if (!broker)
        return tor::find_running_tor();
    auto found = broker->ask(BrokerTask::FindTor);
    return found.ok() ? found->text : std::string();
}

tor::TorOptions tor_options(const RunConfig& config)
{
    tor::TorOptions options;
    options.child_directory = DataPaths::in(config.data_directory).tor;
    options.extra_torrc_file = config.tor_extra;
    options.socks_address = config.tor_socks;
    if (config.onion_from_torrc) {
        options.mode = tor::TorOptions::Mode::Torrc;
        if (options.socks_address.empty())
            options.socks_address = "127.0.0.1:9050";
        return options;
    }
    options.control_address = config.tor_control;
    // Lines for a tor of our own can only mean a tor of our own.
    if (options.control_address.empty() && config.tor_extra.empty())
        options.control_address = find_running_tor();
    options.mode =
        options.control_address.empty() ? tor::TorOptions::Mode::Child : tor::TorOptions::Mode::Control;
    return options;
}

const char* mode_name(tor::TorOptions::Mode mode)
{
    switch (mode) {
    case tor::TorOptions::Mode::Child: return "child";
    case tor::TorOptions::Mode::Control: return "control";
    case tor::TorOptions::Mode::Torrc: return "torrc";
    }
    return "";
}

// What follows a colon may be tor's own words, which can repeat a line of the person's torrc, a bridge say: that
// is for `bivouac status`, and for the log only when it may name addresses.
std::string problem_for_log(const std::string& problem)
{
    const size_t colon = problem.find(": ");
    if (colon == std::string::npos || log::name(problem) == problem)
        return problem;
    return problem.substr(0, colon) + " (why: bivouac status)";
}

// "127.0.0.1:PORT" -> "PORT"
std::string port_of(const std::string& address)
{
    return address.substr(address.rfind(':') + 1);
}

}  // namespace

void block_stop_signals()
{
    sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    // A peer that goes away in the middle is an error code, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
}

// One of those who live here, with what she has for herself.
struct Resident {
    explicit Resident(store::LocalEntity e)
        : entity(std::move(e))
        , self(tent::Self::of(entity))
    {
    }

    store::LocalEntity entity;
    tent::Self self;
    StatusBoard board;
    std::string onion_target;  // where tor hands over what comes to her onion
    std::unique_ptr<ControlApi> control;
    std::unique_ptr<relay::OwnReach> own_reach;
    std::unique_ptr<PassphraseGate> gate;
    std::unique_ptr<PassphraseGate> known_gate;  // of browsers that have been logged in: strangers cannot fill its queue
    std::unique_ptr<pages::Pages> pages;
    struct Previous {
        store::PreviousOnion onion;
        std::string target;
    };
    std::vector<Previous> previous;  // addresses of hers that are still served
};

struct Node::Impl {
    RunConfig config;
    OpenedData data;
    media::Cleaner& cleaner;
    std::vector<std::unique_ptr<Resident>> residents;  // the first is who is meant when nobody is named

    EventLoop loop;
    std::unique_ptr<auth::Authenticator> authenticator;
    std::unique_ptr<relay::HttpClient> http;
    std::unique_ptr<relay::Relay> relay;
    std::unique_ptr<api::Api> api;
    std::unique_ptr<net::Front> front;
    std::unique_ptr<tor::TorControl> tor;
    std::unique_ptr<Housekeeping> housekeeping;
    std::unique_ptr<PageJob> page_job;
    std::atomic<int> control_listener{-1};
    std::atomic<int64_t> owner_seen_ms{0};  // when she last did something
    EventLoop::Timer idle_timer;
    EventLoop::Timer lock_timer;
    EventLoop::Timer previous_timer;
    int64_t serve_until = INT64_MAX;  // the first of the previous addresses whose time ends
    int last_bootstrap = -1;
    std::string last_problem;

    Impl(RunConfig c, OpenedData d, media::Cleaner& m)
        : config(std::move(c))
        , data(std::move(d))
        , cleaner(m)
    {
    }

    store::Store& store() { return *data.store; }

    Result<void> build();
    Result<void> open_gates(Resident& resident);
    pages::Hooks page_hooks(Resident& resident);
    Result<pages::TakenUpload> take_upload(const Resident& resident, const pages::Upload& upload, size_t number);
    Result<void> open_listeners();
    Result<void> open_local_api();
    Result<void> listen_for_previous(Resident& resident);
    void watch_previous();
    ControlApi::Hooks control_hooks(Resident& resident);
    net::HttpResponse control(const net::HttpRequest& request);
    std::vector<tent::Self> selves() const;
    Resident* by_onion(const std::string& onion);
    Resident* by_id(int64_t id);
    api::PassphraseCheck check_owner(const Resident& resident, const Secret& passphrase);
    void say_to_all(const std::function<void(Status&)>& change);
    void owner_seen();
    void watch_idleness();
    Result<void> open_control_socket();
    void start_tor();
    uint64_t upload_limit() const { return static_cast<uint64_t>(config.upload_limit_mib) << 20; }
    api::Storage storage(int64_t owner);
    void handle(net::HttpRequest request, api::Responder respond);
    net::BodyPolicy admit(int listener, const net::RequestHead& head);
    void tor_changed();
    void begin_stop(int64_t grace_ms, std::function<void()> done);
};

net::BodyPolicy Node::Impl::admit(int listener, const net::RequestHead& head)
{
    if (listener == control_listener)
        return {std::max<uint64_t>(kControlBodyBytes, 2 * upload_limit()), 0, {}};
    return api->body_policy(listener, head);
}

// What is hers. How much room there is only roughly: the exact number would be the same for all who live here.
api::Storage Node::Impl::storage(int64_t owner)
{
    api::Storage out;
    std::error_code error;
    if (auto space = std::filesystem::space(config.data_directory, error); !error)
        out.available = std::bit_floor(space.available);
    auto held = store().read([&](store::ReadTx& tx) -> Result<store::Quota> {
        auto quota = TRY(store::load_quota(tx, owner));
        return quota ? *quota : TRY(store::count_usage(tx, owner));
    });
    if (!held.ok())
        return out;
    out.used = static_cast<uint64_t>(std::max<int64_t>(held->bytes, 0));
    if (held->most_bytes > 0)
        out.available = std::min(out.available, static_cast<uint64_t>(std::max<int64_t>(held->most_bytes - held->bytes, 0)));
    return out;
}

void Node::Impl::owner_seen()
{
    owner_seen_ms = system_clock().monotonic_ms();
}

// Looks now and then whether it is time to lock.
void Node::Impl::watch_idleness()
{
    const int64_t left = owner_seen_ms + config.lock_after_ms - system_clock().monotonic_ms();
    if (left <= 0) {
        log::info("nothing was done for a while: locking");
        kill(getpid(), SIGUSR1);
        return;
    }
    idle_timer = loop.after(std::min<int64_t>(left, kIdleLookMs), [this] { watch_idleness(); });
}

void Node::Impl::watch_previous()
{
    constexpr int64_t kLookMs = 3'600'000;
    if (system_clock().now_ms() > serve_until) {
        log::info("a previous address is not served any more");
        kill(getpid(), SIGUSR2);
        return;
    }
    previous_timer = loop.after(kLookMs, [this] { watch_previous(); });
}

void Node::Impl::handle(net::HttpRequest request, api::Responder respond)
{
    if (request.listener == control_listener) {
        if (request.target != "/status")
            owner_seen();
        return respond(control(request));
    }
    api->handle(std::move(request), std::move(respond));
}

net::HttpResponse Node::Impl::control(const net::HttpRequest& request)
{
    const auto name = request.header(kAsHeader);
    if (!name)
        return residents.front()->control->handle(request);
    for (auto& resident : residents)
        if (resident->self.name == *name)
            return resident->control->handle(request);
    return api::error_response(404, "there is no entity of that name here; see: bivouac entity list");
}

std::vector<tent::Self> Node::Impl::selves() const
{
    std::vector<tent::Self> out;
    for (const auto& resident : residents)
        out.push_back(resident->self);
    return out;
}

Resident* Node::Impl::by_onion(const std::string& onion)
{
    for (auto& resident : residents)
        if (resident->entity.onion == onion)
            return resident.get();
    return nullptr;
}

Resident* Node::Impl::by_id(int64_t id)
{
    for (auto& resident : residents)
        if (resident->self.id == id)
            return resident.get();
    return nullptr;
}

// The owner's, where she has one; else one of the node's.
api::PassphraseCheck Node::Impl::check_owner(const Resident& resident, const Secret& passphrase)
{
    auto owned = has_owner(store(), resident.self.name);
    if (!owned.ok())
        return api::PassphraseCheck::Busy;
    if (*owned) {
        auto owner = is_owner(store(), resident.self.name, passphrase);
        return !owner.ok() ? api::PassphraseCheck::Busy : *owner ? api::PassphraseCheck::Right : api::PassphraseCheck::Wrong;
    }
    auto right = check_passphrase(config.data_directory, passphrase);
    if (right.ok())
        return api::PassphraseCheck::Right;
    return right.error().kind == ErrorKind::Forbidden ? api::PassphraseCheck::Wrong : api::PassphraseCheck::Busy;
}

void Node::Impl::say_to_all(const std::function<void(Status&)>& change)
{
    for (auto& resident : residents)
        resident->board.change(change);
}

ControlApi::Hooks Node::Impl::control_hooks(Resident& resident)
{
    ControlApi::Hooks hooks;
    hooks.posted = [this] { relay->wake(); };
    hooks.withdrawn = [this] { relay->something_withdrawn(); };
    hooks.check_reach = [&resident] {
        if (resident.own_reach)
            resident.own_reach->check_now();
    };
    hooks.stop = [] { kill(getpid(), SIGTERM); };
    hooks.begin_anew = [] { kill(getpid(), SIGUSR2); };
    hooks.app_created = [this](const std::string& id) { api->allow_large_bodies(id); };
    hooks.login_link = [&resident] { return resident.pages->make_login_link(); };
    hooks.storage = [this, id = resident.self.id] { return storage(id); };
    hooks.boards = [this] {
        std::map<std::string, Status> out;
        for (auto& one : residents)
            out.emplace(one->self.name, one->board.get());
        return out;
    };
    return hooks;
}

Result<void> Node::Impl::open_gates(Resident& resident)
{
    auto state = TRY(store().read([&](store::ReadTx& tx) { return store::load_page_state(tx, resident.self.id); }));
    auto check = [this, raw = &resident](const Secret& passphrase) {
        const api::PassphraseCheck outcome = check_owner(*raw, passphrase);
        if (outcome != api::PassphraseCheck::Busy)
            (void)store().write([&](store::WriteTx& tx) {
                return store::note_login(tx, raw->self.id, outcome == api::PassphraseCheck::Right);
            }).ok();
        return outcome;
    };
    const int failures = static_cast<int>(std::min<int64_t>(state.failures, 100));
    resident.gate = std::make_unique<PassphraseGate>(check, PassphraseGate::delay_ms, failures);
    resident.known_gate = std::make_unique<PassphraseGate>(check);
    return {};
}

// From the encrypted overflow through the cleaner into the store, piece by piece.
Result<pages::TakenUpload> Node::Impl::take_upload(const Resident& resident, const pages::Upload& upload, size_t number)
{
    pages::TakenUpload out;
    store::BlobWriter writer(store(), resident.self.id);
    Spool::Reader reader(*upload.bytes);
    const media::Type* type = nullptr;
    if (upload.as_is) {
        std::string beginning;
        for (std::string piece; !(piece = TRY(reader.next())).empty();) {
            beginning += piece.substr(0, media::kBeginning - beginning.size());
            TRY(writer.append(piece));
        }
        type = media::find_type(media::type_of(beginning, upload.name));
    } else {
        auto cleaned = TRY(cleaner.clean(
            upload.bytes->size(), upload.name, [&] { return reader.next(); }, [&](std::string_view piece) { return writer.append(piece); }));
        if (cleaned.refusal != media::Refusal::None) {
            out.cannot_be_cleaned = media::words_of(cleaned.refusal);
            return out;
        }
        out.removed = std::move(cleaned.removed);
        type = &cleaned.what();
    }
    auto blob = TRY(writer.finish());
    out.attachment = {"file", type->content_type, media::neutral_name(*type, number), blob.digest, blob.size};
    return out;
}

pages::Hooks Node::Impl::page_hooks(Resident& resident)
{
    Resident* raw = &resident;
    pages::Hooks hooks;
    hooks.ask = [raw](const std::string& route, const std::string& query, const Json& body) {
        return raw->control->ask(route, query, body);
    };
    hooks.publish = [raw](Post draft, const std::string& query) { return raw->control->publish(std::move(draft), query); };
    hooks.take_upload = [this, raw](const pages::Upload& upload, size_t number) { return take_upload(*raw, upload, number); };
    hooks.check_passphrase = [raw](Secret passphrase, bool known, std::function<void(api::PassphraseCheck)> done) {
        (known ? raw->known_gate : raw->gate)->ask(std::move(passphrase), std::move(done));
    };
    hooks.owner_seen = [this] { owner_seen(); };
    hooks.posted = [this] {
        relay->wake();
        relay->something_withdrawn();
    };
    hooks.runs_the_node = [this, raw] {
        auto owned = has_owner(store(), raw->self.name);
        return owned.ok() && !*owned;
    };
    hooks.lock = [this] {
        // The page that says so goes out first.
        loop.post([this] { lock_timer = loop.after(kLockDelayMs, [] { kill(getpid(), SIGUSR1); }); });
    };
    hooks.panic = [this] { destroy_own_node(config.data_directory); };
    hooks.begin_backup = [this](Secret passphrase, Secret sealing) {
        return page_job->begin_backup(std::move(passphrase), std::move(sealing));
    };
    hooks.begin_export = [this, raw](Secret passphrase) {
        return page_job->begin_export(std::move(passphrase), raw->self.name);
    };
    hooks.job = [this] { return page_job->job(); };
    hooks.job_file = [this] { return page_job->file(); };
    hooks.forget_job = [this] { page_job->forget(); };
    return hooks;
}

Result<void> Node::Impl::build()
{
    for (auto& entity : TRY(store().read([](store::ReadTx& tx) { return store::load_entities(tx); })))
        residents.push_back(std::make_unique<Resident>(std::move(entity)));
    if (residents.empty())
        return fail(ErrorKind::Invalid, "the database holds no entity; restore a backup");
    for (auto& resident : residents) {
        TRY(store().read([&](store::ReadTx& tx) { return tent::load_moves(tx, resident->self); }));
        TRY(store().write([&](store::WriteTx& tx) { return store::forget_previous_onions(tx, resident->self.id); }));
    }
    for (auto& one : TRY(store().read([](store::ReadTx& tx) { return store::previous_onions(tx); })))
        if (Resident* resident = by_id(one.owner))
            resident->previous.push_back({std::move(one), {}});
    // What a crash left half written.
    TRY(store().write([](store::WriteTx& tx) { return store::remove_orphans(tx, store::Orphans::All); }));

    Clock& clock = system_clock();
    authenticator = std::make_unique<auth::Authenticator>(store(), clock);
    http = std::make_unique<relay::HttpClient>(loop);
    relay = std::make_unique<relay::Relay>(loop, store(), *http, clock, config.data_directory, selves());
    relay->set_patience(config.patience_days * 24 * 3600'000);

    api::Hooks hooks;
    hooks.owner_seen = [this] { owner_seen(); };
    hooks.posted = [this] { relay->wake(); };
    hooks.withdrawn = [this] { relay->something_withdrawn(); };
    hooks.peer_seen = [this](int64_t owner, std::string peer) { relay->peer_seen(owner, std::move(peer)); };
    hooks.initial = [this](const tent::Self& self, std::string entity, std::string post, std::string link, Json body,
                           std::optional<uint32_t> circuit, api::Responder respond) {
        loop.post([this, request = relay::Relay::InitialRequest{self, std::move(entity), std::move(post),
                                                                std::move(link), std::move(body), circuit},
                   respond = std::move(respond)]() mutable {
            relay->answer_initial(std::move(request), std::move(respond));
        });
    };
    hooks.ask_remote = [this](tent::RemoteRequest request, std::function<void(tent::RemoteAnswer)> done) {
        relay->ask_remote(std::move(request), std::move(done));
    };
    for (auto& one : residents)
        TRY(open_gates(*one));
    hooks.is_for_pages = pages::Pages::wants;
    hooks.page = [this](net::HttpRequest request, std::shared_ptr<const api::Site> site, api::Responder respond) {
        if (Resident* one = by_id(site->self.id))
            return one->pages->handle(std::move(request), std::move(site), std::move(respond));
        respond(api::error_response(404, "Not Found"));
    };
    hooks.page_body = [this](int64_t owner, const net::RequestHead& head) {
        Resident* one = by_id(owner);
        return one ? one->pages->body_policy(head) : net::BodyPolicy();
    };
    hooks.check_passphrase = [this](int64_t owner, Secret passphrase, std::function<void(api::PassphraseCheck)> done) {
        if (Resident* one = by_id(owner))
            return one->gate->ask(std::move(passphrase), std::move(done));
        done(api::PassphraseCheck::Busy);
    };
    hooks.storage = [this](int64_t owner) { return storage(owner); };
    api::Settings settings;
    settings.upload_limit_bytes = upload_limit();
#ifdef BIVOUAC_CONFORMANCE
    if (config.conformance) {
        settings.auto_approve = true;
        settings.stranger_burst = 1'000'000;
        settings.waiting_apps = 1'000'000;
    }
#endif
    api = std::make_unique<api::Api>(store(), *authenticator, clock, std::move(hooks), settings);
    auto ids = TRY(store().read([](store::ReadTx& tx) -> Result<std::vector<std::string>> {
        std::vector<std::string> out;
        auto select = tx.prepare("SELECT hawk_id FROM credentials WHERE kind = 'app-auth'");
        while (TRY(select.step()))
            out.push_back(select.text(0));
        return out;
    }));
    for (const auto& id : ids)
        api->allow_large_bodies(id);

    for (auto& resident : residents)
        resident->control = std::make_unique<ControlApi>(store(), resident->board, resident->self,
                                                         control_hooks(*resident), upload_limit());
    page_job = std::make_unique<PageJob>(config.data_directory);
    for (auto& resident : residents)
        resident->pages = std::make_unique<pages::Pages>(store(), clock, resident->self, page_hooks(*resident),
                                                         pages::Settings{upload_limit(), config.data_directory});

    net::FrontLimits front_limits;
    front_limits.bytes_in_flight = std::max<uint64_t>(front_limits.bytes_in_flight, 4 * upload_limit());
    front = std::make_unique<net::Front>(
        loop, front_limits, config.data_directory,
        [this](int listener, const net::RequestHead& head) { return admit(listener, head); },
        [this](net::HttpRequest request, net::Responder respond) {
            handle(std::move(request), std::move(respond));
        });
    TRY(open_listeners());
    housekeeping = std::make_unique<Housekeeping>(loop, store());
    owner_seen();
    if (config.lock_after_ms > 0)
        watch_idleness();
    if (serve_until != INT64_MAX)
        watch_previous();
    return {};
}

Result<void> Node::Impl::open_listeners()
{
#ifdef BIVOUAC_CONFORMANCE
    if (config.conformance) {
        const tent::Self& self = residents.front()->self;
        auto listening = front->listen({config.listen, false, 0600});
        if (!listening.ok())
            return std::move(listening).error().in("listening");
        api->add_site(listening->id, {self, {self.host()}, false});
        relay->go_without_tor();
        return open_control_socket();
    }
#endif
    if (config.onion_from_torrc && residents.size() > 1)
        for (const auto& one : residents)
            if (one != residents.front() && config.listen_for.count(one->self.name) == 0)
                return fail(ErrorKind::Invalid, "with --onion-from-torrc each further entity needs a listener: --listen-for " +
                                                    one->self.name + "=127.0.0.1:PORT");
    if (!config.no_tor) {
        for (auto& one : residents) {
            // The first takes the address that was asked for; each further one has a port of its own.
            const auto given = config.listen_for.find(one->self.name);
            const std::string address = given != config.listen_for.end()  ? given->second
                                        : one == residents.front() ? config.listen
                                                                    : "127.0.0.1:0";
            auto listening = front->listen({address, false, 0600, config.circuit_ids});
            if (!listening.ok())
                return std::move(listening).error().in("listening for the onion");
            const std::string& onion = one->self.onion;
            api->add_site(listening->id, {one->self, {onion + ".onion", onion + ".onion:80"}, false});
            relay->avoid_address(listening->address);
            one->onion_target = listening->address;
            TRY(listen_for_previous(*one));
        }
    }
    if (config.local_api_port || config.no_tor)
        TRY(open_local_api());
    for (auto& one : residents)
        one->board.change([&](Status& s) {
            s.listen = one->onion_target;
            s.no_tor = config.no_tor;
            s.tor_mode = "none";
        });
    TRY(open_control_socket());
    if (!config.no_tor)
        start_tor();
    return {};
}

// Who comes by an address that she left finds her, and learns which one it is today.
Result<void> Node::Impl::listen_for_previous(Resident& one)
{
    for (auto& previous : one.previous) {
        const auto given = config.listen_for.find(previous.onion.onion);
        if (config.onion_from_torrc && given == config.listen_for.end()) {
            log::warning("a previous address is not served: it needs a listener of its own (--listen-for ONION=ADDR)");
            continue;
        }
        auto listening = front->listen({given == config.listen_for.end() ? "127.0.0.1:0" : given->second, false, 0600, config.circuit_ids});
        if (!listening.ok())
            return std::move(listening).error().in("listening for a previous onion");
        const std::string host = previous.onion.onion + ".onion";
        api->add_site(listening->id, {one.self, {host, host + ":80"}, false});
        relay->avoid_address(listening->address);
        previous.target = listening->address;
        serve_until = std::min(serve_until, previous.onion.until);
    }
    return {};
}

// The first has the port that was asked for, each further one a port of its own.
Result<void> Node::Impl::open_local_api()
{
    for (auto& one : residents) {
        int& port = config.local_ports[one->self.name];
        if (port == 0 && one == residents.front())
            port = config.local_api_port.value_or(0);
        auto listening = front->listen({"127.0.0.1:" + std::to_string(port), false, 0600});
        if (!listening.ok())
            return std::move(listening).error().in("listening for the local API");
        relay->avoid_address(listening->address);
        const std::string text = port_of(listening->address);
        port = std::stoi(text);  // the same again when the node begins anew
        api->add_site(listening->id, {one->self, {"127.0.0.1:" + text, "localhost:" + text}, true});
        one->board.change([&](Status& s) { s.local_api = "http://" + listening->address; });
        if (config.no_tor)
            one->onion_target = listening->address;
        if (one == residents.front())
            log::info("local API on http://" + listening->address);
    }
    return {};
}

Result<void> Node::Impl::open_control_socket()
{
    auto socket = front->listen({"unix:" + DataPaths::in(config.data_directory).socket, true, 0600});
    if (!socket.ok())
        return std::move(socket).error().in("the control socket");
    control_listener = socket->id;
    return {};
}

void Node::Impl::start_tor()
{
    tor::TorOptions options = tor_options(config);
    relay->avoid_address(options.control_address);
    say_to_all([&](Status& s) { s.tor_mode = mode_name(options.mode); });
    log::info(options.mode == tor::TorOptions::Mode::Child     ? "starting a tor of our own"
              : options.mode == tor::TorOptions::Mode::Control ? "using the running tor"
                                                               : "tor is configured by hand");
    tor::TorControl::Events events;
    events.changed = [this] { tor_changed(); };
    events.published = [this](const std::string& address, bool published) {
        Resident* one = by_onion(address);
        if (!one)
            return;
        one->board.change([&](Status& s) { s.published = published; });
        log::info(published ? "the onion is published" : "the onion is not published");
        one->own_reach->published(published);
        if (published)
            relay->onion_is_published(one->self.id);
    };
    events.socks = [this](const std::string& address) { relay->set_proxy(address); };
    events.looked_up = [this](const std::string& onion, const std::string& words) { relay->onion_looked_up(onion, words); };
    events.back = [this] { relay->tor_is_back(); };
    tor = std::make_unique<tor::TorControl>(loop, std::move(options), std::move(events));
    for (auto& one : residents) {
        relay::OwnReach::Hooks hooks;
        hooks.republish = [this, onion = one->entity.onion] { return tor->republish(onion); };
        hooks.said = [raw = one.get()](const relay::Reach& reach) { raw->board.change([&](Status& s) { s.reach = reach; }); };
        one->own_reach = std::make_unique<relay::OwnReach>(loop, *http, store(), system_clock(), one->self, std::move(hooks));
        tor->add_onion({one->entity.onion, one->entity.onion_seed.clone(), one->onion_target});
        for (const auto& previous : one->previous)
            if (!previous.target.empty())
                tor->add_onion({previous.onion.onion, previous.onion.seed.clone(), previous.target});
    }
    tor->start();
}

void Node::Impl::tor_changed()
{
    tor::TorState state = tor->state();
    if (state.bootstrap != last_bootstrap && state.connected) {
        last_bootstrap = state.bootstrap;
        log::info("tor: " + std::to_string(state.bootstrap) + " % " + state.bootstrap_text);
    }
    if (state.problem != last_problem) {
        last_problem = state.problem;
        if (!last_problem.empty())
            log::warning("tor: " + problem_for_log(last_problem));
    }
    for (auto& one : residents)
        one->own_reach->tor_is_usable(state.connected && state.bootstrap >= 100);
    say_to_all([&](Status& s) { s.tor = state; });
}

void Node::Impl::begin_stop(int64_t grace_ms, std::function<void()> done)
{
    for (auto& one : residents) {
        one->gate->close();
        one->known_gate->close();
    }
    cleaner.interrupt(true);
    housekeeping->stop();
    // The onion goes first: no new requests. Then those in hand, then the deliveries, then tor.
    auto stop_tor = [this, done = std::move(done)] {
        if (tor)
            tor->stop(done);
        else
            done();
    };
    auto stop_reach = [this, stop_tor] {
        auto left = std::make_shared<size_t>(1);
        auto one_less = [left, stop_tor] {
            if (--*left == 0)
                stop_tor();
        };
        for (auto& one : residents)
            if (one->own_reach) {
                ++*left;
                one->own_reach->stop(one_less);
            }
        one_less();
    };
    // The relay ends what is under way, the check of our own address included.
    auto stop_relay = [this, grace_ms, stop_reach] { relay->stop(grace_ms / 2, stop_reach); };
    front->stop(grace_ms / 2, stop_relay);
}

Node::Node(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl))
{
}

Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::start(RunConfig config, OpenedData data, media::Cleaner& cleaner)
{
    auto impl = std::make_unique<Impl>(std::move(config), std::move(data), cleaner);
    TRY(impl->build());
    cleaner.interrupt(false);
    return std::unique_ptr<Node>(new Node(std::move(impl)));
}

End Node::run_until_stopped()
{
    std::thread loop_thread([this] { impl_->loop.run(); });
    sigset_t set = stop_signals();
    int signal = 0;
    sigwait(&set, &signal);
    const bool locking = signal == SIGUSR1;
    const bool anew = signal == SIGUSR2;
    log::info(locking ? "locking" : anew ? "beginning anew" : "stopping");
    std::promise<void> stopped;
    auto future = stopped.get_future();
    impl_->loop.post([this, locking, &stopped] { impl_->begin_stop(locking ? 0 : kGraceMs, [&stopped] { stopped.set_value(); }); });
    if (future.wait_for(anew ? kAnewLimit : kStopLimit) != std::future_status::ready) {
        // Everything acknowledged is on disk; what hangs is dropped.
        log::warning("stopped after the time for stopping ran out");
        _exit(locking || anew ? kExitLocked : 0);
    }
    impl_->loop.stop();
    loop_thread.join();
    // Calls that wait for a commit refer to what goes now: the writer answers in order, so after this there are none.
    (void)impl_->store().write([](store::WriteTx&) -> Result<bool> { return true; }).ok();
    // In reverse order of building; the front's workers have ended, so nobody uses what goes. The gate's thread may
    // still finish a call, whose answer nobody waits for.
    for (auto& one : impl_->residents)
        one->own_reach.reset();
    impl_->tor.reset();
    impl_->front.reset();
    impl_->page_job.reset();
    for (auto& one : impl_->residents) {
        one->gate.reset();
        one->known_gate.reset();
        one->pages.reset();
        one->control.reset();
    }
    impl_->api.reset();
    impl_->relay.reset();
    impl_->http.reset();
    impl_->authenticator.reset();
    if (anew)
        return End::Anew;
    impl_->data.store.reset();
    return locking ? End::Locked : End::Stopped;
}

std::vector<std::string> Node::addresses() const
{
    std::vector<std::string> out;
    for (const auto& one : impl_->residents)
        out.push_back(one->self.entity);
    return out;
}

std::pair<RunConfig, OpenedData> Node::take()
{
    return {impl_->config, std::move(impl_->data)};
}

}  // namespace bivouac::app
