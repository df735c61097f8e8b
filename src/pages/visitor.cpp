// SPDX-License-Identifier: BSD-3-Clause
// What strangers see: the public profile and posts, as pages and as an Atom feed (RFC 4287). Behind a sealed door nothing,
// and in the same words for everybody.
#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/meta.h>

#include <ctime>

#include "post_view.h"
#include "qr.h"

namespace bivouac::pages {

namespace {

bool is_sealed(const Visit& visit)
{
    return *visit.self().door == store::Door::Sealed;
}

net::HttpResponse silent(Visit& visit)
{
    net::HttpResponse response = page_response(200, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>-</title>\n<link href=\"" +
                                                        visit.self().entity + tent::meta_path(visit.self()) + "\" rel=\"" + rel::kMetaPost +
                                                        "\" />\n</head>\n<body></body>\n</html>\n");
    return response.with("Link", "<" + tent::meta_path(visit.self()) + ">; rel=\"" + rel::kMetaPost + "\"");
}

struct Seen {
    FeedPage feed;
    FeedEnds ends;
    Around around;
    Profile profile;
};

Result<Seen> public_posts(Visit& visit, const FeedQuery& query)
{
    return visit.store().read([&](store::ReadTx& tx) -> Result<Seen> {
        Seen out;
        out.feed = TRY(store::load_feed(tx, visit.self().id, query, kStrangerSees));
        out.ends = ends_of(query, out.feed);
        out.around = TRY(load_around(tx, visit.self(), out.feed.posts, Reader::Stranger));
        if (auto profile = out.around.profiles.find(visit.self().entity); profile != out.around.profiles.end())
            out.profile = profile->second;
        return out;
    });
}

Result<FeedQuery> public_query(const Visit& visit)
{
    FeedQuery out = TRY(stream_query(visit));
    out.sort = FeedQuery::Sort::PublishedAt;
    out.entities.push_back(visit.self().entity);
    return out;
}

std::string rfc3339(int64_t ms)
{
    const std::time_t seconds = ms / 1000;
    std::tm tm{};
    gmtime_r(&seconds, &tm);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return text;
}

}  // namespace

net::HttpResponse home(Visit& visit)
{
    if (is_sealed(visit))
        return silent(visit);
    auto query = public_query(visit);
    if (!query.ok())
        return error_page(visit, query.error());
    auto seen = public_posts(visit, *query);
    if (!seen.ok())
        return error_page(visit, seen.error());
    const Profile& profile = seen->profile;
    const std::string title = profile.name.empty() ? short_entity(visit.self().entity) : std::string(cut(profile.name, 120));
    Page page(visit, title, Frame::Visitor);
    page.m("<h1><bdi>").x(title).m("</bdi></h1>\n");
    if (!profile.avatar_digest.empty())
        page.m("<img class=\"avatar\" alt=\"\" src=\"/attachments/").url(visit.self().entity).m("/").url(profile.avatar_digest).m("\">\n");
    for (const auto* text : {&profile.bio, &profile.location, &profile.website})
        if (!text->empty())
            page.m("<p dir=\"auto\">").x(cut(*text, 2000)).m("</p>\n");
    page.m("<p class=\"whole-address\" dir=\"ltr\">").x(visit.self().entity).m("</p>\n");
    page.m("<h2>").t("Public posts").m("</h2>\n");
    if (seen->feed.posts.empty())
        page.m("<p>").t("Nothing public here.").m("</p>\n");
    for (const auto& post : seen->feed.posts)
        show_post(page, post, seen->around, Reader::Stranger, Detail::Card);
    FeedQuery bare = *query;
    bare.entities.clear();
    const FeedLinks links = feed_links(bare, seen->ends);
    page.m("<nav class=\"pager\" aria-label=\"").t("Pages").m("\">");
    if (!links.prev.empty())
        page.m("<a rel=\"prev\" href=\"/").x(links.prev).m("\">").t("Newer").m("</a> ");
    if (!links.next.empty())
        page.m("<a rel=\"next\" href=\"/").x(links.next).m("\">").t("Older").m("</a> ");
    page.m("<a href=\"/feed.atom\">").t("Atom feed").m("</a></nav>\n");
    return page.finish();
}

net::HttpResponse public_post(Visit& visit)
{
    const std::string rest = visit.path.substr(std::string_view("/posts/").size());
    const size_t slash = rest.find('/');
    const std::string entity = visit.self().current(percent_decode(rest.substr(0, slash)).value_or(""));
    const std::string id = slash == std::string::npos ? std::string() : percent_decode(rest.substr(slash + 1)).value_or("");
    if (visit.is_owner() && !id.empty())
        return see_other("/me/post?entity=" + percent_encode(entity) + "&post=" + percent_encode(id));
    if (is_sealed(visit) || entity != visit.self().entity || id.empty())
        return not_found(visit);
    struct Found {
        Post post;
        Around around;
    };
    auto found = visit.store().read([&](store::ReadTx& tx) -> Result<Found> {
        auto post = TRY(store::load_post(tx, visit.self().id, entity, id, "", kStrangerSees));
        if (!post || is_bookkeeping(base_of(*post)))
            return fail(ErrorKind::NotFound, "");
        auto around = TRY(load_around(tx, visit.self(), {*post}, Reader::Stranger));
        return Found{std::move(*post), std::move(around)};
    });
    if (!found.ok())
        return error_page(visit, found.error());
    std::string title = plain_text_of(found->post, 60);
    if (title.empty())
        title = visit.tr(T("Post"));
    Page page(visit, title, Frame::Visitor);
    page.m("<h1 class=\"hidden\">").t("Post").m("</h1>\n");
    show_post(page, found->post, found->around, Reader::Stranger, Detail::Whole);
    return page.finish();
}

net::HttpResponse how_to_follow(Visit& visit)
{
    if (is_sealed(visit))
        return not_found(visit);
    Page page(visit, visit.tr(T("How to follow")), Frame::Visitor);
    page.heading("How to follow");
    page.m("<p>").t("You need a server of your own; any that speaks Tent and is on a Tor onion will do. There, ask to follow this address:").m("</p>\n");
    page.m("<p class=\"whole-address\" dir=\"ltr\">").x(visit.self().entity).m("</p>\n");
    show_qr(page, visit.self().entity, T("The address as a QR code"));
    page.m("<p>").t(*visit.self().door == store::Door::Open ? T("You then get what is posted to followers.") : T("Whoever lives here decides about each follower. Say who you are in the word that you send along.")).m("</p>\n");
    page.m("<p>").t_link("To read public posts only, no server is needed: {0} for a feed reader.", "an Atom feed", "/feed.atom").m("</p>\n");
    return page.finish();
}

net::HttpResponse atom(Visit& visit)
{
    if (is_sealed(visit))
        return not_found(visit);
    auto query = public_query(visit);
    if (!query.ok())
        return error_page(visit, query.error());
    auto seen = public_posts(visit, *query);
    if (!seen.ok())
        return error_page(visit, seen.error());
    const std::string& entity = visit.self().entity;
    const std::string name = seen->profile.name.empty() ? short_entity(entity) : std::string(cut(seen->profile.name, 200));
    int64_t updated = 0;
    for (const auto& post : seen->feed.posts)
        updated = std::max(updated, post.version.published_at);
    Html xml;
    xml.markup("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>").text(entity);
    xml.markup("/</id>\n<title>").text(name).markup("</title>\n<updated>").text(rfc3339(updated));
    xml.markup("</updated>\n<author><name>").text(name).markup("</name><uri>").text(entity).markup("</uri></author>\n");
    xml.markup("<link rel=\"self\" href=\"").text(entity).markup("/feed.atom\"/>\n<link rel=\"alternate\" type=\"text/html\" href=\"").text(entity).markup("/\"/>\n");
    for (const auto& post : seen->feed.posts) {
        constexpr size_t kMost = 20'000;
        const std::string address = entity + "/posts/" + percent_encode(post.entity) + "/" + percent_encode(post.id);
        const std::string text = plain_text_of(post, kMost);
        xml.markup("<entry>\n<id>").text(address).markup("</id>\n<title>").text(cut(std::string_view(text).substr(0, text.find('\n')), 80));
        xml.markup("</title>\n<published>").text(rfc3339(post.published_at)).markup("</published>\n<updated>").text(rfc3339(post.version.published_at));
        xml.markup("</updated>\n<link rel=\"alternate\" type=\"text/html\" href=\"").text(address).markup("\"/>\n<content type=\"text\">").text(text);
        xml.markup("</content>\n</entry>\n");
    }
    xml.markup("</feed>\n");
    net::HttpResponse response;
    response.body = xml.take();
    return response.with("Content-Type", "application/atom+xml; charset=utf-8")
        .with("X-Content-Type-Options", "nosniff")
        .with("Content-Security-Policy", "default-src 'none'")
        .with("Cache-Control", "no-cache")
        .with("ETag", "\"" + to_base64url(short_digest(response.body)) + "\"");
}

net::HttpResponse style_sheet(Visit&)
{
    net::HttpResponse response;
    response.body = std::string(style_text());
    return response.with("Content-Type", "text/css; charset=utf-8")
        .with("X-Content-Type-Options", "nosniff")
        .with("Cache-Control", "public, max-age=31536000, immutable");
}

}  // namespace bivouac::pages
