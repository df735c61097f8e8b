// SPDX-License-Identifier: BSD-3-Clause
// One SQLCipher connection: key, pragmas, cached statements. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/store/key_file.h>

struct sqlite3;
struct sqlite3_stmt;

namespace bivouac::store {

class Database {
public:
    enum class Access { Create, ReadWrite, ReadOnly };
    static Result<std::unique_ptr<Database>> open(const std::string& path, const DataKeys& keys, Access access,
                                                  int cache_kib);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    // Statements without parameters, several separated by semicolons.
    Result<void> execute(std::string_view sql);
    Result<int64_t> integer(std::string_view sql);

    // Out of the cache, or new; give_back() when done. Our own SQL always compiles: aborts otherwise.
    sqlite3_stmt* take(std::string_view sql);
    void give_back(sqlite3_stmt* statement);

    Error error(std::string_view doing) const;  // from the connection's last failure
    bool in_autocommit() const;                  // no transaction is open
    sqlite3* handle() { return db_; }

private:
    static constexpr size_t kCachedTexts = 500;
    Database() = default;
    void forget();  // all cached statements
    sqlite3* db_ = nullptr;
    std::unordered_map<std::string, std::vector<sqlite3_stmt*>> cache_;
};

}  // namespace bivouac::store
