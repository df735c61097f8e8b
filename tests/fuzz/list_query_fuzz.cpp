// SPDX-License-Identifier: BSD-3-Clause
// The links of a list keep what its query asked for, and their opaque positions read back.
#include "target.h"

#include <bivouac/model/post_list.h>

using namespace bivouac;

namespace {

bool same(const ListPosition& a, const ListPosition& b)
{
    return a.side == b.side && a.at.time == b.at.time && a.at.version == b.at.version;
}

void check_link(const ListQuery& query, const std::string& link)
{
    HOLDS(link.starts_with('?'));
    auto again = parse_list_query(std::string_view(link).substr(1));
    HOLDS(again.ok());
    HOLDS(again->limit == query.limit && again->version == query.version && again->profiles == query.profiles);
    HOLDS(again->page.has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view text = view(data, size);
    if (auto position = parse_position(text); position.ok()) {
        auto again = parse_position(write_position(*position));
        HOLDS(again.ok() && same(*again, *position));
    }
    auto query = parse_list_query(text);
    if (!query.ok()) {
        HOLDS(query.error().kind == ErrorKind::Invalid);
        return 0;
    }
    HOLDS(query->limit >= 0 && query->limit <= limits::kFeedLimitMaximum);
    FeedEnds ends;
    ends.empty = false;
    ends.older = ends.newer = true;
    ends.first = {1700000000000, "sha512t256-newest"};
    ends.last = {1600000000000, "sha512t256-oldest"};
    FeedLinks links = list_links(*query, ends);
    for (const auto& link : {links.first, links.prev, links.next, links.last})
        check_link(*query, link);
    return 0;
}
