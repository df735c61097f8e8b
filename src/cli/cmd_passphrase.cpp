// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include <bivouac/app/data_directory.h>

#include "cli.h"

namespace bivouac::cli {

namespace {

struct Options {
    std::string file;
    std::string new_file;
    std::string name;
    std::string which;
};

CLI::App* add_action(CLI::App& verb, Context& context, const std::shared_ptr<Options>& options, const char* name,
                     const char* help, std::function<Result<void>(Context&, const Options&)> action)
{
    auto* sub = add_verb(verb, context, name, help);
    sub->add_option("--passphrase-file", options->file, "Read the passphrase from FILE; - is standard input")
        ->type_name("FILE");
    sub->callback([&context, options, action] {
        context.action = [&context, options, action] { return action(context, *options); };
    });
    return sub;
}

void add_new_file(CLI::App* sub, const std::shared_ptr<Options>& options)
{
    sub->add_option("--new-passphrase-file", options->new_file, "Read the new one from FILE; - is standard input")
        ->type_name("FILE");
}

// The one that opens the node now, and the one that is to.
Result<std::pair<Secret, Secret>> read_both(const Options& options)
{
    if (options.file == "-" && options.new_file == "-")
        return fail(ErrorKind::Invalid, "only one of the two passphrases can come from standard input");
    Secret known = TRY(read_passphrase(options.file, Ask::Once, "Passphrase now: "));
    Secret fresh = TRY(read_passphrase(options.new_file, Ask::Twice));
    return std::pair(std::move(known), std::move(fresh));
}

Result<void> said(Context& context, const char* words)
{
    if (context.json)
        print_json({{"done", true}});
    else
        print(words);
    return {};
}

Result<void> list(Context& context, const Options& options)
{
    const Secret passphrase = TRY(read_passphrase(options.file, Ask::Once));
    Json all = Json::array();
    for (const auto& slot : TRY(app::list_passphrases(context.data_directory, passphrase)))
        all.push_back({{"number", slot.number},
                       {"name", slot.name},
                       {"since", slot.since == 0 ? Json() : Json(slot.since)},
                       {"this", slot.is_this}});
    if (context.json) {
        print_json({{"passphrases", all}});
        return {};
    }
    for (const auto& slot : all) {
        const auto name = slot["name"].get<std::string>();
        print(std::to_string(slot["number"].get<size_t>()) + (name.empty() ? "" : "  " + printable(name)) +
              (slot["since"].is_null() ? "" : "  since " + local_time(slot["since"].get<int64_t>())) +
              (slot["this"].get<bool>() ? "  (the one you gave)" : ""));
    }
    return {};
}

}  // namespace

void add_passphrase(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "passphrase", "The passphrases that open the node: change, add, remove, list.");
    verb->require_subcommand(1);
    auto* change = add_action(
        *verb, context, options, "change",
        "Put a new passphrase in the place of the one that you give. The node may run.",
        [](Context& c, const Options& o) -> Result<void> {
            auto both = TRY(read_both(o));
            TRY(app::change_passphrase(c.data_directory, both.first, both.second));
            return said(c, "changed; copies of the old key file, in backups for example, open with the old one");
        });
    add_new_file(change, options);
    auto* add = add_action(
        *verb, context, options, "add", "Add a passphrase that opens the node as well; up to eight in all.",
        [](Context& c, const Options& o) -> Result<void> {
            auto both = TRY(read_both(o));
            TRY(app::add_passphrase(c.data_directory, both.first, both.second, o.name));
            return said(c, "added");
        });
    add_new_file(add, options);
    add->add_option("--name", options->name, "What you call it, at most 32 bytes")->type_name("NAME");
    auto* remove = add_action(
        *verb, context, options, "remove",
        "Take away the passphrase of that number or name. Asks for one that opens the node; the last one stays.",
        [](Context& c, const Options& o) -> Result<void> {
            const Secret passphrase = TRY(read_passphrase(o.file, Ask::Once));
            TRY(app::remove_passphrase(c.data_directory, passphrase, o.which));
            return said(c, "removed; copies of the old key file, in backups for example, still open with it");
        });
    remove->add_option("which", options->which, "Its number or name: bivouac passphrase list")
        ->required()
        ->type_name("NUMBER|NAME");
    add_action(*verb, context, options, "list", "List the passphrases by number and name, not themselves.", list);
}

}  // namespace bivouac::cli
