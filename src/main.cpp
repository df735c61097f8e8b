// SPDX-License-Identifier: BSD-3-Clause
// Finds the verb, runs it, turns its Result into an exit code and one line on standard error.
// 0: done. 1: refused or failed. 2: wrong usage. 3: a search that found nothing.
#include <filesystem>
#include <cstdio>

#include <sys/stat.h>

#include <bivouac/app/config.h>
#include <bivouac/app/entities.h>

#include "cli/cli.h"
#include "cli/ids.h"
#include "cli/local_client.h"
#ifdef BIVOUAC_CONFORMANCE
#include "conformance/conformance.h"
#endif

namespace bivouac::cli {

CLI::App* add_verb(CLI::App& app, Context& context, const std::string& name, const std::string& help)
{
    auto* verb = app.add_subcommand(name, help);
    verb->add_option("--data", context.data_directory, "The node's data directory (default: " +
                                                           app::default_data_directory() + ")")
        ->type_name("DIR");
    verb->add_flag("--json", context.json, "Print JSON");
    verb->add_option("--as", context.as, "Which entity of the node, by its name (default: the first; see: bivouac entity list)")
        ->type_name("NAME");
    verb->add_option("--owner-passphrase-file", context.owner_passphrase_file,
                     "The passphrase of that entity's owner, where she is not whoever runs the node: read it from FILE")
        ->type_name("FILE");
    return verb;
}

Result<void> choose_entity(const Context& context)
{
    if (!context.as.empty())
        TRY(app::check_entity_name(context.as));
    std::function<Result<Secret>()> ask;
    if (!context.owner_passphrase_file.empty())
        ask = [&context] { return read_passphrase(context.owner_passphrase_file, Ask::Once, "Passphrase of the entity's owner: "); };
    speak_as(context.as, std::move(ask));
    return {};
}

}  // namespace bivouac::cli

int main(int argc, char** argv)
{
    using namespace bivouac;
    umask(077);
    if (!harden_process()) {
        std::fputs("bivouac: the cryptographic library cannot start\n", stderr);
        return 1;
    }
    cli::Context context;
    context.data_directory = app::default_data_directory();
    CLI::App app("bivouac: a social server on a Tor onion, for vetted followers. It speaks the Tent protocol 0.3.",
                 "bivouac");
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("bivouac ") + BIVOUAC_VERSION);
    for (auto add : {cli::add_init, cli::add_passphrase, cli::add_run, cli::add_open, cli::add_status, cli::add_post, cli::add_feed, cli::add_show,
                     cli::add_attachment, cli::add_search, cli::add_follow, cli::add_unfollow, cli::add_followers,
                     cli::add_following, cli::add_catch_up, cli::add_door, cli::add_group, cli::add_invite, cli::add_audience,
                     cli::add_deliveries, cli::add_stop, cli::add_lock, cli::add_unlock, cli::add_panic, cli::add_backup, cli::add_restore, cli::add_export, cli::add_import, cli::add_entity, cli::add_move, cli::add_app, cli::add_onion_key})
        add(app, context);
#ifdef BIVOUAC_CONFORMANCE
    cli::add_conformance_server(app, context);
#endif
    try {
        cli::parse_with_ids(app, std::vector<std::string>(argv + 1, argv + argc));
    } catch (const CLI::ParseError& error) {
        // Help and version are no mistakes; everything else is wrong usage.
        return app.exit(error) == 0 ? 0 : 2;
    }
    // Sockets and torrc want whole paths.
    std::error_code no_cwd;
    if (auto whole = std::filesystem::absolute(context.data_directory, no_cwd); !no_cwd)
        context.data_directory = whole.lexically_normal();
    while (context.data_directory.size() > 1 && context.data_directory.back() == '/')
        context.data_directory.pop_back();
    Result<void> result = cli::choose_entity(context);
    if (result.ok())
        result = context.action();
    if (result.ok())
        return context.exit_code;
    cli::print_error(result.error());
    return 1;
}
