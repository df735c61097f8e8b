// SPDX-License-Identifier: BSD-3-Clause
// What all verbs share: the options that stand on every one, output, and the way to the running node.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <bivouac/base/result.h>
#include <bivouac/base/secret.h>
#include <bivouac/model/json.h>

namespace bivouac::cli {

struct Context {
    std::string data_directory;
    bool json = false;
    std::string as;                        // the name of an entity; empty: the first
    std::string owner_passphrase_file;     // of that entity, where she has an owner of her own
    std::function<Result<void>()> action;  // of the verb that was chosen
    int exit_code = 0;                     // when the action went well
};

// One a verb: adds its subcommand; its callback sets context.action.
void add_passphrase(CLI::App& app, Context& context);
void add_init(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_open(CLI::App& app, Context& context);
void add_post(CLI::App& app, Context& context);
void add_feed(CLI::App& app, Context& context);
void add_show(CLI::App& app, Context& context);
void add_attachment(CLI::App& app, Context& context);
void add_search(CLI::App& app, Context& context);
void add_follow(CLI::App& app, Context& context);
void add_unfollow(CLI::App& app, Context& context);
void add_followers(CLI::App& app, Context& context);
void add_following(CLI::App& app, Context& context);
void add_catch_up(CLI::App& app, Context& context);
void add_door(CLI::App& app, Context& context);
void add_group(CLI::App& app, Context& context);
void add_invite(CLI::App& app, Context& context);
void add_audience(CLI::App& app, Context& context);
void add_deliveries(CLI::App& app, Context& context);
void add_stop(CLI::App& app, Context& context);
void add_lock(CLI::App& app, Context& context);
void add_unlock(CLI::App& app, Context& context);
void add_backup(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_move(CLI::App& app, Context& context);
void add_entity(CLI::App& app, Context& context);
void add_export(CLI::App& app, Context& context);
void add_restore(CLI::App& app, Context& context);
void add_panic(CLI::App& app, Context& context);
void add_app(CLI::App& app, Context& context);
void add_onion_key(CLI::App& app, Context& context);

// "?to=...&reply_post=...": what --to and --reply-to say.
std::string audience_query(const std::vector<std::string>& to, const std::string& reply_to);

// The subcommand with --data and --json on it.
CLI::App* add_verb(CLI::App& app, Context& context, const std::string& name, const std::string& help);

// What --as and --owner-passphrase-file say holds for all requests to the node.
Result<void> choose_entity(const Context& context);

enum class Ask { Once, Twice };
// From the file ("-": standard input), or from the terminal without echo. One line feed at the end is dropped.
// `prompt`: what the terminal is asked, when not simply for the passphrase.
Result<Secret> read_passphrase(const std::string& file, Ask ask, const char* prompt = nullptr);
// The path of a credential that systemd hands to its unit (systemd.exec(5): $CREDENTIALS_DIRECTORY); empty without one.
Result<std::string> credential_file(const std::string& name);

// --- output.cpp ---
void print(std::string_view line);
void print_json(const Json& json);
void print_error(const Error& error);  // one line on standard error
// Text from others on a terminal: control characters and bidirectional overrides are made visible.
std::string printable(std::string_view text);
std::string local_time(int64_t ms);
// A post of an answer that has the names of its groups and the node's own entity beside it.
void print_post(const Json& post, const Json& answer);
// What stands in an answer under "audience".
void print_audience(const Json& audience);

}  // namespace bivouac::cli
