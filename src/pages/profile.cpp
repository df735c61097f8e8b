// SPDX-License-Identifier: BSD-3-Clause
// Who she is, as others see it; and the first steps of somebody who has never heard of Tent.
#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/meta.h>

#include "post_view.h"
#include "qr.h"

namespace bivouac::pages {

namespace {

Result<Post> meta_of(Visit& visit)
{
    return visit.store().read([&](store::ReadTx& tx) -> Result<Post> {
        auto meta = TRY(store::load_post(tx, visit.self().id, visit.self().entity, kMetaPostId, "", kOwnerSees));
        if (!meta)
            return fail(ErrorKind::Internal, "");
        return std::move(*meta);
    });
}

// What was taken out of the picture goes to the page that follows by the address, signed: it says only what we said.
std::string write_removed(const Visit& visit, const std::vector<std::string>& removed)
{
    const std::string text = to_base64url(Json(removed).dump());
    return text + "." + sign(visit, "removed", text);
}

std::vector<std::string> read_removed(const Visit& visit)
{
    const std::string value = visit.param("removed");
    const size_t dot = std::min(value.find('.'), value.size());
    const std::string text = value.substr(0, dot);
    if (dot == value.size() || !equal_constant_time(value.substr(dot + 1), sign(visit, "removed", text)))
        return {};
    const Json json = Json::parse(from_base64url(text).value_or(""), nullptr, false);
    return json.is_array() ? json.get<std::vector<std::string>>() : std::vector<std::string>();
}

std::string list_of(const Words& words, const std::vector<std::string>& texts)
{
    std::string out;
    for (const auto& text : texts)
        out += (out.empty() ? "" : ", ") + std::string(words.runtime(text));
    return out;
}

// Empty: saved; else what is wrong. `removed`: from the picture.
std::string save(Visit& visit, const Json& content, bool with_avatar, std::vector<std::string>& removed)
{
    std::optional<Attachment> avatar;
    if (with_avatar && !visit.form.files.empty()) {
        const auto& file = visit.form.files.front();
        auto taken = visit.shared.hooks.take_upload({file.name, file.content_type, file.bytes, false}, 1);
        if (!taken.ok())
            return error_text(visit, taken.error());
        if (!taken->cannot_be_cleaned.empty() || !plain_image_type(taken->attachment.content_type)) {
            std::string words(visit.tr(T("The picture must be a JPEG, PNG, WebP or GIF.")));
            if (!taken->cannot_be_cleaned.empty())
                words += " " + std::string(visit.words->runtime(taken->cannot_be_cleaned));
            return words;
        }
        removed = taken->removed;
        avatar = taken->attachment;
        avatar->category = "avatar";
    } else if (with_avatar && visit.form.get("no_avatar") == "1") {
        avatar = Attachment();
    }
    auto changed = visit.store().write([&](store::WriteTx& tx) -> Result<bool> {
        tx.after_commit([&shared = visit.shared] { shared.hooks.posted(); });
        TRY(tent::change_profile(tx, visit.self(), content, avatar));
        return true;
    });
    return changed.ok() ? std::string() : error_text(visit, changed.error());
}

std::string first_follow(Visit& visit)
{
    const std::string entity = visit.form.trimmed("entity");
    if (entity.empty())
        return {};
    auto asked = visit.shared.ask("POST /follow", "", {{"entity", entity}, {"note", ""}});
    return asked.ok() ? std::string() : error_text(visit, asked.error());
}

void show_address(Page& page)
{
    const std::string& entity = page.visit().self().entity;
    page.m("<p class=\"whole-address\" dir=\"ltr\">").x(entity).m("</p>\n");
    show_qr(page, entity, T("Your address as a QR code"));
}

}  // namespace

net::HttpResponse profile(Visit& visit)
{
    auto meta = meta_of(visit);
    if (!meta.ok())
        return error_page(visit, meta.error());
    Profile now = profile_of(*meta);
    std::string problem;
    std::vector<std::string> removed;
    if (visit.posting()) {
        now.name = visit.form.trimmed("name");
        now.bio = visit.form.trimmed("bio");
        now.location = visit.form.trimmed("location");
        now.website = visit.form.trimmed("website");
        problem = save(visit, {{"name", now.name}, {"bio", now.bio}, {"location", now.location}, {"website", now.website}}, true, removed);
        if (problem.empty())
            return done(removed.empty() ? "/me/profile" : "/me/profile?removed=" + write_removed(visit, removed), "profile");
    }
    Page page(visit, visit.tr(T("Profile")), Frame::Owner);
    page.heading("Profile");
    if (const std::string list = list_of(page.words(), read_removed(visit)); !list.empty())
        page.m("<p class=\"hint\">").t("Taken out of the picture: {0}", {list}).m("</p>\n");
    if (!problem.empty())
        page.problem(problem);
    page.note(*visit.self().door == store::Door::Sealed ? T("Only those whom you have approved see it.") : T("Everybody who has your address sees it."));
    page.upload_form("/me/profile");
    page.field("name", "Name", {.value = now.name, .hint = visit.tr(T("Whatever you want to be called. It need not be your name.")), .most = 200});
    page.field("bio", "About you", {.value = now.bio, .rows = 4});
    page.field("location", "Place", {.value = now.location, .most = 200});
    page.field("website", "Website", {.value = now.website, .most = 500, .language_free = "ltr"});
    if (!now.avatar_digest.empty()) {
        page.m("<p><img class=\"avatar\" alt=\"").t("Your picture").m("\" src=\"/me/avatar?entity=").url(visit.self().entity).m("\"></p>\n");
        page.checkbox("no_avatar", "1", visit.tr(T("No picture any more")), false);
    }
    const std::string limit = page.words().size(static_cast<int64_t>(visit.shared.settings.upload_limit_bytes));
    page.m("<div class=\"field\"><label for=\"avatar\">").t("Picture").m("</label>\n<p class=\"hint\" id=\"avatarh\">");
    page.t("JPEG, PNG, WebP or GIF, at most {0}. What the camera wrote into it is taken out.", {limit});
    page.m("</p>\n<input type=\"file\" id=\"avatar\" name=\"avatar\" accept=\"image/*\" aria-describedby=\"avatarh\"></div>\n");
    page.button("Save").end_form();
    page.m("<h2>").t("Your address").m("</h2>\n");
    show_address(page);
    return page.finish();
}

// One thing a page: what this is, her name, her address, somebody to follow.
net::HttpResponse welcome(Visit& visit)
{
    const int step = std::atoi(visit.posting() ? std::string(visit.form.get("step")).c_str() : visit.param("step").c_str());
    std::string problem;
    if (visit.posting()) {
        if (step == 2) {
            auto meta = meta_of(visit);
            if (!meta.ok())
                return error_page(visit, meta.error());
            const Profile now = profile_of(*meta);
            std::vector<std::string> removed;
            problem = save(visit, {{"name", visit.form.trimmed("name")}, {"bio", visit.form.trimmed("bio")}, {"location", now.location}, {"website", now.website}}, false, removed);
        } else if (step == 4) {
            problem = first_follow(visit);
        }
        if (problem.empty() && step >= 4) {
            auto saved = visit.store().write([&](store::WriteTx& tx) -> Result<bool> {
                auto state = TRY(store::load_page_state(tx, visit.self().id));
                state.welcomed = true;
                TRY(store::save_page_state(tx, visit.self().id, state));
                return true;
            });
            return saved.ok() ? see_other("/me") : error_page(visit, saved.error());
        }
        if (problem.empty())
            return see_other("/me/welcome?step=" + std::to_string(step + 1));
    }
    Page page(visit, visit.tr(T("Welcome")), Frame::Owner);
    auto begin = [&](std::string_view number) {
        if (!problem.empty())
            page.problem(problem);
        page.form("/me/welcome").hidden("step", number);
    };
    switch (step) {
    default:
        page.heading("Welcome");
        page.m("<p>").t("This is your own small server. It runs on your machine, has an address that Tor keeps hidden, and belongs to nobody but you.").m("</p>\n<p>");
        page.t("People who know the address can ask to follow you. You decide about each of them, and for each post who may read it.").m("</p>\n<p>");
        page.t("It works while your machine is on. What others send meanwhile is kept for you, for two weeks.").m("</p>\n");
        begin("1");
        page.button("Go on").end_form();
        break;
    case 2: {
        auto meta = meta_of(visit);
        const Profile now = meta.ok() ? profile_of(*meta) : Profile();
        page.heading("What shall others call you?");
        page.m("<p>").t("Everybody who has your address sees this. It need not be your name; leave it empty if you like.").m("</p>\n");
        begin("2");
        page.field("name", "Name", {.value = problem.empty() ? std::string_view(now.name) : visit.form.get("name"), .most = 200, .focus = true});
        page.field("bio", "About you", {.value = problem.empty() ? std::string_view(now.bio) : visit.form.get("bio"), .rows = 3});
        page.button("Go on").end_form();
        break;
    }
    case 3:
        page.heading("Your address");
        page.m("<p>").t("Give it to those who may know that you are here. Whoever has it can ask to follow you, and sees what you post publicly.").m("</p>\n");
        show_address(page);
        begin("3");
        page.button("Go on").end_form();
        break;
    case 4:
        page.heading("Do you know somebody here?");
        page.m("<p>").t("If a friend gave you her address or an invite link, put it here. You can do that later, too.").m("</p>\n");
        begin("4");
        page.field("entity", "Address or invite link", {.value = visit.form.get("entity"), .language_free = "ltr"});
        page.button("To the timeline").end_form();
        break;
    }
    return page.finish(problem.empty() ? 200 : 422);
}

}  // namespace bivouac::pages
