// SPDX-License-Identifier: BSD-3-Clause
// How an app gets the owner's permission (Tent 0.3, sections 6.3 and 6.4): a page in her browser where she proves
// herself with the passphrase, a code, and the exchange of the code.
#include <bivouac/base/bytes.h>
#include <bivouac/model/json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/net/multipart.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/credentials.h>
#include <bivouac/tent/apps.h>

#include "call.h"
#include "oauth_form.h"
#include "oauth_page.h"

namespace bivouac::api {

namespace {

constexpr size_t kStateBytes = 2048;
constexpr size_t kTokenBodyBytes = 16u << 10;

// One visit to the page.
struct Visit {
    CallPtr call;
    std::string client_id;
    std::optional<std::string> state;
    tent::KnownApp app;
    bool allowed_before = false;

    FormSubject subject() const { return {client_id, state.value_or(""), app.post.version.id}; }
};

bool has_parameter(std::string_view query, std::string_view name)
{
    return ("&" + std::string(query)).find("&" + std::string(name) + "=") != std::string::npos;
}

std::string with_query(const std::string& url, const std::string& query)
{
    return url + (url.find('?') == std::string::npos ? "?" : "&") + query;
}

std::string state_query(const Visit& visit)
{
    return visit.state ? "&state=" + percent_encode(*visit.state) : std::string();
}

// The app's icon, if it is a small picture of a plain kind.
std::string icon_of(store::ReadTx& tx, int64_t owner, const Post& app)
{
    for (const auto& attachment : app.attachments) {
        if (attachment.category != "icon" || attachment.size > kIconBytes)
            continue;
        auto here = store::has_blob(tx, owner, attachment.digest);
        if (!here.ok() || !*here)
            return {};
        std::string bytes;
        while (static_cast<int64_t>(bytes.size()) < attachment.size) {
            auto piece = store::read_blob(tx, attachment.digest, static_cast<int64_t>(bytes.size()));
            if (!piece.ok() || piece->empty())
                return {};
            bytes += *piece;
        }
        return icon_url(bytes);
    }
    return {};
}

void tick(std::vector<bool>& ticked, const std::vector<size_t>& numbers)
{
    std::fill(ticked.begin(), ticked.end(), false);
    for (size_t number : numbers)
        if (number < ticked.size())
            ticked[number] = true;
}

std::vector<std::string> chosen(const std::vector<std::string>& asked, const std::vector<size_t>& numbers)
{
    std::vector<bool> ticked(asked.size());
    tick(ticked, numbers);
    std::vector<std::string> out;
    for (size_t i = 0; i < asked.size(); ++i)
        if (ticked[i])
            out.push_back(asked[i]);
    return out;
}

// The language that the owner chose on her pages, which name the cookie so, or that of her browser.
const Words& words_of(const Call& call)
{
    const std::string cookie = "language-" + to_hex(sha256(call.self().onion)).substr(0, 8);
    return words_for(call.header("Accept-Language"), net::find_cookie(call.request.headers, cookie));
}

net::HttpResponse refusal(const Call& call, int status, Msg text) { return refusal_page(status, words_of(call), text); }

// The form, first time or again: then with what was ticked before and the reason.
net::HttpResponse show_page(const Visit& visit, int status, const ConsentForm* again, std::optional<Msg> message)
{
    const Call& call = *visit.call;
    ConsentPage page;
    page.action = "/oauth/authorize?client_id=" + percent_encode(visit.client_id) + state_query(visit);
    page.token = call.services.oauth->form_token(visit.subject(), call.services.clock.now_ms());
    page.entity = call.self().entity;
    page.app = visit.app.content;
    page.read.assign(page.app.wanted.read.size(), true);
    page.write.assign(page.app.wanted.write.size(), true);
    page.scopes.assign(page.app.wanted.scopes.size(), true);
    if (again) {
        tick(page.read, again->read);
        tick(page.write, again->write);
        tick(page.scopes, again->scopes);
    }
    page.allowed_before = visit.allowed_before;
    if (message)
        page.message = words_of(call)(*message);
    auto icon = call.services.store.read(
        [&](store::ReadTx& tx) -> Result<std::string> { return icon_of(tx, visit.call->self().id, visit.app.post); });
    if (icon.ok())
        page.icon = std::move(*icon);
    return consent_page(status, words_of(call), page);
}

Result<std::optional<Visit>> find_visit(const CallPtr& call)
{
    Visit visit{call, call->parameter("client_id").value_or(""), call->parameter("state"), {}, false};
    bool broken_state = has_parameter(call->route.query, "state") && !visit.state;
    if (visit.client_id.empty() || broken_state || (visit.state && visit.state->size() > kStateBytes))
        return std::optional<Visit>();
    auto app = TRY(call->services.store.read([&](store::ReadTx& tx) -> Result<std::optional<tent::KnownApp>> {
        auto known = TRY(tent::find_app(tx, call->self(), visit.client_id));
        if (known)
            visit.allowed_before = TRY(store::find_grant_of_app(tx, call->self().id, known->post.id)).has_value();
        return known;
    }));
    if (!app)
        return std::optional<Visit>();
    visit.app = std::move(*app);
    return std::optional<Visit>(std::move(visit));
}

// The owner has said yes: the grant and the code in one step, if the app still asks for what she saw.
net::HttpResponse allow(const Visit& visit, const tent::Grant& grant)
{
    const Call& call = *visit.call;
    struct Granted {
        std::string hawk_id;
        std::string code;
    };
    auto granted = call.services.store.write([&](store::WriteTx& tx) -> Result<Granted> {
        auto now = TRY(tent::find_app(tx, call.self(), visit.client_id));
        if (!now || now->post.version.id != visit.app.post.version.id)
            return fail(ErrorKind::Conflict, "the app has changed meanwhile");
        auto authorized = TRY(tent::authorize_app(tx, call.self(), visit.client_id, grant));
        return Granted{authorized.hawk_id, TRY(tent::make_code(tx, call.self(), visit.client_id))};
    });
    if (!granted.ok() && granted.error().kind == ErrorKind::Conflict)
        return refusal(call, 409, T("The app has just changed what it says about itself. Go back to it and start again."));
    if (!granted.ok())
        return refusal(call, status_of(granted.error().kind), T("The server could not keep your answer. Try again later."));
    call.services.api.allow_large_bodies(granted->hawk_id);
    return redirect(
        with_query(visit.app.content.redirect_uri, "code=" + percent_encode(granted->code) + state_query(visit)));
}

// A form that another site's page made the browser send. "null" is what browsers send for a page without referrer,
// ours is one; whether it was ours, Sec-Fetch-Site says.
bool is_from_another_site(const Call& call)
{
    std::string_view origin = call.header("Origin");
    std::string_view site = call.header("Sec-Fetch-Site");
    if (!site.empty() && site != "same-origin" && site != "none")
        return true;
    return !origin.empty() && origin != "null" && origin != "http://" + call.request.host;
}

Answer answer_form(Visit visit)
{
    Call& call = *visit.call;
    if (is_from_another_site(call))
        return refusal(call, 403, T("This answer was not given on the page of this server."));
    auto media = net::parse_media_type(call.header("Content-Type"));
    if (!media.ok() || media->type != "application/x-www-form-urlencoded")
        return refusal(call, 415, T("This is not the form that this server gave out."));
    auto body = call.request.body->text(kFormBytes);
    if (!body.ok())
        return refusal(call, status_of(body.error().kind), T("This is not the form that this server gave out."));
    auto parsed = parse_consent_form(*body);
    wipe(*body);
    if (!parsed.ok())
        return refusal(call, 400, T("This is not the form that this server gave out."));
    auto form = std::make_shared<ConsentForm>(std::move(*parsed));
    if (!call.services.oauth->is_form_token(form->token, visit.subject(), call.services.clock.now_ms()))
        return show_page(visit, 403, nullptr,
                         T("The page was too old, or the app has changed what it asks for. Please look again."));
    if (!form->allowed)
        return redirect(with_query(visit.app.content.redirect_uri, "error=user_abort" + state_query(visit)));
    if (form->passphrase.empty())
        return show_page(visit, 403, form.get(), T("To allow the app, type your passphrase."));
    if (!call.services.hooks.check_passphrase)
        return refusal(call, 503, T("This server cannot check a passphrase."));
    const tent::AppContent& app = visit.app.content;
    tent::Grant grant{chosen(app.wanted.read, form->read), chosen(app.wanted.write, form->write),
                      chosen(app.wanted.scopes, form->scopes)};
    Secret passphrase = std::move(form->passphrase);
    auto kept = std::make_shared<Visit>(std::move(visit));
    auto done = [kept, form, grant](PassphraseCheck outcome) {
        net::HttpResponse response;
        switch (outcome) {
        case PassphraseCheck::Right: response = allow(*kept, grant); break;
        case PassphraseCheck::Wrong:
            response = show_page(*kept, 403, form.get(), T("That was not the passphrase. Nothing has been allowed."));
            break;
        case PassphraseCheck::Busy:
            response = show_page(*kept, 503, form.get(), T("The server is busy. Wait a minute and try again."));
            break;
        }
        finish(*kept->call, std::move(response));
    };
    // A reference to the hooks and not to the call: the last copy of the call may go before this function returns.
    const auto& check = call.services.hooks.check_passphrase;
    check(call.self().id, std::move(passphrase), std::move(done));
    return std::nullopt;
}

}  // namespace

Answer oauth_authorize(const CallPtr& call)
{
    call->page = true;
    auto visit = find_visit(call);
    if (!visit.ok())
        return refusal(*call, status_of(visit.error().kind), T("The server could not look that up. Try again later."));
    if (!*visit)
        return refusal(*call, 400, T("The app that sent you here is not known to this server."));
    if (!call->reading())
        return answer_form(std::move(**visit));
#ifdef BIVOUAC_CONFORMANCE
    if (call->services.settings.auto_approve && !call->is_head())
        return allow(**visit, (**visit).app.content.wanted);
#endif
    return show_page(**visit, 200, nullptr, std::nullopt);
}

Answer oauth_token(const CallPtr& call)
{
    const Principal& principal = call->principal();
    if (principal.kind != Principal::Kind::AppItself)
        return error_response(401, "Unauthorized").with("WWW-Authenticate", "Hawk");
    auto media = net::parse_media_type(call->header("Content-Type"));
    if (!media.ok() || !media->type.ends_with("json"))
        return error_response(415, "the body must be JSON");
    auto text = call->request.body->text(kTokenBodyBytes);
    if (!text.ok())
        return error_response(text.error());
    auto body = parse_json(*text);
    if (!body.ok() || !body->is_object())
        return error_response(400, "the body must be a JSON object");
    auto code = string_member(*body, "code");
    auto token_type = string_member(*body, "token_type");
    if (!code.ok() || code->empty())
        return error_response(400, "code is required");
    constexpr const char* kTokenType = "https://tent.io/oauth/hawk-token";
    if (!token_type.ok() || (!token_type->empty() && *token_type != kTokenType))
        return error_response(400, "token_type must be https://tent.io/oauth/hawk-token");
    auto exchanged = call->services.store.write([&](store::WriteTx& tx) {
        return tent::exchange_code(tx, call->self(), principal.target_post, *code);
    });
    if (!exchanged.ok())
        return error_response(exchanged.error());
    call->services.api.allow_large_bodies(exchanged->hawk_id);
    return json_response({{"access_token", exchanged->hawk_id},
                          {"hawk_key", exchanged->hawk_key},
                          {"hawk_algorithm", kHawkAlgorithm},
                          {"token_type", kTokenType}},
                         "application/json; charset=utf-8")
        .with("Cache-Control", "private, must-revalidate");
}

}  // namespace bivouac::api
