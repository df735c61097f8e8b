// SPDX-License-Identifier: BSD-3-Clause
// The floors under the store: the same rows in the same file through SQLCipher's own functions, one connection, one
// transaction each, synchronous=FULL. Prints one line of JSON.
//
//   --work insert   one post of --body bytes a transaction
//   --work blobs    attachments of --bytes written and read: as one value, and as rows of 64 KiB
#define SQLITE_HAS_CODEC 1
#include <sqlcipher/sqlite3.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>

#include <bivouac/app/config.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/files.h>
#include <bivouac/model/json.h>
#include <bivouac/model/limits.h>
#include <bivouac/store/key_file.h>

#include <sodium.h>

#include "arguments.h"

using namespace bivouac;

namespace {

class Connection {
public:
    Connection(const std::string& directory, const Secret& passphrase)
    {
        const app::DataPaths paths = app::DataPaths::in(directory);
        auto file = read_file(paths.keys, 64u << 10);
        if (!file)
            die(file.error().detail);
        auto keys = store::open_key_file(*file, passphrase);
        if (!keys)
            die(keys.error().detail);
        check(sqlite3_open_v2(paths.database.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr));
        const std::string key = "x'" + to_hex(keys->key.view()) + to_hex(keys->file_salt) + "'";
        check(sqlite3_key(db_, key.data(), static_cast<int>(key.size())));
        run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-16384;"
            "PRAGMA wal_autocheckpoint=1000;");
    }

    ~Connection() { sqlite3_close_v2(db_); }
    Connection(const Connection&) = delete;

    void run(const char* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }

