// SPDX-License-Identifier: BSD-3-Clause
// deliveries: the ledger of what went to whom.
#include <memory>

#include <bivouac/base/bytes.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

namespace {

struct Options {
    std::string post;
    std::string to;
    std::string state;
    int limit = 50;
    int64_t before = 0;
    bool cancel = false;
    bool retry = false;
};

std::string words_for(const Json& delivery)
{
    const auto state = delivery["state"].get<std::string>();
    const auto problem = delivery.value("problem", std::string());
    const std::string tries = std::to_string(delivery["tries"].get<int64_t>());
    const std::string because = problem.empty() ? "" : ": " + printable(problem);
    if (state == "delivered")
        return "delivered " + local_time(delivery["ended_at"].get<int64_t>());
    if (state == "waiting")
        return "waiting, " + tries + " tries" +
               (delivery.contains("next_try_at") ? ", next " + local_time(delivery["next_try_at"].get<int64_t>()) : "") +
               because;
    const std::string word = state == "given_up" ? "given up" : state;
    return word + " " + local_time(delivery.value("ended_at", int64_t(0))) + because;
}

Result<void> change(Context& context, const Options& options)
{
    Json body = {{"action", options.cancel ? "cancel" : "retry"}, {"post", options.post}, {"entity", options.to}};
    Json answer = TRY(call_node(context.data_directory, "POST", "/deliveries", &body));
    if (context.json)
        print_json(answer);
    else if (options.cancel)
        print("taken back: " + std::to_string(answer["cancelled"].get<int64_t>()) + " (what has been delivered stays delivered)");
    else
        print("waiting, and tried now: " + std::to_string(answer["waiting"].get<int64_t>()));
    return {};
}

Result<void> list(Context& context, const Options& options)
{
    std::string target = "/deliveries?limit=" + std::to_string(options.limit);
    for (const auto& [name, value] : {std::pair("post", &options.post), std::pair("entity", &options.to),
                                      std::pair("state", &options.state)})
        if (!value->empty())
            target += "&" + std::string(name) + "=" + percent_encode(*value);
    if (options.before > 0)
        target += "&before=" + std::to_string(options.before);
    Json answer = TRY(call_node(context.data_directory, "GET", target));
    if (context.json) {
        print_json(answer);
        return {};
    }
    for (const auto& delivery : answer["deliveries"])
        print(delivery["post"].get<std::string>() + "  " + printable(delivery["entity"].get<std::string>()) + "  " +
              words_for(delivery));
    if (answer["deliveries"].empty())
        print("There is none.");
    if (answer["next_before"].is_number())
        print("More: --before " + std::to_string(answer["next_before"].get<int64_t>()));
    return {};
}

}  // namespace

void add_deliveries(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "deliveries",
                          "What became of your posts for each of their recipients, newest first; take back what waits, "
                          "or try it now.");
    verb->add_option("post", options->post, "Only of this post")->type_name("POST");
    verb->add_option("--to", options->to, "Only to this entity")->type_name("ENTITY");
    verb->add_option("--state", options->state, "Only these: waiting, delivered, refused, given_up, cancelled")
        ->check(CLI::IsMember({"waiting", "delivered", "refused", "given_up", "cancelled"}));
    verb->add_option("--limit", options->limit, "How many (1 to 1000)")->check(CLI::Range(1, 1000))->capture_default_str();
    verb->add_option("--before", options->before, "Go on where the last list ended")->type_name("NUMBER");
    auto* cancel = verb->add_flag("--cancel", options->cancel, "Take back what still waits, of that post or to that entity");
    verb->add_flag("--retry-now", options->retry,
                   "Try now what waits; with a post or --to also what was refused, given up or taken back")
        ->excludes(cancel);
    verb->callback([&context, options] {
        context.action = [&context, options] {
            return options->cancel || options->retry ? change(context, *options) : list(context, *options);
        };
    });
}

}  // namespace bivouac::cli
