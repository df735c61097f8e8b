// SPDX-License-Identifier: BSD-3-Clause
// bivouac.keys: the random data key, wrapped by keys made of passphrases (docs/storage.md has the layout).
// Passphrases can change, multiply and be destroyed without touching the database. All slots hold bytes that
// look random, used or not; which are used, and what they are called, only a passphrase shows. Pure over bytes:
// each change gives the whole new file, which base/files puts in place of the old one at once.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/clock.h>
#include <bivouac/base/result.h>
#include <bivouac/base/secret.h>

namespace bivouac::store {

struct DataKeys {
    Secret key;             // 32 bytes: SQLCipher's raw key
    std::string file_salt;  // 16 bytes: the first bytes of the database file
};

// The cost of trying one passphrase (Argon2id): stored with each slot.
struct PassphraseCost {
    uint32_t passes = 3;
    uint32_t memory_kib = 256u << 10;
};

constexpr size_t kKeySlots = 8;
constexpr size_t kKeyFileBytes = 1800;
constexpr size_t kSlotNameBytes = 32;

DataKeys make_data_keys(Random& random);

// Passes over 256 MiB that take about a second here; 3 at least, also where they take longer.
// Unavailable when there is not enough memory.
Result<PassphraseCost> measure_cost(Clock& clock);

// What a person should know of a passphrase that opens the node.
struct KeySlot {
    size_t number = 0;      // 1 to kKeySlots
    std::string name;       // may be empty
    int64_t since = 0;      // Unix ms; 0: not known
    bool is_this = false;   // the one that was shown
};

// A new key file with one passphrase in one of its slots, chosen by chance.
// Unavailable when there is not enough memory for the cost.
Result<std::string> create_key_file(const DataKeys& keys, const Secret& passphrase, PassphraseCost cost,
                                    Random& random, int64_t now_ms = 0);

// Of all below. Forbidden: wrong passphrase. Invalid: cut off, altered, or of a newer version; the words say which.
// Takes as long as the cost stored in the file asks for.
Result<DataKeys> open_key_file(std::string_view file, const Secret& passphrase);

// In the order of their numbers.
Result<std::vector<KeySlot>> list_passphrases(std::string_view file, const Secret& passphrase);

// The file with the passphrase changed, or with one more. Invalid: the new one is empty, or the name too long.
// Conflict: the new one opens the file already; for one more also: all slots are taken, or the name is.
Result<std::string> change_passphrase(std::string_view file, const Secret& passphrase, const Secret& fresh,
                                      Random& random, int64_t now_ms);
Result<std::string> add_passphrase(std::string_view file, const Secret& passphrase, const Secret& fresh,
                                   std::string_view name, Random& random, int64_t now_ms);
// The file without that one. NotFound: there is none. Conflict: it is the last.
Result<std::string> remove_passphrase(std::string_view file, const Secret& passphrase, size_t number, Random& random);

}  // namespace bivouac::store
