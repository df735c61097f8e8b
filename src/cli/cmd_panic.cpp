// SPDX-License-Identifier: BSD-3-Clause
#include <iostream>
#include <memory>

#include <bivouac/app/panic.h>

#include <unistd.h>

#include "cli.h"

namespace bivouac::cli {

namespace {

Result<void> ask_once(const std::string& directory)
{
    constexpr const char* kWord = "destroy";
    std::fputs(("This destroys the node in " + directory +
                ": keys, posts, followers, its address. Nobody can undo it, you neither.\n"
                "Type " + kWord + " to go on: ")
                   .c_str(),
               stderr);
    std::string line;
    if (!std::getline(std::cin, line) || line != kWord)
        return fail(ErrorKind::Conflict, "nothing was done; without the question: bivouac panic --now");
    return {};
}

}  // namespace

void add_panic(CLI::App& app, Context& context)
{
    auto now = std::make_shared<bool>(false);
    auto* verb = add_verb(app, context, "panic",
                          "Destroy the node: its keys at once, then its process and files. Needs no passphrase; works while "
                          "the node runs, hangs or is off.");
    verb->add_flag("--now", *now, "Do not ask");
    verb->callback([&context, now] {
        context.action = [&context, now]() -> Result<void> {
            if (!*now)
                TRY(ask_once(context.data_directory));
            auto done = TRY(app::destroy_node(context.data_directory));
            if (context.json) {
                print_json({{"keys_destroyed_us", done.keys_destroyed_us},
                            {"node_ended", done.node_ended},
                            {"files", done.files},
                            {"left", done.left}});
            } else {
                print("keys destroyed after " + std::to_string(done.keys_destroyed_us / 1000) + " ms");
                print(done.node_ended ? "the node was running and was killed" : "no node was running");
                print(std::to_string(done.files) + " files removed");
            }
            if (done.left.empty())
                return {};
            std::string words = "not all is gone";
            for (const auto& one : done.left)
                words += "; " + one;
            return fail(ErrorKind::Unavailable, words);
        };
    });
}

}  // namespace bivouac::cli
