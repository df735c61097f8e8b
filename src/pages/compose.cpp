// SPDX-License-Identifier: BSD-3-Clause
// Writing: a post, an answer, a message to a few; with a preview that names its readers and what was taken out of files.
#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>

#include "post_view.h"

namespace bivouac::pages {

namespace {

constexpr size_t kStatusCharacters = 512;
constexpr size_t kTextBytes = 200u << 10;
constexpr size_t kTitleCharacters = 200;
constexpr size_t kPeopleBytes = 8u << 10;

size_t characters(std::string_view text)
{
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// A file that is in the store already, as the form hands it back; signed, since its digest opens it.
struct Kept {
    Attachment attachment;
    std::vector<std::string> removed;
    std::string doubt;  // it could not be cleaned: why
    bool ticked = true;
};

std::string write_kept(const Visit& visit, const Kept& kept)
{
    const auto& a = kept.attachment;
    const std::string text = to_base64url(Json({{"c", a.category},
                                                {"t", a.content_type},
                                                {"n", a.name},
                                                {"d", a.digest},
                                                {"s", a.size},
                                                {"r", kept.removed},
                                                {"w", kept.doubt}})
                                              .dump());
    return text + "." + sign(visit, "attachment", text);
}

std::optional<Kept> read_kept(const Visit& visit, std::string_view value)
{
    const size_t dot = value.find('.');
    if (dot == std::string_view::npos || !equal_constant_time(value.substr(dot + 1), sign(visit, "attachment", value.substr(0, dot))))
        return std::nullopt;
    const Json json = Json::parse(from_base64url(value.substr(0, dot)).value_or(""), nullptr, false);
    if (!json.is_object())
        return std::nullopt;
    Kept out;
    out.attachment = {json["c"], json["t"], json["n"], json["d"], json["s"].get<int64_t>()};
    out.removed = json["r"].get<std::vector<std::string>>();
    out.doubt = json["w"];
    return out;
}

struct Letter {
    std::string text, title;
    std::string reply_entity, reply_post;
    std::vector<std::string> to;  // as the control API has it
    std::string people;           // addresses, as typed
    std::vector<Kept> files;
    std::vector<std::string> problems;
    bool new_files = false;
};

std::string query_of(const Letter& letter)
{
    std::string out;
    auto add = [&](std::string_view name, std::string_view value) {
        out += (out.empty() ? "" : "&") + std::string(name) + "=" + percent_encode(value);
    };
    for (const auto& whom : letter.to)
        add("to", whom);
    std::string people = letter.people;
    std::replace_if(people.begin(), people.end(), [](char c) { return c == '\n' || c == ' ' || c == ';' || c == '\t'; }, ',');
    if (people.find_first_not_of(',') != std::string::npos)
        add("to", people);
    if (!letter.reply_post.empty()) {
        add("reply_entity", letter.reply_entity);
        add("reply_post", letter.reply_post);
    } else if (out.empty()) {
        add("to", "me");
    }
    return out;
}

bool is_word_end(char c)
{
    return c == ' ' || c == '\n' || c == ',' || c == ';' || c == ')' || c == '!' || c == '?';
}

// "@http://<56>.onion" in the text becomes a mention. `shift`: mentions that will stand before.
std::string with_mentions(const std::string& text, Post& draft, size_t shift)
{
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool begins = text[i] == '@' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\n' || text[i - 1] == '(');
        if (begins) {
            size_t end = i + 1;
            while (end < text.size() && !is_word_end(text[end]) && end - i < 100)
                ++end;
            std::string_view word = std::string_view(text).substr(i + 1, end - i - 1);
            if (word.ends_with('.') || word.ends_with(':'))
                word.remove_suffix(1);
            if (word.find(".onion") != std::string_view::npos)
                if (auto entity = tent::peer_entity(word); entity.ok()) {
                    size_t index = 0;
                    while (index < draft.mentions.size() && draft.mentions[index].entity != *entity)
                        ++index;
                    if (index == draft.mentions.size()) {
                        Mention mention;
                        mention.entity = *entity;
                        draft.mentions.push_back(std::move(mention));
                    }
                    out += "^[" + short_entity(*entity) + "](" + std::to_string(index + shift) + ")";
                    i += word.size();
                    continue;
                }
        }
        out += text[i];
    }
    return out;
}

Post draft_of(const Letter& letter)
{
    Post draft;
    const bool answering = !letter.reply_post.empty();
    const std::string text = with_mentions(letter.text, draft, answering ? 1 : 0);
    if (!letter.title.empty() || characters(text) > kStatusCharacters) {
        // What is longer than a status is an essay; its body is HTML (Tent 0.3, section 9).
        std::vector<markdown::Mention> mentions(answering ? 1 : 0);
        for (const auto& mention : draft.mentions)
            mentions.push_back({mention.entity, "", false});
        Json content = {{"body", markdown::render(text, mentions)}};
        if (!letter.title.empty())
            content["title"] = letter.title;
        draft.type = std::string(type::kEssayBase) + "#";
        draft.content = content.dump();
    } else {
        draft.type = answering ? type::kStatusReply : type::kStatus;
        draft.content = Json({{"text", text}}).dump();
    }
    for (const auto& file : letter.files)
        if (file.ticked)
            draft.attachments.push_back(file.attachment);
    return draft;
}

void take_files(Visit& visit, Letter& letter)
{
    size_t number = letter.files.size();
    for (const auto& file : visit.form.files) {
        letter.new_files = true;
        Upload upload{file.name, file.content_type, file.bytes, false};
        auto taken = visit.shared.hooks.take_upload(upload, ++number);
        Kept kept;
        if (taken.ok() && !taken->cannot_be_cleaned.empty()) {
            kept.doubt = taken->cannot_be_cleaned;
            kept.ticked = false;
            upload.as_is = true;
            taken = visit.shared.hooks.take_upload(upload, number);
        }
        if (!taken.ok()) {
            letter.problems.push_back(file.name + ": " + error_text(visit, taken.error()));
            continue;
        }
        kept.attachment = taken->attachment;
        kept.removed = taken->removed;
        letter.files.push_back(std::move(kept));
    }
}

Letter letter_in(Visit& visit)
{
    Letter letter;
    if (!visit.posting()) {
        letter.reply_entity = visit.param("entity");
        letter.reply_post = visit.param("post");
        letter.people = visit.param("to");
        letter.text = visit.param("text");
        if (letter.reply_post.empty() && letter.people.empty())
            letter.to.push_back("followers");
        return letter;
    }
    const Form& form = visit.form;
    letter.text = std::string(form.get("text"));
    while (!letter.text.empty() && (letter.text.back() == '\n' || letter.text.back() == ' '))
        letter.text.pop_back();
    letter.title = form.trimmed("title");
    letter.reply_entity = std::string(form.get("reply_entity"));
    letter.reply_post = std::string(form.get("reply_post"));
    letter.people = form.trimmed("people");
    letter.to = form.all("to");
    const auto ticked = form.all("file");
    for (const auto& value : form.all("kept"))
        if (auto kept = read_kept(visit, value)) {
            kept->ticked = std::find(ticked.begin(), ticked.end(), kept->attachment.digest) != ticked.end();
            letter.files.push_back(std::move(*kept));
        }
    take_files(visit, letter);
    if (letter.text.size() > kTextBytes || letter.people.size() > kPeopleBytes || characters(letter.title) > kTitleCharacters)
        letter.problems.emplace_back(visit.tr(T("That is too long.")));
    return letter;
}

tent::Readers readers_in(const Json& json)
{
    tent::Readers out;
    out.is_public = json.value("public", false);
    for (const auto& one : json.value("readers", Json::array())) {
        tent::Reader reader;
        reader.entity = one.value("entity", "");
        reader.because = one.value("because", std::vector<std::string>());
        reader.delivered_to = one.value("delivered_to", false);
        out.readers.push_back(std::move(reader));
    }
    out.warnings = json.value("warnings", std::vector<std::string>());
    return out;
}

void show_files(Page& page, const Letter& letter)
{
    if (letter.files.empty())
        return;
    Visit& visit = page.visit();
    page.m("<fieldset>\n<legend>").t("Attached files").m("</legend>\n");
    for (const auto& file : letter.files) {
        page.hidden("kept", write_kept(visit, file));
        page.checkbox("file", file.attachment.digest, file.attachment.name + " (" + page.words().size(file.attachment.size) + ")", file.ticked);
        if (!file.doubt.empty())
            page.m("<p class=\"warning\">").t("Not cleaned: {0} Tick it only if you know what is in it; it goes out exactly as it is.", {page.words().runtime(file.doubt)}).m("</p>\n");
        if (!file.removed.empty()) {
            std::string list;
            for (const auto& one : file.removed)
                list += (list.empty() ? "" : ", ") + std::string(page.words().runtime(one));
            page.m("<p class=\"hint\">").t("Taken out: {0}", {list}).m("</p>\n");
        }
    }
    page.m("</fieldset>\n");
}

struct Surroundings {
    std::vector<tent::Group> groups;
    std::optional<Post> answered;
    Around around;
};

net::HttpResponse compose_page(Visit& visit, const Letter& letter, bool preview, int status)
{
    auto surroundings = visit.store().read([&](store::ReadTx& tx) -> Result<Surroundings> {
        Surroundings out;
        out.groups = TRY(tent::list_groups(tx, visit.self()));
        std::vector<Post> posts;
        if (!letter.reply_post.empty()) {
            const std::string entity = TRY(tent::peer_entity(visit.self(), letter.reply_entity));
            out.answered = TRY(store::load_post(tx, visit.self().id, entity, letter.reply_post, "", kOwnerSees));
            if (!out.answered)
                return fail(ErrorKind::NotFound, "");
            posts.push_back(*out.answered);
        }
        out.around = TRY(load_around(tx, visit.self(), posts, Reader::Owner));
        return out;
    });
    if (!surroundings.ok())
        return error_page(visit, surroundings.error());
    const bool answering = surroundings->answered.has_value();
    Page page(visit, visit.tr(answering ? T("Answer") : T("Write")), Frame::Owner);
    page.heading(answering ? T("Answer") : T("Write"));
    for (const auto& problem : letter.problems)
        page.problem(problem);
    if (answering) {
        page.m("<blockquote class=\"quoted\" dir=\"auto\">").x(plain_text_of(*surroundings->answered, 400)).m("</blockquote>\n");
    }
    if (preview) {
        Post draft = draft_of(letter);
        draft.entity = visit.self().entity;
        Post shown = draft;
        if (answering)
            shown.mentions.insert(shown.mentions.begin(), Mention());
        shown.attachments.clear();
        page.m("<section class=\"preview\" aria-label=\"").t("Preview").m("\">\n<h2>").t("Preview").m("</h2>\n");
        page.m("<div class=\"post\">\n");
        if (base_of(shown) == type::kEssayBase)
            page.m("<p class=\"kind\">").t("Longer than a short post: it becomes an essay.").m("</p>\n");
        std::vector<markdown::Mention> named(answering ? 1 : 0);
        for (const auto& mention : draft.mentions)
            named.push_back({mention.entity, "", false});
        Post nothing;
        page.m("<div class=\"text\" dir=\"auto\">");
        page.html().post_text(with_mentions(letter.text, nothing, answering ? 1 : 0), named, {"", "/me/at?entity="});
        page.m("</div>\n</div>\n<h3>").t("Who can see this").m("</h3>\n");
        std::string asked = query_of(letter);
        for (const auto& mention : draft.mentions)
            asked += "&mention=" + percent_encode(mention.entity);
        auto audience = visit.shared.ask("GET /audience", asked);
        if (audience.ok()) {
            const tent::Readers readers = readers_in((*audience)["audience"]);
            auto named_too = visit.store().read([&](store::ReadTx& tx) {
                return load_readers(tx, visit.self(), readers, surroundings->around);
            });
            if (!named_too.ok())
                return error_page(visit, named_too.error());
            show_readers(page, readers, surroundings->around);
        } else {
            page.problem(error_text(visit, audience.error()));
        }
        page.m("</section>\n");
    }
    page.upload_form("/me/compose");
    page.hidden("reply_entity", letter.reply_entity).hidden("reply_post", letter.reply_post);
    const std::string text_hint(visit.tr(T("*bold*, _italic_, ~struck~, `code`, > quote, [text](http://…), #tag, @address. Up to 512 characters is a short post, more becomes an essay.")));
    page.field("text", "Text", {.value = letter.text, .hint = text_hint, .rows = 8, .focus = !preview});
    page.m("<details");
    if (!letter.title.empty())
        page.m(" open");
    page.m("><summary>").t("Title").m("</summary>\n");
    page.field("title", "Title, for an essay", {.value = letter.title, .most = static_cast<int>(kTitleCharacters)});
    page.m("</details>\n<fieldset>\n<legend>").t("Who may read it").m("</legend>\n");
    auto ticked = [&](std::string_view what) { return std::find(letter.to.begin(), letter.to.end(), what) != letter.to.end(); };
    if (answering)
        page.note("With nothing chosen: those who may see what it answers.");
    page.checkbox("to", "followers", visit.tr(T("Followers")), ticked("followers"));
    page.checkbox("to", "public", visit.tr(T("Everybody (public)")), ticked("public"));
    for (const auto& group : surroundings->groups)
        if (group.id != visit.self().followers_group) {
            const std::string value = "group:" + group.name;
            page.checkbox("to", value, format(visit.tr(T("Group: {0}")), {group.name}), ticked(value));
        }
    page.field("people", "Certain people", {.value = letter.people, .hint = visit.tr(T("Addresses, with commas or spaces between them.")), .rows = 2, .language_free = "ltr"});
    page.m("</fieldset>\n");
    show_files(page, letter);
    const std::string limit = page.words().size(static_cast<int64_t>(visit.shared.settings.upload_limit_bytes));
    page.m("<div class=\"field\"><label for=\"files\">").t("Attach files").m("</label>\n<p class=\"hint\" id=\"filesh\">");
    page.t("At most {0} each. Pictures lose what cameras write into them; names are replaced.", {limit});
    page.m("</p>\n<input type=\"file\" id=\"files\" name=\"files\" multiple aria-describedby=\"filesh\"></div>\n<p>");
    page.button("Preview, and who can see it", "act", "preview", "quiet").button(Tc("button", "Post"), "act", "post").m("</p>\n").end_form();
    return page.finish(status);
}

}  // namespace

net::HttpResponse compose(Visit& visit)
{
    Letter letter = letter_in(visit);
    if (!visit.posting())
        return compose_page(visit, letter, false, 200);
    const bool attached = std::any_of(letter.files.begin(), letter.files.end(), [](const Kept& k) { return k.ticked; });
    const bool posting = visit.form.get("act") == "post";
    if (posting && letter.problems.empty() && letter.text.empty() && !attached && !letter.new_files)
        letter.problems.emplace_back(visit.tr(T("There is nothing to post yet.")));
    // What was taken out of new files is shown before they go.
    if (!posting || letter.new_files || !letter.problems.empty())
        return compose_page(visit, letter, letter.problems.empty() || letter.new_files, letter.problems.empty() ? 200 : 422);
    auto posted = visit.shared.hooks.publish(draft_of(letter), query_of(letter));
    if (!posted.ok()) {
        letter.problems.push_back(error_text(visit, posted.error()));
        return compose_page(visit, letter, false, 422);
    }
    if (letter.reply_post.empty())
        return done("/me", "posted");
    return done("/me/post?entity=" + percent_encode(letter.reply_entity) + "&post=" + percent_encode(letter.reply_post), "posted");
}

net::HttpResponse edit(Visit& visit)
{
    const std::string id = visit.posting() ? std::string(visit.form.get("post")) : visit.param("post");
    auto found = visit.store().read([&](store::ReadTx& tx) -> Result<Post> {
        auto post = TRY(store::load_post(tx, visit.self().id, visit.self().entity, id, "", kOwnerSees));
        if (!post || (base_of(*post) != type::kStatusBase && base_of(*post) != type::kEssayBase))
            return fail(ErrorKind::NotFound, "");
        return std::move(*post);
    });
    if (!found.ok())
        return error_page(visit, found.error());
    const bool is_essay = base_of(*found) == type::kEssayBase;
    Json content = Json::parse(found->content, nullptr, false);
    std::string text = is_essay ? text_of_html(content.value("body", "")) : content.value("text", "");
    std::string title = is_essay ? content.value("title", "") : "";
    std::string problem;
    if (visit.posting()) {
        text = std::string(visit.form.get("text"));
        title = visit.form.trimmed("title");
        if (text.empty())
            problem = visit.tr(T("There is nothing to post yet."));
        else if (text.size() > kTextBytes || characters(title) > kTitleCharacters)
            problem = visit.tr(T("That is too long."));
        else if (!is_essay && characters(text) > kStatusCharacters)
            problem = visit.tr(T("A short post has at most 512 characters. Shorten it, or write a new one."));
        if (problem.empty()) {
            std::vector<markdown::Mention> named;
            for (const auto& mention : found->mentions)
                named.push_back({found->mention_entity(mention), mention.post, false});
            if (is_essay) {
                content["body"] = markdown::render(text, named);
                content.erase("title");
                if (!title.empty())
                    content["title"] = title;
            } else {
                content["text"] = text;
            }
            auto made = visit.store().write([&](store::WriteTx& tx) -> Result<bool> {
                tx.after_commit([&shared = visit.shared] { shared.hooks.posted(); });
                // The version that she saw must be the newest: nobody's change is lost.
                auto now = TRY(store::load_post(tx, visit.self().id, visit.self().entity, id, "", kOwnerSees));
                if (!now)
                    return fail(ErrorKind::NotFound, "");
                if (now->version.id != visit.form.get("version"))
                    return fail(ErrorKind::Conflict, std::string(visit.tr(T("The post was changed elsewhere meanwhile. Look at it again, then change it."))));
                Post draft;
                draft.id = id;
                draft.type = now->type;
                draft.content = content.dump();
                draft.mentions = now->mentions;
                draft.refs = now->refs;
                draft.licenses = now->licenses;
                draft.permissions = now->permissions;
                draft.published_at = now->published_at;
                const auto keep = visit.form.all("file");
                for (const auto& attachment : now->attachments)
                    if (std::find(keep.begin(), keep.end(), attachment.digest) != keep.end())
                        draft.attachments.push_back(attachment);
                Parent parent;
                parent.version = now->version.id;
                draft.version.parents.push_back(std::move(parent));
                TRY(tent::publish(tx, visit.self(), std::move(draft)));
                return true;
            });
            if (made.ok())
                return done("/me/post?entity=" + percent_encode(visit.self().entity) + "&post=" + percent_encode(id), "edited");
            problem = error_text(visit, made.error());
        }
    }
    Page page(visit, visit.tr(T("Change a post")), Frame::Owner);
    page.heading("Change a post");
    if (!problem.empty())
        page.problem(problem);
    page.note("Its readers stay the same and get the new version. Whoever has the old one may keep it.");
    page.form("/me/edit").hidden("post", id).hidden("version", visit.posting() ? visit.form.get("version") : std::string_view(found->version.id));
    if (is_essay)
        page.field("title", "Title", {.value = title, .most = static_cast<int>(kTitleCharacters)});
    page.field("text", "Text", {.value = text, .rows = 8, .focus = true});
    if (!found->attachments.empty()) {
        page.m("<fieldset>\n<legend>").t("Attached files").m("</legend>\n");
        for (const auto& attachment : found->attachments)
            page.checkbox("file", attachment.digest, attachment.name, true);
        page.m("</fieldset>\n");
    }
    page.button("Save").m("<a href=\"/me/post?entity=").url(visit.self().entity).m("&amp;post=").url(id).m("\">").t("Leave it as it is").m("</a>\n").end_form();
    return page.finish(problem.empty() ? 200 : 422);
}

}  // namespace bivouac::pages
