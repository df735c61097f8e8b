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

constexpr std::string_view kSortNames[] = {"received_at", "published_at", "version.received_at",
                                           "version.published_at"};

}  // namespace

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
                if (!is_entity_url(entity))
                    return bad("entities takes entity URLs separated by commas");
        } else if (name == "sort_by") {
            auto it = std::find(std::begin(kSortNames), std::end(kSortNames), value);
            if (it == std::end(kSortNames))
                return bad("sort_by is received_at, published_at, version.received_at or version.published_at");
            out.sort = static_cast<FeedQuery::Sort>(it - std::begin(kSortNames));
        } else if (name == "limit") {
            int64_t limit = TRY(parse_number(value, "limit is a number from 1"));
            if (limit < 1)
                return bad("limit is a number from 1");
            out.limit = static_cast<int>(std::min<int64_t>(limit, limits::kFeedLimitMaximum));
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
    if (out.since && out.until)
        return bad("since and until cannot be used together");
    if (out.types.size() > 100 || out.entities.size() > 100)
        return bad("at most 100 types and 100 entities");
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

FeedLinks feed_links(const FeedQuery& query, const FeedPage& page)
{
    FeedLinks links;
    if (page.posts.empty())
        return links;
    std::string filters;
    if (!query.types.empty())
        filters += "&types=" + write_list(query.types);
    if (!query.entities.empty())
        filters += "&entities=" + write_list(query.entities);
    if (query.sort != FeedQuery::Sort::ReceivedAt)
        filters += "&sort_by=" + std::string(kSortNames[static_cast<size_t>(query.sort)]);
    if (query.limit != limits::kFeedLimitDefault)
        filters += "&limit=" + std::to_string(query.limit);
    auto cursor_of = [&](const Post& post) {
        return write_cursor({sort_time(post, query.sort), post.version.id});
    };
    if (page.older) {
        links.next = "?before=" + cursor_of(page.posts.back()) + filters;
        links.last = "?before=" + cursor_of(page.posts.back()) + "&since=0" + filters;
    }
    if (page.newer) {
        links.prev = "?since=" + cursor_of(page.posts.front()) + filters;
        links.first = "?until=" + cursor_of(page.posts.front()) + filters;
    }
    return links;
}

}  // namespace bivouac
