// SPDX-License-Identifier: BSD-3-Clause
// Brings a database file up to the schema of this program: numbered files in sql/, each run in one transaction
// that also sets user_version. A released migration never changes.
#pragma once

#include <bivouac/base/result.h>

#include "database.h"

namespace bivouac::store {

constexpr int kApplicationId = 0x42565543;  // "BVUC"

int newest_schema();
// Invalid: another program's file, or one of a newer version. Tests stop earlier, to make an older file.
Result<void> migrate(Database& database, int up_to = newest_schema());

}  // namespace bivouac::store
