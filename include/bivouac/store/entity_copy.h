// SPDX-License-Identifier: BSD-3-Clause
// One entity with all that is hers, out of one database into another: rows get new numbers there, and nothing of
// anybody else who lives in the first one comes along.
#pragma once

#include <cstdint>
#include <string>

#include <bivouac/base/result.h>
#include <bivouac/store/key_file.h>

namespace bivouac::store {

// Both at the newest schema and opened by nobody else. In one transaction; bytes of attachments that are in `to` already
// are shared. Conflict: her address or that name is in `to`. NotFound: there is none of that name in `from`.
Result<void> copy_entity(const std::string& from, const DataKeys& from_keys, const std::string& name, const std::string& to,
                         const DataKeys& to_keys, const std::string& new_name);

}  // namespace bivouac::store
