// SPDX-License-Identifier: BSD-3-Clause
// The lists of a post as SQL, assembled from fixed fragments like feeds (feed_sql.h).
#pragma once

#include <optional>

#include <bivouac/model/post_list.h>
#include <bivouac/store/posts.h>

#include "feed_sql.h"

namespace bivouac::store {

struct ListSource {
    Sql from;             // FROM and WHERE, over `versions v`
    std::string time;     // the column that orders it
    std::string is_public = "1";
};
Result<ListSource> mention_source(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer);
Result<ListSource> version_source(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer);
Result<ListSource> child_source(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer);

bool is_ascending(ListPosition::Side side);

// Columns time, version id, row of the version, is_public; `limit` rows.
Sql list_page(const ListSource& source, const std::optional<ListPosition>& position, int limit);
Sql list_count(const ListSource& source);

}  // namespace bivouac::store
