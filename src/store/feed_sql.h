// SPDX-License-Identifier: BSD-3-Clause
// FeedQuery and Viewer to SQL: the only place where SQL text is assembled, from fixed fragments; every value
// is bound.
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
};

// A condition over `versions v`: may the viewer see this version?
Result<Sql> visible_condition(ReadTx& tx, int64_t owner, const Viewer& viewer);

// SELECT v.id ... in the order of the page (newest first unless `ascending`), limit + 1 rows.
struct FeedSql {
    Sql sql;
    bool ascending = false;
};
Result<FeedSql> feed_select(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer);
Result<Sql> feed_count(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer);

}  // namespace bivouac::store
