// SPDX-License-Identifier: BSD-3-Clause
// follow, unfollow, followers, following.
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <set>
#include <thread>

#include <bivouac/base/bytes.h>

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
    if (state == "refused")
        return "refused";
    return "approved";
}

void print_move(const Json& person)
{
    if (person.contains("moved"))
        print("  was " + printable(person["moved"]["from"].get<std::string>()) + " until " +
              local_time(person["moved"]["noticed_at"].get<int64_t>()) + "; both addresses signed the move");
}

void print_follower(const Json& f)
{
    const std::string name = f.value("name", std::string());
    print(f["state"].get<std::string>() + "  " + printable(f["entity"].get<std::string>()) +
          (name.empty() ? "" : "  calls herself " + printable(name)) + "  since " + local_time(f["since"].get<int64_t>()) +
          ", first seen " + local_time(f["first_seen"].get<int64_t>()));
    if (f.contains("note"))
        print("  says: " + printable(f["note"].get<std::string>()));
    if (f.contains("safety_phrase"))
        print("  safety phrase: " + f["safety_phrase"].get<std::string>() +
              (f["verified_at"].is_null() ? "  (not compared yet)"
                                          : "  (compared " + local_time(f["verified_at"].get<int64_t>()) + ")"));
    print_move(f);
    std::string groups;
    for (const auto& group : f["groups"])
        groups += (groups.empty() ? "" : ", ") + group.get<std::string>();
    if (!groups.empty())
        print("  in: " + printable(groups));
}

Result<void> list_followers(Context& context, const std::string& state, size_t limit)
{
    Json answer = TRY(call_node(context.data_directory, "GET",
                                "/followers?limit=" + std::to_string(limit) + "&state=" + percent_encode(state)));
    if (context.json) {
        print_json(answer);
        return {};
    }
    for (const auto& f : answer["followers"])
        print_follower(f);
    if (answer["counts"].empty())
        print("Nobody has asked to follow yet.");
    else if (answer["followers"].size() == limit)
        print("There may be more: --limit N, --state pending");
    return {};
}

// What cannot be taken back, said plainly.
void print_held(const Json& held)
{
    const auto delivered = held["delivered"].get<int64_t>();
    if (delivered == 0)
        print("Nothing that you posted had been delivered to her.");
    else
        print("She holds " + std::to_string(delivered) + (delivered == 1 ? " post" : " posts") +
              " that were delivered to her, the last of " + local_time(held["last_delivered_at"].get<int64_t>()) +
              "; that cannot be undone.");
    print("She could read " + std::to_string(held["readable"].get<int64_t>()) + " posts that are not public.");
}

}  // namespace

