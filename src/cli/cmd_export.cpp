// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include <bivouac/app/export.h>
#include <bivouac/model/duration.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>

#include "cli.h"
#include "progress_bar.h"

namespace bivouac::cli {

namespace {

struct Options {
    std::string file;
    std::string passphrase_file;
    std::vector<std::string> only;
    std::vector<std::string> without;
    std::vector<std::string> types;
    std::string since;
};

// A filter that fits nothing would leave in what she means to keep out of it.
Result<void> check_filter(const Options& options)
{
    for (const auto& entity : options.without)
        if (!is_entity_url(entity))
            return fail(ErrorKind::Invalid, "--without: " + printable(entity) +
                                                " is no address; write it as bivouac followers and following show it");
    for (const auto& type : options.types)
        if (!parse_type(type).ok())
            return fail(ErrorKind::Invalid, "--types: " + printable(type) + " is no type of posts; for example: " + type::kStatusBase);
    return {};
}

Result<void> run(Context& context, const Options& options)
{
    TRY(check_filter(options));
    app::ExportFilter filter;
    filter.only_public = !options.only.empty();
    for (std::string entity : options.without) {
        while (entity.ends_with('/'))
            entity.pop_back();
        filter.without.push_back(entity);
    }
    filter.types = options.types;
    if (!options.since.empty())
        filter.since_ms = system_clock().now_ms() - TRY(parse_duration(options.since));
    const Secret passphrase = TRY(read_passphrase(options.passphrase_file, Ask::Once));
    Secret owner;
    if (!context.owner_passphrase_file.empty())
        owner = TRY(read_passphrase(context.owner_passphrase_file, Ask::Once, "Passphrase of the entity's owner: "));
    auto bar = std::make_shared<ProgressBar>();
    auto facts = TRY(app::export_node(context.data_directory, passphrase, context.as, owner, options.file, filter,
                                      [bar](const char* what, int64_t done, int64_t all) { bar->show(what, done, all); }));
    bar.reset();
    if (context.json) {
        print_json({{"file", options.file},
                    {"entity", facts.entity},
                    {"versions", facts.versions},
                    {"attachments", facts.attachments},
                    {"relationships", facts.relationships}});
        return {};
    }
    print("exported: " + std::to_string(facts.versions) + " versions of posts, " + std::to_string(facts.attachments) +
          " attachments, " + std::to_string(facts.relationships) + " relationships");
    print("This file is not encrypted: whoever has it can read it. It holds no keys.");
    return {};
}

}  // namespace

void add_export(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "export",
                          "Write posts, attachments and relationships in open formats into one .tar.zst, not encrypted, while the "
                          "node runs or not. Asks for the passphrase.");
    verb->add_option("file", options->file, "The file to make; it must not exist")->required()->type_name("FILE");
    verb->add_option("--passphrase-file", options->passphrase_file, "Read the passphrase from FILE; - is standard input")
        ->type_name("FILE");
    verb->add_option("--only", options->only, "public: nothing that only some may read")
        ->check(CLI::IsMember({"public"}))
        ->expected(1);
    verb->add_option("--without", options->without, "Nothing by this entity (may be repeated)")
        ->type_name("ENTITY")->expected(1)->take_all();
    verb->add_option("--types", options->types, "Only posts of this type, with or without #fragment (may be repeated)")
        ->type_name("TYPE")->expected(1)->take_all();
    verb->add_option("--since", options->since, "Only what came within this time: 30m, 12h, 7d, 2w")->type_name("TIME");
    verb->callback([&context, options] { context.action = [&context, options] { return run(context, *options); }; });
}

}  // namespace bivouac::cli
