// SPDX-License-Identifier: BSD-3-Clause
#include "ids.h"

#include <algorithm>
#include <set>

namespace bivouac::cli {

namespace {

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
    // Stands before an id from here to the option that takes it: what stands in no word of this command line.
    std::string mark = "\x01";
    while (std::any_of(words.begin(), words.end(), [&mark](const std::string& word) { return word.find(mark) != std::string::npos; }))
        mark += '\x01';
    std::set<std::string> names;
    each_option(app, [&names, &mark](CLI::Option& option) {
        for (const auto& name : option.get_lnames())
            names.insert("--" + name);
        if (option.get_expected_max() > 0)
            option.transform([mark](std::string value) { return value.starts_with(mark) ? value.substr(mark.size()) : value; });
    });
    std::vector<std::string> reversed;
    bool only_words = false;
    for (const auto& word : words) {
        only_words = only_words || word == "--";
        // A mistyped option has two hyphens, and seldom this length.
        const bool id = !only_words && is_id(word) && (!word.starts_with("--") || (word.size() == kIdSize && names.count(word) == 0));
        reversed.push_back(id ? mark + word : word);
    }
    std::reverse(reversed.begin(), reversed.end());
    app.parse(std::move(reversed));
}

}  // namespace bivouac::cli