void add_follow(CLI::App& app, Context& context)
{
    auto entity = std::make_shared<std::string>();
    auto note = std::make_shared<std::string>();
    auto* verb = add_verb(app, context, "follow", "Ask to follow an entity. She decides; see: bivouac following");
    verb->add_option("entity", *entity, "Her address: http://<56 letters and digits>.onion, or the link of an invite from her; "
                                        "-: from standard input")
        ->required()
        ->type_name("ENTITY|LINK");
    verb->add_option("--note", *note, "What she should know when she decides, at most 500 characters")->type_name("TEXT");
    verb->callback([&context, entity, note] {
        context.action = [&context, entity, note]() -> Result<void> {
            // A link on the command line can be seen by whoever lists this machine's processes.
            std::string line = *entity;
            if (line == "-" && !std::getline(std::cin, line))
                return fail(ErrorKind::Invalid, "there is nothing on standard input");
            Json answer = TRY(tell(context, "/follow", {{"entity", line}, {"note", *note}}));
            if (context.json)
                return {};
            const Json& following = answer["following"];
            print(std::string("asking to follow: ") + words_for_following(following["state"].get<std::string>()));
            print("safety phrase, to compare with her by voice: " + following["safety_phrase"].get<std::string>());
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
    struct Options {
        std::string entity;
        std::string state;
        size_t limit = 100;
        std::vector<std::string> groups;
        bool undo = false;
        bool all_waiting = false;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "followers",
                          "The desk: who follows or asks to; approve, deny, block, remove, verify.");
    verb->require_subcommand(0, 1);
    verb->add_option("--state", options->state, "Only these: pending, approved, denied, blocked, removed")
        ->check(CLI::IsMember({"pending", "approved", "denied", "blocked", "removed"}));
    verb->add_option("--limit", options->limit, "How many (1 to 1000)")->check(CLI::Range(1, 1000))->capture_default_str();
    verb->callback([&context, verb, options] {
        if (verb->get_subcommands().empty())
            context.action = [&context, options] { return list_followers(context, options->state, options->limit); };
    });
    struct Action {
        const char* name;
        const char* help;
        const char* done;
    };
    for (Action action :
         {Action{"approve", "Let her follow: she gets what you post to followers from now on.", "approved"},
          Action{"deny", "Do not let her follow. She is not told.", "denied; she is not told"},
          Action{"block", "Refuse everything from her from now on, and hide what she sent.", "blocked; what she sent is hidden"},
          Action{"unblock", "Take a block back: she is what she was before, but not a follower.", "no longer blocked"},
          Action{"remove", "End that she follows: her keys and groups are gone, and what waits for her.", "removed"},
          Action{"verify", "Note that you have compared the safety phrase with her, by voice.", "noted as compared"}}) {
        const std::string name = action.name;
        auto* sub = add_verb(*verb, context, name, action.help);
        auto* entity = sub->add_option("entity", options->entity, "Her address")->type_name("ENTITY");
        entity->required(name != "deny");
        if (name == "deny")
            sub->add_flag("--all-waiting", options->all_waiting, "Everybody who waits, after a flood; each can still be approved")
                ->excludes(entity);
        if (name == "approve")
            sub->add_option("--group", options->groups, "Into this group, too (may be repeated)")
                ->type_name("GROUP")->expected(1)->take_all();
        if (name == "verify")
            sub->add_flag("--undo", options->undo, "Take it back");
        sub->callback([&context, options, action, entity] {
            if (entity->count() == 0 && !options->all_waiting)
                throw CLI::RequiredError("entity");
            context.action = [&context, options, action]() -> Result<void> {
                if (options->all_waiting) {
                    Json answer = TRY(tell(context, "/followers", {{"action", "deny-all"}}));
                    if (!context.json)
                        print(std::to_string(answer["denied"].get<int64_t>()) + " denied; they are not told");
                    return {};
                }
                const std::string what = options->undo ? "unverify" : action.name;
                Json answer = TRY(tell(context, "/followers", {{"action", what}, {"entity", options->entity},
                                                               {"groups", options->groups}}));
                if (context.json)
                    return {};
                print(options->undo ? "noted as not compared" : action.done);
                if (answer.contains("held"))
                    print_held(answer["held"]);
                if (what == "verify")
                    print("  safety phrase: " + answer["follower"]["safety_phrase"].get<std::string>());
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
                print("  safety phrase: " + f["safety_phrase"].get<std::string>() +
                      (f["verified_at"].is_null() ? "  (not compared yet)" : "  (compared)"));
                print_move(f);
                if (f["caught_up_at"].is_number())
                    print("  nothing missed as of " + local_time(f["caught_up_at"].get<int64_t>()));
            }
            if (answer["following"].empty())
                print("You follow nobody yet: bivouac follow ENTITY");
            return {};
        };
    });
}

void add_catch_up(CLI::App& app, Context& context)
{
    struct Options {
        std::string entity;
        int wait = 180;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "catch-up", "Ask those whom you follow now for what you may have missed.");
    verb->add_option("entity", options->entity, "Only this one")->type_name("ENTITY");
    verb->add_option("--wait", options->wait, "Seconds to wait for answers; it goes on after that")->capture_default_str();
    verb->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            Json body = {{"entity", options->entity}};
            Json asked = TRY(call_node(context.data_directory, "POST", "/catch-up", &body));
            const auto since = asked["now"].get<int64_t>();
            std::set<std::string> open;
            for (const auto& entity : asked["entities"])
                open.insert(entity.get<std::string>());
            if (open.empty() && !context.json)
                print("You follow nobody who has been reached yet: bivouac following");
            Json answers = Json::array();
            bool failed = false;
            for (int64_t waited = 0; !open.empty() && waited < options->wait * 4LL; ++waited) {
                std::this_thread::sleep_for(std::chrono::milliseconds(250));
                Json now = TRY(call_node(context.data_directory, "GET", "/catch-up"));
                for (const auto& c : now["catch_ups"]) {
                    const bool done = c.value("done_at", int64_t(0)) >= since;
                    const bool not_now = c.value("failed_at", int64_t(0)) >= since && c.contains("problem");
                    if ((!done && !not_now) || open.erase(c["entity"].get<std::string>()) == 0)
                        continue;
                    failed = failed || !done;
                    answers.push_back(c);
                    if (!context.json)
                        print(printable(c["entity"].get<std::string>()) + "  " +
                              (done ? std::to_string(c["got"].get<int64_t>()) + " new"
                                    : "not now: " + printable(c["problem"].get<std::string>()) + "; it is tried again"));
                }
            }
            if (context.json)
                print_json({{"catch_ups", answers}, {"open", open}});
            if (!open.empty())
                return fail(ErrorKind::Unavailable, std::to_string(open.size()) + " have not answered yet; it goes on, see: "
                                                                                  "bivouac following");
            if (failed)
                return fail(ErrorKind::Unavailable, "not everybody could be asked");
            return {};
        };
    });
}

}  // namespace bivouac::cli
