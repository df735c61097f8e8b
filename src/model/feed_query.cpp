// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/feed_query.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>

#include <algorithm>
#include <charconv>

namespace bivouac {

namespace {

Error bad(const char* what)
{
    return fail(ErrorKind::Invalid, what);
}

std::string decode_value(std::string_view raw, bool& malformed)
{
    std::string spaced(raw);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    auto decoded = percent_decode(spaced);
    malformed = malformed || !decoded;
    return decoded.value_or("");
}

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> out;
    while (true) {
        size_t at = text.find(separator);
        if (at != 0 && !text.empty())
            out.emplace_back(text.substr(0, at));
        if (at == std::string_view::npos)
            return out;
        text.remove_prefix(at + 1);
    }
}

Result<int64_t> parse_number(std::string_view text, const char* what)
{
    int64_t value = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || code != std::errc() || end != text.data() + text.size() || value < 0)
        return bad(what);
    return value;
}

Result<Cursor> parse_cursor(std::string_view text)
{
    const char* what = "since, until and before take a time in ms, or a time and a version id";
    size_t space = text.find(' ');
    Cursor cursor;
    cursor.time = TRY(parse_number(text.substr(0, space), what));
    if (space != std::string_view::npos) {
        cursor.version = std::string(text.substr(space + 1));
        if (cursor.version.empty() || cursor.version.size() > 128)
            return bad(what);
    }
    return cursor;
}

std::string write_cursor(const Cursor& cursor)
{
    std::string out = std::to_string(cursor.time);
    if (!cursor.version.empty())
        out += "+" + percent_encode(cursor.version);
    return out;
}

std::string write_list(const std::vector<std::string>& values)
{
    std::string out;
    for (const auto& value : values)
        out += (out.empty() ? "" : ",") + percent_encode(value);
    return out;
}

std::string write_mentions(const std::vector<std::vector<MentionItem>>& groups)
{
    std::string out;
    for (const auto& group : groups) {
        std::string items;
        for (const auto& item : group) {
            items += (items.empty() ? "" : ",") + percent_encode(item.entity);
            if (!item.post.empty())
                items += "+" + percent_encode(item.post);
        }
        out += "&mentions=" + items;
    }
    return out;
}

Result<std::vector<MentionItem>> parse_mentions(std::string_view value)
{
    const char* what = "mentions takes entities, or entities and post ids, separated by commas";
    std::vector<MentionItem> out;
    for (const auto& text : split(value, ',')) {
        size_t space = text.find(' ');
        MentionItem item;
        item.entity = text.substr(0, space);
        if (space != std::string::npos) {
            item.post = text.substr(space + 1);
            // A word for many entities cannot be asked for one post.
            if (!is_valid_post_id(item.post) || people_of(item.entity))
                return bad(what);
        }
        if (!people_of(item.entity) && !is_entity_url(item.entity))
            return bad(what);
        out.push_back(std::move(item));
    }
    return out;
}

constexpr std::string_view kProfileNames[] = {"entity", "mentions", "refs", "parents", "permissions"};

Result<void> check_bounds(const FeedQuery& query)
{
    if (query.since && query.until)
        return bad("since and until cannot be used together");
    size_t items = 0;
    for (const auto& group : query.mentions)
        items += group.size();
    if (query.types.size() > limits::kFeedTypes || query.entities.size() > limits::kFeedEntities)
        return bad("at most 100 types and 100 entities");
    if (items > limits::kFeedMentions || query.mentions.size() > limits::kFeedMentionGroups)
        return bad("at most 10 times mentions, with 100 items in all");
    return {};
}

constexpr std::string_view kSortNames[] = {"received_at", "published_at", "version.received_at",
                                           "version.published_at"};

}  // namespace

std::optional<People> people_of(std::string_view word)
{
    if (word == "followings" || word == "following")
        return People::Followings;
    if (word == "followers")
        return People::Followers;
    if (word == "friends")
        return People::Friends;
    return std::nullopt;
}

Result<int> parse_max_refs(std::string_view value)
{
    int64_t number = TRY(parse_number(value, "max_refs is a number from 0"));
    return static_cast<int>(std::min<int64_t>(number, limits::kRefsPerPost));
}

Result<unsigned> parse_profiles(std::string_view value)
{
    unsigned out = 0;
    for (const auto& word : split(value, ',')) {
        auto it = std::find(std::begin(kProfileNames), std::end(kProfileNames), word);
        if (it == std::end(kProfileNames))
            return bad("profiles takes entity, mentions, refs, parents and permissions");
        out |= 1u << (it - std::begin(kProfileNames));
    }
    return out;
}

std::string write_profiles(unsigned profiles)
{
    std::string out;
    for (size_t i = 0; i < std::size(kProfileNames); ++i)
        if (profiles & (1u << i))
            out += (out.empty() ? "" : ",") + std::string(kProfileNames[i]);
    return out;
}

