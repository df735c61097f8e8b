// SPDX-License-Identifier: BSD-3-Clause
// search: posts, people and tags.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>

#include <unistd.h>

#include <bivouac/base/bytes.h>

#include "cli.h"
#include "local_client.h"
#include "progress_bar.h"

namespace bivouac::cli {

namespace {

constexpr int kFoundNothing = 3;

// Marks are bold on a terminal, and nothing elsewhere.
std::string excerpt_text(const Json& pieces)
{
    const bool bold = isatty(STDOUT_FILENO) == 1;
    std::string out;
    for (const auto& piece : pieces) {
        const bool marked = bold && piece.value("marked", false);
        out += (marked ? "\033[1m" : "") + printable(piece["text"].get<std::string>()) + (marked ? "\033[0m" : "");
    }
    return out;
}

void print_found(const Json& answer)
{
    for (const auto& post : answer.value("posts", Json::array())) {
        const std::string name = post.value("name", std::string());
        print(local_time(post["published_at"].get<int64_t>()) + "  " + printable(post["entity"].get<std::string>()) +
              (name.empty() ? "" : "  " + printable(name)));
        print("  " + excerpt_text(post["excerpt"]));
        print("  id " + post["id"].get<std::string>());
    }
    for (const auto& person : answer.value("people", Json::array())) {
        const std::string name = person.value("name", std::string()), note = person.value("note", std::string());
        const std::string follower = person.value("follower", std::string()), following = person.value("following", std::string());
        print(printable(person["entity"].get<std::string>()) + (name.empty() ? "" : "  calls herself " + printable(name)) +
              (follower.empty() ? "" : "  follower: " + follower) + (following.empty() ? "" : "  following: " + following));
        if (!note.empty())
            print("  says: " + printable(note));
    }
    for (const auto& tag : answer.value("tags", Json::array()))
        print("#" + printable(tag["tag"].get<std::string>()) + "  " + std::to_string(tag["posts"].get<int64_t>()));
}

}  // namespace

void add_search(CLI::App& app, Context& context)
{
    struct Options {
        std::vector<std::string> words;
        bool people = false;
        bool tag = false;
        bool closest = false;
        int limit = 25;
        int64_t before = 0;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "search", "Find posts, people or tags. Exit code 3 when there is nothing.");
    verb->add_option("text", options->words, "Words, \"words in this order\" or #tag; all must be there. The last word may be the beginning of one. -: from standard input")
        ->required()
        ->type_name("TEXT");
    auto* people = verb->add_flag("--people", options->people, "People: their names, addresses and the notes of their wishes to follow");
    auto* tag = verb->add_flag("--tag", options->tag, "Tags that begin like this, with the number of their posts");
    people->excludes(tag);
    auto* closest = verb->add_flag("--closest", options->closest, "What is most about it first, not the newest first");
    verb->add_option("--limit", options->limit, "How many (1 to 200)")->check(CLI::Range(1, 200))->capture_default_str();
    verb->add_option("--before", options->before, "Go on where the last page ended: the number that it printed")
        ->check(CLI::PositiveNumber)
        ->excludes(closest)
        ->type_name("NUMBER");
    verb->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            std::string text;
            if (options->words == std::vector<std::string>{"-"}) {
                if (!std::getline(std::cin, text))
                    return fail(ErrorKind::Invalid, "standard input holds nothing to look for");
            } else {
                for (const auto& word : options->words)
                    text += (text.empty() ? "" : " ") + word;
            }
            // What is longer is not looked at, and a request has its bounds.
            std::string target = "/search?q=" + percent_encode(text.substr(0, 2000)) + "&limit=" + std::to_string(options->limit) +
                                 "&kind=" + (options->people ? "people" : options->tag ? "tags" : "posts") +
                                 (options->closest ? "&sort=closest" : "") +
                                 (options->before > 0 ? "&before=" + std::to_string(options->before) : "");
            Json answer;
            {
                // The first search of a large store waits for the index.
                ProgressBar bar;
                int64_t all = 0;
                for (int64_t left = INT64_MAX;;) {
                    answer = TRY(call_node(context.data_directory, "GET", target));
                    const int64_t waiting = answer.value("waiting", int64_t(0));
                    if (waiting == 0 || waiting >= left)
                        break;
                    left = waiting;
                    all = std::max(all, waiting);
                    bar.show("indexing", all - waiting, all);
                }
            }
            const char* kind = options->people ? "people" : options->tag ? "tags" : "posts";
            if (answer[kind].empty())
                context.exit_code = kFoundNothing;
            if (context.json) {
                print_json(answer);
                return {};
            }
            print_found(answer);
            if (answer[kind].empty())
                print("Nothing was found.");
            if (const int64_t waiting = answer.value("waiting", int64_t(0)); waiting > 0)
                print("note: " + std::to_string(waiting) + " posts are not indexed yet; ask again in a moment");
            if (answer.value("cut", false))
                print("note: this is long; only the beginning was looked for");
            if (!answer.value("older", Json()).is_null())
                print("older ones: add --before " + std::to_string(answer["older"].get<int64_t>()));
            return {};
        };
    });
}

}  // namespace bivouac::cli