    sqlite3_stmt* prepare(const char* sql)
    {
        sqlite3_stmt* statement = nullptr;
        check(sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
        return statement;
    }

    // To the end of the statement, and ready for the next.
    void finish(sqlite3_stmt* statement)
    {
        while (sqlite3_step(statement) == SQLITE_ROW) {
        }
        check(sqlite3_reset(statement));
    }

    int64_t last() const { return sqlite3_last_insert_rowid(db_); }

    int64_t number(const char* sql)
    {
        sqlite3_stmt* statement = prepare(sql);
        sqlite3_step(statement);
        int64_t value = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        return value;
    }

private:
    void check(int code)
    {
        if (code != SQLITE_OK)
            die(std::string("raw: ") + sqlite3_errmsg(db_));
    }

    sqlite3* db_ = nullptr;
};

void bind(sqlite3_stmt* statement, int position, int64_t value)
{
    sqlite3_bind_int64(statement, position, value);
}

void bind(sqlite3_stmt* statement, int position, const std::string& text)
{
    sqlite3_bind_text(statement, position, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

template <typename... Values>
void bind_all(sqlite3_stmt* statement, const Values&... values)
{
    int position = 0;
    (bind(statement, ++position, values), ...);
}

double seconds_since(std::chrono::steady_clock::time_point begin)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// What store::insert_version leaves of a public status post: one row of posts, versions and bodies.
Json insert_posts(Connection& db, double seconds, size_t body_bytes)
{
    const int64_t owner = db.number("SELECT id FROM entities");
    const int64_t author = db.number("SELECT author FROM posts ORDER BY id DESC LIMIT 1");
    const int64_t type = db.number("SELECT type FROM versions ORDER BY id DESC LIMIT 1");
    auto* post = db.prepare("INSERT INTO posts (owner, author, public_id, published_at, received_at) VALUES (?,?,?,?,?)");
    auto* version = db.prepare("INSERT INTO versions (post, owner, author, version_id, type, fragment, post_published_at,"
                               "post_received_at, published_at, received_at, public, latest)"
                               "VALUES (?,?,?,?,?,?,?,?,?,?,1,1)");
    auto* body = db.prepare("INSERT INTO bodies VALUES (?,?)");
    const std::string text(body_bytes, 'x');
    const auto begin = std::chrono::steady_clock::now();
    int64_t done = 0;
    while (seconds_since(begin) < seconds) {
        const std::string id = system_random().id();
        const std::string version_id = "sha512t256-" + to_hex(system_random().bytes(32));
        const int64_t now = system_clock().now_ms();
        db.run("BEGIN IMMEDIATE");
        bind_all(post, owner, author, id, now, now);
        db.finish(post);
        bind_all(version, db.last(), owner, author, version_id, type, std::string(), now, now, now, now);
        db.finish(version);
        bind_all(body, db.last(), text);
        db.finish(body);
        db.run("COMMIT");
        ++done;
    }
    const double took = seconds_since(begin);
    for (auto* statement : {post, version, body})
        sqlite3_finalize(statement);
    return {{"requests", done}, {"seconds", took}, {"rate", static_cast<double>(done) / took}};
}

// Bytes a second of writing and reading `bytes` in values of `piece` bytes, `rounds` times.
Json blobs(Connection& db, size_t bytes, size_t piece, int rounds)
{
    db.run("CREATE TABLE IF NOT EXISTS bench_blobs (blob INTEGER, position INTEGER, data BLOB, UNIQUE (blob, position))");
    auto* insert = db.prepare("INSERT INTO bench_blobs VALUES (?,?,?)");
    auto* select = db.prepare("SELECT data FROM bench_blobs WHERE blob = ? AND position = ?");
    const int64_t first = db.number("SELECT coalesce(max(blob), 0) + 1 FROM bench_blobs");
    std::vector<std::string> contents;
    for (int i = 0; i < rounds; ++i)
        contents.push_back(system_random().bytes(bytes));

    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < rounds; ++i) {
        db.run("BEGIN IMMEDIATE");
        for (size_t at = 0; at < bytes; at += piece) {
            bind(insert, 1, first + i);
            bind(insert, 2, static_cast<int64_t>(at / piece));
            sqlite3_bind_blob(insert, 3, contents[i].data() + at, static_cast<int>(std::min(piece, bytes - at)),
                              SQLITE_STATIC);
            db.finish(insert);
        }
        db.run("COMMIT");
    }
    const double wrote = seconds_since(begin);

    begin = std::chrono::steady_clock::now();
    std::string copy;
    for (int i = 0; i < rounds; ++i) {
        for (size_t at = 0; at < bytes; at += piece) {
            bind(select, 1, first + i);
            bind(select, 2, static_cast<int64_t>(at / piece));
            if (sqlite3_step(select) != SQLITE_ROW)
                die("raw: a blob is missing");
            copy.assign(static_cast<const char*>(sqlite3_column_blob(select, 0)),
                        static_cast<size_t>(sqlite3_column_bytes(select, 0)));
            if (copy.size() != std::min(piece, bytes - at))
                die("raw: a blob is short");
            sqlite3_reset(select);
        }
    }
    const double read = seconds_since(begin);
    sqlite3_finalize(insert);
    sqlite3_finalize(select);
    const double total = static_cast<double>(bytes) * rounds;
    return {{"write", total / wrote}, {"read", total / read}};
}

}  // namespace

int main(int count, char** values)
{
    if (sodium_init() < 0)
        return 1;
    Arguments arguments(count, values);
    Connection db(arguments.text("--data"), Secret(arguments.text("--passphrase")));
    if (arguments.text("--work") == "insert") {
        std::cout << insert_posts(db, static_cast<double>(arguments.number("--milliseconds", 1000)) / 1000,
                                  static_cast<size_t>(arguments.number("--body", 1024)))
                  << std::endl;
        return 0;
    }
    const auto bytes = static_cast<size_t>(arguments.number("--bytes", 10 << 20));
    const int rounds = static_cast<int>(arguments.number("--rounds", 5));
    std::cout << Json({{"whole", blobs(db, bytes, bytes, rounds)},
                       {"rows", blobs(db, bytes, limits::kBlobChunkBytes, rounds)}})
              << std::endl;
}
