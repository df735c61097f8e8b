// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

void add_app(CLI::App& app, Context& context)
{
    struct Options {
        std::string name;
        std::vector<std::string> read;
        std::vector<std::string> write;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "app", "Programs that use the API.");
    verb->require_subcommand(1);
    auto* create = add_verb(*verb, context, "create", "Make the credentials of an app of your own on this machine.");
    create->add_option("--name", options->name, "What it is called")->required()->type_name("NAME");
    create->add_option("--read", options->read, "A post type it may read, or all (may be repeated; default all)")
        ->type_name("TYPE")
        ->expected(1)
        ->take_all();
    create->add_option("--write", options->write, "A post type it may write, or all (may be repeated; default all)")
        ->type_name("TYPE")
        ->expected(1)
        ->take_all();
    create->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            if (options->read.empty())
                options->read.push_back("all");
            if (options->write.empty())
                options->write.push_back("all");
            Json body = {{"name", options->name}, {"read", options->read}, {"write", options->write}};
            Json answer = TRY(call_node(context.data_directory, "POST", "/app", &body));
            if (context.json) {
                print_json(answer);
            } else {
                print("id              " + answer["id"].get<std::string>());
                print("hawk_key        " + answer["hawk_key"].get<std::string>());
                print("hawk_algorithm  " + answer["hawk_algorithm"].get<std::string>());
                print("app             " + answer["app"].get<std::string>());
                print("entity          " + answer["entity"].get<std::string>());
                if (answer["api_root"].is_string())
                    print("api_root        " + answer["api_root"].get<std::string>());
            }
            if (!answer["api_root"].is_string())
                std::fputs("bivouac: the local API is off; start the node with: bivouac run --local-api\n", stderr);
            return {};
        };
    });
}

}  // namespace bivouac::cli
