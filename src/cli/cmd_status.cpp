// SPDX-License-Identifier: BSD-3-Clause
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include <bivouac/base/clock.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

namespace {

std::string ago(int64_t at)
{
    const int64_t minutes = (system_clock().now_ms() - at) / 60'000;
    return minutes < 1     ? "just now"
           : minutes < 120 ? std::to_string(minutes) + " min ago"
                           : local_time(at);
}

std::string words_for_reach(const Json& s)
{
    const Json& reach = s["reach"];
    const auto answer = reach["reachable"].get<std::string>();
    if (!s["published"].get<bool>() && answer != "no")
        return "unknown: the onion is not published";
    if (answer == "unknown")
        return "not checked yet; now: bivouac status --check";
    if (answer == "yes")
        return "others can reach you: yes, checked " + ago(reach["checked_at"].get<int64_t>());
    return "others can reach you: no, since " + local_time(reach["since"].get<int64_t>()) + " (" +
           printable(reach.value("why", "")) + ")" +
           (reach["repaired_at"].is_null() ? "" : "; put up again " + ago(reach["repaired_at"].get<int64_t>()));
}

void print_outages(const Json& outages)
{
    for (const auto& o : outages) {
        const auto repairs = o["repairs"].get<int64_t>();
        print(local_time(o["began_at"].get<int64_t>()) + " to " +
              (o["ended_at"].is_null() ? std::string("now") : local_time(o["ended_at"].get<int64_t>())) + "  " +
              printable(o["why"].get<std::string>()) + (repairs == 0 ? "" : "; put up again " + std::to_string(repairs) +
                                                                                (repairs == 1 ? " time" : " times")));
    }
    if (outages.empty())
        print("None that was noticed.");
}

// Asks the node to look now, and waits until it has.
Result<void> check(const std::string& data_directory)
{
    constexpr int64_t kLongestMs = 150'000;
    Json nothing = Json::object();
    const Json asked = TRY(call_node(data_directory, "POST", "/check", &nothing));
    const auto since = asked["now"].get<int64_t>();
    std::fputs("asking for your own address through tor; this can take a minute\n", stderr);
    for (int64_t waited = 0; waited < kLongestMs; waited += 500) {
        Json status = TRY(call_node(data_directory, "GET", "/status"));
        if (status["reach"]["checked_at"].is_number() && status["reach"]["checked_at"].get<int64_t>() >= since)
            return {};
        if (!status["published"].get<bool>() || !status["tor"].value("connected", false))
            return fail(ErrorKind::Unavailable, "there is nothing to check: the onion is not published; see: bivouac status");
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    return fail(ErrorKind::Unavailable, "no answer yet; see: bivouac status");
}

// Which locks hold, in the node and in the two processes beside it; what does not, in capitals, since somebody relies on it.
void print_sandbox(const Json& sandbox)
{
    auto locks = [](const Json& process) {
        std::string out = process["seccomp"].get<bool>() ? "system calls (seccomp)" : "";
        if (const Json& abi = process.value("landlock", Json()); abi.is_number())
            out += (out.empty() ? "" : ", ") + ("files (Landlock " + std::to_string(abi.get<int>()) + ")");
        return out.empty() ? std::string("NO") : out;
    };
    print("confined    node: " + locks(sandbox["node"]));
    if (sandbox["guardian"].is_object())
        print("            guardian: " + locks(sandbox["guardian"]) + "; broker: " + locks(sandbox["broker"]) +
              (sandbox["broker"]["may_start_tor"].get<bool>() ? ", starts tor" : ""));
    for (const auto& one : sandbox["missing"])
        print("            NOT CONFINED: " + printable(one.get<std::string>()));
}

void print_status(const Json& s)
{
    if (s.value("locked", false)) {
        print("locked: nothing is served; unlock it with: bivouac unlock");
        return;
    }
    const Json& tor = s["tor"];
    for (const auto& move : s["moved"])
        print("moved       " + printable(move["from"].get<std::string>()) + "\n         is " + printable(move["to"].get<std::string>()) +
              " since " + local_time(move["noticed_at"].get<int64_t>()));
    if (s.contains("restored"))
        print("RESTORED    from the backup of " + local_time(s["restored"]["backup_of"].get<int64_t>()) +
              ". The node that it was made from must not run any more: two of one address take each other's\n"
              "            posts away. There: bivouac panic, or never start it again. Then here: bivouac restore --other-is-gone");
    print("address     " + s["entity"].get<std::string>());
    for (const auto& one : s["previous"])
        print("            also answers at http://" + one["onion"].get<std::string>() + " until " + local_time(one["until"].get<int64_t>()));
    if (tor.value("mode", "") == "none")
        print("tor         off (--no-tor): deliveries wait");
    else
        print("tor         " + std::to_string(tor["bootstrap"].get<int>()) + " % " + tor.value("summary", "") +
              (tor.value("connected", false) ? "" : " (not connected)"));
    if (tor.contains("problem"))
        print("            " + printable(tor["problem"].get<std::string>()));
    print(std::string("published   ") + (s["published"].get<bool>() ? "yes" : "no"));
    print("reachable   " + words_for_reach(s));
    print("listening   " + s["listen"].get<std::string>());
    if (s["local_api"].is_string())
        print("local API   " + s["local_api"].get<std::string>());
    print_sandbox(s["sandbox"]);
    print("followers   " + std::to_string(s["followers"].get<int64_t>()) + " approved, " +
          std::to_string(s["pending_followers"].get<int64_t>()) + " waiting for your decision");
    const Json& strangers = s["strangers_today"];
    if (strangers["contacts"].get<int64_t>() > 0 || strangers["posts"].get<int64_t>() > 0)
        print("strangers   today: " + std::to_string(strangers["contacts"].get<int64_t>()) + " made themselves known, " +
              std::to_string(strangers["posts"].get<int64_t>()) + " posts of theirs are held");
    if (strangers["refused"].get<bool>())
        print("            That is the limit: further ones are told to come back. Somebody may be flooding you; see: "
              "bivouac followers deny --all-waiting");
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
    auto options = std::make_shared<std::pair<bool, bool>>(false, false);  // check, outages
    verb->add_flag("--check", options->first, "Look now whether others can reach you, and wait for the answer");
    verb->add_flag("--outages", options->second, "Show when others could not reach you");
    verb->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            if (options->first)
                TRY(check(context.data_directory));
            if (options->second) {
                Json answer = TRY(call_node(context.data_directory, "GET", "/outages"));
                if (context.json)
                    print_json(answer);
                else
                    print_outages(answer["outages"]);
                return {};
            }
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
