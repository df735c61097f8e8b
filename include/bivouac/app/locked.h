// SPDX-License-Identifier: BSD-3-Clause
// A locked node: no key, no database, no onion; only the control socket, which takes a passphrase.
#pragma once

#include <optional>
#include <string>

#include <bivouac/app/data_directory.h>

namespace bivouac::app {

struct Waited {
    std::optional<OpenedData> data;  // nothing: the process is to end,
    int exit_code = 0;               // with this
};

// Blocks until somebody gave the passphrase (`bivouac unlock`), or it is to stop. The stop signals must be blocked in all
// threads. Wrong passphrases are answered one after the other, each as slowly as the key file asks for; as it may be the right
// one of something else, the process ends with kExitLocked then, and what its memory kept of it.
Result<Waited> wait_for_passphrase(const std::string& directory);

}  // namespace bivouac::app
