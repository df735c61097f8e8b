// SPDX-License-Identifier: BSD-3-Clause
// Other people: who asks and who follows, whom we follow, groups, invites. What is done goes through the control API, so
// the command line and the pages do the same.
#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/post_lists.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>

#include "answer.h"
#include "post_view.h"
#include "qr.h"

namespace bivouac::pages {

namespace {

constexpr size_t kShown = 100;

Msg state_words(std::string_view state)
{
    if (state == "pending")
        return T("asks to follow you");
    if (state == "approved")
        return T("follows you");
    if (state == "denied")
        return T("was denied");
    if (state == "blocked")
        return T("is blocked");
    if (state == "removed")
        return T("was removed");
    return T("does not follow you");
}

Msg following_words(std::string_view state)
{
    if (state == "connecting")
        return T("being reached");
    if (state == "requested")
        return T("asked; she decides");
    if (state == "approved")
        return T("you follow her");
    if (state == "refused")
        return T("refused");
    return T("you do not follow her");
}

void person_link(Page& page, const std::string& entity, const std::string& name)
{
    page.m("<a class=\"author\" href=\"/me/person?entity=").url(entity).m("\">");
    if (!name.empty())
        page.m("<bdi>").x(cut(name, 120)).m("</bdi> ");
    page.entity(entity).m("</a>");
}

void fact(Page& page, Msg label)
{
    page.m("<dt>").t(label).m("</dt><dd>");
}

// What the desk knows of one who asks or follows.
void show_facts(Page& page, const Json& follower)
{
    page.m("<dl class=\"facts\">\n");
    fact(page, T("Address"));
    page.m("<span class=\"whole-address\" dir=\"ltr\">").x(text_of(follower, "entity")).m("</span></dd>\n");
    if (std::string note = text_of(follower, "note"); !note.empty()) {
        fact(page, T("She says"));
        page.m("<span dir=\"auto\">").x(note).m("</span></dd>\n");
    }
    if (int64_t seen = time_of(follower, "first_seen")) {
        fact(page, T("First seen"));
        page.time(seen).m("</dd>\n");
    }
    if (follower.contains("moved")) {
        fact(page, T("Moved here from"));
        page.entity(text_of(follower["moved"], "from")).m("</dd>\n");
    }
    if (std::string phrase = text_of(follower, "safety_phrase"); !phrase.empty()) {
        fact(page, T("Safety phrase"));
        page.m("<strong lang=\"en\" dir=\"ltr\">").x(phrase).m("</strong><br><small>").t("Compare it by voice: she sees the same words, if nobody stands between you.").m("</small></dd>\n");
    }
    fact(page, T("Verified"));
    if (int64_t at = time_of(follower, "verified_at"))
        page.time(at);
    else
        page.t("no");
    page.m("</dd>\n");
    if (auto groups = follower.find("groups"); groups != follower.end() && groups->is_array() && !groups->empty()) {
        fact(page, T("Groups"));
        bool first = true;
        for (const auto& group : *groups) {
            if (!first)
                page.m(", ");
            first = false;
            page.m("<bdi>").x(group.get<std::string>()).m("</bdi>");
        }
        page.m("</dd>\n");
    }
    page.m("</dl>\n");
}

void show_decisions(Page& page, const Json& follower, const Json& groups, Html::Markup action)
{
    const std::string entity = text_of(follower, "entity"), state = text_of(follower, "state");
    if (state == "pending" || state == "denied" || state == "removed") {
        page.form(action).hidden("entity", entity);
        bool any = false;
        for (const auto& group : groups)
            if (std::string name = text_of(group, "name"); text_of(group, "id") != page.visit().self().followers_group) {
                if (!any)
                    page.m("<fieldset>\n<legend>").t("Into groups").m("</legend>\n");
                any = true;
                page.checkbox("group", name, name, false);
            }
        if (any)
            page.m("</fieldset>\n");
        page.button("Approve", "action", "approve");
        if (state == "pending")
            page.button("Deny", "action", "deny", "quiet");
        page.button("Block", "action", "block", "quiet").end_form();
    } else if (state == "approved") {
        page.form(action).hidden("entity", entity);
        if (time_of(follower, "verified_at") == 0)
            page.button("The phrase is right: verified", "action", "verify", "quiet");
        else
            page.button("Not verified after all", "action", "unverify", "quiet");
        page.button("Remove", "action", "remove", "quiet").button("Block", "action", "block", "quiet").end_form();
    } else if (state == "blocked") {
        page.form(action).hidden("entity", entity).button("Do not block any more", "action", "unblock", "quiet").end_form();
    }
}

std::string_view done_code(std::string_view action)
{
    static constexpr std::pair<std::string_view, std::string_view> kCodes[] = {
        {"approve", "approved"}, {"deny", "denied"},   {"deny-all", "denied"},   {"block", "blocked"},
        {"unblock", "unblocked"}, {"remove", "removed"}, {"verify", "verified"}, {"unverify", "unverified"}};
    for (auto [from, to] : kCodes)
        if (from == action)
            return to;
    return "";
}

net::HttpResponse decide(Visit& visit, const std::string& back)
{
    const std::string action(visit.form.get("action"));
    auto decided = visit.shared.ask("POST /followers", "", {{"action", action}, {"entity", std::string(visit.form.get("entity"))}, {"groups", visit.form.all("group")}});
    return decided.ok() ? done(back, done_code(action)) : error_page(visit, decided.error());
}

}  // namespace

net::HttpResponse people(Visit& visit)
{
    if (visit.posting())
        return decide(visit, "/me/people");
    static constexpr std::string_view kStates[] = {"pending", "approved", "denied", "blocked", "removed"};
    std::string state = visit.param("state");
    const bool all = std::find(std::begin(kStates), std::end(kStates), state) == std::end(kStates);
    auto pending = visit.shared.ask("GET /followers", "state=" + (all ? std::string("pending") : state) + "&limit=" + std::to_string(kShown));
    auto followers = all ? visit.shared.ask("GET /followers", "state=approved&limit=1000") : Result<Json>(Json::object());
    auto groups = visit.shared.ask("GET /groups");
    for (const auto* answer : {&pending, &followers, &groups})
        if (!answer->ok())
            return error_page(visit, answer->error());
    Page page(visit, visit.tr(T("People")), Frame::Owner);
    page.heading("People");
    page.m("<p class=\"tabs\"><a href=\"/me/people\">").t("Followers").m("</a> · <a href=\"/me/following\">").t("Whom you follow");
    page.m("</a> · <a href=\"/me/groups\">").t("Groups").m("</a> · <a href=\"/me/invites\">").t("Invites").m("</a> · <a href=\"/me/door\">").t("Door");
    page.m("</a></p>\n");
    const Json& counts = (*pending)["counts"];
    const Json& list = (*pending)["followers"];
    page.m("<h2>");
    if (all || state == "pending")
        page.t("Who asks");
    else
        page.t(state_words(state));
    page.m("</h2>\n");
    if (list.empty())
        page.m("<p>").t(all || state == "pending" ? T("Nobody is waiting.") : T("Nobody.")).m("</p>\n");
    for (const auto& follower : list) {
        page.m("<article class=\"person\">\n<h3>");
        person_link(page, text_of(follower, "entity"), text_of(follower, "name"));
        page.m("</h3>\n<p>").t(state_words(text_of(follower, "state")));
        if (int64_t since = time_of(follower, "since"))
            page.m(", ").t("since").m(" ").time(since);
        page.m("</p>\n");
        show_facts(page, follower);
        show_decisions(page, follower, (*groups)["groups"], "/me/people");
        page.m("</article>\n");
    }
    const int64_t waiting = counts.value("pending", int64_t(0));
    if (all && waiting > static_cast<int64_t>(kShown))
        page.m("<p>").tn("{0} asks in all; the longest waiting come first.", "{0} ask in all; the longest waiting come first.", waiting).m("</p>\n");
    if (all && waiting > 1) {
        page.m("<details><summary>").t("A flood?").m("</summary>\n<p>").t("Everybody who waits is denied; each can still be approved later.").m("</p>\n");
        page.form("/me/people").button("Deny all who wait", "action", "deny-all", "danger").end_form().m("</details>\n");
    }
    if (all) {
        page.m("<h2>").t("Followers").m("</h2>\n<ul class=\"list\">\n");
        for (const auto& follower : (*followers)["followers"]) {
            page.m("<li>");
            person_link(page, text_of(follower, "entity"), text_of(follower, "name"));
            if (time_of(follower, "verified_at") != 0)
                page.m(" <small>").t("verified").m("</small>");
            page.m("</li>\n");
        }
        page.m("</ul>\n<p>");
        for (auto other : {"denied", "blocked", "removed"})
            if (const int64_t n = counts.value(other, int64_t(0)); n > 0)
                page.m("<a href=\"/me/people?state=").x(other).m("\">").t(state_words(other)).m("</a> (").x(page.words().number(n)).m(") ");
        page.m("</p>\n");
    }
    return page.finish();
}

net::HttpResponse person(Visit& visit)
{
    auto entity = tent::peer_entity(visit.self(), visit.posting() ? std::string(visit.form.get("entity")) : visit.param("entity"));
    if (!entity.ok())
        return error_page(visit, entity.error());
    const std::string here = "/me/person?entity=" + percent_encode(*entity);
    if (visit.posting())
        return decide(visit, here);
    if (*entity == visit.self().entity)
        return see_other("/me/profile");
    struct Known {
        std::optional<store::Relationship> relationship;
        std::optional<Post> meta;
        std::vector<Post> posts;
        Around around;
        std::vector<std::string> groups;
        tent::Held held;
    };
    auto known = visit.store().read([&](store::ReadTx& tx) -> Result<Known> {
        const tent::Self& self = visit.self();
        Known out;
        out.relationship = TRY(store::find_relationship(tx, self.id, *entity));
        out.meta = TRY(store::load_post(tx, self.id, *entity, kMetaPostId, "", kOwnerSees));
        FeedQuery query;
        query.entities.push_back(*entity);
        query.for_person = true;
        query.sort = FeedQuery::Sort::PublishedAt;
        out.posts = TRY(store::load_feed(tx, self.id, query, kOwnerSees)).posts;
        out.around = TRY(load_around(tx, self, out.posts, Reader::Owner));
        if (out.relationship && out.relationship->follower == "approved") {
            out.held = TRY(tent::held_by(tx, self, *entity));
            for (const auto& group : TRY(tent::list_groups(tx, self))) {
                auto members = TRY(tent::group_members(tx, self, group.id));
                if (std::binary_search(members.begin(), members.end(), *entity))
                    out.groups.push_back(group.name);
            }
        }
        return out;
    });
    auto all_groups = visit.shared.ask("GET /groups");
    if (!known.ok())
        return error_page(visit, known.error());
    if (!all_groups.ok())
        return error_page(visit, all_groups.error());
    const Profile profile = known->meta ? profile_of(*known->meta) : Profile();
    Page page(visit, profile.name.empty() ? short_entity(*entity) : std::string(cut(profile.name, 120)), Frame::Owner);
    if (!profile.avatar_digest.empty())
        page.m("<img class=\"avatar\" alt=\"\" src=\"/me/avatar?entity=").url(*entity).m("\">\n");
    page.m("<h1>");
    if (profile.name.empty())
        page.entity(*entity);
    else
        page.m("<bdi>").x(cut(profile.name, 120)).m("</bdi>");
    page.m("</h1>\n");
    for (const auto* text : {&profile.bio, &profile.location, &profile.website})
        if (!text->empty())
            page.m("<p dir=\"auto\">").x(cut(*text, 2000)).m("</p>\n");
    Json follower = {{"entity", *entity}, {"state", ""}, {"groups", known->groups}};
    std::string following;
    if (known->relationship) {
        const auto& r = *known->relationship;
        follower["state"] = r.follower;
        follower["note"] = r.note;
        follower["first_seen"] = r.first_seen;
        follower["verified_at"] = r.verified_at;
        if (!r.moved_from.empty())
            follower["moved"] = {{"from", r.moved_from}};
        following = r.following;
    }
    if (auto phrase = tent::safety_phrase(visit.self().entity, *entity); phrase.ok())
        follower["safety_phrase"] = *phrase;
    page.m("<p>").t(state_words(text_of(follower, "state"))).m(" · ").t(following_words(following)).m("</p>\n");
    show_facts(page, follower);
    if (text_of(follower, "state") == "approved") {
        page.m("<p>").tn("{0} of your posts was delivered to her.", "{0} of your posts were delivered to her.", known->held.delivered).m("</p>\n");
    }
    show_decisions(page, follower, (*all_groups)["groups"], "/me/person");
    if (following.empty() || following == "refused")
        page.form("/me/following").hidden("entity", *entity).button("Follow", "action", "follow").end_form();
    else
        page.form("/me/following").hidden("entity", *entity).button("Follow no more", "action", "unfollow", "quiet").end_form();
    page.m("<p><a href=\"/me/conversation?with=").url(*entity).m("\">").t("Write to her").m("</a></p>\n");
    page.m("<h2>").t("Posts").m("</h2>\n");
    if (known->posts.empty())
        page.m("<p>").t("Nothing of hers is here.").m("</p>\n");
    for (const auto& post : known->posts)
        show_post(page, post, known->around, Reader::Owner, Detail::Card);
    return page.finish();
}

net::HttpResponse following(Visit& visit)
{
    if (visit.posting()) {
        const std::string action(visit.form.get("action"));
        const std::string entity = visit.form.trimmed("entity");
        Result<Json> answer = fail(ErrorKind::Invalid, "");
        if (action == "follow")
            answer = visit.shared.ask("POST /follow", "", {{"entity", entity}, {"note", visit.form.trimmed("note")}});
        else if (action == "unfollow")
            answer = visit.shared.ask("POST /unfollow", "", {{"entity", entity}});
        else if (action == "catch-up")
            answer = visit.shared.ask("POST /catch-up", "", {{"entity", entity}});
        if (!answer.ok())
            return error_page(visit, answer.error());
        return done("/me/following", action == "catch-up" ? "asked" : action);
    }
    auto list = visit.shared.ask("GET /following");
    auto catch_ups = visit.shared.ask("GET /catch-up");
    if (!list.ok() || !catch_ups.ok())
        return error_page(visit, list.ok() ? catch_ups.error() : list.error());
    std::map<std::string, Profile> profiles;
    std::vector<std::string> entities;
    for (const auto& one : (*list)["following"])
        entities.push_back(text_of(one, "entity"));
    if (auto loaded = visit.store().read([&](store::ReadTx& tx) { return store::load_profiles(tx, visit.self().id, entities); }); loaded.ok())
        profiles = std::move(*loaded);
    Page page(visit, visit.tr(T("Whom you follow")), Frame::Owner);
    page.heading("Whom you follow");
    const std::string note_hint(visit.tr(T("So that she knows who you are. It is kept at her desk.")));
    page.form("/me/following");
    page.field("entity", "Address or invite link", {.hint = visit.tr(T("http://<56 letters and digits>.onion, or the link that she gave you.")), .required = true, .language_free = "ltr"});
    page.field("note", "A word about yourself", {.hint = note_hint, .most = 500});
    page.button("Ask to follow", "action", "follow").end_form();
    page.m("<ul class=\"list\">\n");
    for (const auto& one : (*list)["following"]) {
        const std::string entity = text_of(one, "entity");
        auto profile = profiles.find(entity);
        page.m("<li>");
        person_link(page, entity, profile == profiles.end() ? std::string() : profile->second.name);
        page.m(" ").t(following_words(text_of(one, "state")));
        if (time_of(one, "verified_at") != 0)
            page.m(" · ").t("verified");
        if (std::string problem = text_of(one, "problem"); !problem.empty())
            page.m("<br><small>").x(page.words().runtime(problem)).m("</small>");
        if (one.contains("moved"))
            page.m("<br><small>").t("moved here from").m(" ").entity(text_of(one["moved"], "from")).m("</small>");
        for (const auto& catch_up : (*catch_ups)["catch_ups"])
            if (text_of(catch_up, "entity") == entity) {
                page.m("<br><small>");
                if (int64_t at = time_of(catch_up, "done_at"))
                    page.t("last asked for news:").m(" ").time(at);
                else
                    page.t("not asked for news yet");
                page.m("</small>");
            }
        page.m("<br>").deed("/me/following", T("Ask for news"), {{"entity", entity}, {"action", "catch-up"}});
        page.deed("/me/following", T("Follow no more"), {{"entity", entity}, {"action", "unfollow"}});
        page.m("</li>\n");
    }
    page.m("</ul>\n");
    if (!(*list)["following"].empty())
        page.form("/me/following").button("Ask everybody for news", "action", "catch-up", "quiet").end_form();
    return page.finish();
}

net::HttpResponse groups(Visit& visit)
{
    if (visit.posting()) {
        const std::string action(visit.form.get("action")), group = visit.form.trimmed("group");
        Json body = {{"action", action}, {"group", group}};
        if (action == "join" || action == "leave")
            body["entities"] = visit.form.all("entity");
        auto changed = visit.shared.ask("POST /groups", "", body);
        if (!changed.ok())
            return error_page(visit, changed.error());
        return done("/me/groups", "group");
    }
    auto list = visit.shared.ask("GET /groups");
    auto followers = visit.shared.ask("GET /followers", "state=approved&limit=1000");
    if (!list.ok() || !followers.ok())
        return error_page(visit, list.ok() ? followers.error() : list.error());
    Page page(visit, visit.tr(T("Groups")), Frame::Owner);
    page.heading("Groups").note("Groups of readers: a post to one is seen by its members only. Members do not learn that there is a group.");
    for (const auto& group : (*list)["groups"]) {
        const std::string name = text_of(group, "name");
        const bool is_followers = text_of(group, "id") == visit.self().followers_group;
        page.m("<section class=\"person\">\n<h2><bdi>").x(is_followers ? visit.tr(T("Followers")) : std::string_view(name)).m("</bdi></h2>\n<p>");
        page.tn("{0} member", "{0} members", time_of(group, "members")).m("</p>\n");
        if (is_followers) {
            page.m("<p>").t("All whom you have approved.").m("</p>\n</section>\n");
            continue;
        }
        auto members = visit.shared.ask("GET /group", "group=" + percent_encode(text_of(group, "id")));
        if (members.ok()) {
            const auto entities = (*members)["group"]["members"].get<std::vector<std::string>>();
            auto profiles = visit.store().read([&](store::ReadTx& tx) { return store::load_profiles(tx, visit.self().id, entities); });
            if (!profiles.ok())
                return error_page(visit, profiles.error());
            page.m("<ul class=\"list\">\n");
            for (const auto& entity : entities) {
                page.m("<li>");
                person_link(page, entity, (*profiles)[entity].name);
                page.m("<br>").deed("/me/groups", T("Take out"), {{"group", name}, {"entity", entity}, {"action", "leave"}});
                page.m("</li>\n");
            }
            page.m("</ul>\n");
        }
        if (!(*followers)["followers"].empty()) {
            page.m("<details><summary>").t("Add members").m("</summary>\n").form("/me/groups").hidden("group", name);
            for (const auto& follower : (*followers)["followers"]) {
                const std::string entity = text_of(follower, "entity");
                std::string label = text_of(follower, "name");
                label += (label.empty() ? "" : " ") + short_entity(entity);
                page.checkbox("entity", entity, label, false);
            }
            page.button("Add", "action", "join").end_form().m("</details>\n");
        }
        page.m("<details><summary>").t("Remove this group").m("</summary>\n").form("/me/groups").hidden("group", name);
        page.button("Remove the group", "action", "remove", "danger").end_form().m("</details>\n</section>\n");
    }
    page.m("<h2>").t("A new group").m("</h2>\n").form("/me/groups");
    page.field("group", "Name", {.required = true, .most = 100}).button("Make", "action", "add").end_form();
    return page.finish();
}

net::HttpResponse invites(Visit& visit)
{
    std::string link;
    if (visit.posting()) {
        const std::string action(visit.form.get("action"));
        Json body = {{"action", action}};
        if (action == "revoke") {
            body["id"] = std::string(visit.form.get("id"));
        } else {
            body["group"] = std::string(visit.form.get("group"));
            body["expires"] = std::string(visit.form.get("expires"));
            body["uses"] = std::atoll(std::string(visit.form.get("uses")).c_str());
        }
        auto answer = visit.shared.ask("POST /invites", "", body);
        if (!answer.ok())
            return error_page(visit, answer.error());
        if (action == "revoke")
            return done("/me/invites", "invite-gone");
        link = text_of(*answer, "link");
    }
    auto list = visit.shared.ask("GET /invites");
    auto groups = visit.shared.ask("GET /groups");
    if (!list.ok() || !groups.ok())
        return error_page(visit, list.ok() ? groups.error() : list.error());
    Page page(visit, visit.tr(T("Invites")), Frame::Owner);
    page.heading("Invites").note("A link whose user is approved as a follower at once, without waiting. Give it to her by a way that you trust: whoever has it can use it.");
    if (!link.empty()) {
        page.m("<section class=\"preview\">\n<h2>").t("The new link").m("</h2>\n<p class=\"whole-address\" dir=\"ltr\">").x(link).m("</p>\n");
        show_qr(page, link, T("The link as a QR code"));
        page.m("<p class=\"warning\">").t("It is shown this once and is not kept.").m("</p>\n</section>\n");
    }
    page.form("/me/invites");
    page.field("uses", "For how many people", {.value = "1", .required = true, .most = 4});
    page.m("<fieldset>\n<legend>").t("Valid for").m("</legend>\n");
    page.radio("expires", "1d", visit.tr(T("a day")), false).radio("expires", "7d", visit.tr(T("a week")), true).radio("expires", "30d", visit.tr(T("a month")), false);
    page.m("</fieldset>\n<fieldset>\n<legend>").t("Into a group").m("</legend>\n");
    page.radio("group", "", visit.tr(T("none")), true);
    for (const auto& group : (*groups)["groups"])
        if (text_of(group, "id") != visit.self().followers_group)
            page.radio("group", text_of(group, "name"), text_of(group, "name"), false);
    page.m("</fieldset>\n").button("Make a link", "action", "make").end_form();
    page.m("<h2>").t("Links so far").m("</h2>\n");
    if ((*list)["invites"].empty())
        page.m("<p>").t("None.").m("</p>\n");
    page.m("<ul class=\"list\">\n");
    for (const auto& invite : (*list)["invites"]) {
        const std::string state = text_of(invite, "state");
        page.m("<li>").time(time_of(invite, "created_at")).m(" ");
        page.t(state == "open" ? T("open") : state == "used up" ? T("used up") : state == "expired" ? T("expired") : T("revoked"));
        page.m(" · ").tn("{0} use left", "{0} uses left", time_of(invite, "left"));
        if (std::string group = text_of(invite, "group"); !group.empty())
            page.m(" · <bdi>").x(group).m("</bdi>");
        for (const auto& use : invite.value("used_by", Json::array())) {
            page.m("<br><small>").t("used by").m(" ");
            person_link(page, text_of(use, "entity"), "");
            page.m("</small>");
        }
        if (state == "open")
            page.m("<br>").deed("/me/invites", T("Revoke"), {{"id", text_of(invite, "id")}, {"action", "revoke"}});
        page.m("</li>\n");
    }
    page.m("</ul>\n");
    return page.finish();
}

}  // namespace bivouac::pages
