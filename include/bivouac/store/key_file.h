// SPDX-License-Identifier: BSD-3-Clause
// bivouac.keys: the random data key, wrapped by keys made of passphrases (docs/storage.md has the layout).
// Passphrases can change, multiply and be destroyed without touching the database. All slots hold bytes that
// look random, used or not. Pure over bytes; reading and writing the file is base/files.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

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
constexpr size_t kKeyFileBytes = 1376;

DataKeys make_data_keys(Random& random);

// A new key file with one passphrase in one of its slots, chosen by chance.
// Unavailable when there is not enough memory for the cost.
Result<std::string> create_key_file(const DataKeys& keys, const Secret& passphrase, PassphraseCost cost,
                                    Random& random);

// Forbidden: wrong passphrase. Invalid: cut off, altered, or of a newer version; the words say which.
// Takes as long as the cost stored in the file asks for.
Result<DataKeys> open_key_file(std::string_view file, const Secret& passphrase);

}  // namespace bivouac::store
