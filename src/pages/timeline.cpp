// SPDX-License-Identifier: BSD-3-Clause
// Reading, as the owner: the timeline, mentions, one post with what belongs to it, its versions; and the small deeds.
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/post_lists.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/audience.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>

#include "difference.h"
#include "post_view.h"

namespace bivouac::pages {

namespace {

constexpr int64_t kVisitApartMs = 30 * 60'000;
constexpr size_t kHistoryShown = 50;

struct Stream {
    FeedPage feed;
    FeedEnds ends;
    Around around;
    store::PageState state;
    int64_t failures = 0;
};

void show_pager(Page& page, Html::Markup path, const FeedQuery& query, const FeedEnds& ends)
{
    FeedQuery bare = query;
    bare.mentions.clear();
    bare.entities.clear();
    bare.types.clear();
    const FeedLinks links = feed_links(bare, ends);
    if (links.prev.empty() && links.next.empty())
        return;
    page.m("<nav class=\"pager\" aria-label=\"").t("Pages").m("\">");
    if (!links.prev.empty())
        page.m("<a href=\"").m(path).x(links.prev).m("\" rel=\"prev\">").t("Newer").m("</a> ");
    if (!links.next.empty())
        page.m("<a href=\"").m(path).x(links.next).m("\" rel=\"next\">").t("Older").m("</a>");
    page.m("</nav>\n");
}

}  // namespace

net::HttpResponse timeline(Visit& visit)
{
    auto query = stream_query(visit);
    if (!query.ok())
        return error_page(visit, query.error());
    auto stream = visit.store().read([&](store::ReadTx& tx) -> Result<Stream> {
        Stream out;
        out.feed = TRY(store::load_feed(tx, visit.self().id, *query, kOwnerSees));
        out.ends = ends_of(*query, out.feed);
        out.around = TRY(load_around(tx, visit.self(), out.feed.posts, Reader::Owner));
        out.state = TRY(store::load_page_state(tx, visit.self().id));
        return out;
    });
    if (!stream.ok())
        return error_page(visit, stream.error());
    // What came since the visit before this one is new, for as long as this visit lasts.
    store::PageState& state = stream->state;
    const bool is_top = !query->before && !query->since && !query->until;
    const int64_t newest = stream->feed.posts.empty() ? 0 : stream->feed.posts.front().received_at;
    const int64_t now = visit.shared.clock.now_ms();
    const bool another_visit = now - state.visited_at > kVisitApartMs;
    if (is_top && (another_visit || newest > state.read_to)) {
        auto saved = visit.store().write([&](store::WriteTx& tx) -> Result<store::PageState> {
            auto next = TRY(store::load_page_state(tx, visit.self().id));
            if (another_visit)
                next.read_before = next.read_to;
            next.read_to = std::max(next.read_to, newest);
            next.visited_at = now;
            TRY(store::save_page_state(tx, visit.self().id, next));
            return next;
        });
        if (saved.ok())
            state = *saved;
    }
    Page page(visit, visit.tr(T("Timeline")), Frame::Owner);
    page.heading("Timeline");
    if (state.failures_unseen > 0) {
        page.m("<p class=\"warning\"><a href=\"/me/security\">");
        page.tn("{0} wrong passphrase was tried since you last looked.", "{0} wrong passphrases were tried since you last looked.", state.failures_unseen).m("</a></p>\n");
    }
    if (is_top) {
        page.form("/me/compose");
        page.field("text", "What do you want to say?", {.rows = 3});
        page.hidden("to", "followers");
        page.button("Preview", "act", "preview", "quiet").button("Post to followers", "act", "post").end_form();
    }
    if (stream->feed.posts.empty())
        page.m("<p>").t_link("Nothing here yet. {0} somebody, or write something.", Tc("in: Nothing here yet. {0} somebody", "Follow"), "/me/following").m("</p>\n");
    bool marked = false;
    for (const auto& post : stream->feed.posts) {
        if (!marked && state.read_before > 0 && post.received_at <= state.read_before) {
            marked = true;
            if (&post != &stream->feed.posts.front())
                page.m("<p class=\"mark\" role=\"separator\">").t("What is above is new since your last visit.").m("</p>\n");
        }
        show_post(page, post, stream->around, Reader::Owner, Detail::Card);
    }
    show_pager(page, "/me", *query, stream->ends);
    return page.finish();
}

net::HttpResponse mentions(Visit& visit)
{
    auto query = stream_query(visit);
    if (!query.ok())
        return error_page(visit, query.error());
    query->mentions.push_back({{visit.self().entity, ""}});
    auto stream = visit.store().read([&](store::ReadTx& tx) -> Result<Stream> {
        Stream out;
        out.feed = TRY(store::load_feed(tx, visit.self().id, *query, kOwnerSees));
        out.ends = ends_of(*query, out.feed);
        out.around = TRY(load_around(tx, visit.self(), out.feed.posts, Reader::Owner));
        return out;
    });
    if (!stream.ok())
        return error_page(visit, stream.error());
    Page page(visit, visit.tr(T("Mentions")), Frame::Owner);
    page.heading("Mentions");
    page.note("Posts that name you, answer you or pass on what you wrote.");
    if (stream->feed.posts.empty())
        page.m("<p>").t("Nobody has mentioned you yet.").m("</p>\n");
    for (const auto& post : stream->feed.posts)
        show_post(page, post, stream->around, Reader::Owner, Detail::Card);
    show_pager(page, "/me/mentions", *query, stream->ends);
    return page.finish();
}

// Where a mention leads: to a post, or to a person.
net::HttpResponse at(Visit& visit)
{
    const std::string entity = visit.param("entity"), post = visit.param("post");
    if (post.empty())
        return see_other("/me/person?entity=" + percent_encode(entity));
    return see_other("/me/post?entity=" + percent_encode(entity) + "&post=" + percent_encode(post));
}

net::HttpResponse thread(Visit& visit)
{
    struct Thread {
        std::vector<Post> above;  // what it answers, the first one first
        std::optional<Post> post;
        std::vector<Post> below;
        Around around;
        tent::Readers readers;
    };
    const std::string id = visit.param("post");
    auto thread = visit.store().read([&](store::ReadTx& tx) -> Result<Thread> {
        const tent::Self& self = visit.self();
        const std::string entity = TRY(tent::peer_entity(self, visit.param("entity")));
        Thread out;
        out.post = TRY(store::load_post(tx, self.id, entity, id, "", kOwnerSees));
        if (!out.post || is_bookkeeping(base_of(*out.post)))
            return fail(ErrorKind::NotFound, "");
        auto author = TRY(store::find_relationship(tx, self.id, entity));
        if (author && author->follower == "blocked")
            return fail(ErrorKind::Forbidden, std::string(visit.tr(T("Its author is blocked. To read it, end that on her page."))));
        constexpr size_t kAbove = 20;
        for (const Post* one = &*out.post; out.above.size() < kAbove;) {
            const Mention* answered = nullptr;
            if (base_of(*one) != type::kRepostBase && base_of(*one) != type::kFavoriteBase)
                for (const auto& mention : one->mentions)
                    if (!mention.post.empty()) {
                        answered = &mention;
                        break;
                    }
            if (!answered)
                break;
            const bool circle = std::any_of(out.above.begin(), out.above.end(), [&](const Post& p) { return p.id == answered->post; }) ||
                                answered->post == out.post->id;
            auto next = circle ? std::optional<Post>()
                               : TRY(store::load_post(tx, self.id, one->mention_entity(*answered), answered->post, "", kOwnerSees));
            if (!next || is_bookkeeping(base_of(*next)))
                break;
            out.above.push_back(std::move(*next));
            one = &out.above.back();
        }
        std::reverse(out.above.begin(), out.above.end());
        FeedQuery about;
        about.mentions.push_back({{entity, id}});
        about.limit = limits::kFeedLimitMaximum;
        about.for_person = true;
        about.sort = FeedQuery::Sort::PublishedAt;
        out.below = TRY(store::load_feed(tx, self.id, about, kOwnerSees)).posts;
        std::reverse(out.below.begin(), out.below.end());
        std::vector<Post> all = out.above;
        all.push_back(*out.post);
        all.insert(all.end(), out.below.begin(), out.below.end());
        out.around = TRY(load_around(tx, self, all, Reader::Owner));
        out.around.shown_above = {entity, id};
        if (entity == self.entity) {
            out.readers = TRY(tent::readers_of(tx, self, *out.post, TRY(store::find_version(tx, self.id, entity, id, ""))));
            TRY(load_readers(tx, self, out.readers, out.around));
        }
        return out;
    });
    if (!thread.ok())
        return error_page(visit, thread.error());
    Page page(visit, visit.tr(T("Post")), Frame::Owner);
    page.heading("Post");
    for (const auto& post : thread->above)
        show_post(page, post, thread->around, Reader::Owner, Detail::Card);
    page.m("<div class=\"main-post\">\n");
    show_post(page, *thread->post, thread->around, Reader::Owner, Detail::Whole);
    page.m("</div>\n");
    if (thread->post->entity == visit.self().entity) {
        page.m("<details class=\"readers\"><summary>").t("Who can see this").m("</summary>\n");
        show_readers(page, thread->readers, thread->around);
        page.m("</details>\n");
    }
    if (!thread->below.empty())
        page.m("<h2>").t("Posts about it").m("</h2>\n");
    for (const auto& post : thread->below)
        show_post(page, post, thread->around, Reader::Owner, Detail::Card);
    return page.finish();
}

net::HttpResponse history(Visit& visit)
{
    struct History {
        std::vector<Post> versions;  // newest first
        Around around;
    };
    auto found = visit.store().read([&](store::ReadTx& tx) -> Result<History> {
        const tent::Self& self = visit.self();
        const std::string entity = TRY(tent::peer_entity(self, visit.param("entity")));
        auto text = TRY(store::load_post_text(tx, self.id, entity, visit.param("post"), "", kOwnerSees, Audience::owner()));
        if (!text)
            return fail(ErrorKind::NotFound, "");
        ListQuery query;
        query.limit = static_cast<int>(kHistoryShown);
        History out;
        for (const auto& entry : TRY(store::load_version_list(tx, self.id, *text, query, kOwnerSees)).entries)
            if (auto post = TRY(store::load_post(tx, self.id, entity, text->id, entry.version.id, kOwnerSees)))
                out.versions.push_back(std::move(*post));
        if (out.versions.empty() || is_bookkeeping(base_of(out.versions.front())))
            return fail(ErrorKind::NotFound, "");
        out.around = TRY(load_around(tx, self, {out.versions.front()}, Reader::Owner));
        return out;
    });
    if (!found.ok())
        return error_page(visit, found.error());
    Page page(visit, visit.tr(T("History")), Frame::Owner);
    page.heading("History").m("<p>").t("The versions of a post, the newest first, with what changed in each.").m("</p>\n");
    constexpr size_t kTextBytes = 20'000;
    for (size_t i = 0; i < found->versions.size(); ++i) {
        const Post& version = found->versions[i];
        page.m("<article class=\"post\">\n<header>").time(version.version.published_at).m("</header>\n<div class=\"text as-written\" dir=\"auto\">");
        const std::string now = plain_text_of(version, kTextBytes);
        const std::string before = i + 1 < found->versions.size() ? plain_text_of(found->versions[i + 1], kTextBytes) : now;
        for (const auto& piece : difference(before, now)) {
            switch (piece.kind) {
            case Piece::Kind::Same: page.x(piece.text); break;
            case Piece::Kind::Added:
                page.m("<ins><span class=\"hidden\">").t("added:").m(" </span>").x(piece.text).m("</ins>");
                break;
            case Piece::Kind::Removed:
                page.m("<del><span class=\"hidden\">").t("removed:").m(" </span>").x(piece.text).m("</del>");
                break;
            }
        }
        page.m("</div>\n</article>\n");
    }
    return page.finish();
}

net::HttpResponse remove(Visit& visit)
{
    const std::string id = visit.posting() ? std::string(visit.form.get("post")) : visit.param("post");
    if (visit.posting()) {
        auto gone = visit.store().write([&](store::WriteTx& tx) {
            tx.after_commit([&shared = visit.shared] { shared.hooks.posted(); });
            return tent::delete_own(tx, visit.self(), id, "");
        });
        return gone.ok() ? done("/me", "deleted") : error_page(visit, gone.error());
    }
    auto found = visit.store().read([&](store::ReadTx& tx) -> Result<std::pair<Post, Around>> {
        auto post = TRY(store::load_post(tx, visit.self().id, visit.self().entity, id, "", kOwnerSees));
        if (!post || is_bookkeeping(base_of(*post)))
            return fail(ErrorKind::NotFound, "");
        auto around = TRY(load_around(tx, visit.self(), {*post}, Reader::Owner));
        return std::pair(std::move(*post), std::move(around));
    });
    if (!found.ok())
        return error_page(visit, found.error());
    Page page(visit, visit.tr(T("Delete this post?")), Frame::Owner);
    page.heading("Delete this post?");
    page.m("<blockquote class=\"quoted\" dir=\"auto\">").x(plain_text_of(found->first, 600)).m("</blockquote>\n<p>");
    page.t("It goes from this server with all of its versions, and the servers of those who have it are asked to delete it. Nobody can make sure that they do.").m("</p>\n");
    page.form("/me/delete").hidden("post", id).button("Delete", "", {}, "danger").m("<a href=\"/me\">").t("Keep it").m("</a>\n").end_form();
    return page.finish();
}

// Favorites and reposts, and taking them back.
net::HttpResponse react(Visit& visit)
{
    if (!visit.posting())
        return see_other("/me");
    const std::string what(visit.form.get("what")), id(visit.form.get("post"));
    auto entity = tent::peer_entity(visit.self(), visit.form.get("entity"));
    if (!entity.ok())
        return error_page(visit, entity.error());
    const std::string back = "/me/post?entity=" + percent_encode(*entity) + "&post=" + percent_encode(id);
    if (what == "undo") {
        const std::string mine(visit.form.get("mine"));
        auto gone = visit.store().write([&](store::WriteTx& tx) -> Result<bool> {
            tx.after_commit([&shared = visit.shared] { shared.hooks.posted(); });
            auto post = TRY(store::load_post(tx, visit.self().id, visit.self().entity, mine, "", kOwnerSees));
            if (!post || (base_of(*post) != type::kRepostBase && base_of(*post) != type::kFavoriteBase))
                return fail(ErrorKind::NotFound, "");
            TRY(tent::delete_own(tx, visit.self(), mine, ""));
            return true;
        });
        return gone.ok() ? done(mine == id ? std::string("/me") : back, "undone") : error_page(visit, gone.error());
    }
    if (what != "favorite" && what != "repost")
        return error_page(visit, fail(ErrorKind::Invalid, ""));
    auto made = visit.store().write([&](store::WriteTx& tx) -> Result<bool> {
        tx.after_commit([&shared = visit.shared] { shared.hooks.posted(); });
        const tent::Self& self = visit.self();
        auto post = TRY(store::load_post(tx, self.id, *entity, id, "", kOwnerSees));
        if (!post || is_bookkeeping(base_of(*post)))
            return fail(ErrorKind::NotFound, "");
        const auto before = TRY(store::count_reactions(tx, self.id, *entity, id, store::ReactionsFor::Owner));
        if (!(what == "repost" ? before.my_repost : before.my_favorite).empty())
            return true;  // a second click
        if (what == "repost" && !post->permissions.is_public)
            return fail(ErrorKind::Forbidden, std::string(visit.tr(T("This post is not public; it is not yours to pass on."))));
        // Section 9: one ref and one mention, the type of the post in the fragment, no content.
        Post draft;
        draft.type = std::string(what == "repost" ? type::kRepostBase : type::kFavoriteBase) + "#" + std::string(base_of(*post));
        if (what == "favorite")
            draft.content = "{}";
        Ref ref;
        ref.entity = *entity;
        ref.post = id;
        ref.version = post->version.id;
        ref.type = post->type;
        draft.refs.push_back(ref);
        Mention mention;
        mention.entity = *entity;
        mention.post = id;
        mention.type = post->type;
        draft.mentions.push_back(mention);
        if (what == "repost") {
            TRY(tent::address_to(tx, self, draft, {"followers"}));
        } else {
            // Between her and the author.
            draft.permissions.is_public = false;
            if (*entity != self.entity)
                draft.permissions.entities.push_back(*entity);
        }
        auto stored = TRY(tent::publish(tx, self, std::move(draft)));
        TRY(tent::introduce_to_readers(tx, self, stored));
        return true;
    });
    return made.ok() ? done(back, what) : error_page(visit, made.error());
}

}  // namespace bivouac::pages
