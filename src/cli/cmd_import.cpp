// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include <bivouac/app/data_directory.h>
#include <bivouac/app/entities.h>
#include <bivouac/app/import.h>
#include <bivouac/app/panic.h>

#include "cli.h"
#include "progress_bar.h"

namespace bivouac::cli {

namespace {

struct Options {
    std::string file;
    std::string passphrase_file;
    bool follow = false;
};

std::string counted(int64_t number, const std::string& what)
{
    return number == 0 ? std::string() : ", " + std::to_string(number) + " " + what;
}

void print_facts(const app::ImportFacts& facts, bool follow)
{
    print("posts         " + std::to_string(facts.taken) + " versions taken" + counted(facts.here, "were here") +
          counted(facts.deleted, "were deleted here and stay so") + counted(facts.left_out, "belong to the old address and its keys") +
          counted(facts.refused, "refused"));
    print("attachments   " + std::to_string(facts.attachments) + " taken" + counted(facts.attachments_here, "were here") +
          counted(facts.attachments_missing, "missing") + counted(facts.attachments_refused, "refused"));
    print("people        " + std::to_string(facts.relationships) + " taken" +
          counted(facts.relationships_here, "were known here, which counts"));
    for (const auto& problem : facts.problems)
        print("refused       " + printable(problem));
    if (!facts.following.empty() && !follow)
        print("You followed " + std::to_string(facts.following.size()) + " people by the old address; to ask them again: bivouac import --follow");
}

Result<void> run(Context& context, const Options& options)
{
    if (app::find_node(context.data_directory).worker != 0)
        return fail(ErrorKind::Conflict, "the node is running; stop it first: bivouac stop");
    // Before the passphrase is in memory: what reads the file is a copy of this process.
    auto import = TRY(app::Import::open(options.file));
    const Secret passphrase = TRY(read_passphrase(options.passphrase_file, Ask::Once));
    Secret owner;
    if (!context.owner_passphrase_file.empty())
        owner = TRY(read_passphrase(context.owner_passphrase_file, Ask::Once, "Passphrase of the entity's owner: "));
    auto data = TRY(app::open_data_directory(context.data_directory, passphrase));
    TRY(app::check_owner(*data.store, context.as, owner));
    auto bar = std::make_shared<ProgressBar>();
    auto facts = TRY(import.run(*data.store, context.as, options.follow,
                                [bar](const char* what, int64_t done, int64_t of) { bar->show(what, done, of); }));
    bar.reset();
    if (context.json)
        print_json({{"entity", facts.entity},
                    {"same_entity", facts.same_entity},
                    {"taken", facts.taken},
                    {"here", facts.here},
                    {"deleted", facts.deleted},
                    {"left_out", facts.left_out},
                    {"refused", facts.refused},
                    {"attachments", facts.attachments},
                    {"attachments_here", facts.attachments_here},
                    {"attachments_refused", facts.attachments_refused},
                    {"attachments_missing", facts.attachments_missing},
                    {"relationships", facts.relationships},
                    {"relationships_here", facts.relationships_here},
                    {"following", facts.following},
                    {"problems", facts.problems}});
    else
        print_facts(facts, options.follow);
    return {};
}

}  // namespace

void add_import(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "import",
                          "Take back what `export` wrote, into this entity, whether the export is its own or of an address that it had "
                          "elsewhere. The node must be off; asks for its passphrase.");
    verb->add_option("file", options->file, "The .tar.zst")->required()->type_name("FILE");
    verb->add_option("--passphrase-file", options->passphrase_file, "Read the passphrase from FILE; - is standard input")->type_name("FILE");
    verb->add_flag("--follow", options->follow, "Ask everybody again who was followed by the old address");
    verb->callback([&context, options] { context.action = [&context, options] { return run(context, *options); }; });
}

}  // namespace bivouac::cli
