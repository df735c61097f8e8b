// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include <bivouac/app/panic.h>
#include <bivouac/base/bytes.h>

#include <csignal>
#include <unistd.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

namespace {

// Until the node says that it is in that state; its process is replaced meanwhile.
bool wait_until_locked(const std::string& directory, bool wanted)
{
    for (int tenths = 0; tenths < 150; ++tenths) {
        auto status = call_node(directory, "GET", "/status");
        if (status.ok() && status->value("locked", false) == wanted)
            return true;
        ::usleep(100'000);
    }
    return false;
}

// After a wrong passphrase the node forgets it by taking another process; whoever tries again meets that one.
void wait_for_another(const std::string& directory, pid_t before)
{
    for (int tenths = 0; tenths < 50; ++tenths) {
        const pid_t now = app::find_node(directory).worker;
        if (now != 0 && now != before && call_node(directory, "GET", "/status").ok())
            return;
        ::usleep(100'000);
    }
}

}  // namespace

void add_lock(CLI::App& app, Context& context)
{
    auto* verb = add_verb(app, context, "lock",
                          "Lock the running node: keys leave its memory, the onion goes down, nothing is served.");
    verb->callback([&context] {
        context.action = [&context]() -> Result<void> {
            const auto node = app::find_node(context.data_directory);
            if (node.guardian == 0)
                return fail(ErrorKind::NotFound, "no node runs on " + context.data_directory +
                                                     "; what is on disk is encrypted");
            // By signal, so that it also works while the node hangs.
            if (::kill(node.guardian, SIGUSR1) != 0)
                return fail(ErrorKind::Forbidden, "the node belongs to another user");
            if (!wait_until_locked(context.data_directory, true))
                return fail(ErrorKind::Unavailable, "the node did not say that it is locked; see: bivouac status");
            if (context.json)
                print_json({{"locked", true}});
            else
                print("locked; unlock it with: bivouac unlock");
            return {};
        };
    });
}

void add_unlock(CLI::App& app, Context& context)
{
    auto file = std::make_shared<std::string>();
    auto* verb = add_verb(app, context, "unlock", "Give a locked node the passphrase.");
    verb->add_option("--passphrase-file", *file, "Read the passphrase from FILE; - is standard input")->type_name("FILE");
    verb->callback([&context, file] {
        context.action = [&context, file]() -> Result<void> {
            Json status = TRY(call_node(context.data_directory, "GET", "/status"));
            if (!status.value("locked", false))
                return fail(ErrorKind::Conflict, "the node is not locked");
            const Secret passphrase = TRY(read_passphrase(*file, Ask::Once));
            const pid_t worker = app::find_node(context.data_directory).worker;
            // Base64: a passphrase from a file may be any bytes.
            Json body = {{"passphrase", to_base64(passphrase.view())}};
            auto answer = call_node(context.data_directory, "POST", "/unlock", &body);
            wipe(body["passphrase"].get_ref<std::string&>());
            if (!answer.ok() && answer.error().kind == ErrorKind::Forbidden)
                wait_for_another(context.data_directory, worker);
            if (!answer.ok())
                return std::move(answer).error();
            if (!wait_until_locked(context.data_directory, false))
                return fail(ErrorKind::Unavailable, "the passphrase is right, but the node did not come up; see its log");
            if (context.json)
                print_json({{"locked", false}});
            else
                print("unlocked");
            return {};
        };
    });
}

}  // namespace bivouac::cli
