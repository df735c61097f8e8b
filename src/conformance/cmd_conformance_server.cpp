// SPDX-License-Identifier: BSD-3-Clause
// The verb conformance-server: a node for other people's test suites on this machine. The same code as `run` but for
// its address, an open door, consent without a person, and requests that go straight to this machine.
#include <memory>

#include <bivouac/app/data_directory.h>
#include <bivouac/app/node.h>
#include <bivouac/base/files.h>

#include "conformance.h"

namespace bivouac::cli {

namespace {

// Nothing in such a directory is anybody's secret; it only has to open again.
constexpr std::string_view kPassphrase = "conformance";

Result<void> serve(Context& context, uint16_t port)
{
    const std::string address = "127.0.0.1:" + std::to_string(port);
    auto cleaner = TRY(media::Cleaner::start());
    const Secret passphrase{std::string(kPassphrase)};
    if (!file_exists(app::DataPaths::in(context.data_directory).database)) {
        app::InitOptions options;
        options.cost = {1, 8 << 10};
        options.entity = "http://" + address;
        options.door = store::Door::Open;
        TRY(app::init_data_directory(context.data_directory, passphrase, options));
    }
    app::block_stop_signals();
    auto data = TRY(app::open_data_directory(context.data_directory, passphrase));
    app::RunConfig config;
    config.data_directory = context.data_directory;
    config.listen = address;
    config.conformance = true;
    auto node = TRY(app::Node::start(config, std::move(data), *cleaner));
    print("http://" + address);
    node->run_until_stopped();
    return {};
}

}  // namespace

void add_conformance_server(CLI::App& app, Context& context)
{
    auto port = std::make_shared<uint16_t>();
    auto* verb = add_verb(app, context, "conformance-server",
                          "Serve one entity http://127.0.0.1:PORT to a test suite on this machine. Never for people: "
                          "no Tor, no passphrase, everything is granted.");
    verb->add_option("--port", *port, "The port on 127.0.0.1")->type_name("N")->required()->check(CLI::Range(1, 65535));
    verb->callback([&context, port] { context.action = [&context, port] { return serve(context, *port); }; });
}

}  // namespace bivouac::cli
