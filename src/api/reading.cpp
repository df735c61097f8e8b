// SPDX-License-Identifier: BSD-3-Clause
// Reading posts: feeds, single posts and the lists around them (Tent 0.3, sections 4.2 and 4.4).
#include <bivouac/model/accept.h>
#include <bivouac/model/feed_query.h>
#include <bivouac/model/post_list.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/post_lists.h>
#include <bivouac/store/posts.h>

#include <algorithm>

#include "call.h"
#include "proxying.h"

namespace bivouac::api {

namespace {

// Where received_at is hidden, the order must not tell it either (section 4.2); what only apps get is not looked for.
void restrict_to_others(FeedQuery& query)
{
    if (query.sort == FeedQuery::Sort::ReceivedAt)
        query.sort = FeedQuery::Sort::PublishedAt;
    if (query.sort == FeedQuery::Sort::VersionReceivedAt)
        query.sort = FeedQuery::Sort::VersionPublishedAt;
    query.max_refs.reset();
    query.profiles = 0;
}

// What an app may ask to be added to posts: the posts that they refer to, and profiles.
struct Extras {
    std::optional<std::vector<store::PostText>> refs;
    std::optional<std::map<std::string, Profile>> profiles;
};

Result<Extras> load_extras(store::ReadTx& tx, int64_t owner, const std::vector<store::PostText>& posts,
                           std::optional<int> max_refs, unsigned profiles, const Viewer& viewer)
{
    Extras out;
    if (max_refs)
        out.refs = TRY(store::load_refs(tx, owner, posts, *max_refs, viewer));
    if (profiles != 0)
        out.profiles = TRY(store::load_profiles(tx, owner, TRY(store::profile_entities(posts, profiles))));
    return out;
}

void append_posts(std::string& out, const std::vector<store::PostText>& posts)
{
    out += '[';
    const char* separator = "";
    for (const auto& post : posts) {
        out += separator;
        out += post.json;
        separator = ",";
    }
    out += ']';
}

void append_extras(std::string& out, const Extras& extras)
{
    if (extras.profiles)
        out += ",\"profiles\":" + profiles_to_json(*extras.profiles).dump();
    if (extras.refs) {
        out += ",\"refs\":";
        append_posts(out, *extras.refs);
    }
}

// The parameters that a single post takes; both for apps only.
struct PostOptions {
    std::optional<int> max_refs;
    unsigned profiles = 0;
};

Result<PostOptions> post_options(const Call& call)
{
    PostOptions out;
    if (!call.is_app())
        return out;
    if (auto value = call.parameter("max_refs"))
        out.max_refs = TRY(parse_max_refs(*value));
    if (auto value = call.parameter("profiles"))
        out.profiles = TRY(parse_profiles(*value));
    return out;
}

// --- lists of one post ---

struct List {
    std::string name;  // of the member
    Json entries = Json::array();
    FeedEnds ends;
    std::vector<std::string> entities;  // whose profiles may be asked for
    int64_t count = 0;
};

template <typename Entry>
std::vector<std::string> entities_of_entries(const std::vector<Entry>& entries, const std::string& entity)
{
    std::vector<std::string> out;
    for (const auto& entry : entries) {
        const std::string& name = entry.entity.empty() ? entity : entry.entity;
        if (std::find(out.begin(), out.end(), name) == out.end())
            out.push_back(name);
    }
    return out;
}

Result<List> mention_list(store::ReadTx& tx, const Call& call, const store::PostText& post, const ListQuery& query,
                          const Viewer& viewer)
{
    List out;
    auto page = TRY(store::load_mention_list(tx, call.self().id, post, query, viewer));
    out.name = "mentions";
    out.entries = mentions_to_json(page.entries, post.author);
    out.ends = page.ends;
    out.entities = entities_of_entries(page.entries, post.author);
    if (call.is_head())
        out.count = TRY(store::count_mention_list(tx, call.self().id, post, viewer));
    return out;
}

enum class Which { Versions, Children };

Result<List> version_list(store::ReadTx& tx, const Call& call, const store::PostText& post, const ListQuery& query,
                          const Viewer& viewer, Which which)
{
    List out;
    const bool versions = which == Which::Versions;
    auto page = versions ? TRY(store::load_version_list(tx, call.self().id, post, query, viewer))
                         : TRY(store::load_child_list(tx, call.self().id, post, query, viewer));
    out.name = "versions";
    out.entries = versions_to_json(page.entries, post.author, post.id,
                                   call.principal().full() ? ReceivedAt::Shown : ReceivedAt::Hidden);
    out.ends = page.ends;
    out.entities = entities_of_entries(page.entries, post.author);
    if (call.is_head())
        out.count = versions ? TRY(store::count_version_list(tx, call.self().id, post, viewer))
                             : TRY(store::count_child_list(tx, call.self().id, post, viewer));
    return out;
}

net::HttpResponse list_response(const CallPtr& call, const char* media_type)
{
    auto query = parse_list_query(call->route.query);
    if (!query.ok())
        return error_response(query.error());
    if (!call->is_app())
        query->profiles = 0;
    const std::string version = version_parameter(*call);
    const Viewer viewer = tent::viewer_of(call->principal());
    struct Found {
        List list;
        bool is_public = false;
        std::optional<std::map<std::string, Profile>> profiles;
    };
    auto found = call->services.store.read([&](store::ReadTx& tx) -> Result<std::optional<Found>> {
        auto post = TRY(store::load_post_text(tx, call->self().id, call->route.entity, call->route.post, version,
                                              viewer, Audience::owner()));
        if (!post)
            return std::optional<Found>();
        Found out;
        out.is_public = post->is_public;
        if (media_type == mime::kMentions)
            out.list = TRY(mention_list(tx, *call, *post, *query, viewer));
        else
            out.list = TRY(version_list(tx, *call, *post, *query, viewer,
                                        media_type == mime::kVersions ? Which::Versions : Which::Children));
        if (query->profiles & profiles_of::kEntity)
            out.profiles = TRY(store::load_profiles(tx, call->self().id, out.list.entities));
        return std::optional<Found>(std::move(out));
    });
    if (!found.ok())
        return error_response(found.error());
    if (!*found)
        return not_found();
    const List& list = (**found).list;
    Json body = {{list.name, list.entries}, {"pages", pages_to_json(list_links(*query, list.ends))}};
    if ((**found).profiles)
        body["profiles"] = profiles_to_json(*(**found).profiles);
    net::HttpResponse response = json_response(body, media_type);
    if (call->is_head())
        response.with("Count", std::to_string(list.count));
    add_read_headers(response, !call->is_signed() && (**found).is_public);
    return response;
}

}  // namespace

const char* wanted_list(const Call& call)
{
    for (const char* type : {mime::kMentions, mime::kVersions, mime::kChildren})
        if (wants(call.header("Accept"), type))
            return type;
    return nullptr;
}

namespace {

Answer answer_feed(const CallPtr& call, const FeedQuery& query, ProxyMode mode)
{
    const Viewer viewer = tent::viewer_of(call->principal());
    const Audience audience = tent::audience_of(call->principal());
    struct Found {
        store::FeedText page;
        Extras extras;
        int64_t count = 0;
    };
    auto found = call->services.store.read([&](store::ReadTx& tx) -> Result<Found> {
        Found out;
        if (call->is_head())
            out.count = TRY(store::count_feed(tx, call->self().id, query, viewer));
        out.page = TRY(store::load_feed_text(tx, call->self().id, query, viewer, audience));
        out.extras = TRY(load_extras(tx, call->self().id, out.page.posts, query.max_refs, query.profiles, viewer));
        return out;
    });
    if (!found.ok())
        return error_response(found.error());
    if (auto missing = extras_elsewhere(*call, found->page.posts, query.max_refs, query.profiles, mode);
        !missing.empty()) {
        fetch_all(call, std::move(missing),
                  [call, query] { finish(*call, *answer_feed(call, query, ProxyMode::Local)); });
        return std::nullopt;
    }
    net::HttpResponse response;
    response.body = "{\"pages\":" + pages_to_json(feed_links(query, found->page.ends)).dump() + ",\"posts\":";
    append_posts(response.body, found->page.posts);
    append_extras(response.body, found->extras);
    response.body += '}';
    response.with("Content-Type", mime::kFeed);
    if (call->is_head())
        response.with("Count", std::to_string(found->count));
    add_read_headers(response, !call->is_signed());
    return response;
}

}  // namespace

Answer feed(const CallPtr& call)
{
    auto query = parse_feed_query(call->route.query);
    if (!query.ok())
        return error_response(query.error());
    for (auto& entity : query->entities)
        entity = call->self().current(std::move(entity));
    for (auto& any : query->mentions)
        for (auto& item : any)
            item.entity = call->self().current(std::move(item.entity));
    if (!call->is_app())
        restrict_to_others(*query);
    const ProxyMode mode = proxy_mode(*call, ProxyMode::Local);
    if (mode != ProxyMode::Always)
        return answer_feed(call, *query, mode);
    auto feeds = feeds_elsewhere(*call, *query);
    if (feeds.empty())
        return answer_feed(call, *query, mode);
    fetch_all(call, std::move(feeds), [call, query = *query, mode] {
        if (Answer answer = answer_feed(call, query, mode))
            finish(*call, std::move(*answer));
    });
    return std::nullopt;
}

Answer get_post(const CallPtr& call)
{
    // Posts of others are for full apps only, even the public ones (section 4.4).
    if (call->foreign() && !call->is_app())
        return not_found();
    const ProxyMode mode = proxy_mode(*call, ProxyMode::IfMiss);
    const bool elsewhere = call->foreign() && (mode == ProxyMode::Always ||
                                               (mode == ProxyMode::IfMiss && !is_here(*call)));
    if (const char* list = wanted_list(*call)) {
        if (!elsewhere)
            return list_response(call, list);
        proxy_list(call, list);
        return std::nullopt;
    }
    if (!elsewhere)
        return answer_post(call, version_parameter(*call), mode);
    if (auto options = post_options(*call); !options.ok())
        return error_response(options.error());
    proxy_post(call);
    return std::nullopt;
}

Answer answer_post(const CallPtr& call, const std::string& version, ProxyMode mode)
{
    const Principal& principal = call->principal();
    auto options = post_options(*call);
    if (!options.ok())
        return error_response(options.error());
    const Viewer viewer = tent::viewer_of(principal);
    struct Found {
        std::vector<store::PostText> posts;  // one or none
        Extras extras;
    };
    auto found = call->services.store.read([&](store::ReadTx& tx) -> Result<Found> {
        Found out;
        auto post = TRY(store::load_post_text(tx, call->self().id, call->route.entity, call->route.post, version,
                                              viewer, tent::audience_of(principal)));
        if (!post)
            return out;
        out.posts.push_back(std::move(*post));
        out.extras =
            TRY(load_extras(tx, call->self().id, out.posts, options->max_refs, options->profiles, viewer));
        return out;
    });
    if (!found.ok())
        return error_response(found.error());
    if (found->posts.empty())
        return not_found();
    if (auto missing = extras_elsewhere(*call, found->posts, options->max_refs, options->profiles, mode);
        !missing.empty()) {
        fetch_all(call, std::move(missing),
                  [call, version] { finish(*call, *answer_post(call, version, ProxyMode::Local)); });
        return std::nullopt;
    }
    const store::PostText& post = found->posts.front();
    net::HttpResponse response;
    response.body = "{\"post\":" + post.json;
    append_extras(response.body, found->extras);
    response.body += '}';
    response.with("Content-Type", post_content_type(post.type));
    add_read_headers(response, !call->is_signed() && post.is_public);
    return response;
}

}  // namespace bivouac::api
