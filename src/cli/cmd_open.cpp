// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include <bivouac/qr/qr.h>

#include <unistd.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

void add_open(CLI::App& app, Context& context)
{
    struct Options {
        bool local = false;
        bool qr = false;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "open", "Print a link that logs in to the pages of the running node: it works once, for ten minutes.");
    verb->add_flag("--local", options->local, "A link to this machine instead of the onion (needs: bivouac run --local-api)");
    verb->add_flag("--qr", options->qr, "Print it as a QR code, too");
    verb->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            const Json body = Json::object();
            const Json answer = TRY(call_node(context.data_directory, "POST", "/login-link", &body));
            if (options->local && !answer["local"].is_string())
                return fail(ErrorKind::Conflict, "the node does not listen on this machine; start it with: bivouac run --local-api");
            const std::string link = answer[options->local ? "local" : "link"].get<std::string>();
            if (context.json) {
                print_json({{"link", link}});
                return {};
            }
            print(link);
            if (options->qr) {
                auto code = TRY(make_qr(link));
                print(qr_for_terminal(code, isatty(STDOUT_FILENO) ? QrColours::Yes : QrColours::No));
            }
            return {};
        };
    });
}

}  // namespace bivouac::cli
