// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/config.h>
#include <bivouac/base/files.h>

#include <unistd.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

void add_stop(CLI::App& app, Context& context)
{
    auto* verb = add_verb(app, context, "stop", "Stop the running node and wait until it has ended.");
    verb->callback([&context] {
        context.action = [&context]() -> Result<void> {
            TRY(call_node(context.data_directory, "POST", "/stop"));
            // The lock is free when the process is done with its files.
            const std::string lock = app::DataPaths::in(context.data_directory).lock;
            for (int tenths = 0; tenths < 100; ++tenths) {
                if (FileLock::acquire(lock).ok()) {
                    if (context.json)
                        print_json({{"stopped", true}});
                    else
                        print("stopped");
                    return {};
                }
                ::usleep(100'000);
            }
            return fail(ErrorKind::Unavailable, "the node was told to stop and has not ended after 10 seconds");
        };
    });
}

}  // namespace bivouac::cli
