// SPDX-License-Identifier: BSD-3-Clause
// app create, list, show, allow, revoke, remove.
#include <memory>

#include <bivouac/base/bytes.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

namespace {

struct Options {
    std::string app;
    std::string name;
    std::vector<std::string> read;
    std::vector<std::string> write;
    std::vector<std::string> scopes;
};
using OptionsPtr = std::shared_ptr<Options>;

void add_types(CLI::App& verb, const OptionsPtr& options, const std::string& more)
{
    verb.add_option("--read", options->read, "A post type it may read, or all (may be repeated" + more + ")")
        ->type_name("TYPE")
        ->expected(1)
        ->take_all();
    verb.add_option("--write", options->write, "A post type it may write, or all (may be repeated" + more + ")")
        ->type_name("TYPE")
        ->expected(1)
        ->take_all();
}

void print_field(const std::string& name, const std::string& value)
{
    print(name + std::string(name.size() < 16 ? 16 - name.size() : 1, ' ') + printable(value));
}

void print_grant(const std::string& before, const Json& grant)
{
    for (const char* list : {"read", "write", "scopes"})
        for (const auto& element : grant[list])
            print_field(before + (list == std::string("scopes") ? "scope" : list), element.get<std::string>());
}

void print_app(const Json& app)
{
    print_field("id", app["id"]);
    print_field("name", app["name"]);
    if (app.contains("description"))
        print_field("description", app["description"]);
    print_field("url", app["url"]);
    print_field("sends you to", app["redirect_uri"]);
    print_field("registered", local_time(app["registered_at"]));
    if (app.contains("notification_url"))
        print_field("notifies", app["notification_url"].get<std::string>() +
                                    (app["notification_url_used"].get<bool>() ? "" : "  (not used)"));
    if (app["granted"].is_null()) {
        print_field("allowed", "no");
        print_grant("wants ", app["wanted"]);
        return;
    }
    print_field("allowed", "since " + local_time(app["granted_at"]));
    print_grant("may ", app["granted"]);
    const Json& granted = app["granted"];
    if (granted["read"].empty() && granted["write"].empty())
        print_field("may read", "public posts");
}

Result<void> create(Context& context, Options& options)
{
    // Who names one of the two means no more than that: writing everything would include reading it.
    if (options.read.empty() && options.write.empty()) {
        options.read.push_back("all");
        options.write.push_back("all");
    }
    Json body = {{"name", options.name}, {"read", options.read}, {"write", options.write}};
    Json answer = TRY(call_node(context.data_directory, "POST", "/app", &body));
    if (context.json) {
        print_json(answer);
    } else {
        for (const char* name : {"id", "hawk_key", "hawk_algorithm", "app", "entity"})
            print_field(name, answer[name]);
        if (answer["api_root"].is_string())
            print_field("api_root", answer["api_root"]);
    }
    if (!answer["api_root"].is_string())
        std::fputs("bivouac: the local API is off; start the node with: bivouac run --local-api\n", stderr);
    return {};
}

Result<void> list(Context& context)
{
    Json answer = TRY(call_node(context.data_directory, "GET", "/apps"));
    if (context.json) {
        print_json(answer);
        return {};
    }
    for (const auto& app : answer["apps"])
        print(printable(app["id"].get<std::string>()) + "  " +
              (app["granted"].is_null() ? "not allowed yet         "
                                        : "since " + local_time(app["granted_at"]) + "  ") +
              printable(app["name"].get<std::string>()) + "  " + printable(app["url"].get<std::string>()));
    if (answer["apps"].empty())
        print("No app has asked yet.");
    return {};
}

Result<void> show(Context& context, const Options& options)
{
    Json answer = TRY(call_node(context.data_directory, "GET", "/app?app=" + percent_encode(options.app)));
    if (context.json)
        print_json(answer);
    else
        print_app(answer["app"]);
    return {};
}

Result<void> decide(Context& context, const Options& options, const std::string& action)
{
    Json body = {{"app", options.app},
                 {"action", action},
                 {"read", options.read},
                 {"write", options.write},
                 {"scopes", options.scopes}};
    Json answer = TRY(call_node(context.data_directory, "POST", "/apps", &body));
    if (context.json)
        print_json(answer);
    else if (action == "allow")
        print_app(answer["app"]);
    else if (action == "revoke")
        print("revoked; its next request is refused");
    else
        print("removed");
    return {};
}

CLI::App* add_app_verb(CLI::App& parent, Context& context, const OptionsPtr& options, const std::string& name,
                       const std::string& help)
{
    auto* verb = add_verb(parent, context, name, help);
    verb->add_option("app", options->app, "Its id, or its name if no other app has it")->required()->type_name("APP");
    return verb;
}

}  // namespace

void add_app(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "app", "Programs that use the API: list them, decide what they may do.");
    verb->require_subcommand(1);
    auto* created = add_verb(*verb, context, "create", "Make the credentials of an app of your own on this machine.");
    created->add_option("--name", options->name, "What it is called")->required()->type_name("NAME");
    add_types(*created, options, "; if neither --read nor --write is given: all");
    created->callback([&context, options] { context.action = [&context, options] { return create(context, *options); }; });

    auto* listed = add_verb(*verb, context, "list", "List the apps that asked, and since when they are allowed.");
    listed->callback([&context] { context.action = [&context] { return list(context); }; });

    auto* shown = add_app_verb(*verb, context, options, "show", "Show what an app says of itself and what it may do.");
    shown->callback([&context, options] { context.action = [&context, options] { return show(context, *options); }; });

    auto* allowed = add_app_verb(*verb, context, options, "allow",
                                 "Change what an app may do: this replaces all that it was allowed before.");
    add_types(*allowed, options, "");
    allowed->add_option("--scope", options->scopes, "permissions or import (may be repeated)")
        ->type_name("SCOPE")
        ->expected(1)
        ->take_all();
    allowed->callback([&context, options] {
        if (options->read.empty() && options->write.empty() && options->scopes.empty())
            throw CLI::ValidationError("say what it may do with --read, --write and --scope; to take everything away: "
                                       "bivouac app revoke");
        context.action = [&context, options] { return decide(context, *options, "allow"); };
    });

    auto* revoked = add_app_verb(*verb, context, options, "revoke",
                                 "Take away everything an app was allowed; its key is dead at once. It may ask again.");
    revoked->callback(
        [&context, options] { context.action = [&context, options] { return decide(context, *options, "revoke"); }; });

    auto* removed = add_app_verb(*verb, context, options, "remove", "Revoke an app and forget that it ever asked.");
    removed->callback(
        [&context, options] { context.action = [&context, options] { return decide(context, *options, "remove"); }; });
}

}  // namespace bivouac::cli
