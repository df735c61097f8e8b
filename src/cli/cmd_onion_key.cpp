// SPDX-License-Identifier: BSD-3-Clause
// For those who configure tor by hand: the files of a HiddenServiceDir. The only verb that writes a secret
// outside the encrypted file, and it says so.
#include <cstdio>
#include <memory>

#include <bivouac/base/bytes.h>
#include <bivouac/base/files.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

void add_onion_key(CLI::App& app, Context& context)
{
    auto directory = std::make_shared<std::string>();
    auto* verb = add_verb(app, context, "onion-key",
                          "Write the onion's key as tor keeps it, for a tor configured by hand (see torrc.example). "
                          "Whoever reads these files can pose as you.");
    verb->add_option("directory", *directory, "A new directory for the three files")->required()->type_name("DIR");
    verb->callback([&context, directory] {
        context.action = [&context, directory]() -> Result<void> {
            if (file_exists(*directory))
                return fail(ErrorKind::Conflict, *directory + " is there already; name a new directory");
            Json nothing = Json::object();
            Json answer = TRY(call_node(context.data_directory, "POST", "/onion-key", &nothing));
            TRY(ensure_private_directory(*directory));
            for (const char* name : {"hs_ed25519_secret_key", "hs_ed25519_public_key", "hostname"}) {
                std::string text = TRY(string_member(answer, name));
                auto bytes = from_base64(text);
                wipe(text);
                if (!bytes)
                    return fail(ErrorKind::Internal, "the running node's answer cannot be read");
                auto written = write_file_atomically(*directory + "/" + name, *bytes);
                wipe(*bytes);
                TRY(std::move(written));
            }
            if (context.json)
                print_json({{"directory", *directory}});
            else
                print("written to " + *directory + "; give it to the user that tor runs as");
            std::fputs("bivouac: these files are your address: keep them as you keep your passphrase\n", stderr);
            return {};
        };
    });
}

}  // namespace bivouac::cli
