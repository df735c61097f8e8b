// SPDX-License-Identifier: BSD-3-Clause
#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

namespace {

void print_status(const Json& s)
{
    const Json& tor = s["tor"];
    print("address     " + s["entity"].get<std::string>());
    if (tor.value("mode", "") == "none")
        print("tor         off (--no-tor): deliveries wait");
    else
        print("tor         " + std::to_string(tor["bootstrap"].get<int>()) + " % " + tor.value("summary", "") +
              (tor.value("connected", false) ? "" : " (not connected)"));
    if (tor.contains("problem"))
        print("            " + printable(tor["problem"].get<std::string>()));
    print(std::string("published   ") + (s["published"].get<bool>() ? "yes" : "no"));
    print("listening   " + s["listen"].get<std::string>());
    if (s["local_api"].is_string())
        print("local API   " + s["local_api"].get<std::string>());
    print("followers   " + std::to_string(s["followers"].get<int64_t>()) + " approved, " +
          std::to_string(s["pending_followers"].get<int64_t>()) + " waiting for your decision");
    const Json& outbox = s["outbox"];
    print("outbox      " + std::to_string(outbox["waiting"].get<int64_t>()) + " waiting, " +
          std::to_string(outbox["delivered"].get<int64_t>()) + " delivered, " +
          std::to_string(outbox["refused"].get<int64_t>()) + " refused, " +
          std::to_string(outbox["given_up"].get<int64_t>()) + " given up");
    if (outbox["fetching"].get<int64_t>() > 0)
        print("            " + std::to_string(outbox["fetching"].get<int64_t>()) + " attachments on their way here");
}

}  // namespace

void add_status(CLI::App& app, Context& context)
{
    auto* verb = add_verb(app, context, "status", "Show address, tor, followers and outbox of the running node.");
    verb->callback([&context] {
        context.action = [&context]() -> Result<void> {
            Json status = TRY(call_node(context.data_directory, "GET", "/status"));
            if (context.json)
                print_json(status);
            else
                print_status(status);
            return {};
        };
    });
}

}  // namespace bivouac::cli
