// SPDX-License-Identifier: BSD-3-Clause
// A node in one sealed file, and back. docs/storage.md has the format. The file is sealed with a passphrase of its own or
// with a key file; whoever has it and that can read everything and be the node.
#pragma once

#include <functional>
#include <string>

#include <bivouac/app/data_directory.h>
#include <bivouac/store/backup.h>

namespace bivouac::app {

// What seals a backup: one of the two.
struct BackupSecret {
    Secret passphrase;
    Secret key;  // the contents of a key file, at least 32 bytes

    static Result<BackupSecret> of_key_file(const std::string& path);
};

struct BackupFacts {
    std::string entity;       // of the node
    int64_t made_at = 0;      // Unix ms
    int64_t bytes = 0;        // of the database in it
};

// What is done, in words for a person, with bytes done and in all.
using BackupProgress = std::function<void(const char* what, int64_t done, int64_t all)>;

// While the node runs or not. `passphrase`: the node's. Conflict: FILE is there already, or another backup is being
// made. A backup that was interrupted leaves nothing at FILE.
Result<BackupFacts> make_backup(const std::string& directory, const Secret& passphrase, const BackupSecret& secret,
                                const std::string& file, const BackupProgress& progress);

// Reads all of it. Forbidden: wrong passphrase or key. Invalid: no backup, of a newer version, cut off or altered; the
// words say which.
Result<BackupFacts> verify_backup(const std::string& file, const BackupSecret& secret, const BackupProgress& progress);

// First as verify_backup, then into a directory that is missing or empty; Conflict otherwise. `passphrase`: of the node
// from now on. Interrupted, it leaves no node.
Result<BackupFacts> restore_backup(const std::string& file, const BackupSecret& secret, const std::string& directory,
                                   const Secret& passphrase, const BackupProgress& progress);

// The two halves: any database of ours into a sealed file, and out of one into a file at `path` (whose remains are for the
// caller to remove).
Result<BackupFacts> seal_database(const std::string& path, const store::DataKeys& keys, const BackupSecret& secret,
                                  const std::string& file, const BackupProgress& progress);
struct Unsealed {
    BackupFacts facts;
    store::DataKeys keys;
};
Result<Unsealed> unseal_database(const std::string& file, const BackupSecret& secret, const std::string& path,
                                 const BackupProgress& progress);

}  // namespace bivouac::app
