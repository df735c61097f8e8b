// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include <bivouac/app/backup.h>

#include "cli.h"
#include "local_client.h"
#include "progress_bar.h"

namespace bivouac::cli {

namespace {

struct Options {
    std::string file;
    std::string passphrase_file;
    std::string backup_passphrase_file;
    std::string new_passphrase_file;
    std::string key_file;
    bool other_is_gone = false;
};

app::BackupProgress shown_by(const std::shared_ptr<ProgressBar>& bar)
{
    return [bar](const char* what, int64_t done, int64_t all) { bar->show(what, done, all); };
}

Result<app::BackupSecret> read_secret(const Options& options, Ask ask)
{
    if (!options.key_file.empty())
        return app::BackupSecret::of_key_file(options.key_file);
    app::BackupSecret out;
    out.passphrase = TRY(read_passphrase(options.backup_passphrase_file, ask,
                                         ask == Ask::Twice ? "New passphrase, of the backup: " : "Passphrase of the backup: "));
    return out;
}

// Standard input gives one passphrase only.
Result<void> check_inputs(const Options& options)
{
    int from_input = 0;
    for (const auto* file : {&options.passphrase_file, &options.backup_passphrase_file, &options.new_passphrase_file})
        from_input += *file == "-";
    if (from_input > 1)
        return fail(ErrorKind::Invalid, "only one passphrase can come from standard input");
    return {};
}

void add_secret(CLI::App* verb, const std::shared_ptr<Options>& options)
{
    auto* words = verb->add_option("--backup-passphrase-file", options->backup_passphrase_file,
                                   "Read the backup's own passphrase from FILE; - is standard input")
                      ->type_name("FILE");
    verb->add_option("--key-file", options->key_file, "Seal the backup with the bytes of FILE (at least 32, random) instead")
        ->type_name("FILE")
        ->excludes(words);
}

Result<void> print_facts(Context& context, const char* done, const Options& options, const app::BackupFacts& facts)
{
    if (context.json) {
        print_json({{"file", options.file}, {"entity", facts.entity}, {"made_at", facts.made_at}, {"bytes", facts.bytes}});
        return {};
    }
    print(std::string(done) + ": " + facts.entity + ", as of " + local_time(facts.made_at) + ", " +
          std::to_string((facts.bytes >> 20) + 1) + " MiB");
    return {};
}

Result<void> backup(Context& context, const Options& options)
{
    if (options.file.empty())
        return fail(ErrorKind::Invalid, "say where: bivouac backup FILE");
    TRY(check_inputs(options));
    const Secret passphrase = TRY(read_passphrase(options.passphrase_file, Ask::Once, "Passphrase of the node: "));
    const auto secret = TRY(read_secret(options, Ask::Twice));
    auto facts = TRY(app::make_backup(context.data_directory, passphrase, secret, options.file,
                                      shown_by(std::make_shared<ProgressBar>())));
    TRY(print_facts(context, "backed up", options, facts));
    if (!context.json)
        print("Whoever has this file and its passphrase or key can read all of it and be you. Try it now and then: "
              "bivouac backup verify FILE");
    return {};
}

Result<void> verify(Context& context, const Options& options)
{
    const auto secret = TRY(read_secret(options, Ask::Once));
    auto facts = TRY(app::verify_backup(options.file, secret, shown_by(std::make_shared<ProgressBar>())));
    return print_facts(context, "whole", options, facts);
}

Result<void> restore(Context& context, const Options& options)
{
    if (options.other_is_gone) {
        Json nothing = Json::object();
        TRY(call_node(context.data_directory, "POST", "/restored", &nothing));
        if (context.json)
            print_json({{"confirmed", true}});
        else
            print("noted");
        return {};
    }
    if (options.file.empty())
        return fail(ErrorKind::Invalid, "say what: bivouac restore FILE");
    TRY(check_inputs(options));
    const auto secret = TRY(read_secret(options, Ask::Once));
    const Secret passphrase = TRY(read_passphrase(options.new_passphrase_file, Ask::Twice, "New passphrase, of the node: "));
    auto facts = TRY(app::restore_backup(options.file, secret, context.data_directory, passphrase,
                                         shown_by(std::make_shared<ProgressBar>())));
    TRY(print_facts(context, "restored", options, facts));
    if (!context.json) {
        print("The node that this backup was made from must not run any more: two of one address take each other's posts");
        print("away. Retire it (there: bivouac panic, or never start it again) before you start this one: bivouac run");
    }
    return {};
}

}  // namespace

void add_backup(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "backup",
                          "Write all of the node into one sealed file, while it runs or not. Asks for the node's passphrase and "
                          "for one of the backup's own.");
    verb->add_option("file", options->file, "The file to make; it must not exist")->type_name("FILE");
    verb->add_option("--passphrase-file", options->passphrase_file, "Read the node's passphrase from FILE; - is standard input")
        ->type_name("FILE");
    add_secret(verb, options);
    verb->require_subcommand(0, 1);
    auto* check = add_verb(*verb, context, "verify", "Read a backup to its end and say whether it is whole.");
    check->add_option("file", options->file, "The backup")->required()->type_name("FILE");
    add_secret(check, options);
    check->callback([&context, options] { context.action = [&context, options] { return verify(context, *options); }; });
    verb->callback([&context, options, verb] {
        if (verb->get_subcommands().empty())
            context.action = [&context, options] { return backup(context, *options); };
    });
}

void add_restore(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "restore",
                          "Make a node from a backup, in a directory that is missing or empty (--data). Asks for the backup's "
                          "passphrase and for a new one of the node.");
    auto* file = verb->add_option("file", options->file, "The backup")->type_name("FILE");
    add_secret(verb, options);
    verb->add_option("--new-passphrase-file", options->new_passphrase_file,
                     "Read the node's new passphrase from FILE; - is standard input")
        ->type_name("FILE");
    verb->add_flag("--other-is-gone", options->other_is_gone,
                   "Tell the running node that the one its backup was made from will not run again")
        ->excludes(file);
    verb->callback([&context, options] { context.action = [&context, options] { return restore(context, *options); }; });
}

}  // namespace bivouac::cli
