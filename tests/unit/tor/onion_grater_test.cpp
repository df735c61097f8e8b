// SPDX-License-Identifier: BSD-3-Clause
// The profile for Tails' filter against what TorControl says: every line of it passes, and every rule is needed.
#include <doctest/doctest.h>

#include <cstdio>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include <bivouac/base/files.h>
#include <bivouac/tor/onion_address.h>
#include <bivouac/tor/tails.h>
#include <bivouac/tor/tor_control.h>

#include "fake_control_port.h"
#include "run_until.h"

using namespace bivouac;
using namespace bivouac::tor;

namespace
{

struct Profile {
    std::map<std::string, std::vector<std::string>> commands;
    std::set<std::string> events;
};

// As far as this one file needs YAML: "key:" at its depth, "- 'text'" below it.
Profile load_profile()
{
    Profile out;
    std::istringstream lines(read_file(PROFILE, 1u << 16).value());
    std::string part, command;
    for (std::string line; std::getline(lines, line);) {
        const size_t depth = line.find_first_not_of(' ');
        if (depth == std::string::npos || line[depth] == '#' || line == "---")
            continue;
        const std::string text = line.substr(depth);
        if (depth == 2 && text.ends_with(':')) {
            part = text;
        } else if (part == "commands:" && depth == 4) {
            command = text.substr(0, text.size() - 1);
        } else if (part == "commands:" && depth == 6) {
            REQUIRE(text.starts_with("- '"));
            REQUIRE(text.ends_with('\''));
            out.commands[command].push_back(text.substr(3, text.size() - 4));
        } else if (part == "events:" && depth == 4) {
            REQUIRE(text.ends_with(':'));
            out.events.insert(text.substr(0, text.size() - 1));
        }
    }
    return out;
}

} // namespace

TEST_CASE("what is said behind Tails' filter is what the profile allows, no more and no less")
{
    const Profile profile = load_profile();
    REQUIRE(profile.commands.size() == 3);
    FakeControlPort port;
    Secret seed(32);
    seed.data()[0] = 7;
    const std::string address = onion_address_of_seed(seed);
    const std::string expanded(expanded_key_of_seed(seed).view());
    port.with([&](FakeControlPort& p) { p.addresses_[expanded] = address; });
    // A tor that does not know the words of the defence: so both lines are said.
    port.set([](auto& b) { b.no_pow = "512 Unrecognized option"; });
    EventLoop loop;
    TorOptions options;
    options.mode = TorOptions::Mode::Control;
    options.control_address = port.address();
    std::optional<TorControl> control;
    control.emplace(loop, options, TorControl::Events{});
    control->start();
    control->add_onion({address, std::move(seed), "127.0.0.1:54321"});
    REQUIRE(run_until(loop, [&] { return control->is_published(address); }, 10'000));
    // tor starts anew behind the filter: asked often enough to notice soon.
    port.forget_onions();
    REQUIRE(run_until(loop, [&] { return control->state().restarts == 1 && control->is_published(address); }, 20'000));
    control->remove_onion(address);
    REQUIRE(run_until(loop, [&] { return port.count("DEL_ONION") == 1; }, 10'000));
    control.reset();
    run_for(loop, 10);

    std::set<std::string> used;
    for (const auto& line : port.lines()) {
        const std::string command = line.substr(0, line.find(' '));
        const std::string arguments = line.size() > command.size() ? line.substr(command.size() + 1) : "";
        // Those the filter answers itself.
        if (command == "PROTOCOLINFO" || command == "AUTHENTICATE")
            continue;
        bool allowed = false;
        if (command == "SETEVENTS") {
            allowed = true;
            std::istringstream words(arguments);
            for (std::string event; words >> event;) {
                allowed = allowed && profile.events.count(event) == 1;
                used.insert(event);
            }
        } else if (auto rules = profile.commands.find(command); rules != profile.commands.end()) {
            for (const auto& rule : rules->second)
                if (std::regex_match(arguments, std::regex(rule))) {
                    allowed = true;
                    used.insert(command + " " + rule);
                }
        }
        // The key stays out of what is printed.
        CHECK_MESSAGE(allowed, command, command == "ADD_ONION" ? "" : " " + arguments);
    }
    for (const auto& [command, rules] : profile.commands)
        for (const auto& rule : rules)
            CHECK_MESSAGE(used.count(command + " " + rule) == 1, "allowed and never said: ", command, " ", rule);
    for (const auto& event : profile.events)
        CHECK_MESSAGE(used.count(event) == 1, "allowed and never asked for: ", event);
    CHECK(port.count("ADD_ONION ED25519-V3:") == 3);  // with and without the defence, then without
}

TEST_CASE("Tails is known by its os-release")
{
    const std::string path = "/tmp/bivouac-os-release-" + std::to_string(::getpid());
    auto is = [&](const std::string& text) {
        REQUIRE(write_file_atomically(path, text).ok());
        return is_tails(path);
    };
    CHECK(is("PRETTY_NAME=\"Tails\"\nID=tails\nVERSION_ID=\"7.3\"\n"));
    CHECK(is("ID=\"tails\""));
    CHECK(is("NAME=x\nID='tails'\n"));
    CHECK_FALSE(is("ID=debian\nID_LIKE=tails\n"));
    CHECK_FALSE(is("VARIANT_ID=tails\n"));
    CHECK_FALSE(is("ID=tailspin\n"));
    CHECK_FALSE(is(""));
    std::remove(path.c_str());
    CHECK_FALSE(is_tails(path));
}

TEST_CASE("a profile that is missing: the words stay, and a connection after it was installed needs nothing else")
{
    FakeControlPort port;
    port.set([](auto& b) { b.filtered = {"ADD_ONION", "GETINFO", "SETEVENTS"}; });
    Secret seed(32);
    const std::string address = onion_address_of_seed(seed);
    const std::string expanded(expanded_key_of_seed(seed).view());
    port.with([&](FakeControlPort& p) { p.addresses_[expanded] = address; });
    EventLoop loop;
    TorOptions options;
    options.mode = TorOptions::Mode::Control;
    options.control_address = port.address();
    std::set<std::string> problems;
    std::optional<TorControl> control;
    TorControl::Events events;
    bool told = false;
    events.changed = [&] {
        told = told || !control->state().problem.empty();
        if (told)
            problems.insert(control->state().problem);
    };
    control.emplace(loop, options, std::move(events));
    control->start();
    control->add_onion({address, std::move(seed), "127.0.0.1:54321"});
    REQUIRE(run_until(loop, [&] { return port.connections() >= 3; }, 20'000));
    REQUIRE(problems.size() == 1);
    const std::string words = *problems.begin();
    for (const char* word : {"510 Command filtered", "/etc/onion-grater.d/bivouac.yml", "Restart Tails", "docs/tails.md"})
        CHECK_MESSAGE(words.find(word) != std::string::npos, words);
    port.set([](auto& b) { b.filtered.clear(); });
    REQUIRE(run_until(loop, [&] { return control->is_published(address); }, 20'000));
    CHECK(control->state().problem.empty());
}
