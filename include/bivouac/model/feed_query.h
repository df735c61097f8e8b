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

// Words that stand for many entities, in `entities` and `mentions`; resolved by the store.
enum class People { Followings, Followers, Friends };
std::optional<People> people_of(std::string_view word);  // "followings", "following", "followers", "friends"

// One item of `mentions`: whoever mentions that entity, or that post of hers.
struct MentionItem {
    std::string entity;  // or a word for People
    std::string post;    // empty: the entity, with or without a post
};

// The relations of a post whose entities' profiles are wanted, as bits.
namespace profiles_of {
constexpr unsigned kEntity = 1;
constexpr unsigned kMentions = 2;
constexpr unsigned kRefs = 4;
constexpr unsigned kParents = 8;
constexpr unsigned kPermissions = 16;
}  // namespace profiles_of

struct FeedQuery {
    enum class Sort { ReceivedAt, PublishedAt, VersionReceivedAt, VersionPublishedAt };
    std::vector<std::string> types;                  // selectors; empty: all
    std::vector<std::string> entities;               // and words for People; empty: all
    std::vector<std::vector<MentionItem>> mentions;  // any of each group; all groups
    std::optional<int> max_refs;                     // absent: not asked for
    unsigned profiles = 0;                           // bits of profiles_of; 0: not asked for
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

// The values of parameters that single posts and lists take as well (section 4.4).
Result<int> parse_max_refs(std::string_view value);      // cut to limits::kRefsPerPost
Result<unsigned> parse_profiles(std::string_view value);  // bits of profiles_of
std::string write_profiles(unsigned profiles);
Result<int> parse_limit(std::string_view value);         // cut to limits::kFeedLimitMaximum

// Where a page begins and ends, and whether there is more beyond.
struct FeedEnds {
    bool empty = true;
    bool older = false;
    bool newer = false;
    Cursor first;  // the newest of the page, by the sort's time
    Cursor last;
};
FeedEnds ends_of(const FeedQuery& query, const FeedPage& page);

// The `pages` links (section 4.2): query strings starting with '?', all filters kept.
struct FeedLinks {
    std::string first, prev, next, last;  // empty: absent
};
FeedLinks feed_links(const FeedQuery& query, const FeedEnds& ends);
FeedLinks feed_links(const FeedQuery& query, const FeedPage& page);

int64_t sort_time(const Post& post, FeedQuery::Sort sort);

}  // namespace bivouac
