// SPDX-License-Identifier: BSD-3-Clause
#include "ids.h"

#include <algorithm>
#include <set>

namespace bivouac::cli {

namespace {

// Stands before a word from here to the option that takes it; no word of a person begins with it.
constexpr char kMark = '\x01';
constexpr size_t kIdSize = 22;  // 16 bytes in base64url

bool is_id(const std::string& word)
{
    return word.size() >= 8 && word.front() == '-' && std::all_of(word.begin(), word.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
           });
}

void each_option(CLI::App& app, const std::function<void(CLI::Option&)>& act)
{
    for (CLI::Option* option : app.get_options([](CLI::Option*) { return true; }))
        act(*option);
    for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; }))
        each_option(*verb, act);
}

}  // namespace

void parse_with_ids(CLI::App& app, const std::vector<std::string>& words)
{
    std::set<std::string> names;
    each_option(app, [&names](CLI::Option& option) {
        for (const auto& name : option.get_lnames())
            names.insert("--" + name);
        if (option.get_expected_max() > 0)
            option.transform([](std::string value) { return !value.empty() && value.front() == kMark ? value.substr(1) : value; });
    });
    std::vector<std::string> reversed;
    bool only_words = false;
    for (const auto& word : words) {
        only_words = only_words || word == "--";
        // A mistyped option has two hyphens, and seldom this length.
        const bool id = !only_words && is_id(word) && (!word.starts_with("--") || (word.size() == kIdSize && names.count(word) == 0));
        reversed.push_back(id ? kMark + word : word);
    }
    std::reverse(reversed.begin(), reversed.end());
    app.parse(std::move(reversed));
}

}  // namespace bivouac::cli
