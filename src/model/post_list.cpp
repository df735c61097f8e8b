// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/post_list.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace bivouac {

namespace {

constexpr std::string_view kSides = "onlf";  // in the order of ListPosition::Side

Error bad_page()
{
    return fail(ErrorKind::Invalid, "page is not one that this server gave out");
}

void put(Json& object, const char* name, const std::string& value)
{
    if (!value.empty())
        object[name] = value;
}

Json parents_to_json(const VersionEntry& entry)
{
    Json out = Json::array();
    for (const auto& parent : entry.version.parents) {
        Json p = {{"version", parent.version}};
        if (parent.entity != entry.entity)
            put(p, "entity", parent.entity);
        put(p, "original_entity", parent.original_entity);
        if (parent.post != entry.post || p.contains("entity"))
            put(p, "post", parent.post);
        out.push_back(std::move(p));
    }
    return out;
}

class Entities {
public:
    void add(const std::string& entity)
    {
        if (!entity.empty() && seen_.insert(entity).second)
            list_.push_back(entity);
    }
    std::vector<std::string> take() { return std::move(list_); }

private:
    std::set<std::string> seen_;
    std::vector<std::string> list_;
};

std::string text_of(const Json& profile, const char* name)
{
    auto it = profile.find(name);
    return it != profile.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace

std::string write_position(const ListPosition& position)
{
    return to_base64url(std::string(1, kSides[static_cast<size_t>(position.side)]) +
                        std::to_string(position.at.time) + "." + position.at.version);
}

Result<ListPosition> parse_position(std::string_view token)
{
    if (token.empty() || token.size() > 256)
        return bad_page();
    auto text = from_base64url(token);
    if (!text || text->empty())
        return bad_page();
    size_t side = kSides.find(text->front());
    size_t dot = text->find('.');
    if (side == std::string_view::npos || dot == std::string::npos)
        return bad_page();
    ListPosition out;
    out.side = static_cast<ListPosition::Side>(side);
    auto [end, code] = std::from_chars(text->data() + 1, text->data() + dot, out.at.time);
    out.at.version = text->substr(dot + 1);
    const auto& version = out.at.version;
    bool printable = std::all_of(version.begin(), version.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (code != std::errc() || end != text->data() + dot || out.at.time < 0 || version.empty() ||
        version.size() > 128 || !printable || write_position(out) != token)
        return bad_page();
    return out;
}

Result<ListQuery> parse_list_query(std::string_view query)
{
    ListQuery out;
    while (!query.empty()) {
        std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        size_t equals = pair.find('=');
        if (equals == std::string_view::npos)
            continue;
        std::string_view name = pair.substr(0, equals);
        if (name != "limit" && name != "page" && name != "version" && name != "profiles")
            continue;
        std::string raw(pair.substr(equals + 1));
        std::replace(raw.begin(), raw.end(), '+', ' ');
        auto value = percent_decode(raw);
        if (!value)
            return fail(ErrorKind::Invalid, "a parameter is not percent-encoded properly");
        if (name == "limit")
            out.limit = TRY(parse_limit(*value));
        if (name == "page")
            out.page = TRY(parse_position(*value));
        if (name == "version")
            out.version = *value;
        if (name == "profiles")
            out.profiles = TRY(parse_profiles(*value));
    }
    if (out.version.size() > 128)
        return fail(ErrorKind::Invalid, "version is not a version id");
    if (out.version == "latest")
        out.version.clear();
    return out;
}

FeedLinks list_links(const ListQuery& query, const FeedEnds& ends)
{
    FeedLinks links;
    if (ends.empty)
        return links;
    std::string others;
    if (!query.version.empty())
        others += "&version=" + percent_encode(query.version);
    if (query.limit != limits::kFeedLimitDefault)
        others += "&limit=" + std::to_string(query.limit);
    if (query.profiles != 0)
        others += "&profiles=" + write_profiles(query.profiles);
    auto link = [&](ListPosition::Side side, const Cursor& at) {
        return "?page=" + write_position({side, at}) + others;
    };
    if (ends.older) {
        links.next = link(ListPosition::Side::Older, ends.last);
        links.last = link(ListPosition::Side::Oldest, ends.last);
    }
    if (ends.newer) {
        links.prev = link(ListPosition::Side::Newer, ends.first);
        links.first = link(ListPosition::Side::Newest, ends.first);
    }
    return links;
}

Json mentions_to_json(const std::vector<MentionEntry>& entries, const std::string& entity)
{
    Json out = Json::array();
    for (const auto& entry : entries) {
        Json element = {{"post", entry.post}, {"type", entry.type}};
        if (entry.entity != entity)
            element["entity"] = entry.entity;
        if (!entry.is_public)
            element["public"] = false;
        out.push_back(std::move(element));
    }
    return out;
}

Json versions_to_json(const std::vector<VersionEntry>& entries, const std::string& entity, const std::string& post,
                      ReceivedAt received_at)
{
    Json out = Json::array();
    for (const auto& entry : entries) {
        Json element = {{"id", entry.version.id}, {"type", entry.type}};
        put(element, "message", entry.version.message);
        if (!entry.version.parents.empty())
            element["parents"] = parents_to_json(entry);
        element["published_at"] = entry.version.published_at;
        if (received_at == ReceivedAt::Shown)
            element["received_at"] = entry.version.received_at;
        if (entry.entity != entity)
            element["entity"] = entry.entity;
        // An id without its entity would say nothing.
        if (entry.post != post || entry.entity != entity)
            element["post"] = entry.post;
        out.push_back(std::move(element));
    }
    return out;
}

Json pages_to_json(const FeedLinks& links)
{
    Json pages = Json::object();
    put(pages, "first", links.first);
    put(pages, "prev", links.prev);
    put(pages, "next", links.next);
    put(pages, "last", links.last);
    return pages;
}

Profile profile_of(const Post& meta)
{
    Profile out;
    if (!meta.attachments.empty())
        out.avatar_digest = meta.attachments.front().digest;
    auto content = parse_json(meta.content);
    if (!content.ok() || !content->is_object())
        return out;
    auto profile = content->find("profile");
    if (profile == content->end() || !profile->is_object())
        return out;
    out.name = text_of(*profile, "name");
    out.bio = text_of(*profile, "bio");
    out.website = text_of(*profile, "website");
    out.location = text_of(*profile, "location");
    return out;
}

Json profiles_to_json(const std::map<std::string, Profile>& profiles)
{
    Json out = Json::object();
    for (const auto& [entity, profile] : profiles) {
        Json p = Json::object();
        put(p, "name", profile.name);
        put(p, "bio", profile.bio);
        put(p, "website", profile.website);
        put(p, "location", profile.location);
        put(p, "avatar_digest", profile.avatar_digest);
        out[entity] = std::move(p);
    }
    return out;
}

std::vector<std::string> entities_of(const std::vector<Post>& posts, unsigned profiles)
{
    Entities out;
    for (const auto& post : posts) {
        if (profiles & profiles_of::kEntity)
            out.add(post.entity);
        if (profiles & profiles_of::kMentions)
            for (const auto& m : post.mentions)
                out.add(post.mention_entity(m));
        if (profiles & profiles_of::kRefs)
            for (const auto& r : post.refs)
                out.add(r.entity.empty() ? post.entity : r.entity);
        if (profiles & profiles_of::kParents)
            for (const auto& p : post.version.parents)
                out.add(p.entity.empty() ? post.entity : p.entity);
        if (profiles & profiles_of::kPermissions)
            for (const auto& entity : post.permissions.entities)
                out.add(entity);
    }
    return out.take();
}

}  // namespace bivouac
