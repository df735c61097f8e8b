// SPDX-License-Identifier: BSD-3-Clause
#include "database.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#define SQLITE_HAS_CODEC 1
#include <sodium.h>
#include <sqlcipher/sqlite3.h>

#include <bivouac/store/load.h>
#include <bivouac/store/transaction.h>

#include "search_words.h"

namespace bivouac::store {

namespace {

Error error_of(sqlite3* db, int code, std::string_view doing)
{
    std::string context(doing);
    switch (code & 0xff) {
    case SQLITE_FULL: return fail(ErrorKind::NoSpace, "the disk is full; nothing was changed; free some space and try again");
    case SQLITE_IOERR:
        // A write that finds no room arrives as an I/O error on some file systems.
        if (int number = sqlite3_system_errno(db); number == ENOSPC || number == EDQUOT || number == EFBIG)
            return fail(ErrorKind::NoSpace, "the disk is full; nothing was changed; free some space and try again");
        return fail(ErrorKind::Internal, context + ": the disk reports an error");
    case SQLITE_NOTADB: return fail(ErrorKind::Forbidden, "the key does not open this database");
    case SQLITE_CORRUPT:
        return fail(ErrorKind::Invalid, "the database is damaged; restore a backup");
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return fail(ErrorKind::Unavailable, "the database is in use by another program");
    case SQLITE_CANTOPEN: return fail(ErrorKind::Unavailable, "the database file cannot be opened");
    case SQLITE_NOMEM: return fail(ErrorKind::Unavailable, "out of memory");
    case SQLITE_TOOBIG: return fail(ErrorKind::TooLarge, "a value is too large");
    default: return fail(ErrorKind::Internal, context + ": " + sqlite3_errmsg(db));
    }
}

constexpr int kBusyMs = 5000;

void configure_once()
{
    // SQLite would count its memory under one lock for all connections: a fifth of the time of four readers.
    static std::once_flag configured;
    std::call_once(configured, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

}  // namespace

void load_database_library()
{
    configure_once();
    unsigned char chance = 0;
    sqlite3_randomness(sizeof chance, &chance);  // from a device, once
}

Secret raw_key(const DataKeys& keys)
{
    constexpr size_t kHexBytes = 2 * (32 + 16);
    Secret raw(size_t(48)), hex(kHexBytes + 1), text(kHexBytes + 3);
    std::memcpy(raw.data(), keys.key.data(), 32);
    std::memcpy(raw.data() + 32, keys.file_salt.data(), 16);
    sodium_bin2hex(reinterpret_cast<char*>(hex.data()), hex.size(), raw.data(), raw.size());
    text.data()[0] = 'x';
    text.data()[1] = '\'';
    std::memcpy(text.data() + 2, hex.data(), kHexBytes);
    text.data()[kHexBytes + 2] = '\'';
    return text;
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, const DataKeys& keys, Access access,
                                                 int cache_kib)
{
    configure_once();
    std::unique_ptr<Database> database(new Database);
    int flags = SQLITE_OPEN_NOMUTEX | (access == Access::ReadOnly    ? SQLITE_OPEN_READONLY
                                       : access == Access::ReadWrite ? SQLITE_OPEN_READWRITE
                                                                     : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (int code = sqlite3_open_v2(path.c_str(), &database->db_, flags, nullptr); code != SQLITE_OK)
        return error_of(database->db_, code, "opening the database");
    sqlite3_busy_timeout(database->db_, kBusyMs);
    // SQLCipher would write about a wrong key to standard error by itself.
    TRY(database->execute("PRAGMA cipher_log_level=NONE"));

    const Secret text = raw_key(keys);
    if (int code = sqlite3_key(database->db_, text.data(), static_cast<int>(text.size())); code != SQLITE_OK)
        return error_of(database->db_, code, "giving the key");
    TRY(database->execute("SELECT count(*) FROM sqlite_schema"));  // proves the key

    std::string pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                          "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-" +
                          std::to_string(cache_kib) + ";";
    // One connection writes and checkpoints: the WAL-reset fault of SQLite before 3.51.3 needs two. It does so when
    // the Store says.
    pragmas += "PRAGMA wal_autocheckpoint=0;";
    if (access == Access::ReadOnly)
        pragmas += "PRAGMA query_only=ON;";
    TRY(database->execute(pragmas));
    sqlite3_wal_hook(
        database->db_,
        [](void* self, sqlite3*, const char*, int pages) {
            static_cast<Database*>(self)->wal_pages_ = pages;
            return SQLITE_OK;
        },
        database.get());
    TRY(add_search_functions(database->db_));
    sqlite3_db_config(database->db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_limit(database->db_, SQLITE_LIMIT_LENGTH, 64 << 20);
    return database;
}

Database::~Database()
{
    forget();
    sqlite3_close_v2(db_);
}

Result<void> Database::execute(std::string_view sql)
{
    std::string text(sql);
    if (int code = sqlite3_exec(db_, text.c_str(), nullptr, nullptr, nullptr); code != SQLITE_OK)
        return error_of(db_, code, "database");
    return {};
}

Result<int64_t> Database::integer(std::string_view sql)
{
    const Taken taken = take(sql);
    int code = sqlite3_step(taken.statement);
    int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(taken.statement, 0) : 0;
    give_back(taken);
    if (code != SQLITE_ROW)
        return error("reading a number");
    return value;
}

Result<void> Database::run(std::string_view sql)
{
    const Taken taken = take(sql);
    const int code = sqlite3_step(taken.statement);
    // Before the reset, which may change what the connection says of the failure.
    Result<void> result;
    if (code != SQLITE_DONE && code != SQLITE_ROW)
        result = error("database");
    give_back(taken);
    return result;
}

Database::Taken Database::take(std::string_view sql)
{
    auto entry = cache_.find(sql);
    if (entry == cache_.end()) {
        // Feeds have as many texts as strangers think of filters.
        if (cache_.size() >= kCachedTexts)
            forget();
        entry = cache_.try_emplace(std::string(sql)).first;
    }
    Cached& cached = entry->second;
    ++cached.taken;
    if (!cached.idle.empty()) {
        auto* statement = cached.idle.back();
        cached.idle.pop_back();
        return {statement, &cached};
    }
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                           nullptr) != SQLITE_OK) {
        // A statement of ours that does not compile is a mistake of ours, found by the first test that runs it.
        std::fprintf(stderr, "bivouac: SQL: %s in: %.*s\n", sqlite3_errmsg(db_), static_cast<int>(sql.size()),
                     sql.data());
        std::abort();
    }
    return {statement, &cached};
}

void Database::give_back(Taken taken)
{
    sqlite3_reset(taken.statement);
    sqlite3_clear_bindings(taken.statement);
    --taken.from->taken;
    taken.from->idle.push_back(taken.statement);
}

void Database::forget()
{
    for (auto entry = cache_.begin(); entry != cache_.end();) {
        for (auto* statement : entry->second.idle)
            sqlite3_finalize(statement);
        entry->second.idle.clear();
        entry = entry->second.taken == 0 ? cache_.erase(entry) : std::next(entry);
    }
}

Error Database::error(std::string_view doing) const
{
    Error found = error_of(db_, sqlite3_errcode(db_), doing);
    found_no_room_ = found_no_room_ || found.kind == ErrorKind::NoSpace;
    return found;
}

Result<void> Database::checkpoint()
{
    wal_pages_ = 0;
    const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        return error("bringing the log to the file");
    return {};
}

Result<void> Database::truncate_log()
{
    sqlite3_busy_timeout(db_, 0);  // who reads for long is not waited for
    const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    Result<void> result;
    if (code != SQLITE_OK)
        result = error("truncating the log");
    else
        wal_pages_ = 0;
    sqlite3_busy_timeout(db_, kBusyMs);
    return result;
}

bool Database::in_autocommit() const
{
    return sqlite3_get_autocommit(db_) != 0;
}

// Statement and the transactions: thin shells over the connection.

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_)
    , statement_(std::exchange(other.statement_, nullptr))
    , cached_(other.cached_)
{
}

Statement::~Statement()
{
    if (statement_)
        database_->give_back({statement_, static_cast<Database::Cached*>(cached_)});
}

void Statement::reset()
{
    sqlite3_reset(statement_);
}

namespace {

int position_of(sqlite3_stmt* statement, const char* name)
{
    int position = sqlite3_bind_parameter_index(statement, name);
    if (position == 0) {
        std::fprintf(stderr, "bivouac: SQL: no parameter %s in: %s\n", name, sqlite3_sql(statement));
        std::abort();
    }
    return position;
}

}  // namespace

Statement& Statement::bind(const char* name, int64_t value)
{
    sqlite3_bind_int64(statement_, position_of(statement_, name), value);
    return *this;
}

Statement& Statement::bind(const char* name, std::string_view text)
{
    sqlite3_bind_text(statement_, position_of(statement_, name), text.data() ? text.data() : "",
                      static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
}

Statement& Statement::bind(const char* name, const std::optional<int64_t>& value)
{
    if (value)
        return bind(name, *value);
    sqlite3_bind_null(statement_, position_of(statement_, name));
    return *this;
}

Statement& Statement::bind_blob(const char* name, std::string_view bytes)
{
    sqlite3_bind_blob(statement_, position_of(statement_, name), bytes.data() ? bytes.data() : "",
                      static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
    return *this;
}

Result<bool> Statement::step()
{
    int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW)
        return true;
    if (code == SQLITE_DONE)
        return false;
    return database_->error("database");
}

Result<void> Statement::run()
{
    while (TRY(step())) {
    }
    return {};
}

int64_t Statement::integer(int column) const
{
    return sqlite3_column_int64(statement_, column);
}

std::string Statement::text(int column) const
{
    auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes ? std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column)))
                 : std::string();
}

std::string Statement::blob(int column) const
{
    auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return bytes ? std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column)))
                 : std::string();
}

bool Statement::is_null(int column) const
{
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Statement ReadTx::prepare(std::string_view sql)
{
    const Database::Taken taken = database_.take(sql);
    return Statement(database_, taken.statement, taken.from);
}

int64_t WriteTx::last_insert_id() const
{
    return sqlite3_last_insert_rowid(database_.handle());
}

int64_t WriteTx::changes() const
{
    return sqlite3_changes64(database_.handle());
}

}  // namespace bivouac::store
