// SPDX-License-Identifier: BSD-3-Clause
// The links of a page keep every filter of the query that asked for it.
#include "target.h"

#include <bivouac/model/feed_query.h>

using namespace bivouac;

namespace {

void same_filters(const FeedQuery& a, const FeedQuery& b)
{
    HOLDS(a.types == b.types);
    HOLDS(a.entities == b.entities);
    HOLDS(a.mentions.size() == b.mentions.size());
    for (size_t i = 0; i < a.mentions.size(); ++i) {
        HOLDS(a.mentions[i].size() == b.mentions[i].size());
        for (size_t k = 0; k < a.mentions[i].size(); ++k)
            HOLDS(a.mentions[i][k].entity == b.mentions[i][k].entity && a.mentions[i][k].post == b.mentions[i][k].post);
    }
    HOLDS(a.max_refs == b.max_refs && a.profiles == b.profiles && a.sort == b.sort && a.limit == b.limit);
}

void check_link(const FeedQuery& query, const std::string& link, const Cursor& at)
{
    HOLDS(link.starts_with('?'));
    auto again = parse_feed_query(std::string_view(link).substr(1));
    HOLDS(again.ok());
    same_filters(query, *again);
    const auto& cursor = again->before ? again->before : again->until ? again->until : again->since;
    HOLDS(cursor.has_value() && cursor->time == at.time && cursor->version == at.version);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view text = view(data, size);
    (void)people_of(text);
    if (auto refs = parse_max_refs(text); refs.ok())
        HOLDS(*refs >= 0 && *refs <= limits::kRefsPerPost);
    if (auto limit = parse_limit(text); limit.ok())
        HOLDS(*limit >= 0 && *limit <= limits::kFeedLimitMaximum);
    (void)parse_profiles(text);
    auto query = parse_feed_query(text);
    if (!query.ok()) {
        HOLDS(query.error().kind == ErrorKind::Invalid);
        return 0;
    }
    HOLDS(query->limit >= 0 && query->limit <= limits::kFeedLimitMaximum);
    HOLDS(!(query->since && query->until));
    FeedEnds ends;
    ends.empty = false;
    ends.older = ends.newer = true;
    ends.first = {1700000000000, "sha512t256-newest"};
    ends.last = {1600000000000, "sha512t256-oldest"};
    FeedLinks links = feed_links(*query, ends);
    check_link(*query, links.next, ends.last);
    check_link(*query, links.last, ends.last);
    check_link(*query, links.prev, ends.first);
    check_link(*query, links.first, ends.first);
    return 0;
}
