// SPDX-License-Identifier: BSD-3-Clause
#include "migrations.h"

#include <iterator>
#include <string>

namespace bivouac::store {

namespace {

const char* const kMigrations[] = {
#include "sql_0001_initial.h"
#include "sql_0002_feeds.h"
#include "sql_0003_apps.h"
#include "sql_0004_delivery_failures.h"
#include "sql_0005_notifications.h"
#include "sql_0006_vetting.h"
#include "sql_0007_catch_up.h"
#include "sql_0008_reachability.h"
#include "sql_0009_invites.h"
#include "sql_0010_bounds.h"
#include "sql_0011_restorations.h"
#include "sql_0012_newest.h"
#include "sql_0013_hosting.h"
#include "sql_0014_moves.h"
#include "sql_0015_pages.h"
#include "sql_0016_search.h"
};

}  // namespace

int newest_schema()
{
    return static_cast<int>(std::size(kMigrations));
}

Result<void> migrate(Database& database, int up_to)
{
    int64_t version = TRY(database.integer("PRAGMA user_version"));
    int64_t application = TRY(database.integer("PRAGMA application_id"));
    int64_t tables = TRY(database.integer("SELECT count(*) FROM sqlite_schema"));
    if (tables > 0 && application != kApplicationId)
        return fail(ErrorKind::Invalid, "this database belongs to another program");
    if (version > newest_schema())
        return fail(ErrorKind::Invalid,
                    "the database was made by a newer version of bivouac; install that version to open it");
    for (int64_t next = version + 1; next <= up_to; ++next) {
        TRY(database.execute("BEGIN IMMEDIATE"));
        auto done = database.execute(kMigrations[next - 1]);
        if (done.ok())
            done = database.execute("PRAGMA application_id=" + std::to_string(kApplicationId) +
                                    "; PRAGMA user_version=" + std::to_string(next) + "; COMMIT");
        if (!done.ok()) {
            (void)database.execute("ROLLBACK").ok();
            return std::move(done).error().in("bringing the database up to date");
        }
    }
    return {};
}

}  // namespace bivouac::store
