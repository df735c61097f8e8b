// SPDX-License-Identifier: BSD-3-Clause
// feed, show, attachment: reading what the node holds.
#include <cstdio>
#include <memory>

#include <unistd.h>

#include <bivouac/base/bytes.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

void add_feed(CLI::App& app, Context& context)
{
    struct Options {
        int limit = 25;
        bool all = false;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "feed", "Show your posts and those of the entities you follow, newest first.");
    verb->add_option("--limit", options->limit, "How many (1 to 200)")->check(CLI::Range(1, 200))->capture_default_str();
    verb->add_flag("--all", options->all, "Also the posts by which the protocol keeps its books");
    verb->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            std::string target = "/feed?limit=" + std::to_string(options->limit) + (options->all ? "&all=1" : "");
            Json answer = TRY(call_node(context.data_directory, "GET", target));
            if (context.json) {
                print_json(answer);
                return {};
            }
            for (const auto& post : answer["posts"])
                print_post(post, answer);
            if (answer["posts"].empty())
                print("Nothing yet. Follow somebody: bivouac follow ENTITY");
            return {};
        };
    });
}

void add_show(CLI::App& app, Context& context)
{
    struct Options {
        std::string entity;
        std::string post;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "show", "Show one post, and what was posted about it.");
    verb->add_option("entity", options->entity, "Who published it")->required()->type_name("ENTITY");
    verb->add_option("post", options->post, "Its id")->required()->type_name("POST");
    verb->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            Json answer = TRY(call_node(context.data_directory, "GET",
                                        "/show?entity=" + percent_encode(options->entity) +
                                            "&post=" + percent_encode(options->post)));
            if (context.json) {
                print_json(answer);
                return {};
            }
            print_post(answer["post"], answer);
            const Json& about = answer["about_it"];
            if (!about.empty())
                print("About it:");
            for (auto post = about.rbegin(); post != about.rend(); ++post)
                print_post(*post, answer);
            return {};
        };
    });
}

void add_attachment(CLI::App& app, Context& context)
{
    struct Options {
        std::string entity;
        std::string post;
        std::string name;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "attachment", "Write the bytes of an attachment to standard output.");
    verb->add_option("entity", options->entity, "Who published the post")->required()->type_name("ENTITY");
    verb->add_option("post", options->post, "The post's id")->required()->type_name("POST");
    verb->add_option("name", options->name, "The attachment's name")->required()->type_name("NAME");
    verb->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            if (isatty(STDOUT_FILENO))
                return fail(ErrorKind::Invalid,
                            "this would write bytes to the terminal; send them to a file: bivouac attachment ... > FILE");
            auto written = stream_from_node(context.data_directory,
                                            "/attachment?entity=" + percent_encode(options->entity) +
                                                "&post=" + percent_encode(options->post) +
                                                "&name=" + percent_encode(options->name),
                                            [](std::string_view piece) {
                                                return std::fwrite(piece.data(), 1, piece.size(), stdout) ==
                                                       piece.size();
                                            });
            if (written.ok() && std::fflush(stdout) != 0)
                return fail(ErrorKind::Unavailable, "writing the output failed");
            return written;
        };
    });
}

}  // namespace bivouac::cli
