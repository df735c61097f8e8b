// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bivouac::store {

// What SQLCipher reads once, now. Before a process gives up its files (base/confine.h).
void load_database_library();

}  // namespace bivouac::store
