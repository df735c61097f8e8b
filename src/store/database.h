// SPDX-License-Identifier: BSD-3-Clause
// One SQLCipher connection: key, pragmas, cached statements. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/store/key_file.h>

struct sqlite3;
struct sqlite3_stmt;

namespace bivouac::store {

// x'...': key and salt as SQLCipher takes them, never in memory that is not guarded.
Secret raw_key(const DataKeys& keys);

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
    // One statement without parameters and rows, kept ready for the next time.
    Result<void> run(std::string_view sql);

    // The statements of one text: those nobody uses, and how many are in use.
    struct Cached {
        std::vector<sqlite3_stmt*> idle;
        size_t taken = 0;
    };
    struct Taken {
        sqlite3_stmt* statement = nullptr;
        Cached* from = nullptr;
    };
    // Out of the cache, or new; give_back() when done. Our own SQL always compiles: aborts otherwise.
    Taken take(std::string_view sql);
    void give_back(Taken taken);

    Error error(std::string_view doing) const;  // from the connection's last failure
    bool in_autocommit() const;                  // no transaction is open

    // Pages that the last commit left in the write-ahead log.
    int wal_pages() const { return wal_pages_; }
    // Whether something failed for want of room since this was asked last.
    bool found_no_room() { return std::exchange(found_no_room_, false); }
    // Brings them to the main file, as far as no reader is in the way. Nothing does so by itself.
    Result<void> checkpoint();
    // The same, and the log's file is empty afterwards. Unavailable, and nothing lost, while somebody reads.
    Result<void> truncate_log();
    sqlite3* handle() { return db_; }

private:
    static constexpr size_t kCachedTexts = 500;
    Database() = default;
    void forget();  // all statements that nobody uses

    struct TextHash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    sqlite3* db_ = nullptr;
    int wal_pages_ = 0;
    mutable bool found_no_room_ = false;
    std::unordered_map<std::string, Cached, TextHash, std::equal_to<>> cache_;  // its nodes stay where they are
};

}  // namespace bivouac::store
