// SPDX-License-Identifier: BSD-3-Clause
// Written against the schema itself: which column refers to which table is asked of SQLite, so that a table that is
// added later comes along. The few columns that refer without saying so stand in kUnsaid.
#include <bivouac/store/entity_copy.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include <sqlcipher/sqlite3.h>

#include "database.h"

namespace bivouac::store {

namespace {

constexpr int kCacheKib = 8 << 10;

// (table, column) -> table that it refers to. 0 in posts.newest means none.
const std::map<std::pair<std::string, std::string>, std::string> kUnsaid = {
    {{"versions", "owner"}, "entities"}, {{"versions", "author"}, "names"},
    {{"mentions", "owner"}, "entities"}, {{"posts", "newest"}, "versions"},
    {{"moves", "rewritten"}, "versions"}, {{"moves", "rewrite_to"}, "versions"},
};

struct Column {
    std::string name;
    std::string refers_to;  // table; empty: a value
    bool is_row_id = false;
};

struct Table {
    std::string name;
    std::vector<Column> columns;
};

// Of the file, or of browsers at the old place: not of one entity. What is for searching is made anew of what was copied.
bool is_of_the_file(const std::string& table)
{
    return table == "restorations" || table == "sessions" || table.starts_with("sqlite_") || table.starts_with("search_");
}

class Rows {
public:
    static Result<Rows> of(Database& database, const std::string& sql)
    {
        Rows rows;
        if (sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &rows.statement_, nullptr) !=
            SQLITE_OK)
            return database.error("copying an entity");
        return rows;
    }
    Rows(Rows&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
    Rows& operator=(Rows&&) = delete;
    ~Rows() { sqlite3_finalize(statement_); }

    bool next() { return sqlite3_step(statement_) == SQLITE_ROW; }
    std::string text(int column) const
    {
        const auto* bytes = sqlite3_column_text(statement_, column);
        return bytes ? std::string(reinterpret_cast<const char*>(bytes)) : std::string();
    }
    int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }

private:
    Rows() = default;
    sqlite3_stmt* statement_ = nullptr;
};

Result<std::vector<Table>> tables_of(Database& database)
{
    std::vector<Table> out;
    auto names = TRY(Rows::of(database, "SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY rowid"));
    while (names.next())
        if (std::string name = names.text(0); !is_of_the_file(name))
            out.push_back({name, {}});
    for (auto& table : out) {
        std::map<std::string, std::string> refers;
        auto keys = TRY(Rows::of(database, "SELECT \"from\", \"table\" FROM pragma_foreign_key_list('" + table.name + "')"));
        while (keys.next())
            refers[keys.text(0)] = keys.text(1);
        auto columns = TRY(Rows::of(database, "SELECT name, pk, type FROM pragma_table_info('" + table.name + "')"));
        size_t in_key = 0;
        while (columns.next()) {
            Column column;
            column.name = columns.text(0);
            if (auto said = refers.find(column.name); said != refers.end())
                column.refers_to = said->second;
            if (auto unsaid = kUnsaid.find({table.name, column.name}); unsaid != kUnsaid.end())
                column.refers_to = unsaid->second;
            in_key += columns.integer(1) > 0;
            column.is_row_id = columns.integer(1) == 1 && columns.text(2) == "INTEGER" && column.refers_to.empty();
            table.columns.push_back(std::move(column));
        }
        if (in_key > 1)
            for (auto& column : table.columns)
                column.is_row_id = false;
    }
    return out;
}

const Column* reference(const Table& table, const std::string& to)
{
    for (const auto& column : table.columns)
        if (column.refers_to == to)
            return &column;
    return nullptr;
}

// Which rows of a table are hers; empty: they hang on nobody.
std::string condition(const std::vector<Table>& tables, const Table& table, int depth = 0)
{
    constexpr int kDeepest = 4;
    if (table.name == "entities")
        return "id = (SELECT id FROM temp.moving)";
    if (const Column* owner = reference(table, "entities"))
        return owner->name + " = (SELECT id FROM temp.moving)";
    for (const auto& column : table.columns) {
        if (column.refers_to.empty() || column.refers_to == "names" || column.refers_to == "types" || depth == kDeepest)
            continue;
        for (const auto& parent : tables)
            if (parent.name == column.refers_to)
                if (std::string inner = condition(tables, parent, depth + 1); !inner.empty())
                    return column.name + " IN (SELECT id FROM source." + parent.name + " WHERE " + inner + ")";
    }
    return {};
}

// What stands for a value in the other file.
std::string translated(const Table& table, const Column& column, const std::set<std::string>& numbered)
{
    if (table.name == "posts" && column.name == "indexed")
        return "0";
    const std::string& to = column.refers_to;
    if (to == "names" || to == "types" || to == "blobs")
        return "(SELECT new FROM temp.map_" + to + " WHERE old = s." + column.name + ")";
    if (to == "entities")
        return "(SELECT new_id FROM temp.moving)";
    const std::string numbers = to.empty() && column.is_row_id ? table.name : to;
    if (numbers.empty() || numbered.count(numbers) == 0)
        return "s." + column.name;
    const std::string shifted = "s." + column.name + " + (SELECT by FROM temp.shifts WHERE name = '" + numbers + "')";
    return table.name == "posts" && column.name == "newest" ? "CASE WHEN s.newest = 0 THEN 0 ELSE " + shifted + " END"
                                                            : shifted;
}

// Names and types that she has to do with: found by their own column, in the rows that are hers.
Result<void> map_words(Database& database, const std::vector<Table>& tables, const std::string& words, const std::string& column,
                       const std::string& columns)
{
    std::string used;
    for (const auto& table : tables) {
        const std::string hers = condition(tables, table);
        for (const auto& c : table.columns)
            if (c.refers_to == words && !hers.empty())
                used += std::string(used.empty() ? "" : " UNION ") + "SELECT " + c.name + " AS id FROM source." + table.name +
                        " WHERE " + c.name + " IS NOT NULL AND " + hers;
    }
    if (words == "names")
        used += " UNION SELECT n.id FROM source.names n JOIN source.entities e ON e.entity = n.entity WHERE e.id = (SELECT id FROM temp.moving)";
    TRY(database.execute("CREATE TEMP TABLE used_" + words + " AS " + used));
    TRY(database.execute("INSERT OR IGNORE INTO main." + words + " (" + columns + ") SELECT " + columns + " FROM source." + words +
                         " WHERE id IN (SELECT id FROM temp.used_" + words + ")"));
    return database.execute("CREATE TEMP TABLE map_" + words + " (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);"
                            "INSERT INTO temp.map_" + words + " SELECT o.id, n.id FROM source." + words + " o JOIN main." + words +
                            " n USING (" + column + ") WHERE o.id IN (SELECT id FROM temp.used_" + words + ")");
}

// Attachments: those that she holds, by their digest.
Result<void> map_blobs(Database& database)
{
    return database.execute(R"(
        CREATE TEMP TABLE map_blobs (old INTEGER PRIMARY KEY, new INTEGER NOT NULL, here INTEGER NOT NULL);
        INSERT INTO temp.map_blobs
        SELECT o.id, coalesce(n.id, o.id + (SELECT coalesce(max(id), 0) FROM main.blobs)), n.id IS NOT NULL
        FROM source.blob_holders h JOIN source.blobs o ON o.id = h.blob LEFT JOIN main.blobs n ON n.digest = o.digest
        WHERE h.owner = (SELECT id FROM temp.moving) AND o.digest IS NOT NULL;
        INSERT INTO main.blobs (id, digest, size, stored_at)
        SELECT m.new, o.digest, o.size, o.stored_at FROM temp.map_blobs m JOIN source.blobs o ON o.id = m.old WHERE m.here = 0;
        INSERT INTO main.blob_chunks (blob, position, data)
        SELECT m.new, c.position, c.data FROM temp.map_blobs m JOIN source.blob_chunks c ON c.blob = m.old WHERE m.here = 0;)");
}

Result<void> copy_rows(Database& database, const std::string& new_name)
{
    const auto tables = TRY(tables_of(database));
    TRY(map_words(database, tables, "names", "entity", "entity"));
    TRY(map_words(database, tables, "types", "base", "base, bookkeeping"));
    TRY(map_blobs(database));

    // The triggers count for quotas, which come along as they are.
    std::vector<std::string> triggers;
    {
        auto rows = TRY(Rows::of(database, "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger'"));
        std::vector<std::string> names;
        while (rows.next()) {
            names.push_back(rows.text(0));
            triggers.push_back(rows.text(1));
        }
        for (const auto& name : names)
            TRY(database.execute("DROP TRIGGER main." + name));
    }
    std::set<std::string> numbered;
    TRY(database.execute("CREATE TEMP TABLE shifts (name TEXT PRIMARY KEY, by INTEGER NOT NULL)"));
    for (const auto& table : tables)
        for (const auto& column : table.columns)
            if (column.is_row_id && table.name != "entities" && table.name != "names" && table.name != "types" &&
                table.name != "blobs") {
                numbered.insert(table.name);
                TRY(database.execute("INSERT INTO temp.shifts SELECT '" + table.name + "', coalesce(max(" + column.name +
                                     "), 0) FROM main." + table.name));
            }
    for (const auto& table : tables) {
        if (table.name == "names" || table.name == "types" || table.name == "blobs" || table.name == "blob_chunks")
            continue;
        const std::string hers = condition(tables, table);
        if (hers.empty())
            return fail(ErrorKind::Internal, "the table " + table.name + " belongs to nobody");
        std::string columns, values;
        for (const auto& column : table.columns) {
            columns += (columns.empty() ? "" : ", ") + column.name;
            const bool is_entity = table.name == "entities";
            values += (values.empty() ? "" : ", ") +
                      (is_entity && column.name == "id"     ? "(SELECT new_id FROM temp.moving)"
                       : is_entity && column.name == "name" ? "'" + new_name + "'"
                                                            : translated(table, column, numbered));
        }
        // Bytes that are still on their way belong to nobody's posts.
        const std::string only = table.name == "blob_holders" ? " AND s.blob IN (SELECT old FROM temp.map_blobs)" : "";
        TRY(database.execute("INSERT INTO main." + table.name + " (" + columns + ") SELECT " + values + " FROM source." + table.name +
                             " AS s WHERE s." + hers + only));
    }
    for (const auto& trigger : triggers)
        TRY(database.execute(trigger));
    return database.execute(R"(
        INSERT OR IGNORE INTO main.search_people_queue
        SELECT owner, peer FROM main.relationships WHERE owner = (SELECT new_id FROM temp.moving)
        UNION SELECT owner, author FROM main.versions WHERE owner = (SELECT new_id FROM temp.moving) AND meta = 1)");
}

}  // namespace