Result<int> parse_limit(std::string_view value)
{
    int64_t limit = TRY(parse_number(value, "limit is a number from 1"));
    if (limit < 1)
        return bad("limit is a number from 1");
    return static_cast<int>(std::min<int64_t>(limit, limits::kFeedLimitMaximum));
}

Result<FeedQuery> parse_feed_query(std::string_view query)
{
    FeedQuery out;
    for (const auto& pair : split(query, '&')) {
        size_t equals = pair.find('=');
        if (equals == std::string::npos)
            continue;
        std::string_view name = std::string_view(pair).substr(0, equals);
        bool malformed = false;
        std::string value = decode_value(std::string_view(pair).substr(equals + 1), malformed);
        bool known = true;
        if (name == "types") {
            for (auto& selector : split(value, ',')) {
                if (selector == kAllTypes) {
                    out.types.clear();
                    break;
                }
                TRY(parse_type(selector));
                out.types.push_back(selector);
            }
        } else if (name == "entities") {
            out.entities = split(value, ',');
            for (const auto& entity : out.entities)
                if (!people_of(entity) && !is_entity_url(entity))
                    return bad("entities takes entity URLs, followings, followers and friends, separated by commas");
        } else if (name == "mentions") {
            if (auto group = TRY(parse_mentions(value)); !group.empty())
                out.mentions.push_back(std::move(group));
        } else if (name == "max_refs") {
            out.max_refs = TRY(parse_max_refs(value));
        } else if (name == "profiles") {
            out.profiles = TRY(parse_profiles(value));
        } else if (name == "sort_by") {
            auto it = std::find(std::begin(kSortNames), std::end(kSortNames), value);
            if (it == std::end(kSortNames))
                return bad("sort_by is received_at, published_at, version.received_at or version.published_at");
            out.sort = static_cast<FeedQuery::Sort>(it - std::begin(kSortNames));
        } else if (name == "limit") {
            out.limit = TRY(parse_limit(value));
        } else if (name == "since") {
            out.since = TRY(parse_cursor(value));
        } else if (name == "until") {
            out.until = TRY(parse_cursor(value));
        } else if (name == "before") {
            out.before = TRY(parse_cursor(value));
        } else {
            known = false;
        }
        if (known && malformed)
            return bad("a parameter is not percent-encoded properly");
    }
    TRY(check_bounds(out));
    return out;
}

int64_t sort_time(const Post& post, FeedQuery::Sort sort)
{
    switch (sort) {
    case FeedQuery::Sort::ReceivedAt: return post.received_at;
    case FeedQuery::Sort::PublishedAt: return post.published_at;
    case FeedQuery::Sort::VersionReceivedAt: return post.version.received_at;
    case FeedQuery::Sort::VersionPublishedAt: return post.version.published_at;
    }
    return 0;
}

FeedEnds ends_of(const FeedQuery& query, const FeedPage& page)
{
    FeedEnds ends;
    ends.empty = page.posts.empty();
    ends.older = page.older;
    ends.newer = page.newer;
    if (!ends.empty) {
        const Post& first = page.posts.front();
        const Post& last = page.posts.back();
        ends.first = {sort_time(first, query.sort), first.version.id};
        ends.last = {sort_time(last, query.sort), last.version.id};
    }
    return ends;
}

FeedLinks feed_links(const FeedQuery& query, const FeedEnds& ends)
{
    FeedLinks links;
    if (ends.empty)
        return links;
    std::string filters;
    if (!query.types.empty())
        filters += "&types=" + write_list(query.types);
    if (!query.entities.empty())
        filters += "&entities=" + write_list(query.entities);
    filters += write_mentions(query.mentions);
    if (query.sort != FeedQuery::Sort::ReceivedAt)
        filters += "&sort_by=" + std::string(kSortNames[static_cast<size_t>(query.sort)]);
    if (query.limit != limits::kFeedLimitDefault)
        filters += "&limit=" + std::to_string(query.limit);
    if (query.max_refs)
        filters += "&max_refs=" + std::to_string(*query.max_refs);
    if (query.profiles != 0)
        filters += "&profiles=" + write_profiles(query.profiles);
    if (ends.older) {
        links.next = "?before=" + write_cursor(ends.last) + filters;
        links.last = "?before=" + write_cursor(ends.last) + "&since=0" + filters;
    }
    if (ends.newer) {
        links.prev = "?since=" + write_cursor(ends.first) + filters;
        links.first = "?until=" + write_cursor(ends.first) + filters;
    }
    return links;
}

FeedLinks feed_links(const FeedQuery& query, const FeedPage& page)
{
    return feed_links(query, ends_of(query, page));
}

}  // namespace bivouac
