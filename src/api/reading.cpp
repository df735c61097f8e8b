// SPDX-License-Identifier: BSD-3-Clause
// Reading posts: feeds and single posts (Tent 0.3, sections 4.2 and 4.4).
#include <bivouac/model/feed_query.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/posts.h>

#include "call.h"

namespace bivouac::api {

Answer feed(const CallPtr& call)
{
    auto query = parse_feed_query(call->route.query);
    if (!query.ok())
        return error_response(query.error());
    const Principal& principal = call->principal();
    if (!call->is_app()) {
        // Where received_at is hidden, the order must not tell it either (section 4.2).
        if (query->sort == FeedQuery::Sort::ReceivedAt)
            query->sort = FeedQuery::Sort::PublishedAt;
        if (query->sort == FeedQuery::Sort::VersionReceivedAt)
            query->sort = FeedQuery::Sort::VersionPublishedAt;
    }
    const Viewer viewer = tent::viewer_of(principal);
    struct Found {
        FeedPage page;
        int64_t count = 0;
    };
    const bool head = call->is_head();
    auto answer = call->services.store.read([&](store::ReadTx& tx) -> Result<Found> {
        Found out;
        if (head)
            out.count = TRY(store::count_feed(tx, call->self().id, *query, viewer));
        out.page = TRY(store::load_feed(tx, call->self().id, *query, viewer));
        return out;
    });
    if (!answer.ok())
        return error_response(answer.error());
    const Audience audience = tent::audience_of(principal);
    Json posts = Json::array();
    for (const auto& post : answer->page.posts)
        posts.push_back(post_to_json(post, audience));
    Json pages = Json::object();
    FeedLinks links = feed_links(*query, answer->page);
    for (auto [name, link] : {std::pair("first", &links.first), std::pair("prev", &links.prev),
                              std::pair("next", &links.next), std::pair("last", &links.last)})
        if (!link->empty())
            pages[name] = *link;
    net::HttpResponse response;
    response.body = Json({{"pages", pages}, {"posts", posts}}).dump();
    response.with("Content-Type", mime::kFeed);
    if (head)
        response.with("Count", std::to_string(answer->count));
    add_read_headers(response, !call->is_signed());
    return response;
}

Answer get_post(const CallPtr& call)
{
    const Principal& principal = call->principal();
    // Posts of others are for full apps only, even the public ones (section 4.4).
    if (call->foreign() && principal.kind != Principal::Kind::App)
        return not_found();
    const std::string version = version_parameter(*call);
    auto post = call->services.store.read([&](store::ReadTx& tx) {
        return store::load_post(tx, call->self().id, call->route.entity, call->route.post, version,
                                tent::viewer_of(principal));
    });
    if (!post.ok())
        return error_response(post.error());
    if (!*post)
        return not_found();
    net::HttpResponse response = post_response(**post, tent::audience_of(principal));
    add_read_headers(response, !call->is_signed() && (**post).permissions.is_public);
    return response;
}

}  // namespace bivouac::api
