// SPDX-License-Identifier: BSD-3-Clause
// A copy of the database as it is at one moment, while others write. Encrypted with the same key.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <bivouac/base/result.h>
#include <bivouac/store/key_file.h>

namespace bivouac::store {

// Bytes done and in all. Called now and then.
using Progress = std::function<void(int64_t done, int64_t all)>;

// From a process of its own or from the node's; `to` must not exist. Constant memory. The log of the original grows
// while it is copied, and is brought in afterwards by whoever writes.
Result<void> copy_database(const std::string& from, const DataKeys& keys, const std::string& to, const Progress& progress);

// Whether the file is whole, page by page and in itself. Invalid: it is not.
Result<void> check_database(const std::string& path, const DataKeys& keys);

}  // namespace bivouac::store
