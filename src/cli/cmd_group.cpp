// SPDX-License-Identifier: BSD-3-Clause
// door, group, audience: who may ask, who belongs together, who reads what.
#include <memory>

#include <bivouac/base/bytes.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

namespace {

const char* words_for_door(const std::string& door)
{
    if (door == "open")
        return "open: whoever asks to follow is approved at once";
    if (door == "sealed")
        return "sealed: strangers learn nothing but where to ask; whoever asks waits for your word";
    return "vetted: whoever asks to follow waits for your word";
}

void print_group(const Json& group)
{
    const Json& members = group["members"];
    const auto count = members.is_array() ? static_cast<int64_t>(members.size()) : members.get<int64_t>();
    print(printable(group["name"].get<std::string>()) + "  " + std::to_string(count) +
          (count == 1 ? " member" : " members") + "  id " + group["id"].get<std::string>());
    if (members.is_array())
        for (const auto& member : members)
            print("  " + printable(member.get<std::string>()));
}

Result<void> change_group(Context& context, const Json& body, const char* done)
{
    Json answer = TRY(call_node(context.data_directory, "POST", "/groups", &body));
    if (context.json) {
        print_json(answer);
        return {};
    }
    print(done);
    print_group(answer["group"]);
    return {};
}

}  // namespace

void add_door(CLI::App& app, Context& context)
{
    auto door = std::make_shared<std::string>();
    auto* verb = add_verb(app, context, "door", "Say who may follow: open, vetted or sealed. Without a word: show how it is.");
    verb->add_option("door", *door, "open | vetted | sealed")->check(CLI::IsMember({"open", "vetted", "sealed"}));
    verb->callback([&context, door] {
        context.action = [&context, door]() -> Result<void> {
            Json body = {{"door", *door}};
            Json answer = door->empty() ? TRY(call_node(context.data_directory, "GET", "/door"))
                                        : TRY(call_node(context.data_directory, "POST", "/door", &body));
            if (context.json)
                print_json(answer);
            else
                print(words_for_door(answer["door"].get<std::string>()));
            return {};
        };
    });
}

void add_group(CLI::App& app, Context& context)
{
    auto* verb = add_verb(app, context, "group", "Groups of readers: post to one with --to group:NAME.");
    verb->require_subcommand(1);
    struct Options {
        std::string name;
        std::vector<std::string> add;
        std::vector<std::string> remove;
    };
    auto options = std::make_shared<Options>();

    auto* list = add_verb(*verb, context, "list", "List your groups.");
    list->callback([&context] {
        context.action = [&context]() -> Result<void> {
            Json answer = TRY(call_node(context.data_directory, "GET", "/groups"));
            if (context.json) {
                print_json(answer);
                return {};
            }
            for (const auto& group : answer["groups"])
                print_group(group);
            return {};
        };
    });
    auto* add = add_verb(*verb, context, "add", "Make a group.");
    add->add_option("name", options->name, "What it is called; only you and your apps see it")->required()->type_name("NAME");
    add->callback([&context, options] {
        context.action = [&context, options] {
            return change_group(context, {{"action", "add"}, {"group", options->name}}, "made:");
        };
    });
    auto* remove = add_verb(*verb, context, "remove", "Remove a group. What was only for it has no other readers then.");
    remove->add_option("name", options->name, "Its name or id")->required()->type_name("GROUP");
    remove->callback([&context, options] {
        context.action = [&context, options] {
            return change_group(context, {{"action", "remove"}, {"group", options->name}}, "removed:");
        };
    });
    auto* members = add_verb(*verb, context, "members", "Show who is in a group, put people in, take them out.");
    members->add_option("name", options->name, "Its name or id")->required()->type_name("GROUP");
    members->add_option("--add", options->add, "Put her in: she may read what is for the group, older posts too")
        ->type_name("ENTITY")->expected(1)->take_all();
    members->add_option("--remove", options->remove, "Take her out: she gets nothing further")
        ->type_name("ENTITY")->expected(1)->take_all();
    members->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            for (const auto& [action, entities] : {std::pair("join", &options->add), std::pair("leave", &options->remove)}) {
                if (entities->empty())
                    continue;
                Json body = {{"action", action}, {"group", options->name}, {"entities", *entities}};
                TRY(call_node(context.data_directory, "POST", "/groups", &body));
            }
            Json answer = TRY(call_node(context.data_directory, "GET", "/group?group=" + percent_encode(options->name)));
            if (context.json)
                print_json(answer);
            else
                print_group(answer["group"]);
            return {};
        };
    });
}

void add_audience(CLI::App& app, Context& context)
{
    struct Options {
        std::string post;
        std::vector<std::string> to;
        std::string reply_to;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "audience", "Name every reader of a post of yours, or of one that you have not posted yet.");
    verb->add_option("post", options->post, "The id of your post")->type_name("POST");
    verb->add_option("--to", options->to, "As with bivouac post: who would get it")->type_name("WHOM")->expected(1)->take_all();
    verb->add_option("--reply-to", options->reply_to, "As with bivouac post")->type_name("POST");
    verb->callback([&context, options] {
        if (!options->post.empty() && (!options->to.empty() || !options->reply_to.empty()))
            throw CLI::ValidationError("either a post, or --to and --reply-to");
        context.action = [&context, options]() -> Result<void> {
            const std::string query = options->post.empty() ? audience_query(options->to, options->reply_to)
                                                            : "?post=" + percent_encode(options->post);
            Json answer = TRY(call_node(context.data_directory, "GET", "/audience" + query));
            if (context.json)
                print_json(answer);
            else
                print_audience(answer["audience"]);
            return {};
        };
    });
}

}  // namespace bivouac::cli
