// SPDX-License-Identifier: BSD-3-Clause
#include "post_view.h"

#include <bivouac/base/bytes.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/post_lists.h>
#include <bivouac/store/posts.h>

#include <algorithm>

namespace bivouac::pages {

namespace {

constexpr size_t kShownAttachments = 50;
constexpr size_t kShownReaders = 500;
constexpr size_t kEssayOnCard = 1200;
constexpr size_t kUnknownBytes = 2000;

// The text of a status. Most are stored as {"text":"..."} with nothing to decode, which needs no parser.
std::string status_text(const Post& post)
{
    constexpr std::string_view kBegin = "{\"text\":\"", kEnd = "\"}";
    const std::string_view content = post.content;
    if (content.size() >= kBegin.size() + kEnd.size() && content.starts_with(kBegin) && content.ends_with(kEnd)) {
        const std::string_view text = content.substr(kBegin.size(), content.size() - kBegin.size() - kEnd.size());
        if (text.find_first_of("\"\\") == std::string_view::npos)
            return std::string(text);
    }
    return text_in(content_of(post), "text");
}

// The post that a repost or favorite is about.
std::pair<std::string, std::string> subject_of(const Post& post)
{
    for (const auto& ref : post.refs)
        if (!ref.post.empty())
            return {ref.entity.empty() ? post.entity : ref.entity, ref.post};
    for (const auto& mention : post.mentions)
        if (!mention.post.empty())
            return {post.mention_entity(mention), mention.post};
    return {};
}

bool is_about_another(const Post& post)
{
    const auto base = base_of(post);
    return base == type::kRepostBase || base == type::kFavoriteBase;
}

std::string post_query(const std::string& entity, const std::string& id)
{
    return "?entity=" + percent_encode(entity) + "&post=" + percent_encode(id);
}

std::string address_of(const Post& post, Reader reader)
{
    return reader == Reader::Owner ? "/me/post" + post_query(post.entity, post.id)
                                   : "/posts/" + percent_encode(post.entity) + "/" + percent_encode(post.id);
}

std::string attachment_address(const Post& post, const Attachment& attachment, Reader reader)
{
    if (reader == Reader::Owner)
        return "/me/file" + post_query(post.entity, post.id) + "&name=" + percent_encode(attachment.name);
    return "/posts/" + percent_encode(post.entity) + "/" + percent_encode(post.id) + "/attachments/" + percent_encode(attachment.name);
}

void show_author(Page& page, const std::string& entity, const Around& around, Reader reader)
{
    const std::string name = author_name(around, page.visit().self(), entity);
    const bool linked = reader == Reader::Owner && entity != page.visit().self().entity;
    if (linked)
        page.m("<a class=\"author\" href=\"/me/person?entity=").url(entity).m("\">");
    else
        page.m("<span class=\"author\">");
    if (!name.empty())
        page.m("<bdi>").x(name).m("</bdi> ");
    page.entity(entity);
    page.m(linked ? Html::Markup("</a>") : Html::Markup("</span>"));
}

void show_attachments(Page& page, const Post& post, Reader reader)
{
    size_t shown = 0;
    bool listed = false;
    for (const auto& attachment : post.attachments) {
        if (++shown > kShownAttachments)
            break;
        if (!listed)
            page.m("<ul class=\"attachments\">\n");
        listed = true;
        const std::string address = attachment_address(post, attachment, reader);
        page.m("<li><a href=\"").x(address).m("\">");
        if (plain_image_type(attachment.content_type))
            page.m("<img loading=\"lazy\" src=\"").x(address).m("\" alt=\"").x(attachment.name).m("\"> ");
        page.m("<span class=\"file\"><bdi>").x(attachment.name).m("</bdi> <small>").x(page.words().size(attachment.size));
        page.m("</small></span></a></li>\n");
    }
    if (listed)
        page.m("</ul>\n");
}

void show_audience(Page& page, const Post& post)
{
    const auto& p = post.permissions;
    page.m("<span class=\"audience\">");
    if (p.is_public)
        page.t("public");
    else if (post.entity != page.visit().self().entity)
        page.t("not public");
    else if (p.groups.empty() && p.entities.empty())
        page.t("only you");
    else if (p.groups.empty())
        page.tn("{0} person", "{0} people", static_cast<int64_t>(p.entities.size()));
    else if (p.groups.size() == 1 && p.groups[0] == page.visit().self().followers_group && p.entities.empty())
        page.t("followers");
    else
        page.t("chosen readers");
    page.m("</span>");
}

void show_text(Page& page, const Post& post, const std::string& text, Reader reader)
{
    std::vector<markdown::Mention> mentions;
    mentions.reserve(post.mentions.size());
    for (const auto& mention : post.mentions)
        mentions.push_back({post.mention_entity(mention), mention.post, !mention.is_public && reader == Reader::Stranger});
    markdown::HtmlOptions options;
    if (reader == Reader::Owner) {
        options.hashtag_path = "/me/search?q=%23";
        options.mention_path = "/me/at?entity=";
    }
    page.m("<div class=\"text\" dir=\"auto\">");
    page.html().post_text(text, mentions, options);
    page.m("</div>\n");
}

void show_lines(Page& page, std::string_view text)
{
    page.m("<div class=\"text\" dir=\"auto\">");
    for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
        page.x(text.substr(0, end)).m("<br>");
    page.x(text).m("</div>\n");
}

void show_content(Page& page, const Post& post, const Around& around, Reader reader, Detail detail)
{
    const auto base = base_of(post);
    if (is_about_another(post)) {
        const auto subject = subject_of(post);
        if (subject == around.shown_above) {
            page.m("<p class=\"kind\">").t(base == type::kRepostBase ? T("passed this on") : T("marked this as a favorite")).m("</p>\n");
            return;
        }
        page.m("<p class=\"kind\">").t(base == type::kRepostBase ? T("passed this on:") : T("marked this as a favorite:")).m("</p>\n");
        if (auto other = around.others.find(subject); other != around.others.end()) {
            page.m("<blockquote class=\"quoted\">\n<p>");
            show_author(page, other->second.entity, around, reader);
            page.m("</p>\n");
            if (!is_about_another(other->second))
                show_content(page, other->second, around, reader, Detail::Card);
            page.m("<p><a href=\"").x(address_of(other->second, reader)).m("\">").t("The post").m("</a></p>\n</blockquote>\n");
        } else if (!subject.first.empty()) {
            page.m("<p>").t("A post that is not here, by").m(" ");
            show_author(page, subject.first, around, reader);
            page.m("</p>\n");
        }
        return;
    }
    if (base == type::kStatusBase) {
        show_text(page, post, status_text(post), reader);
        return show_attachments(page, post, reader);
    }
    const Json content = content_of(post);
    if (base == type::kEssayBase) {
        if (std::string title = text_in(content, "title"); !title.empty())
            page.m("<p class=\"title\" dir=\"auto\">").x(title).m("</p>\n");
        std::string text = text_of_html(text_in(content, "body"));
        if (detail == Detail::Card && text.size() > kEssayOnCard) {
            if (std::string excerpt = text_in(content, "excerpt"); !excerpt.empty())
                text = excerpt;
            show_lines(page, std::string(cut(text, kEssayOnCard)) + "\u2026");
            page.m("<p><a href=\"").x(address_of(post, reader)).m("\">").t("Read on").m("</a></p>\n");
        } else {
            show_lines(page, text);
        }
    } else if (base == type::kPhotoBase) {
        if (std::string caption = text_in(content, "caption"); !caption.empty())
            show_lines(page, caption);
    } else {
        page.m("<p class=\"kind\">").t("A post of a type that these pages do not know:").m(" <code>").x(post.type).m("</code></p>\n");
        if (!post.content.empty()) {
            page.m("<details><summary>").t("Show what it holds").m("</summary>\n<pre dir=\"ltr\">");
            page.x(cut(content.dump(2, ' ', false, Json::error_handler_t::replace), kUnknownBytes)).m("</pre></details>\n");
        }
    }
    show_attachments(page, post, reader);
}

void show_answered(Page& page, const Post& post, const Around& around, Reader reader)
{
    for (const auto& mention : post.mentions) {
        if (mention.post.empty())
            continue;
        const std::string& entity = post.mention_entity(mention);
        page.m("<p class=\"kind\">").t("answers").m(" ");
        if (reader == Reader::Owner)
            page.m("<a href=\"/me/at").x(post_query(entity, mention.post)).m("\">");
        if (std::string name = author_name(around, page.visit().self(), entity); !name.empty())
            page.m("<bdi>").x(name).m("</bdi>");
        else
            page.entity(entity);
        if (reader == Reader::Owner)
            page.m("</a>");
        page.m("</p>\n");
        return;
    }
}

void show_count(Page& page, int64_t count)
{
    if (count > 0)
        page.m(" <span class=\"count\">").x(page.words().number(count)).m("</span>");
}

// Words with the author in them for whoever hears links without what stands around them.
void show_deeds(Page& page, const Post& post, const Around& around)
{
    store::Reactions reactions;
    if (auto found = around.reactions.find({post.entity, post.id}); found != around.reactions.end())
        reactions = found->second;
    const std::string query = post_query(post.entity, post.id);
    page.m("<ul class=\"deeds\">\n<li><a href=\"/me/compose").x(query).m("\">").t("Answer").m("</a>");
    show_count(page, reactions.replies);
    page.m("</li>\n<li>");
    // What is not public is not hers to pass on.
    if (post.permissions.is_public) {
        if (reactions.my_repost.empty())
            page.deed("/me/react", T("Pass on"), {{"entity", post.entity}, {"post", post.id}, {"what", "repost"}}, "link");
        else
            page.deed("/me/react", T("Take back"), {{"entity", post.entity}, {"post", post.id}, {"mine", reactions.my_repost}, {"what", "undo"}}, "link");
        show_count(page, reactions.reposts);
        page.m("</li>\n<li>");
    }
    if (reactions.my_favorite.empty())
        page.deed("/me/react", T("Favorite"), {{"entity", post.entity}, {"post", post.id}, {"what", "favorite"}}, "link");
    else
        page.deed("/me/react", T("No favorite"), {{"entity", post.entity}, {"post", post.id}, {"mine", reactions.my_favorite}, {"what", "undo"}}, "link");
    show_count(page, reactions.favorites);
    page.m("</li>\n");
    if (post.entity == page.visit().self().entity) {
        if (base_of(post) == type::kStatusBase || base_of(post) == type::kEssayBase)
            page.m("<li><a href=\"/me/edit?post=").url(post.id).m("\">").t("Change").m("</a></li>\n");
        page.m("<li><a href=\"/me/delete?post=").url(post.id).m("\">").t("Delete").m("</a></li>\n");
        page.m("<li><a href=\"/me/deliveries?post=").url(post.id).m("\">").t("Deliveries").m("</a></li>\n");
    }
    page.m("</ul>\n");
}

}  // namespace

std::string plain_text_of(const Post& post, size_t most)
{
    const auto base = base_of(post);
    if (base == type::kStatusBase)
        return std::string(cut(markdown::to_plain_text(markdown::parse(status_text(post))), most));
    const Json content = content_of(post);
    std::string text;
    if (base == type::kEssayBase)
        text = text_in(content, "title") + "\n" + text_of_html(text_in(content, "body"));
    else if (base == type::kPhotoBase)
        text = text_in(content, "caption");
    return std::string(cut(text, most));
}

Result<FeedQuery> stream_query(const Visit& visit)
{
    FeedQuery asked = TRY(parse_feed_query(visit.query));
    FeedQuery out;
    out.before = asked.before;
    out.since = asked.since;
    out.until = asked.until;
    out.for_person = true;
    return out;
}

const char* plain_image_type(std::string_view content_type)
{
    for (const char* known : {"image/jpeg", "image/png", "image/webp", "image/gif"})
        if (content_type.substr(0, content_type.find(';')) == known)
            return known;
    return nullptr;
}

std::string author_name(const Around& around, const tent::Self&, const std::string& entity)
{
    auto profile = around.profiles.find(entity);
    return profile == around.profiles.end() ? std::string() : std::string(cut(profile->second.name, 120));
}

Result<Around> load_around(store::ReadTx& tx, const tent::Self& self, const std::vector<Post>& posts, Reader reader)
{
    Around out;
    const Viewer& viewer = reader == Reader::Owner ? kOwnerSees : kStrangerSees;
    std::vector<std::string> entities{self.entity};
    auto want = [&](const std::string& entity) {
        if (std::find(entities.begin(), entities.end(), entity) == entities.end())
            entities.push_back(entity);
    };
    for (const auto& post : posts) {
        want(post.entity);
        for (const auto& mention : post.mentions)
            if (!mention.post.empty())
                want(post.mention_entity(mention));
        if (is_about_another(post)) {
            const auto subject = subject_of(post);
            if (!subject.first.empty() && out.others.count(subject) == 0)
                if (auto other = TRY(store::load_post(tx, self.id, subject.first, subject.second, "", viewer)); other && !is_bookkeeping(base_of(*other))) {
                    want(other->entity);
                    out.others.emplace(subject, std::move(*other));
                }
        } else if (reader == Reader::Owner) {
            out.reactions[{post.entity, post.id}] =
                TRY(store::count_reactions(tx, self.id, post.entity, post.id, store::ReactionsFor::Owner));
        }
    }
    if (reader == Reader::Stranger) {
        // Only what a stranger could read for herself.
        auto meta = TRY(store::load_post(tx, self.id, self.entity, kMetaPostId, "", kStrangerSees));
        if (meta)
            out.profiles[self.entity] = profile_of(*meta);
        return out;
    }
    out.profiles = TRY(store::load_profiles(tx, self.id, entities));
    return out;
}

void show_post(Page& page, const Post& post, const Around& around, Reader reader, Detail detail)
{
    page.m("<article class=\"post\">\n<header>");
    show_author(page, post.entity, around, reader);
    page.m(" <a class=\"when\" href=\"").x(address_of(post, reader)).m("\">").time(post.published_at).m("</a> ");
    if (reader == Reader::Owner)
        show_audience(page, post);
    if (!post.version.parents.empty() && !is_about_another(post)) {
        page.m(" ");
        if (reader == Reader::Owner)
            page.m("<a class=\"edited\" href=\"/me/history").x(post_query(post.entity, post.id)).m("\">").t("changed").m("</a>");
        else
            page.m("<span class=\"edited\">").t("changed").m("</span>");
    }
    page.m("</header>\n");
    if (!is_about_another(post))
        show_answered(page, post, around, reader);
    show_content(page, post, around, reader, detail);
    if (reader == Reader::Owner) {
        if (is_about_another(post)) {
            if (post.entity == page.visit().self().entity)
                page.m("<ul class=\"deeds\">\n<li>").deed("/me/react", T("Take back"), {{"entity", post.entity}, {"post", post.id}, {"mine", post.id}, {"what", "undo"}}, "link").m("</li>\n</ul>\n");
        } else {
            show_deeds(page, post, around);
        }
    }
    page.m("</article>\n");
}

void show_pieces(Page& page, const std::vector<store::Piece>& pieces)
{
    for (const auto& piece : pieces)
        if (piece.marked)
            page.m("<mark>").x(piece.text).m("</mark>");
        else
            page.x(piece.text);
}

void show_found(Page& page, const Post& post, const Around& around, const std::vector<store::Piece>& excerpt)
{
    page.m("<article class=\"post\">\n<header>");
    show_author(page, post.entity, around, Reader::Owner);
    page.m(" <a class=\"when\" href=\"").x(address_of(post, Reader::Owner)).m("\">").time(post.published_at).m("</a> ");
    show_audience(page, post);
    page.m("</header>\n<div class=\"text\" dir=\"auto\">");
    show_pieces(page, excerpt);
    page.m("</div>\n</article>\n");
}

Result<void> load_readers(store::ReadTx& tx, const tent::Self& self, const tent::Readers& readers, Around& around)
{
    std::vector<std::string> entities;
    for (const auto& reader : readers.readers)
        if (entities.size() < kShownReaders)
            entities.push_back(reader.entity);
    around.profiles.merge(TRY(store::load_profiles(tx, self.id, entities)));
    return {};
}

void show_readers(Page& page, const tent::Readers& readers, const Around& around)
{
    const Words& words = page.words();
    if (readers.is_public)
        page.m("<p>").t(*page.visit().self().door == store::Door::Sealed ? T("Everybody whom you have approved.") : T("Everybody who has your address, and those named here, who get it by themselves:")).m("</p>\n");
    else if (readers.readers.empty())
        page.m("<p>").t("Only you.").m("</p>\n");
    for (const auto& warning : readers.warnings)
        page.m("<p class=\"warning\">").x(words.runtime(warning)).m("</p>\n");
    if (readers.readers.empty())
        return;
    page.m("<p>").tn("{0} reader:", "{0} readers:", static_cast<int64_t>(readers.readers.size())).m("</p>\n<ul class=\"plain\">\n");
    size_t shown = 0;
    for (const auto& reader : readers.readers) {
        if (++shown > kShownReaders) {
            page.m("<li>").tn("and {0} more", "and {0} more", static_cast<int64_t>(readers.readers.size() - kShownReaders)).m("</li>\n");
            break;
        }
        page.m("<li>");
        show_author(page, reader.entity, around, Reader::Owner);
        page.m(" <small>");
        bool first = true;
        for (const auto& because : reader.because) {
            if (!first)
                page.m(", ");
            first = false;
            if (because == "follower")
                page.t("follower");
            else if (because == "named")
                page.t("named");
            else if (because == "mentioned")
                page.t("mentioned");
            else
                page.t("group {0}", {because.substr(std::min<size_t>(6, because.size()))});
        }
        if (reader.delivery == "delivered" && reader.delivered_at > 0)
            page.m(" · ").t("has it").m(" ").time(reader.delivered_at);
        else if (reader.delivery == "waiting")
            page.m(" · ").t("on its way");
        else if (reader.delivery == "refused" || reader.delivery == "given_up")
            page.m(" · ").t("did not arrive");
        else if (!reader.delivered_to)
            page.m(" · ").t("may come and read it");
        page.m("</small></li>\n");
    }
    page.m("</ul>\n");
}

}  // namespace bivouac::pages
