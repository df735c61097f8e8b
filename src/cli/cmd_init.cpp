// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include <bivouac/app/data_directory.h>

#include "cli.h"

namespace bivouac::cli {

void add_init(CLI::App& app, Context& context)
{
    auto file = std::make_shared<std::string>();
    auto* verb = add_verb(app, context, "init",
                          "Make a node: its data directory, keys and encrypted file. Asks for a new passphrase twice.");
    verb->add_option("--passphrase-file", *file, "Read the passphrase from FILE; - is standard input")
        ->type_name("FILE");
    verb->callback([&context, file] {
        context.action = [&context, file]() -> Result<void> {
            Secret passphrase = TRY(read_passphrase(*file, Ask::Twice));
            auto made = TRY(app::init_data_directory(context.data_directory, passphrase));
            if (context.json) {
                print_json({{"entity", made.entity}, {"data", context.data_directory}});
                return {};
            }
            print("Your address: " + made.entity);
            print("Start the node with: bivouac run");
            print("There is no way back into this node without the passphrase.");
            return {};
        };
    });
}

}  // namespace bivouac::cli
