// SPDX-License-Identifier: BSD-3-Clause
#include <iostream>
#include <memory>

#include <bivouac/app/data_directory.h>
#include <bivouac/app/entities.h>
#include <bivouac/model/duration.h>

#include <unistd.h>

#include "cli.h"
#include "local_client.h"
#include "progress_bar.h"

namespace bivouac::cli {

namespace {

struct Options {
    std::string keep = "90d";
    std::string passphrase_file;
    bool yes = false;
};

Result<void> ask_once()
{
    std::fputs("You get a new address. Everybody who follows you, and whom you follow, is told, signed by the old address; bivouac's\n"
               "nodes go on by themselves, people on other Tent servers may have to follow you again. There is no way back.\n"
               "Type move to go on: ",
               stderr);
    std::string line;
    if (!std::getline(std::cin, line) || line != "move")
        return fail(ErrorKind::Conflict, "nothing was done; without the question: --yes");
    return {};
}

Result<void> wait_for(const Context& context, const std::string& entity)
{
    for (int tenths = 0; tenths < 600; ++tenths) {
        ::usleep(100'000);
        auto status = call_node(context.data_directory, "GET", "/status");
        if (status.ok() && status->value("entity", "") == entity)
            return {};
    }
    return fail(ErrorKind::Unavailable, "the address is " + entity + ", but the node did not come back by itself; see: bivouac status");
}

Result<void> run(Context& context, const Options& options)
{
    const int64_t keep = options.keep == "0" ? 0 : TRY(parse_duration(options.keep));
    const bool runs = TRY(find_running(context.data_directory)).has_value();
    if (!options.yes)
        TRY(ask_once());
    std::string entity;
    if (runs) {
        const Json body = {{"serve_old_ms", keep}};
        ProgressBar bar;
        entity = TRY(call_node_patiently(context.data_directory, "POST", "/move", body, [&] {
                     auto now = call_node(context.data_directory, "GET", "/status");
                     if (now.ok() && now->contains("moving"))
                         bar.show("posts", (*now)["moving"]["done"].get<int64_t>(), (*now)["moving"]["all"].get<int64_t>());
                 }))["entity"].get<std::string>();
        TRY(wait_for(context, entity));
    } else {
        const Secret passphrase = TRY(read_passphrase(options.passphrase_file, Ask::Once, "Passphrase of the node: "));
        Secret owner;
        if (!context.owner_passphrase_file.empty())
            owner = TRY(read_passphrase(context.owner_passphrase_file, Ask::Once, "Passphrase of the entity's owner: "));
        auto data = TRY(app::open_data_directory(context.data_directory, passphrase));
        TRY(app::check_owner(*data.store, context.as, owner));
        auto bar = std::make_shared<ProgressBar>();
        entity = TRY(app::move_to_new_address(*data.store, context.as, keep,
                                              [bar](int64_t done, int64_t all) { bar->show("posts", done, all); }));
    }
    if (context.json) {
        print_json({{"entity", entity}});
        return {};
    }
    print(entity);
    if (runs)
        print("Everybody is being told; who was, and who not yet: bivouac deliveries");
    else
        print("Everybody is told when the node runs: bivouac run");
    return {};
}

}  // namespace

void add_move(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "move",
                          "Get a new address and take posts and followers along: on the old node, or on one made from its backup when "
                          "that is gone.");
    verb->add_option("--keep-old", options->keep, "Answer at the old address, too, for so long (default 90d; 0: not at all)")
        ->type_name("TIME");
    verb->add_option("--passphrase-file", options->passphrase_file,
                     "Read the passphrase from FILE (only needed while the node is off); - is standard input")
        ->type_name("FILE");
    verb->add_flag("--yes", options->yes, "Do not ask");
    verb->callback([&context, options] { context.action = [&context, options] { return run(context, *options); }; });
}

}  // namespace bivouac::cli
