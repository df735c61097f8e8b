// SPDX-License-Identifier: BSD-3-Clause
// One field for posts, people and tags. Whatever is typed is looked for; nothing that is typed is an error.
#include <bivouac/base/bytes.h>
#include <bivouac/model/post_words.h>
#include <bivouac/store/search.h>

#include <algorithm>
#include <charconv>

#include "post_view.h"

namespace bivouac::pages {

namespace {

constexpr size_t kExcerptBytes = 400;
constexpr size_t kNoteBytes = 200;
constexpr int64_t kPosts = 25;
constexpr int64_t kPeople = 50;
constexpr int64_t kPeopleFirst = 3;
constexpr int64_t kTags = 100;
constexpr int64_t kTagsFirst = 8;

enum class Where { All, People, Tags };

int64_t number_in(const Visit& visit, std::string_view name)
{
    const std::string text = visit.param(name);
    int64_t out = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() ? std::max<int64_t>(out, 0) : 0;
}

struct Found {
    store::FoundPosts posts;
    std::vector<store::FoundPerson> people;
    std::vector<store::FoundTag> tags;
    bool more_people = false;
    bool more_tags = false;
    Around around;
};

template <typename T>
bool trim_to(std::vector<T>& list, int64_t most)
{
    const bool more = static_cast<int64_t>(list.size()) > most;
    if (more)
        list.resize(static_cast<size_t>(most));
    return more;
}

void show_tabs(Page& page, const std::string& query, Where where)
{
    page.m("<p class=\"tabs\">");
    auto tab = [&](Html::Markup in, Where of, Msg label) {
        page.m("<a href=\"/me/search?q=").url(query).m(in).m(where == of ? Html::Markup("\" aria-current=\"page\">") : Html::Markup("\">"));
        page.t(label).m("</a>");
    };
    tab("", Where::All, T("Posts"));
    page.m(" · ");
    tab("&amp;in=people", Where::People, T("People"));
    page.m(" · ");
    tab("&amp;in=tags", Where::Tags, T("Tags"));
    page.m("</p>\n");
}

void show_people(Page& page, const std::vector<store::FoundPerson>& people, const store::Wanted& wanted)
{
    page.m("<ul class=\"list\">\n");
    for (const auto& person : people) {
        page.m("<li><a class=\"author\" href=\"/me/person?entity=").url(person.entity).m("\">");
        if (!person.name.empty()) {
            page.m("<bdi>");
            show_pieces(page, store::excerpt(cut(person.name, 120), wanted, 120));
            page.m("</bdi> ");
        }
        page.entity(person.entity).m("</a>");
        if (person.follower == "approved")
            page.m(" <small>").t("follows you").m("</small>");
        else if (person.follower == "pending")
            page.m(" <small>").t("asks to follow you").m("</small>");
        if (person.following == "approved")
            page.m(" <small>").t("you follow her").m("</small>");
        if (!person.note.empty()) {
            page.m("<br><small dir=\"auto\">");
            show_pieces(page, store::excerpt(person.note, wanted, kNoteBytes));
            page.m("</small>");
        }
        page.m("</li>\n");
    }
    page.m("</ul>\n");
}

void show_tags(Page& page, const std::vector<store::FoundTag>& tags)
{
    page.m("<ul class=\"list\">\n");
    for (const auto& tag : tags) {
        page.m("<li><a href=\"/me/search?q=%23").url(tag.tag).m("\"><bdi>#").x(tag.tag).m("</bdi></a> <small>");
        page.tn("{0} post", "{0} posts", tag.posts).m("</small></li>\n");
    }
    page.m("</ul>\n");
}

}  // namespace

net::HttpResponse search(Visit& visit)
{
    std::string query(cut(visit.param("q"), store::kSearchBytes));
    const store::Wanted wanted = store::parse_wanted(visit.param("q"));
    const std::string in = visit.param("in");
    const Where where = in == "people" ? Where::People : in == "tags" ? Where::Tags : Where::All;
    store::SearchPage at;
    at.order = visit.param("sort") == "closest" ? store::FoundOrder::Closest : store::FoundOrder::Newest;
    at.before = number_in(visit, "before");
    at.after = at.before > 0 ? 0 : number_in(visit, "after");
    at.skip = std::min(number_in(visit, "skip"), store::kSortedByCloseness);
    at.limit = kPosts;
    const bool closest = at.order == store::FoundOrder::Closest && !wanted.phrases.empty();
    const bool is_top = at.before == 0 && at.after == 0 && at.skip == 0;

    int64_t waiting = 0;
    Found found;
    if (!wanted.empty()) {
        auto indexed = store::index_waiting(visit.store(), store::kIndexingPatience);
        if (!indexed.ok())
            return error_page(visit, indexed.error());
        waiting = *indexed;
        auto read = visit.store().read([&](store::ReadTx& tx) -> Result<Found> {
            const int64_t owner = visit.self().id;
            Found out;
            if (where == Where::People || (where == Where::All && is_top)) {
                const int64_t most = where == Where::People ? kPeople : kPeopleFirst;
                out.people = TRY(store::search_people(tx, owner, wanted, most + 1, where == Where::People ? at.skip : 0));
                out.more_people = trim_to(out.people, most);
            }
            if (where == Where::Tags || (where == Where::All && is_top)) {
                const int64_t most = where == Where::Tags ? kTags : kTagsFirst;
                out.tags = TRY(store::search_tags(tx, owner, wanted, most + 1));
                out.more_tags = trim_to(out.tags, most);
            }
            if (where == Where::All) {
                out.posts = TRY(store::search_posts(tx, owner, wanted, at));
                std::vector<Post> posts;
                for (const auto& one : out.posts.posts)
                    posts.push_back(one.post);
                out.around = TRY(load_around(tx, visit.self(), posts, Reader::Owner));
            }
            return out;
        });
        if (!read.ok())
            return error_page(visit, read.error());
        found = std::move(*read);
    }

    Page page(visit, visit.tr(T("Search")), Frame::Owner);
    page.heading("Search");
    page.m("<form method=\"get\" action=\"/me/search\" role=\"search\">\n");
    page.field("q", "What do you look for?", {.value = query, .hint = visit.tr(T("Words, \"words in this order\", or #tag. The last word may be the beginning of one.")), .focus = query.empty(), .is_search = true});
    if (where != Where::All)
        page.hidden("in", in);
    page.button("Search", "", {}).m("</form>\n");
    if (wanted.empty()) {
        if (!query.empty())
            page.m("<p>").t("There is no word in this that could be looked for.").m("</p>\n");
        else
            page.note("All posts that your timeline has shown are searched, with the names of people and tags. What you look for leaves no trace here.");
        return page.finish();
    }
    if (wanted.was_cut)
        page.note("This is long; only the beginning was looked for.");
    if (waiting > 0)
        page.m("<p class=\"warning\" role=\"status\">").tn("{0} post could not be searched yet. Look again in a moment.", "{0} posts could not be searched yet. Look again in a moment.", waiting).m("</p>\n");
    show_tabs(page, query, where);

    const store::Wanted marks = store::with_tags_as_words(wanted);
    if (where == Where::People) {
        page.m("<h2>").t("People").m("</h2>\n");
        if (found.people.empty())
            page.m("<p>").t("Nobody.").m("</p>\n");
        else
            show_people(page, found.people, marks);
        if (found.more_people || at.skip > 0) {
            page.m("<nav class=\"pager\" aria-label=\"").t("Pages").m("\">");
            if (at.skip > 0)
                page.m("<a rel=\"prev\" href=\"/me/search?in=people&amp;q=").url(query).m("&amp;skip=").x(std::to_string(std::max<int64_t>(at.skip - kPeople, 0))).m("\">").t("Back").m("</a> ");
            if (found.more_people)
                page.m("<a rel=\"next\" href=\"/me/search?in=people&amp;q=").url(query).m("&amp;skip=").x(std::to_string(at.skip + kPeople)).m("\">").t("More").m("</a>");
            page.m("</nav>\n");
        }
        return page.finish();
    }
    if (where == Where::Tags) {
        page.m("<h2>").t("Tags").m("</h2>\n");
        if (found.tags.empty())
            page.m("<p>").t("No tag begins like this.").m("</p>\n");
        else
            show_tags(page, found.tags);
        if (found.more_tags)
            page.note("There are more; type more of it.");
        return page.finish();
    }

    if (!found.people.empty()) {
        page.m("<h2>").t("People").m("</h2>\n");
        show_people(page, found.people, marks);
        if (found.more_people)
            page.m("<p><a href=\"/me/search?in=people&amp;q=").url(query).m("\">").t("All people who were found").m("</a></p>\n");
    }
    if (!found.tags.empty()) {
        page.m("<h2>").t("Tags").m("</h2>\n");
        show_tags(page, found.tags);
        if (found.more_tags)
            page.m("<p><a href=\"/me/search?in=tags&amp;q=").url(query).m("\">").t("All tags that were found").m("</a></p>\n");
    }
    page.m("<h2>").t("Posts").m("</h2>\n");
    if (found.posts.posts.empty()) {
        page.m("<p>").t(is_top ? T("No post has all of this in it.") : T("No more posts.")).m("</p>\n");
    } else if (!wanted.phrases.empty()) {
        page.m("<p class=\"sort\">");
        if (closest)
            page.m("<a href=\"/me/search?q=").url(query).m("\">").t("Newest first").m("</a> · <strong>").t("Closest first").m("</strong>");
        else
            page.m("<strong>").t("Newest first").m("</strong> · <a href=\"/me/search?sort=closest&amp;q=").url(query).m("\">").t("Closest first").m("</a>");
        page.m("</p>\n");
    }
    for (const auto& one : found.posts.posts)
        show_found(page, one.post, found.around, store::excerpt(words_of_post(one.post), marks, kExcerptBytes));
    if (found.posts.newer || found.posts.older) {
        page.m("<nav class=\"pager\" aria-label=\"").t("Pages").m("\">");
        auto link = [&](Html::Markup rel, Html::Markup parameter, int64_t value, Msg label) {
            page.m("<a rel=\"").m(rel).m("\" href=\"/me/search?q=").url(query).m(parameter).x(std::to_string(value)).m("\">").t(label).m("</a> ");
        };
        if (closest) {
            if (found.posts.newer)
                link("prev", "&amp;sort=closest&amp;skip=", std::max<int64_t>(at.skip - kPosts, 0), T("Closer"));
            if (found.posts.older)
                link("next", "&amp;sort=closest&amp;skip=", at.skip + kPosts, T("Less close"));
        } else {
            if (found.posts.newer)
                link("prev", "&amp;after=", found.posts.posts.front().row, T("Newer"));
            if (found.posts.older)
                link("next", "&amp;before=", found.posts.posts.back().row, T("Older"));
        }
        page.m("</nav>\n");
    }
    return page.finish();
}

}  // namespace bivouac::pages
