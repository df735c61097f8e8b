// SPDX-License-Identifier: BSD-3-Clause
// A node's data directory: making it, and opening its encrypted file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <bivouac/base/files.h>
#include <bivouac/base/secret.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/key_file.h>
#include <bivouac/store/store.h>

namespace bivouac::app {

struct InitOptions {
    // Absent: measured, so that trying one passphrase takes about a second here.
    std::optional<store::PassphraseCost> cost;
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

// A new entity with its group of followers and its meta post; gives its address.
Result<std::string> make_entity(store::Store& store, const std::string& name, const InitOptions& options);

struct OpenedData {
    FileLock lock;
    std::unique_ptr<store::Store> store;
};

// NotFound: no node here. Conflict: another process runs on it. Forbidden: wrong passphrase. Invalid: damaged,
// altered, of a newer version.
Result<OpenedData> open_data_directory(const std::string& directory, const Secret& passphrase);
// For one process at a time. Conflict when another has it and keeps it.
Result<FileLock> lock_data_directory(const std::string& directory);
// By whoever holds it.
Result<std::unique_ptr<store::Store>> open_store(const std::string& directory, const Secret& passphrase);

// Does it open the key file? Forbidden: no. As slow as opening the node. Passphrases that were added or taken away
// while the node runs count at once.
Result<void> check_passphrase(const std::string& directory, const Secret& passphrase);

// The passphrases of a node, running or not. The key file is put in place at once, so whenever this is interrupted the
// old or the new passphrases open, and the database is never written. Errors: as those of store/key_file.h; NotFound:
// no node here; Conflict also when another change is under way.
Result<std::vector<store::KeySlot>> list_passphrases(const std::string& directory, const Secret& passphrase);
Result<void> change_passphrase(const std::string& directory, const Secret& passphrase, const Secret& fresh);
Result<void> add_passphrase(const std::string& directory, const Secret& passphrase, const Secret& fresh,
                            const std::string& name);
// By number or name, as list_passphrases has them.
Result<void> remove_passphrase(const std::string& directory, const Secret& passphrase, const std::string& which);

}  // namespace bivouac::app
