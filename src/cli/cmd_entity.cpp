// SPDX-License-Identifier: BSD-3-Clause
// entity add, list, remove, quota, owner, export: several people, or several faces of one, on one node.
#include <iostream>
#include <memory>

#include <bivouac/app/data_directory.h>
#include <bivouac/app/entities.h>
#include <bivouac/base/bytes.h>

#include <unistd.h>

#include "cli.h"
#include "local_client.h"
#include "progress_bar.h"

namespace bivouac::cli {

namespace {

struct Options {
    std::string name;
    std::string file;
    std::string from;
    std::string door = "vetted";
    std::string passphrase_file;
    std::string backup_passphrase_file;
    std::string new_passphrase_file;
    std::string key_file;
    int64_t posts = 0;
    std::string bytes;
    bool none = false;
    bool yes = false;
};
using OptionsPtr = std::shared_ptr<Options>;

app::BackupProgress shown_by(const std::shared_ptr<ProgressBar>& bar)
{
    return [bar](const char* what, int64_t done, int64_t all) { bar->show(what, done, all); };
}

// "500M" in bytes; K, M, G, T are powers of 1024.
Result<int64_t> size_of(const std::string& text)
{
    size_t used = 0;
    int64_t number = 0;
    try {
        number = std::stoll(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    const std::string unit = text.substr(used);
    constexpr std::string_view kUnits = "KMGT";
    const size_t at = unit.empty() ? 0 : kUnits.find(unit);
    const size_t power = unit.empty() ? 0 : at + 1;
    if (used == 0 || number < 0 || unit.size() > 1 || at == kUnits.npos || number > (INT64_MAX >> (10 * power)))
        return fail(ErrorKind::Invalid, "not a size: " + text + "; write it as 500M or 2G");
    return number << (10 * power);
}

Result<bool> node_runs(const Context& context)
{
    return TRY(find_running(context.data_directory)).has_value();
}

Result<app::OpenedData> open_off(const Context& context, const Options& options)
{
    const Secret passphrase = TRY(read_passphrase(options.passphrase_file, Ask::Once, "Passphrase of the node: "));
    return app::open_data_directory(context.data_directory, passphrase);
}

// The node takes its parts down and up again; until it lists her, or does not any more.
Result<void> wait_for(const Context& context, const std::string& name, bool there)
{
    for (int tenths = 0; tenths < 400; ++tenths) {
        ::usleep(100'000);
        auto all = call_node(context.data_directory, "GET", "/entities");
        if (!all.ok())
            continue;
        bool listed = false;
        for (const auto& one : (*all)["serving"])
            listed = listed || one == name;
        if (listed == there)
            return {};
    }
    return fail(ErrorKind::Unavailable, "it is done, but the node did not come back by itself; see: bivouac status");
}

Result<void> add(Context& context, const Options& options)
{
    if (!options.from.empty()) {
        if (TRY(node_runs(context)))
            return fail(ErrorKind::Conflict, "the node is running; stop it first: bivouac stop");
        app::BackupSecret secret;
        if (!options.key_file.empty())
            secret = TRY(app::BackupSecret::of_key_file(options.key_file));
        else
            secret.passphrase = TRY(read_passphrase(options.backup_passphrase_file, Ask::Once, "Passphrase of the file: "));
        const Secret passphrase = TRY(read_passphrase(options.passphrase_file, Ask::Once, "Passphrase of the node: "));
        auto facts = TRY(app::adopt_entity(context.data_directory, passphrase, options.from, secret, options.name,
                                           shown_by(std::make_shared<ProgressBar>())));
        if (context.json) {
            print_json({{"name", options.name}, {"entity", facts.entity}});
            return {};
        }
        print(options.name + "  " + facts.entity);
        print("She must not run anywhere else any more: two of one address take each other's posts away. There: bivouac "
              "entity remove, or bivouac panic. Then here, when the node runs: bivouac restore --other-is-gone");
        return {};
    }
    Json answer;
    if (TRY(node_runs(context))) {
        Json body = {{"action", "add"}, {"name", options.name}, {"door", options.door}};
        answer = TRY(call_node(context.data_directory, "POST", "/entities", &body));
        TRY(wait_for(context, options.name, true));
    } else {
        const auto door = store::door_of(options.door);
        auto data = TRY(open_off(context, options));
        answer = {{"name", options.name},
                  {"entity", TRY(app::add_entity(*data.store, options.name, door.value_or(store::Door::Vetted)))}};
    }
    if (context.json) {
        print_json(answer);
        return {};
    }
    print(answer["entity"].get<std::string>());
    print("To act as her: --as " + options.name + " on every verb");
    return {};
}

Result<void> list(Context& context, const Options& options)
{
    Json all = Json::array();
    if (TRY(node_runs(context)))
        all = TRY(call_node(context.data_directory, "GET", "/entities"))["entities"];
    else {
        auto data = TRY(open_off(context, options));
        for (const auto& one : TRY(app::list_entities(*data.store)))
            all.push_back(app::entity_json(one));
    }
    if (context.json) {
        print_json({{"entities", all}});
        return {};
    }
    for (const auto& one : all) {
        const auto name = one["name"].get<std::string>();
        print(name + std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') + one["entity"].get<std::string>());
        std::string line = std::string(14, ' ') + std::to_string(one["posts"].get<int64_t>()) + " posts";
        if (one["most_posts"].is_number())
            line += " of " + std::to_string(one["most_posts"].get<int64_t>());
        line += ", " + std::to_string((one["bytes"].get<int64_t>() + (1 << 20) - 1) >> 20) + " MiB";
        if (one["most_bytes"].is_number())
            line += " of " + std::to_string(one["most_bytes"].get<int64_t>() >> 20);
        if (one["has_owner"].get<bool>())
            line += ", belongs to somebody else";
        if (one.contains("published"))
            line += one["published"].get<bool>() ? ", published" : ", not published";
        print(line);
    }
    return {};
}

Result<void> remove(Context& context, const Options& options)
{
    if (!options.yes) {
        std::fputs(("This removes " + options.name + ": her posts, followers and address. Nobody can undo it. Type her name to go on: ").c_str(),
                   stderr);
        std::string line;
        if (!std::getline(std::cin, line) || line != options.name)
            return fail(ErrorKind::Conflict, "nothing was done; without the question: --yes");
    }
    if (TRY(node_runs(context))) {
        Json body = {{"action", "remove"}, {"name", options.name}};
        TRY(call_node(context.data_directory, "POST", "/entities", &body));
        TRY(wait_for(context, options.name, false));
    } else {
        auto data = TRY(open_off(context, options));
        TRY(app::remove_entity(*data.store, options.name));
    }
    if (context.json)
        print_json({{"removed", options.name}});
    else
        print("removed: " + options.name);
    return {};
}

Result<void> quota(Context& context, const Options& options)
{
    const int64_t bytes = options.bytes.empty() ? 0 : TRY(size_of(options.bytes));
    if (options.posts < 0)
        return fail(ErrorKind::Invalid, "a number of posts is 0, for no limit, or more");
    if (TRY(node_runs(context))) {
        Json body = {{"action", "quota"}, {"name", options.name}, {"posts", options.posts}, {"bytes", bytes}};
        TRY(call_node(context.data_directory, "POST", "/entities", &body));
    } else {
        auto data = TRY(open_off(context, options));
        TRY(app::set_entity_quota(*data.store, options.name, options.posts, bytes));
    }
    if (context.json)
        print_json({{"name", options.name}, {"posts", options.posts}, {"bytes", bytes}});
    else
        print(options.posts == 0 && bytes == 0 ? options.name + ": no limits" : options.name + ": limits set");
    return {};
}

Result<void> owner(Context& context, const Options& options)
{
    const bool runs = TRY(node_runs(context));
    Secret now;
    if (!context.owner_passphrase_file.empty())
        now = TRY(read_passphrase(context.owner_passphrase_file, Ask::Once, "Passphrase of the entity's owner: "));
    Secret fresh;
    if (!options.none)
        fresh = TRY(read_passphrase(options.new_passphrase_file, Ask::Twice, "New passphrase, of the entity's owner: "));
    if (runs) {
        Json body = {{"action", "owner"}, {"name", options.name}, {"now", to_base64(now.view())}, {"new", to_base64(fresh.view())}};
        auto answer = call_node(context.data_directory, "POST", "/entities", &body);
        for (const char* secret : {"now", "new"})
            wipe(body[secret].get_ref<std::string&>());
        TRY(std::move(answer));
    } else {
        auto data = TRY(open_off(context, options));
        TRY(app::set_owner_passphrase(*data.store, options.name, now, fresh));
    }
    if (context.json)
        print_json({{"name", options.name}, {"has_owner", !options.none}});
    else
        print(options.none ? options.name + " belongs to whoever runs the node"
                           : options.name + " has a passphrase of her own now: for her apps, and for every verb that shows what is hers");
    return {};
}

Result<void> export_one(Context& context, const Options& options)
{
    app::BackupSecret secret;
    if (!options.key_file.empty())
        secret = TRY(app::BackupSecret::of_key_file(options.key_file));
    const Secret passphrase = TRY(read_passphrase(options.passphrase_file, Ask::Once, "Passphrase of the node: "));
    Secret hers;
    if (!context.owner_passphrase_file.empty())
        hers = TRY(read_passphrase(context.owner_passphrase_file, Ask::Once, "Passphrase of the entity's owner: "));
    if (options.key_file.empty())
        secret.passphrase = TRY(read_passphrase(options.backup_passphrase_file, Ask::Twice, "New passphrase, of the file: "));
    auto facts = TRY(app::export_entity(context.data_directory, passphrase, options.name, hers, secret, options.file,
                                        shown_by(std::make_shared<ProgressBar>())));
    if (context.json)
        print_json({{"file", options.file}, {"entity", facts.entity}, {"made_at", facts.made_at}, {"bytes", facts.bytes}});
    else
        print("written: " + facts.entity + "; elsewhere: bivouac restore FILE, or bivouac entity add NAME --from FILE");
    return {};
}

void add_name(CLI::App& verb, const OptionsPtr& options)
{
    verb.add_option("name", options->name, "Her name on this node; only you see it")->required()->type_name("NAME");
}

void add_passphrase_file(CLI::App& verb, const OptionsPtr& options, const std::string& when)
{
    verb.add_option("--passphrase-file", options->passphrase_file, "Read the node's passphrase from FILE" + when + "; - is standard input")
        ->type_name("FILE");
}

void add_secret(CLI::App& verb, const OptionsPtr& options)
{
    auto* words = verb.add_option("--backup-passphrase-file", options->backup_passphrase_file,
                                  "Read the sealed file's own passphrase from FILE; - is standard input")
                      ->type_name("FILE");
    verb.add_option("--key-file", options->key_file, "The file is sealed with the bytes of FILE (at least 32, random) instead")
        ->type_name("FILE")
        ->excludes(words);
}

}  // namespace

void add_entity(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    const std::string off = " (only needed while the node is off)";
    auto* verb = add_verb(app, context, "entity", "Further entities on this node: each with its own address, followers and apps.");
    verb->require_subcommand(1);
    auto with = [&](CLI::App* sub, Result<void> (*action)(Context&, const Options&)) {
        sub->callback([&context, options, action] {
            context.action = [&context, options, action] { return action(context, *options); };
        });
    };

    auto* added = add_verb(*verb, context, "add", "Make a new entity, or bring one from elsewhere.");
    add_name(*added, options);
    added->add_option("--door", options->door, "open, vetted (default) or sealed")->check(CLI::IsMember({"open", "vetted", "sealed"}));
    added->add_option("--from", options->from, "A file that `entity export` or `backup` made; the node must be off")->type_name("FILE");
    add_secret(*added, options);
    add_passphrase_file(*added, options, off);
    with(added, add);

    auto* listed = add_verb(*verb, context, "list", "List the entities of this node and what they hold.");
    add_passphrase_file(*listed, options, off);
    with(listed, list);

    auto* removed = add_verb(*verb, context, "remove", "Remove an entity with all that is hers.");
    add_name(*removed, options);
    removed->add_flag("--yes", options->yes, "Do not ask");
    add_passphrase_file(*removed, options, off);
    with(removed, remove);

    auto* limited = add_verb(*verb, context, "quota", "Limit what an entity may hold; without a number, no limit.");
    add_name(*limited, options);
    limited->add_option("--posts", options->posts, "Posts, her own and those she received")->type_name("N");
    limited->add_option("--bytes", options->bytes, "Posts and attachments, as 500M or 2G")->type_name("SIZE");
    add_passphrase_file(*limited, options, off);
    with(limited, quota);

    auto* owned = add_verb(*verb, context, "owner",
                           "Give an entity a passphrase of its owner, who is not whoever runs the node; or change it.");
    add_name(*owned, options);
    auto* fresh = owned->add_option("--new-passphrase-file", options->new_passphrase_file,
                                    "Read the new one from FILE; - is standard input")
                      ->type_name("FILE");
    owned->add_flag("--none", options->none, "No passphrase of her own any more")->excludes(fresh);
    add_passphrase_file(*owned, options, off);
    with(owned, owner);

    auto* exported = add_verb(*verb, context, "export", "Write one entity alone into a sealed file, to take her to another node.");
    add_name(*exported, options);
    exported->add_option("file", options->file, "The file to make; it must not exist")->required()->type_name("FILE");
    add_secret(*exported, options);
    add_passphrase_file(*exported, options, "");
    with(exported, export_one);
}

}  // namespace bivouac::cli
