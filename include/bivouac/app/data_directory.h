// SPDX-License-Identifier: BSD-3-Clause
// A node's data directory: making it, and opening its encrypted file.
#pragma once

#include <memory>
#include <string>

#include <bivouac/base/files.h>
#include <bivouac/base/secret.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/store.h>

namespace bivouac::app {

struct InitOptions {
    store::PassphraseCost cost;
    std::string entity;  // empty: the onion's
    store::Door door = store::Door::Vetted;
};

struct InitResult {
    std::string entity;
};

// Makes directory (0700), keys, encrypted file, one entity. Conflict when there is a node already. Killed half
// way it leaves nothing that a second init would not put right.
Result<InitResult> init_data_directory(const std::string& directory, const Secret& passphrase,
                                       const InitOptions& options = {});

struct OpenedData {
    FileLock lock;
    std::unique_ptr<store::Store> store;
};

// NotFound: no node here. Conflict: another process runs on it. Forbidden: wrong passphrase. Invalid: damaged,
// altered, of a newer version.
Result<OpenedData> open_data_directory(const std::string& directory, const Secret& passphrase);

// Does it open the key file? Forbidden: no. As slow as opening the node. Passphrases that were added or taken away
// while the node runs count at once.
Result<void> check_passphrase(const std::string& directory, const Secret& passphrase);

}  // namespace bivouac::app
