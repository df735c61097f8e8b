// SPDX-License-Identifier: BSD-3-Clause
// The parameters of posts_feed (Tent 0.3, section 4.2) as values. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post.h>

namespace bivouac {

struct Cursor {
    int64_t time = 0;     // ms
    std::string version;  // empty: every item of that time is excluded
};

struct FeedQuery {
    enum class Sort { ReceivedAt, PublishedAt, VersionReceivedAt, VersionPublishedAt };
    std::vector<std::string> types;     // selectors; empty: all
    std::vector<std::string> entities;  // empty: all
    Sort sort = Sort::ReceivedAt;
    std::optional<Cursor> since;
    std::optional<Cursor> until;
    std::optional<Cursor> before;
    int limit = limits::kFeedLimitDefault;
    // What a person wants to read: nothing of the protocol's own types, nothing of strangers who wait at the
    // desk.
    bool for_person = false;
};

struct FeedPage {
    std::vector<Post> posts;  // newest first
    bool older = false;       // there are older ones
    bool newer = false;
};

// From the query string of the target (without '?'). Unknown parameters are ignored.
Result<FeedQuery> parse_feed_query(std::string_view query);

// The `pages` links (section 4.2): query strings starting with '?', all filters kept.
struct FeedLinks {
    std::string first, prev, next, last;  // empty: absent
};
FeedLinks feed_links(const FeedQuery& query, const FeedPage& page);

int64_t sort_time(const Post& post, FeedQuery::Sort sort);

}  // namespace bivouac
