// SPDX-License-Identifier: BSD-3-Clause
// invite, invite list, invite revoke.
#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

#include <bivouac/base/files.h>

#include "cli.h"
#include "local_client.h"
#include <bivouac/qr/qr.h>

namespace bivouac::cli {

namespace {

struct Options {
    std::string group;
    int64_t uses = 1;
    std::string expires = "7d";
    std::string png;
    bool force = false;
    bool qr = false;
    std::string id;
};

// Its place is taken before there is an invite: a link that is shown nowhere would be lost.
Result<void> reserve(const Options& options)
{
    if (options.png.empty() || options.force)
        return {};
    const int fd = ::open(options.png.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return fail(ErrorKind::Conflict, options.png + " is there already; choose another name, or say --force");
    if (fd < 0)
        return fail(ErrorKind::Unavailable, options.png + ": " + std::strerror(errno));
    ::close(fd);
    return {};
}

std::string words_for(const Json& invite)
{
    const auto left = invite["left"].get<int64_t>(), uses = invite["uses"].get<int64_t>();
    std::string out = "for " + (uses == 1 ? "one person" : std::to_string(uses) + " people");
    if (!invite["group"].is_null())
        out += ", into group " + printable(invite["group"].get<std::string>());
    if (left != uses)
        out += ", " + std::to_string(left) + " left";
    return out + ", until " + local_time(invite["expires_at"].get<int64_t>());
}

void print_invite(const Json& invite)
{
    print(invite["id"].get<std::string>() + "  " + invite["state"].get<std::string>() + "  made " +
          local_time(invite["created_at"].get<int64_t>()) + ", " + words_for(invite));
    for (const auto& use : invite["used_by"])
        print("  used by " + printable(use["entity"].get<std::string>()) + "  " + local_time(use["at"].get<int64_t>()));
}

Result<void> make(Context& context, const Options& options)
{
    TRY(reserve(options));
    Json body = {{"action", "make"}, {"uses", options.uses}, {"expires", options.expires}, {"group", options.group}};
    auto answer = call_node(context.data_directory, "POST", "/invites", &body);
    if (!answer.ok()) {
        if (!options.png.empty() && !options.force)
            ::unlink(options.png.c_str());
        return std::move(answer).error();
    }
    const std::string link = (*answer)["link"].get<std::string>();
    // Said first, so that it is not lost with a picture that fails.
    if (context.json) {
        print_json(*answer);
    } else {
        print(link);
        print("Whoever has this link first is approved: " + words_for((*answer)["invite"]) + ".");
        print("It is a secret and is not shown again. To take it back: bivouac invite revoke " +
              (*answer)["invite"]["id"].get<std::string>());
    }
    QrCode code = TRY(make_qr(link));
    if (!options.png.empty())
        TRY(write_file_atomically(options.png, TRY(qr_as_png(code)), 0600));
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    if (!context.json && (options.qr || (terminal && options.png.empty())))
        print(qr_for_terminal(code, terminal ? QrColours::Yes : QrColours::No));
    if (!context.json && !options.png.empty())
        print("The code is in " + options.png + ", which is as secret as the link.");
    return {};
}

}  // namespace

void add_invite(CLI::App& app, Context& context)
{
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "invite", "Make a link, and a QR code of it, whose user is approved as a follower at once.");
    verb->require_subcommand(0, 1);
    verb->add_option("--group", options->group, "Into this group of yours, too")->type_name("GROUP");
    verb->add_option("--uses", options->uses, "For how many people (1 to 1000)")->check(CLI::Range(1, 1000))->capture_default_str();
    verb->add_option("--expires", options->expires, "How long it holds: 30m, 12h, 7d, 2w; at most 365d")
        ->type_name("TIME")->capture_default_str();
    verb->add_option("--png", options->png, "Write the code to this file, which only you may read")->type_name("FILE");
    verb->add_flag("--force", options->force, "Also when that file is there already");
    verb->add_flag("--qr", options->qr, "Print the code also where the output is no terminal");
    verb->callback([&context, verb, options] {
        if (verb->get_subcommands().empty())
            context.action = [&context, options] { return make(context, *options); };
    });

    auto* list = add_verb(*verb, context, "list", "List your invites and who used them.");
    list->callback([&context] {
        context.action = [&context]() -> Result<void> {
            Json answer = TRY(call_node(context.data_directory, "GET", "/invites"));
            if (context.json) {
                print_json(answer);
                return {};
            }
            for (const auto& invite : answer["invites"])
                print_invite(invite);
            if (answer["invites"].empty())
                print("You have invited nobody yet: bivouac invite");
            return {};
        };
    });
    auto* revoke = add_verb(*verb, context, "revoke", "Make an invite worthless. Whoever used it stays approved.");
    revoke->add_option("id", options->id, "Its id")->required()->type_name("ID");
    revoke->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            Json body = {{"action", "revoke"}, {"id", options->id}};
            Json answer = TRY(call_node(context.data_directory, "POST", "/invites", &body));
            if (context.json) {
                print_json(answer);
                return {};
            }
            print("revoked:");
            print_invite(answer["invite"]);
            return {};
        };
    });
}

}  // namespace bivouac::cli
