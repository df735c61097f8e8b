// SPDX-License-Identifier: BSD-3-Clause
// The machine side: what reached whom, apps, and the node itself.
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/post_lists.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>
#include <map>

#include "answer.h"
#include "post_view.h"
#include "qr.h"

namespace bivouac::pages {

namespace {

bool is_true(const Json& json, const char* name)
{
    auto it = json.find(name);
    return it != json.end() && it->is_boolean() && it->get<bool>();
}

Msg delivery_words(std::string_view state)
{
    if (state == "waiting")
        return T("waiting");
    if (state == "delivered")
        return T("delivered");
    if (state == "refused")
        return T("refused");
    if (state == "given_up")
        return T("given up");
    return T("taken back");
}

bool runs_the_node(const Visit& visit)
{
    return visit.shared.hooks.runs_the_node && visit.shared.hooks.runs_the_node();
}

net::HttpResponse not_hers(Visit& visit)
{
    return error_page(visit, fail(ErrorKind::Forbidden, std::string(visit.tr(T("Only whoever runs this node can do that.")))));
}

void row(Page& page, Msg label)
{
    page.m("<dt>").t(label).m("</dt><dd>");
}

std::string random_word()
{
    // Four letters that are not taken for one another.
    static constexpr std::string_view kLetters = "abcdefghkmnprstuvwxyz";
    std::string out;
    for (unsigned char byte : system_random().bytes(4))
        out += kLetters[byte % kLetters.size()];
    return out;
}

}  // namespace

net::HttpResponse deliveries(Visit& visit)
{
    if (visit.posting()) {
        Json body = {{"action", std::string(visit.form.get("action"))}};
        for (const char* name : {"post", "entity"})
            if (std::string value = visit.form.trimmed(name); !value.empty())
                body[name] = value;
        auto changed = visit.shared.ask("POST /deliveries", "", body);
        if (!changed.ok())
            return error_page(visit, changed.error());
        const std::string post(visit.form.get("post"));
        return done(post.empty() ? std::string("/me/deliveries") : "/me/deliveries?post=" + percent_encode(post),
                    body["action"] == "cancel" ? "cancelled" : "retried");
    }
    const std::string post = visit.param("post"), state = visit.param("state"), entity = visit.param("entity"), before = visit.param("before");
    auto list = visit.shared.ask("GET /deliveries", "limit=50&post=" + percent_encode(post) + "&state=" + percent_encode(state) +
                                                        "&entity=" + percent_encode(entity) + "&before=" + percent_encode(before));
    if (!list.ok())
        return error_page(visit, list.error());
    struct Names {
        std::map<std::string, std::string> posts;  // by id, how it begins
        std::map<std::string, Profile> people;
    };
    auto names = visit.store().read([&](store::ReadTx& tx) -> Result<Names> {
        Names out;
        std::vector<std::string> entities;
        for (const auto& one : (*list)["deliveries"]) {
            entities.push_back(text_of(one, "entity"));
            const std::string id = text_of(one, "post");
            if (out.posts.count(id) != 0)
                continue;
            auto loaded = TRY(store::load_post(tx, visit.self().id, visit.self().entity, id, "", kOwnerSees));
            std::string& words = out.posts[id];
            if (loaded)
                words = plain_text_of(*loaded, 60);
        }
        std::sort(entities.begin(), entities.end());
        entities.erase(std::unique(entities.begin(), entities.end()), entities.end());
        out.people = TRY(store::load_profiles(tx, visit.self().id, entities));
        return out;
    });
    if (!names.ok())
        return error_page(visit, names.error());
    Page page(visit, visit.tr(T("Deliveries")), Frame::Owner);
    page.heading("Deliveries").note("What became of each post for each of its recipients. A friend who is away gets it when she is back, within two weeks.");
    page.m("<p class=\"tabs\"><a href=\"/me/deliveries\">").t("All").m("</a>");
    for (const char* one : {"waiting", "delivered", "refused", "given_up", "cancelled"})
        page.m(" · <a href=\"/me/deliveries?state=").x(one).m("\">").t(delivery_words(one)).m("</a>");
    page.m("</p>\n");
    page.form("/me/deliveries").hidden("post", post).button("Try all that waits now", "action", "retry", "quiet").end_form();
    if (!post.empty())
        page.form("/me/deliveries").hidden("post", post).button("Take back what waits of this post", "action", "cancel", "quiet").end_form();
    if ((*list)["deliveries"].empty()) {
        page.m("<p>").t("Nothing here.").m("</p>\n");
    } else {
        page.m("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"").t("Deliveries").m("\"><table>\n<thead><tr><th scope=\"col\">").t("Post").m("</th><th scope=\"col\">").t("To").m("</th><th scope=\"col\">");
        page.t("State").m("</th><th scope=\"col\">").t("When").m("</th><th scope=\"col\">").t("Why").m("</th></tr></thead>\n<tbody>\n");
        for (const auto& one : (*list)["deliveries"]) {
            const std::string id = text_of(one, "post"), type = text_of(one, "type"), one_state = text_of(one, "state");
            page.m("<tr><td>");
            if (is_bookkeeping(std::string_view(type).substr(0, type.find('#'))))
                page.t("(a message between servers)");
            else
                page.m("<a href=\"/me/post?entity=").url(visit.self().entity).m("&amp;post=").url(id).m("\"><bdi>").x(names->posts[id].empty() ? std::string(cut(id, 8)) + "…" : names->posts[id]).m("</bdi></a>");
            page.m("</td><td>");
            if (const std::string& name = names->people[text_of(one, "entity")].name; !name.empty())
                page.m("<bdi>").x(cut(name, 120)).m("</bdi> ");
            page.entity(text_of(one, "entity")).m("</td><td>").t(delivery_words(one_state));
            if (const int64_t tries = time_of(one, "tries"); one_state == "waiting" && tries > 0)
                page.m(" <small>").tn("{0} try", "{0} tries", tries).m("</small>");
            page.m("</td><td>");
            if (int64_t ended = time_of(one, "ended_at"))
                page.time(ended);
            else if (int64_t next = time_of(one, "next_try_at"))
                page.t("again:").m(" ").time(next);
            page.m("</td><td class=\"why\">").x(page.words().runtime(text_of(one, "problem"))).m("</td></tr>\n");
        }
        page.m("</tbody>\n</table></div>\n");
    }
    if (int64_t next = time_of(*list, "next_before"))
        page.m("<nav class=\"pager\" aria-label=\"").t("Pages").m("\"><a rel=\"next\" href=\"/me/deliveries?state=").url(state).m("&amp;post=").url(post).m("&amp;before=").x(std::to_string(next)).m("\">").t("Older").m("</a></nav>\n");
    return page.finish();
}

net::HttpResponse apps(Visit& visit)
{
    if (visit.posting()) {
        Json body = {{"app", std::string(visit.form.get("app"))}, {"action", std::string(visit.form.get("action"))}};
        if (body["action"] == "allow")
            for (const char* name : {"read", "write", "scopes"})
                body[name] = visit.form.all(name);
        auto changed = visit.shared.ask("POST /apps", "", body);
        return changed.ok() ? done("/me/apps", "app") : error_page(visit, changed.error());
    }
    auto list = visit.shared.ask("GET /apps");
    if (!list.ok())
        return error_page(visit, list.error());
    Page page(visit, visit.tr(T("Apps")), Frame::Owner);
    page.heading("Apps").note("Programs that use this server in your name. Each may do what you have allowed, and nothing else.");
    if ((*list)["apps"].empty())
        page.m("<p>").t("No app has asked so far.").m("</p>\n");
    for (const auto& app : (*list)["apps"]) {
        const std::string id = text_of(app, "id");
        const Json& wanted = app["wanted"];
        const bool granted = app.contains("granted") && app["granted"].is_object();
        const Json none = {{"read", Json::array()}, {"write", Json::array()}, {"scopes", Json::array()}};
        const Json& has = granted ? app["granted"] : none;
        page.m("<section class=\"person\">\n<h2><bdi>").x(cut(text_of(app, "name"), 200)).m("</bdi></h2>\n<p><bdi>").x(cut(text_of(app, "description"), 1000)).m("</bdi></p>\n<p>");
        page.t(granted ? T("Allowed since") : T("Not allowed. It asked")).m(" ").time(granted ? time_of(app, "granted_at") : time_of(app, "registered_at"));
        page.m("</p>\n").form("/me/apps").hidden("app", id);
        struct Kind {
            const char* member;
            Html::Markup field;
            Msg words;
        };
        for (const Kind& kind : {Kind{"read", "read", T("It may read")}, Kind{"write", "write", T("It may read, write, change and delete")}, Kind{"scopes", "scopes", T("It may also")}}) {
            if (!wanted.contains(kind.member) || wanted[kind.member].empty())
                continue;
            page.m("<fieldset>\n<legend>").t(kind.words).m("</legend>\n");
            for (const auto& type : wanted[kind.member]) {
                const bool allowed = std::find(has[kind.member].begin(), has[kind.member].end(), type) != has[kind.member].end();
                const std::string text = type.get<std::string>();
                page.checkbox(kind.field, text, text == kAllTypes ? std::string(visit.tr(T("everything, the private posts too"))) : text, allowed);
            }
            page.m("</fieldset>\n");
        }
        if (granted)
            page.button("Change", "action", "allow").button("Revoke", "action", "revoke", "quiet");
        page.button("Forget this app", "action", "remove", "quiet").end_form();
        if (!granted)
            page.note("To allow it, start in the app: it sends you to a page of this server.");
        page.m("</section>\n");
    }
    return page.finish();
}

net::HttpResponse door(Visit& visit)
{
    if (visit.posting()) {
        auto changed = visit.shared.ask("POST /door", "", {{"door", std::string(visit.form.get("door"))}});
        return changed.ok() ? done("/me/door", "door") : error_page(visit, changed.error());
    }
    const store::Door now = *visit.self().door;
    Page page(visit, visit.tr(T("Door")), Frame::Owner);
    page.heading("Door").m("<p>").t("Who may follow you, and what strangers see.").m("</p>\n");
    page.form("/me/door").m("<fieldset>\n<legend>").t("Door").m("</legend>\n");
    page.radio("door", "open", visit.tr(T("Open")), now == store::Door::Open, visit.tr(T("Whoever asks follows you at once.")));
    page.radio("door", "vetted", visit.tr(T("Vetted")), now == store::Door::Vetted, visit.tr(T("Whoever asks waits until you decide.")));
    page.radio("door", "sealed", visit.tr(T("Sealed")), now == store::Door::Sealed, visit.tr(T("As vetted; and strangers see nothing, not even public posts and your profile.")));
    page.m("</fieldset>\n").button("Save").end_form();
    return page.finish();
}

net::HttpResponse node(Visit& visit)
{
    if (visit.posting()) {
        auto checked = visit.shared.ask("POST /check");
        return checked.ok() ? done("/me/node", "check") : error_page(visit, checked.error());
    }
    auto status = visit.shared.ask("GET /status");
    auto outages = visit.shared.ask("GET /outages");
    if (!status.ok() || !outages.ok())
        return error_page(visit, status.ok() ? outages.error() : status.error());
    auto usage = visit.shared.ask("GET /storage");
    Page page(visit, visit.tr(T("Node")), Frame::Owner);
    page.heading("Node");
    const Json& s = *status;
    const Json tor = s.value("tor", Json::object());
    const Json reach = s.value("reach", Json::object());
    page.m("<h2>").t("Reachability").m("</h2>\n<dl class=\"facts\">\n");
    row(page, T("Address"));
    page.m("<span class=\"whole-address\" dir=\"ltr\">").x(visit.self().entity).m("</span></dd>\n");
    row(page, T("Tor"));
    const int64_t bootstrap = time_of(tor, "bootstrap");
    if (is_true(tor, "connected") && bootstrap >= 100)
        page.t("connected");
    else if (is_true(tor, "connected"))
        page.t("connecting: {0} %", {page.words().number(bootstrap)});
    else
        page.t("not there");
    page.m("\n<progress max=\"100\" value=\"").x(std::to_string(bootstrap)).m("\" aria-label=\"").t("Tor's progress").m("\"></progress>");
    if (std::string problem = text_of(tor, "problem"); !problem.empty())
        page.m("<br><small dir=\"auto\">").x(page.words().runtime(problem)).m("</small>");
    page.m("</dd>\n");
    row(page, T("Published"));
    page.t(is_true(s, "published") ? T("yes") : T("no")).m("</dd>\n");
    row(page, T("Others can reach you"));
    const std::string reachable = text_of(reach, "reachable");
    page.t(reachable == "yes" ? T("yes") : reachable == "no" ? T("no") : T("not known yet"));
    if (int64_t at = time_of(reach, "checked_at"))
        page.m(", ").t("checked").m(" ").time(at);
    if (std::string why = text_of(reach, "why"); !why.empty())
        page.m("<br><small dir=\"auto\">").x(page.words().runtime(why)).m("</small>");
    page.m("</dd>\n");
    row(page, T("Door"));
    const store::Door now = *visit.self().door;
    page.m("<a href=\"/me/door\">").t(now == store::Door::Open ? T("Open") : now == store::Door::Vetted ? T("Vetted") : T("Sealed")).m("</a></dd>\n");
    const Json outbox = s.value("outbox", Json::object());
    row(page, T("Deliveries"));
    page.m("<a href=\"/me/deliveries?state=waiting\">").tn("{0} waiting", "{0} waiting", time_of(outbox, "waiting")).m("</a></dd>\n");
    if (usage.ok()) {
        row(page, T("Storage"));
        page.t("{0} used, about {1} free", {page.words().size(time_of(*usage, "used")), page.words().size(time_of(*usage, "available"))}).m("</dd>\n");
    }
    page.m("</dl>\n").form("/me/node").button("Check now", "", {}, "quiet").end_form();
    if (!(*outages)["outages"].empty()) {
        page.m("<details><summary>").t("Times when you could not be reached").m("</summary>\n<ul class=\"list\">\n");
        size_t shown = 0;
        for (const auto& one : (*outages)["outages"]) {
            if (++shown > 50)
                break;
            page.m("<li>").time(time_of(one, "began_at")).m(" – ");
            if (int64_t ended = time_of(one, "ended_at"))
                page.time(ended);
            else
                page.t("now");
            page.m(" <small dir=\"auto\">").x(page.words().runtime(text_of(one, "why"))).m("</small></li>\n");
        }
        page.m("</ul></details>\n");
    }
    if (runs_the_node(visit)) {
        page.m("<h2>").t("This machine").m("</h2>\n<ul class=\"plain\">\n");
        page.m("<li><a href=\"/me/backup\">").t("Backup and export").m("</a></li>\n");
        page.m("<li><a href=\"/me/entities\">").t("Identities on this node").m("</a></li>\n");
        page.m("<li><a href=\"/me/lock\">").t("Lock").m("</a></li>\n");
        page.m("<li><a href=\"/me/panic\">").t("Destroy everything").m("</a></li>\n</ul>\n");
    }
    return page.finish();
}

net::HttpResponse entities(Visit& visit)
{
    if (!runs_the_node(visit))
        return not_hers(visit);
    if (visit.posting()) {
        auto changed = visit.shared.ask("POST /entities", "", {{"action", "add"}, {"name", visit.form.trimmed("name")}, {"door", "vetted"}});
        return changed.ok() ? done("/me/entities", "entity") : error_page(visit, changed.error());
    }
    auto list = visit.shared.ask("GET /entities");
    if (!list.ok())
        return error_page(visit, list.error());
    Page page(visit, visit.tr(T("Identities on this node")), Frame::Owner);
    page.heading("Identities on this node");
    page.note("Each has an address, followers and apps of its own, and nothing that shows that they live together.");
    page.m("<ul class=\"list\">\n");
    for (const auto& one : (*list)["entities"]) {
        page.m("<li><strong><bdi>").x(text_of(one, "name")).m("</bdi></strong> ");
        page.m("<span class=\"whole-address\" dir=\"ltr\">").x(text_of(one, "entity")).m("</span>");
        if (is_true(one, "has_owner"))
            page.m(" <small>").t("belongs to somebody else").m("</small>");
        page.m("</li>\n");
    }
    page.m("</ul>\n<h2>").t("A further one").m("</h2>\n").form("/me/entities");
    page.field("name", "Name", {.hint = visit.tr(T("Only you see it: small letters and digits.")), .required = true, .most = 32, .language_free = "ltr"});
    page.button("Make").end_form();
    page.m("<p>").t("The node begins anew for that, which takes a few seconds. To remove one, or to give it to somebody else: “bivouac entity” in a terminal.").m("</p>\n");
    return page.finish();
}

net::HttpResponse backup(Visit& visit)
{
    if (!runs_the_node(visit))
        return not_hers(visit);
    const auto& hooks = visit.shared.hooks;
    std::string problem;
    if (visit.posting()) {
        const std::string_view action = visit.form.get("action");
        Result<void> begun = fail(ErrorKind::Invalid, "");
        if (action == "backup") {
            if (visit.form.get("sealing") != visit.form.get("again"))
                problem = visit.tr(T("The two passphrases of the backup differ."));
            else if (visit.form.get("sealing").empty() || visit.form.get("passphrase").empty())
                problem = visit.tr(T("Both passphrases are needed."));
            else
                begun = hooks.begin_backup(visit.form.secret("passphrase"), visit.form.secret("sealing"));
        } else if (action == "export") {
            if (visit.form.get("passphrase").empty())
                problem = visit.tr(T("Type your passphrase."));
            else
                begun = hooks.begin_export(visit.form.secret("passphrase"));
        } else if (action == "forget") {
            hooks.forget_job();
            return see_other("/me/backup");
        }
        if (problem.empty() && begun.ok())
            return done("/me/backup", "job");
        if (problem.empty())
            problem = error_text(visit, begun.error());
    }
    const Job job = hooks.job();
    Page page(visit, visit.tr(T("Backup and export")), Frame::Owner);
    page.heading("Backup and export");
    if (!problem.empty())
        page.problem(problem);
    switch (job.state) {
    case Job::State::Running:
        page.m("<p role=\"status\">").t("In the making:").m(" <progress max=\"100\" value=\"").x(std::to_string(job.all > 0 ? 100 * job.done / job.all : 0)).m("\" aria-label=\"").t("Progress").m("\"></progress></p>\n");
        page.m("<p><a href=\"/me/backup\">").t("Look again").m("</a></p>\n");
        break;
    case Job::State::Ready:
        page.m("<p role=\"status\"><a class=\"button\" href=\"/me/download\" download>");
        page.t(job.what == "export" ? T("Download the export") : T("Download the backup")).m("</a> ").x(page.words().size(job.size)).m("</p>\n");
        page.form("/me/backup").button("Remove it from the node", "action", "forget", "quiet").end_form();
        break;
    case Job::State::Failed: page.problem(format(visit.tr(T("It could not be made: {0}")), {visit.words->runtime(job.problem)})); [[fallthrough]];
    case Job::State::None:
        page.m("<section>\n<h2>").t("Backup").m("</h2>\n<p>").t("All of the node in one sealed file. Whoever has it and its passphrase can be you.").m("</p>\n");
        page.form("/me/backup");
        page.field("passphrase", "Your passphrase", {.required = true, .is_password = true});
        page.field("sealing", "A passphrase for the backup", {.required = true, .is_password = true, .new_password = true});
        page.field("again", "The same again", {.required = true, .is_password = true, .new_password = true});
        page.button("Make a backup", "action", "backup").end_form();
        page.m("</section>\n<section>\n<h2>").t("Export").m("</h2>\n<p>").t("Posts, files and relationships in open formats, not encrypted, without any key: for reading elsewhere.").m("</p>\n");
        page.form("/me/backup");
        page.field("passphrase", "Your passphrase", {.required = true, .is_password = true});
        page.button("Make an export", "action", "export", "quiet").end_form().m("</section>\n");
        break;
    }
    return page.finish();
}

net::HttpResponse download(Visit& visit)
{
    if (!runs_the_node(visit))
        return not_hers(visit);
    const Job job = visit.shared.hooks.job();
    if (job.state != Job::State::Ready)
        return see_other("/me/backup");
    auto file = visit.shared.hooks.job_file();
    if (!file.ok())
        return error_page(visit, file.error());
    net::HttpResponse response;
    response.large = std::move(*file);
    return response.with("Content-Type", "application/octet-stream")
        .with("Content-Disposition", job.what == "export" ? "attachment; filename=\"export.tar.zst\"" : "attachment; filename=\"backup\"")
        .with("X-Content-Type-Options", "nosniff")
        .with("Cache-Control", "no-store");
}

net::HttpResponse lock(Visit& visit)
{
    if (!runs_the_node(visit))
        return not_hers(visit);
    if (visit.posting()) {
        Page page(visit, visit.tr(T("Locked")), Frame::Bare);
        page.heading("Locked").m("<p>").t("The node is locking: its keys leave the memory, and nothing is served until somebody at the machine gives it the passphrase.").m("</p>\n");
        visit.shared.hooks.lock();
        return page.finish();
    }
    Page page(visit, visit.tr(T("Lock")), Frame::Owner);
    page.heading("Lock");
    page.m("<p>").t("The keys leave the memory of the machine, the address goes down, and these pages with it. To unlock it you must be at the machine: start bivouac from the menu, or run “bivouac unlock”.").m("</p>\n");
    page.form("/me/lock").button("Lock now").end_form();
    return page.finish();
}

net::HttpResponse panic(Visit& visit)
{
    if (!runs_the_node(visit))
        return not_hers(visit);
    std::string problem;
    if (visit.posting()) {
        const std::string_view word = visit.form.get("word");
        if (equal_constant_time(visit.form.get("proof"), sign(visit, "panic", word)) && !word.empty()) {
            visit.shared.hooks.panic();
            Page page(visit, visit.tr(T("Destroyed")), Frame::Bare);
            page.heading("Destroyed");
            return page.finish();
        }
        problem = visit.tr(T("That was not the word. Nothing was done."));
    }
    const std::string word = random_word();
    Page page(visit, visit.tr(T("Destroy everything")), Frame::Owner);
    page.heading("Destroy everything");
    if (!problem.empty())
        page.problem(problem);
    page.m("<p class=\"warning\">").t("The keys of this node are destroyed at once, then its files: posts, followers, addresses, of everybody who lives on it. Nobody can undo it, you neither.").m("</p>\n");
    page.form("/me/panic").hidden("proof", sign(visit, "panic", word));
    page.m("<p>").t("To do it, type this word:").m(" <strong dir=\"ltr\" lang=\"zxx\">").x(word).m("</strong></p>\n");
    page.field("word", "The word", {.required = true, .most = 10, .language_free = "ltr"});
    page.button("Destroy everything now", "", {}, "danger").end_form();
    page.m("<p><a href=\"/me/node\">").t("Back, without doing anything").m("</a></p>\n");
    return page.finish();
}

}  // namespace bivouac::pages
