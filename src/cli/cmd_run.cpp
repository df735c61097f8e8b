// SPDX-License-Identifier: BSD-3-Clause
#include <memory>
#include <optional>

#include <bivouac/app/doors.h>
#include <bivouac/app/guardian.h>
#include <bivouac/app/locked.h>
#include <bivouac/app/node.h>
#include <bivouac/base/log.h>
#include <bivouac/media/cleaner.h>
#include <bivouac/model/duration.h>
#include <bivouac/qr/qr.h>
#include <bivouac/tor/tails.h>

#include <unistd.h>

#include "cli.h"

namespace bivouac::cli {

namespace {

struct RunOptions {
    app::RunConfig config;
    std::string passphrase_file;
    std::string credential;
    bool locked = false;
    std::vector<int> local_api;  // empty, or one port
    std::string lock_after;
    std::vector<std::string> listen_for;
    bool log_names = false;
    bool verbose = false;
};

Result<app::Waited> open(Context& context, RunOptions& options, app::Begin begin)
{
    if (begin == app::Begin::Locked) {
        app::block_stop_signals();
        app::confine_worker(options.config);
        return app::wait_for_passphrase(context.data_directory);
    }
    const Secret passphrase = TRY(read_passphrase(options.passphrase_file, Ask::Once));
    app::block_stop_signals();
    app::confine_worker(options.config);
    auto data = TRY(app::open_data_directory(context.data_directory, passphrase));
    return app::Waited{std::move(data), 0};
}

// For a person at a terminal; a log file gets no address.
void greet(const app::Node& node, bool no_tor)
{
    if (!isatty(STDOUT_FILENO))
        return;
    const auto addresses = node.addresses();
    print("Your address: " + addresses.front());
    if (auto code = make_qr(addresses.front()); code.ok())
        print(qr_for_terminal(*code, QrColours::Yes));
    print("Give it to those who may ask to follow you.");
    print(no_tor ? "Your pages: the link that this prints in another terminal: bivouac open --local"
                 : "Your pages: open the link that this prints in another terminal with Tor Browser: bivouac open");
}

// Gives the exit code.
Result<int> serve(Context& context, RunOptions& options, app::Begin begin)
{
    // Before a passphrase is in memory: the processes that clean files are copies of this one.
    auto cleaner = TRY(media::Cleaner::start());
    auto opened = TRY(open(context, options, begin));
    auto data = std::move(opened.data);
    if (!data)
        return opened.exit_code;
    for (app::RunConfig config = options.config;;) {
        auto node = TRY(app::Node::start(config, std::move(*data), *cleaner));
        greet(*node, config.no_tor);
        const app::End end = node->run_until_stopped();
        if (end != app::End::Anew)
            return end == app::End::Locked ? app::kExitLocked : 0;
        auto left = node->take();
        config = std::move(left.first);
        data.emplace(std::move(left.second));
    }
}

Result<void> run(Context& context, RunOptions& options, bool local_api_asked)
{
    log::set_names(options.log_names);
    log::set_level(options.verbose ? log::Level::Debug : log::Level::Info);
    options.config.data_directory = context.data_directory;
    if (local_api_asked)
        options.config.local_api_port =
            options.local_api.empty() ? uint16_t(0) : static_cast<uint16_t>(options.local_api.front());
    for (const auto& text : options.listen_for) {
        const size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
            return fail(ErrorKind::Invalid, "--listen-for takes NAME=ADDR, as in alice=127.0.0.1:7002");
        options.config.listen_for[text.substr(0, equals)] = text.substr(equals + 1);
    }
    if (!options.lock_after.empty())
        options.config.lock_after_ms = TRY(parse_duration(options.lock_after));
    if (!options.credential.empty()) {
        options.passphrase_file = TRY(credential_file(options.credential));
        options.locked = options.passphrase_file.empty();
    }
    if (!options.config.tor_extra.empty() && tor::is_tails())
        return fail(ErrorKind::Invalid, "on Tails only its own tor has a way out, and a second one would be stopped: leave out --tor-extra");
    TRY(app::open_doors(options.config));
    context.exit_code = app::guard(
        [&](app::Begin begin) {
            auto code = serve(context, options, options.locked ? app::Begin::Locked : begin);
            if (!code.ok())
                print_error(code.error());
            return code.ok() ? *code : 1;
        },
        [&] { app::confine_guardian(options.config); });
    return {};
}

}  // namespace

void add_run(CLI::App& app, Context& context)
{
    auto options = std::make_shared<RunOptions>();
    auto& config = options->config;
    auto* verb = add_verb(app, context, "run", "Run the node in the foreground until it is told to stop (Ctrl-C, or: bivouac stop).");
    auto* file = verb->add_option("--passphrase-file", options->passphrase_file,
                                  "Read the passphrase from FILE; - is standard input")
                     ->type_name("FILE");
    auto* locked = verb->add_flag("--locked", options->locked, "Start locked, without a passphrase: bivouac unlock gives it")
                       ->excludes(file);
    verb->add_option("--credential", options->credential,
                     "Read the passphrase from this credential of the systemd unit; without it, start locked")
        ->type_name("NAME")
        ->excludes(file)
        ->excludes(locked);
    auto* control = verb->add_option("--tor-control", config.tor_control,
                                     "Use the tor whose control port or socket is at ADDR (127.0.0.1:PORT or "
                                     "unix:/path). Without it a running tor is looked for; if there is none, bivouac "
                                     "starts one of its own")
                        ->type_name("ADDR");
    auto* extra = verb->add_option("--tor-extra", config.tor_extra,
                                   "Start a tor of our own with the lines of FILE added to its torrc")
                      ->type_name("FILE")
                      ->excludes(control);
    auto* torrc = verb->add_flag("--onion-from-torrc", config.onion_from_torrc,
                                 "tor is configured by hand (see torrc.example); use with --listen")
                      ->excludes(control)
                      ->excludes(extra);
    verb->add_option("--tor-socks", config.tor_socks,
                     "tor's SOCKS address with --onion-from-torrc (default 127.0.0.1:9050)")
        ->type_name("ADDR")
        ->needs(torrc);
    verb->add_flag("--circuit-ids", config.circuit_ids,
                   "With --onion-from-torrc: the torrc says HiddenServiceExportCircuitID haproxy, so bound each circuit")
        ->needs(torrc);
    verb->add_option("--listen", config.listen,
                     "Where tor hands over the onion's connections: 127.0.0.1:PORT or unix:/path (default: a port "
                     "chosen by the system)")
        ->type_name("ADDR");
    verb->add_option("--listen-for", options->listen_for,
                     "As --listen, for a further entity of this node: NAME=127.0.0.1:PORT (may be repeated)")
        ->type_name("NAME=ADDR")
        ->expected(1)
        ->take_all();
    auto* local = verb->add_option("--local-api", options->local_api,
                                   "Also serve the API to apps on this machine, on 127.0.0.1:PORT (default: chosen by "
                                   "the system)")
                      ->type_name("[PORT]")
                      ->expected(0, 1)
                      ->check(CLI::Range(0, 65535));
    verb->add_flag("--no-tor", config.no_tor, "Serve only the local API; deliveries wait")
        ->excludes(control)
        ->excludes(extra)
        ->excludes(torrc);
    verb->add_option("--upload-limit", config.upload_limit_mib,
                     "Take attachments of up to MIB mebibytes, from apps and from the command line (default 100)")
        ->type_name("MIB")
        ->check(CLI::Range(1, 4096));
    verb->add_option("--patience", config.patience_days,
                     "Try deliveries for this many days before giving up (default 14)")
        ->type_name("DAYS")
        ->check(CLI::Range(1, 365));
    verb->add_option("--lock-after", options->lock_after,
                     "Lock the node when you did nothing for so long (30m, 12h, ...; default: never). What your apps ask counts")
        ->type_name("TIME");
    verb->add_flag("--log-names", options->log_names, "Write entities into the log (off: the log names nobody)");
    verb->add_flag("-v,--verbose", options->verbose, "Log more");
    verb->callback([&context, options, local] {
        context.action = [&context, options, local] { return run(context, *options, local->count() > 0); };
    });
}

}  // namespace bivouac::cli