Result<void> copy_entity(const std::string& from, const DataKeys& from_keys, const std::string& name, const std::string& to,
                         const DataKeys& to_keys, const std::string& new_name)
{
    auto database = TRY(Database::open(to, to_keys, Database::Access::ReadWrite, kCacheKib));
    {
        const Secret key = raw_key(from_keys);
        sqlite3_stmt* attach = nullptr;
        if (sqlite3_prepare_v2(database->handle(), "ATTACH :path AS source KEY :key", -1, &attach, nullptr) != SQLITE_OK)
            return database->error("opening the other file");
        sqlite3_bind_text(attach, 1, from.data(), static_cast<int>(from.size()), SQLITE_STATIC);
        sqlite3_bind_text(attach, 2, reinterpret_cast<const char*>(key.data()), static_cast<int>(key.size()), SQLITE_STATIC);
        const int code = sqlite3_step(attach);
        sqlite3_finalize(attach);
        if (code != SQLITE_DONE)
            return database->error("opening the other file");
    }
    auto quoted = [](std::string text) {
        for (size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 2)
            text.insert(at, "'");
        return "'" + text + "'";
    };
    if (TRY(database->integer("SELECT count(*) FROM source.entities WHERE name = " + quoted(name))) == 0)
        return fail(ErrorKind::NotFound, "there is no entity of the name " + name);
    if (TRY(database->integer("SELECT count(*) FROM main.entities WHERE name = " + quoted(new_name))) != 0)
        return fail(ErrorKind::Conflict, "there is an entity of the name " + new_name + " here already");
    if (TRY(database->integer("SELECT count(*) FROM main.entities m JOIN source.entities s USING (entity) WHERE s.name = " +
                              quoted(name))) != 0)
        return fail(ErrorKind::Conflict, "this entity lives here already");
    // She moved since: what else is of one entity alone is the same as ever.
    if (TRY(database->integer("SELECT count(*) FROM main.entities m JOIN source.entities s USING (bewit_id) WHERE s.name = " +
                              quoted(name))) != 0)
        return fail(ErrorKind::Conflict, "this entity lives here already, by a later address");
    TRY(database->execute("BEGIN IMMEDIATE"));
    // What refers to rows that come later is looked at when all are there.
    auto done = database->execute("PRAGMA defer_foreign_keys=ON;"
                                  "CREATE TEMP TABLE moving AS SELECT id, (SELECT coalesce(max(id), 0) + 1 FROM main.entities) AS new_id"
                                  " FROM source.entities WHERE name = " + quoted(name));
    if (done.ok())
        done = copy_rows(*database, new_name);
    if (done.ok())
        done = database->execute("COMMIT");
    if (!done.ok()) {
        (void)database->execute("ROLLBACK").ok();
        return std::move(done).error().in("copying the entity");
    }
    return database->checkpoint();
}

}  // namespace bivouac::store
