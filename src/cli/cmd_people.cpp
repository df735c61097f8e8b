// SPDX-License-Identifier: BSD-3-Clause
// follow, unfollow, followers, following.
#include <memory>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

namespace {

Result<Json> tell(Context& context, const std::string& target, const Json& body)
{
    Json answer = TRY(call_node(context.data_directory, "POST", target, &body));
    if (context.json)
        print_json(answer);
    return answer;
}

const char* words_for_following(const std::string& state)
{
    if (state == "connecting")
        return "not reached yet; we keep trying";
    if (state == "requested")
        return "asked; waiting for approval";
    return "approved";
}

Result<void> list_followers(Context& context)
{
    Json answer = TRY(call_node(context.data_directory, "GET", "/followers"));
    if (context.json) {
        print_json(answer);
        return {};
    }
    for (const auto& f : answer["followers"])
        print(f["state"].get<std::string>() + "  " + printable(f["entity"].get<std::string>()) + "  since " +
              local_time(f["since"].get<int64_t>()));
    if (answer["followers"].empty())
        print("Nobody has asked to follow yet.");
    return {};
}

}  // namespace

void add_follow(CLI::App& app, Context& context)
{
    auto entity = std::make_shared<std::string>();
    auto* verb = add_verb(app, context, "follow", "Ask to follow an entity. She decides; see: bivouac following");
    verb->add_option("entity", *entity, "Her address: http://<56 letters and digits>.onion")
        ->required()
        ->type_name("ENTITY");
    verb->callback([&context, entity] {
        context.action = [&context, entity]() -> Result<void> {
            Json answer = TRY(tell(context, "/follow", {{"entity", *entity}}));
            if (!context.json)
                print(std::string("asking to follow: ") +
                      words_for_following(answer["following"]["state"].get<std::string>()));
            return {};
        };
    });
}

void add_unfollow(CLI::App& app, Context& context)
{
    auto entity = std::make_shared<std::string>();
    auto* verb = add_verb(app, context, "unfollow", "Stop following an entity, or take back the wish to.");
    verb->add_option("entity", *entity, "Her address")->required()->type_name("ENTITY");
    verb->callback([&context, entity] {
        context.action = [&context, entity]() -> Result<void> {
            TRY(tell(context, "/unfollow", {{"entity", *entity}}));
            if (!context.json)
                print("no longer following");
            return {};
        };
    });
}

void add_followers(CLI::App& app, Context& context)
{
    auto* verb = add_verb(app, context, "followers", "List who follows or asks to; approve, deny or block.");
    verb->require_subcommand(0, 1);
    verb->callback([&context, verb] {
        if (verb->get_subcommands().empty())
            context.action = [&context] { return list_followers(context); };
    });
    struct Action {
        const char* name;
        const char* help;
        const char* done;
    };
    for (Action action : {Action{"approve", "Let her follow: she gets what you post to followers from now on.", "approved"},
                          Action{"deny", "Do not let her follow. She is not told.", "denied; she is not told"},
                          Action{"block", "Refuse everything from her from now on.", "blocked"}}) {
        auto entity = std::make_shared<std::string>();
        auto* sub = add_verb(*verb, context, action.name, action.help);
        sub->add_option("entity", *entity, "Her address")->required()->type_name("ENTITY");
        sub->callback([&context, entity, action] {
            context.action = [&context, entity, action]() -> Result<void> {
                TRY(tell(context, "/followers", {{"action", action.name}, {"entity", *entity}}));
                if (!context.json)
                    print(action.done);
                return {};
            };
        });
    }
}

void add_following(CLI::App& app, Context& context)
{
    auto* verb = add_verb(app, context, "following", "List whom you follow and how far it has come.");
    verb->callback([&context] {
        context.action = [&context]() -> Result<void> {
            Json answer = TRY(call_node(context.data_directory, "GET", "/following"));
            if (context.json) {
                print_json(answer);
                return {};
            }
            for (const auto& f : answer["following"]) {
                print(printable(f["entity"].get<std::string>()) + "  " +
                      words_for_following(f["state"].get<std::string>()));
                if (f.contains("problem"))
                    print("  last try: " + printable(f["problem"].get<std::string>()));
            }
            if (answer["following"].empty())
                print("You follow nobody yet: bivouac follow ENTITY");
            return {};
        };
    });
}

}  // namespace bivouac::cli
