// SPDX-License-Identifier: BSD-3-Clause
// The permission slips: whoever holds a ReadTx& looks at one snapshot, whoever holds a WriteTx& is inside the
// writer's transaction. Only Store makes them. Statements are cached per connection; values are always bound.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>

struct sqlite3_stmt;

namespace bivouac::store {

class Database;

class Statement {
public:
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    Statement& bind(const char* name, int64_t value);
    Statement& bind(const char* name, int value) { return bind(name, static_cast<int64_t>(value)); }
    Statement& bind(const char* name, bool value) { return bind(name, static_cast<int64_t>(value)); }
    Statement& bind(const char* name, std::string_view text);
    Statement& bind(const char* name, const std::string& text) { return bind(name, std::string_view(text)); }
    Statement& bind(const char* name, const char* text) { return bind(name, std::string_view(text)); }
    Statement& bind(const char* name, const std::optional<int64_t>& value);
    Statement& bind_blob(const char* name, std::string_view bytes);

    Result<bool> step();  // true: there is a row
    Result<void> run();   // to the end, rows ignored
    void reset();         // to step through it once more; bound values stay

    int64_t integer(int column) const;
    std::string text(int column) const;
    std::string blob(int column) const;
    bool is_null(int column) const;

private:
    friend class ReadTx;
    Statement(Database& database, sqlite3_stmt* statement, void* cached)
        : database_(&database)
        , statement_(statement)
        , cached_(cached)
    {
    }
    Database* database_;
    sqlite3_stmt* statement_;
    void* cached_;  // where in the connection's cache it belongs
};

class ReadTx {
public:
    ReadTx(const ReadTx&) = delete;
    Statement prepare(std::string_view sql);
    int64_t now_ms() const { return now_ms_; }

protected:
    friend class Store;
    ReadTx(Database& database, int64_t now_ms) : database_(database), now_ms_(now_ms) {}
    Database& database_;
    int64_t now_ms_;
};

class WriteTx : public ReadTx {
public:
    int64_t last_insert_id() const;
    int64_t changes() const;
    // Runs on the writer thread once the transaction is on disk; not at all when it failed.
    void after_commit(std::function<void()> action) { actions_.push_back(std::move(action)); }

private:
    friend class Store;
    using ReadTx::ReadTx;
    std::vector<std::function<void()>> actions_;
};

}  // namespace bivouac::store
