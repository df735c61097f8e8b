// SPDX-License-Identifier: BSD-3-Clause
// A locked node: no key, no database, no onion; only the control socket, which takes a passphrase.
#pragma once

#include <optional>
#include <string>

#include <bivouac/app/data_directory.h>

namespace bivouac::app {

// Blocks until somebody gave the passphrase (`bivouac unlock`), or nothing when it is to stop. The stop signals must be
// blocked in all threads. Wrong passphrases are answered one after the other, each as slowly as the key file asks for.
Result<std::optional<OpenedData>> wait_for_passphrase(const std::string& directory);

}  // namespace bivouac::app
