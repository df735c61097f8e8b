// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/backup.h>

#include <sqlcipher/sqlite3.h>

#include "database.h"

namespace bivouac::store {

namespace {

constexpr int kCacheKib = 2 << 10;
constexpr int kPagesAtOnce = 1024;

struct Copying {
    sqlite3_backup* handle = nullptr;
    ~Copying() { sqlite3_backup_finish(handle); }
};

}  // namespace

Result<void> copy_database(const std::string& from, const DataKeys& keys, const std::string& to, const Progress& progress)
{
    auto source = TRY(Database::open(from, keys, Database::Access::ReadOnly, kCacheKib));
    // Whoever closes last would bring the log in and remove it; that is for those who write.
    sqlite3_db_config(source->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    auto target = TRY(Database::open(to, keys, Database::Access::Create, kCacheKib));
    // A copy that is cut off is thrown away.
    TRY(target->execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"));
    // One moment for the whole copy: a transaction that is open already is not begun anew when others write.
    TRY(source->execute("BEGIN"));
    TRY(source->integer("SELECT count(*) FROM sqlite_schema"));
    {
        Copying copying{sqlite3_backup_init(target->handle(), "main", source->handle(), "main")};
        if (!copying.handle)
            return target->error("copying the database");
        for (;;) {
            const int code = sqlite3_backup_step(copying.handle, kPagesAtOnce);
            const int64_t all = sqlite3_backup_pagecount(copying.handle);
            if (progress)
                progress((all - sqlite3_backup_remaining(copying.handle)) * 4096, all * 4096);
            if (code == SQLITE_DONE)
                break;
            if (code != SQLITE_OK)
                return fail(code == SQLITE_FULL ? ErrorKind::NoSpace : ErrorKind::Unavailable,
                            code == SQLITE_FULL ? "the disk is full" : "the database cannot be copied: " +
                                                                           std::string(sqlite3_errstr(code)));
        }
    }
    return source->execute("COMMIT");
}

Result<void> check_database(const std::string& path, const DataKeys& keys)
{
    auto database = TRY(Database::open(path, keys, Database::Access::ReadOnly, kCacheKib));
    const int64_t problems = TRY(database->integer("SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'"));
    if (problems > 0)
        return fail(ErrorKind::Invalid, "the database in it is damaged");
    return {};
}

}  // namespace bivouac::store
