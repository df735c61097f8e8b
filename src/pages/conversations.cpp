// SPDX-License-Identifier: BSD-3-Clause
// Posts to one person or a few, one conversation for each set of people.
#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>
#include <map>
#include <set>

#include "post_view.h"

namespace bivouac::pages {

namespace {

constexpr size_t kPeople = 20;  // in one conversation; a post to more is none
constexpr int kLooked = limits::kFeedLimitMaximum;

// With whom a post is a conversation; empty: it is none. Of what others write we see that it names us, and not whom else.
std::set<std::string> people_of(const tent::Self& self, const Post& post)
{
    if (post.permissions.is_public)
        return {};
    if (post.entity != self.entity) {
        for (const auto& mention : post.mentions)
            if (post.mention_entity(mention) == self.entity)
                return {post.entity};
        return {};
    }
    const auto& entities = post.permissions.entities;
    if (!post.permissions.groups.empty() || entities.empty() || entities.size() > kPeople)
        return {};
    return {entities.begin(), entities.end()};
}

bool is_letter(const Post& post)
{
    const auto base = base_of(post);
    return !is_bookkeeping(base) && base != type::kFavoriteBase && base != type::kRepostBase;
}

// The latest of what was written to us and by us, newest first.
Result<std::vector<Post>> letters(store::ReadTx& tx, const tent::Self& self, const std::set<std::string>& with)
{
    FeedQuery to_us;
    to_us.for_person = true;
    to_us.limit = kLooked;
    to_us.sort = FeedQuery::Sort::PublishedAt;
    FeedQuery by_us = to_us;
    to_us.mentions.push_back({{self.entity, ""}});
    by_us.entities.push_back(self.entity);
    if (!with.empty()) {
        to_us.entities.assign(with.begin(), with.end());
        by_us.mentions.push_back({{*with.begin(), ""}});
    }
    auto out = TRY(store::load_feed(tx, self.id, to_us, kOwnerSees)).posts;
    auto ours = TRY(store::load_feed(tx, self.id, by_us, kOwnerSees)).posts;
    out.insert(out.end(), std::make_move_iterator(ours.begin()), std::make_move_iterator(ours.end()));
    out.erase(std::remove_if(out.begin(), out.end(), [&](const Post& post) { return !is_letter(post) || people_of(self, post).empty(); }), out.end());
    std::sort(out.begin(), out.end(), [](const Post& a, const Post& b) { return a.published_at > b.published_at; });
    // What she answered to herself is in both.
    out.erase(std::unique(out.begin(), out.end(), [](const Post& a, const Post& b) { return a.id == b.id && a.entity == b.entity; }), out.end());
    return out;
}

std::string joined(const std::set<std::string>& people)
{
    std::string out;
    for (const auto& one : people)
        out += (out.empty() ? "" : ",") + one;
    return out;
}

void show_people(Page& page, const std::set<std::string>& people, const Around& around)
{
    bool first = true;
    for (const auto& one : people) {
        if (!first)
            page.m(", ");
        first = false;
        if (std::string name = author_name(around, page.visit().self(), one); !name.empty())
            page.m("<bdi>").x(name).m("</bdi>");
        else
            page.entity(one);
    }
}

}  // namespace

net::HttpResponse conversations(Visit& visit)
{
    struct List {
        std::vector<std::pair<std::set<std::string>, Post>> newest;  // by conversation
        Around around;
    };
    auto list = visit.store().read([&](store::ReadTx& tx) -> Result<List> {
        List out;
        std::set<std::set<std::string>> seen;
        std::vector<Post> of_people;
        for (auto& post : TRY(letters(tx, visit.self(), {}))) {
            auto people = people_of(visit.self(), post);
            if (!seen.insert(people).second)
                continue;
            for (const auto& one : people) {
                Post stand_in;
                stand_in.entity = one;
                of_people.push_back(std::move(stand_in));
            }
            out.newest.emplace_back(std::move(people), std::move(post));
        }
        out.around = TRY(load_around(tx, visit.self(), of_people, Reader::Owner));
        return out;
    });
    if (!list.ok())
        return error_page(visit, list.error());
    Page page(visit, visit.tr(T("Conversations")), Frame::Owner);
    page.heading("Conversations").note("Posts to one person or a few. Nobody else gets or sees them.");
    page.m("<form method=\"get\" action=\"/me/compose\">\n");
    page.field("to", "Write to", {.hint = visit.tr(T("One address, or several with commas between them.")), .language_free = "ltr"});
    page.button("Write").end_form();
    if (list->newest.empty())
        page.m("<p>").t("No conversation yet.").m("</p>\n");
    page.m("<ul class=\"list\">\n");
    for (const auto& [people, post] : list->newest) {
        page.m("<li><a href=\"/me/conversation?with=").url(joined(people)).m("\">");
        show_people(page, people, list->around);
        page.m("</a> ").time(post.published_at).m("\n<p dir=\"auto\">");
        if (post.entity == visit.self().entity)
            page.m("<small>").t("you:").m("</small> ");
        page.x(plain_text_of(post, 200)).m("</p></li>\n");
    }
    page.m("</ul>\n");
    return page.finish();
}

net::HttpResponse conversation(Visit& visit)
{
    std::set<std::string> people;
    std::string with = visit.param("with");
    for (size_t from = 0; from < with.size() && people.size() <= kPeople;) {
        const size_t comma = std::min(with.find(',', from), with.size());
        auto entity = tent::peer_entity(visit.self(), std::string_view(with).substr(from, comma - from));
        if (!entity.ok())
            return error_page(visit, entity.error());
        people.insert(*entity);
        from = comma + 1;
    }
    if (people.empty() || people.size() > kPeople)
        return error_page(visit, fail(ErrorKind::NotFound, ""));
    struct Talk {
        std::vector<Post> posts;  // the oldest first
        Around around;
    };
    auto talk = visit.store().read([&](store::ReadTx& tx) -> Result<Talk> {
        Talk out;
        out.posts = TRY(letters(tx, visit.self(), people));
        out.posts.erase(std::remove_if(out.posts.begin(), out.posts.end(), [&](const Post& post) { return people_of(visit.self(), post) != people; }),
                        out.posts.end());
        std::reverse(out.posts.begin(), out.posts.end());
        std::vector<Post> all = out.posts;
        for (const auto& one : people) {
            Post stand_in;
            stand_in.entity = one;
            all.push_back(std::move(stand_in));
        }
        out.around = TRY(load_around(tx, visit.self(), all, Reader::Owner));
        return out;
    });
    if (!talk.ok())
        return error_page(visit, talk.error());
    Page page(visit, visit.tr(T("Conversation")), Frame::Owner);
    page.m("<h1>").t("With").m(" ");
    show_people(page, people, talk->around);
    page.m("</h1>\n");
    for (const auto& post : talk->posts)
        show_post(page, post, talk->around, Reader::Owner, Detail::Card);
    page.upload_form("/me/compose").hidden("people", joined(people));
    page.field("text", "Write", {.rows = 4});
    page.button("Preview, and who can see it", "act", "preview", "quiet").button("Send", "act", "post").end_form();
    return page.finish();
}

}  // namespace bivouac::pages
