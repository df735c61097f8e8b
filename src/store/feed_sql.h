// SPDX-License-Identifier: BSD-3-Clause
// FeedQuery and Viewer to SQL: the only place where SQL text is assembled, from fixed fragments; every value
// is bound.
//
// A page is read by walking one or a few indexes in the page's order until limit + 1 rows are found. Which ones
// (the drivers) is decided here and named with INDEXED BY, so that plans do not depend on statistics: posts that
// mention somebody, of an author, of a type, or simply all by time. Several walks are merged by SQLite (a
// compound SELECT with ORDER BY keeps the order without sorting). All other filters are checked row by row.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <bivouac/model/feed_query.h>
#include <bivouac/model/principal.h>
#include <bivouac/store/transaction.h>

namespace bivouac::store {

struct Sql {
    std::string text;
    std::vector<std::function<void(Statement&)>> bindings;

    template <typename T>
    void bind(std::string name, T value)
    {
        bindings.push_back(
            [name = std::move(name), value = std::move(value)](Statement& s) { s.bind(name.c_str(), value); });
    }
    Statement prepare(ReadTx& tx) const;
};

// A condition over `versions v`: may the viewer see this version? Uses the parameters that it binds only.
// In a feed who is shut out sees what is for her by name, not even the meta post.
enum class Place { Anywhere, Feed };
Result<Sql> visible_condition(ReadTx& tx, int64_t owner, const Viewer& viewer, Place place = Place::Anywhere);

// Over `versions v` too: no greater version of the post fulfils that condition. `latest` is the column
// ("latest" or "latest_published") whose kind of time decides.
std::string newest_condition(const std::string& visible, const std::string& latest);

// Columns time, version id, row of the version, in the order of the page (newest first unless `ascending`),
// limit + 1 rows.
struct FeedSql {
    Sql sql;
    bool ascending = false;
};
Result<FeedSql> feed_select(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer);
Result<Sql> feed_count(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer);

// Run with :post whenever the versions of a post change: the columns latest and latest_published of versions
// (sql/0002_feeds.sql says what they mean), then their copies in mentions.
extern const char* const kVersionUpdates[2];

}  // namespace bivouac::store
