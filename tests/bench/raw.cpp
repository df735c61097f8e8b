// SPDX-License-Identifier: BSD-3-Clause
// The floors under the store: the same rows in the same file through SQLCipher's own functions, one connection, one
// transaction each, synchronous=FULL. Prints one line of JSON.
//
//   --work insert   one post of --body bytes a transaction
//   --before SQL    is run first, for trying things out on a copy
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

double seconds_since(std::chrono::steady_clock::time_point begin)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// An insert of a table's newest row, as a template: some of its columns get new values, the others stay.
class Template {
public:
    Template(Connection& db, const std::string& table, const std::string& key)
        : db_(db)
    {
        auto* select = db.prepare(("SELECT * FROM " + table + " ORDER BY " + key + " DESC LIMIT 1").c_str());
        if (sqlite3_step(select) != SQLITE_ROW)
            die("raw: no row in " + table);
        std::string names;
        std::string marks;
        for (int i = 0; i < sqlite3_column_count(select); ++i) {
            columns_.push_back(sqlite3_column_name(select, i));
            values_.push_back(sqlite3_value_dup(sqlite3_column_value(select, i)));
            names += (i ? "," : "") + columns_.back();
            marks += i ? ",?" : "?";
        }
        sqlite3_finalize(select);
        insert_ = db.prepare(("INSERT INTO " + table + " (" + names + ") VALUES (" + marks + ")").c_str());
        for (size_t i = 0; i < values_.size(); ++i)
            sqlite3_bind_value(insert_, static_cast<int>(i) + 1, values_[i]);
    }

    ~Template()
    {
        sqlite3_finalize(insert_);
        for (auto* value : values_)
            sqlite3_value_free(value);
    }
    Template(const Template&) = delete;

    int position(const std::string& column) const
    {
        auto it = std::find(columns_.begin(), columns_.end(), column);
        return it == columns_.end() ? 0 : static_cast<int>(it - columns_.begin()) + 1;
    }

    // Length of a text; -1 for NULL.
    int length(const std::string& column) const
    {
        sqlite3_value* value = values_[static_cast<size_t>(position(column) - 1)];
        return sqlite3_value_type(value) == SQLITE_NULL ? -1 : sqlite3_value_bytes(value);
    }

    Template& set(const std::string& column, int64_t value)
    {
        sqlite3_bind_int64(insert_, position(column), value);
        return *this;
    }

    Template& set(const std::string& column, const std::string& text)
    {
        sqlite3_bind_text(insert_, position(column), text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
        return *this;
    }

    Template& clear(const std::string& column)
    {
        sqlite3_bind_null(insert_, position(column));
        return *this;
    }

    void run() { db_.finish(insert_); }

private:
    Connection& db_;
    std::vector<std::string> columns_;
    std::vector<sqlite3_value*> values_;
    sqlite3_stmt* insert_ = nullptr;
};

// What store::insert_version leaves of a public status post: one row of posts, versions and bodies.
Json insert_posts(Connection& db, double seconds, int body_bytes)
{
    Template post(db, "posts", "id");
    Template version(db, "versions", "id");
    Template body(db, "bodies", "version");
    // The forms of the text, each as much shorter or longer than the first as in the template.
    std::vector<std::pair<std::string, std::string>> texts;
    for (const char* form : {"body", "shown"})
        if (body.position(form) != 0 && body.length(form) >= 0)
            texts.emplace_back(form, std::string(static_cast<size_t>(std::max(
                                                     1, body_bytes + body.length(form) - body.length("body"))), 'x'));
    post.clear("id");
    version.clear("id");
    for (const auto& [form, text] : texts)
        body.set(form, text);

    auto insert_one = [&] {
        const std::string id = system_random().id();
        const std::string version_id = "sha512t256-" + to_hex(system_random().bytes(32));
        const int64_t now = system_clock().now_ms();
        db.run("BEGIN IMMEDIATE");
        post.set("public_id", id).set("published_at", now).set("received_at", now).run();
        version.set("post", db.last()).set("version_id", version_id);
        for (const char* time : {"post_published_at", "post_received_at", "published_at", "received_at"})
            version.set(time, now);
        version.run();
        body.set("version", db.last()).run();
        db.run("COMMIT");
    };
    // The node that this is compared with has its pages at hand.
    for (int i = 0; i < 200; ++i)
        insert_one();
    const auto begin = std::chrono::steady_clock::now();
    int64_t done = 0;
    for (; seconds_since(begin) < seconds; ++done)
        insert_one();
    const double took = seconds_since(begin);
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
            sqlite3_bind_int64(insert, 1, first + i);
            sqlite3_bind_int64(insert, 2, static_cast<int64_t>(at / piece));
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
            sqlite3_bind_int64(select, 1, first + i);
            sqlite3_bind_int64(select, 2, static_cast<int64_t>(at / piece));
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
    db.run(arguments.text("--before").c_str());
    if (arguments.text("--work") == "insert") {
        std::cout << insert_posts(db, static_cast<double>(arguments.number("--milliseconds", 1000)) / 1000,
                                  static_cast<int>(arguments.number("--body", 1024)))
                  << std::endl;
        return 0;
    }
    const auto bytes = static_cast<size_t>(arguments.number("--bytes", 10 << 20));
    const int rounds = static_cast<int>(arguments.number("--rounds", 5));
    std::cout << Json({{"whole", blobs(db, bytes, bytes, rounds)},
                       {"rows", blobs(db, bytes, limits::kBlobChunkBytes, rounds)}})
              << std::endl;
}
