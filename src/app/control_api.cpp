// SPDX-License-Identifier: BSD-3-Clause
#include "control_api.h"
#include "control_parameters.h"

#include <bivouac/api/error_response.h>
#include <bivouac/api/post_upload.h>
#include <bivouac/app/doors.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/moves.h>
#include <bivouac/store/outages.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/store/post_lists.h>
#include <bivouac/store/strangers.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/audience.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tor/onion_address.h>

#include <algorithm>
#include <charconv>

namespace bivouac::app {

namespace {

const Viewer kOwnerSeesAll{Viewer::Kind::Everything, {}, {}, {}};

Json grant_json(const tent::Grant& grant)
{
    return {{"read", grant.read}, {"write", grant.write}, {"scopes", grant.scopes}};
}

// What holds where (docs/threat-model.md, "Confinement").
Json sandbox_json(const Confinements& holds)
{
    auto one = [](const Confinement& process) {
        return Json{{"seccomp", process.seccomp},
                    {"landlock", process.landlock == 0 ? Json() : Json(process.landlock)},
                    {"files", process.landlock > 0 ? "data directory" : "all"},
                    {"tcp", process.tcp || process.seccomp ? "none of its own" : "any"}};
    };
    Json out = {{"node", one(holds.worker)}, {"missing", holds.worker.missing}};
    out["guardian"] = one(holds.guardian);
    out["broker"] = one(holds.broker);
    out["broker"]["files"] = holds.broker.landlock > 0 ? "reads all, changes the data directory and where it listens" : "all";
    out["broker"]["tcp"] = "loopback";
    out["broker"]["may_start_tor"] = holds.may_start_tor;
    for (const Confinement* process : {&holds.guardian, &holds.broker})
        for (const auto& what : process->missing)
            out["missing"].push_back(what);
    if (!holds.with_broker)
        out["guardian"] = out["broker"] = nullptr;
    return out;
}

Json reach_json(const relay::Reach& reach)
{
    const char* answer = reach.answer == relay::Reach::Answer::Yes  ? "yes"
                         : reach.answer == relay::Reach::Answer::No ? "no"
                                                                    : "unknown";
    Json out = {{"reachable", answer}};
    for (auto [name, time] : {std::pair("checked_at", reach.checked_at), std::pair("since", reach.since),
                              std::pair("repaired_at", reach.repaired_at)})
        out[name] = time == 0 ? Json() : Json(time);
    if (!reach.why.empty())
        out["why"] = reach.why;
    return out;
}

// "notifications": what becomes of the app's wish to be notified.
Json app_json(const tent::AppView& app)
{
    Json out = {{"id", app.id},
                {"name", app.content.name},
                {"url", app.content.url},
                {"redirect_uri", app.content.redirect_uri},
                {"registered_at", app.registered_at},
                {"wanted", grant_json(app.content.wanted)},
                {"granted", app.granted ? grant_json(*app.granted) : Json()}};
    if (!app.content.description.empty())
        out["description"] = app.content.description;
    if (app.granted)
        out["granted_at"] = app.granted_at;
    auto place = tent::notification_place(app.content.notification_url);
    if (place != tent::NotificationPlace::None) {
        out["notification_url"] = app.content.notification_url;
        out["notification_url_used"] = app.granted && place != tent::NotificationPlace::Elsewhere;
    }
    return out;
}

// Section 9: the limit of status posts. The other types' schemas are the business of whoever sends them.
Result<void> check_status(const Post& draft)
{
    if (TRY(parse_type(draft.type)).base != type::kStatusBase)
        return {};
    const Json content = content_of(draft);
    std::string text = TRY(string_member(content, "text"));
    if (text.empty() && draft.attachments.empty())
        return fail(ErrorKind::Invalid, "there is nothing to post: the text is empty");
    if (size_t length = code_points(text); length > 512)
        return fail(ErrorKind::Invalid, "a status holds at most 512 characters and this text has " +
                                            std::to_string(length) + "; shorten it or split it");
    return {};
}

}  // namespace

ControlApi::ControlApi(store::Store& store, const StatusBoard& board, tent::Self self, Hooks hooks,
                       uint64_t upload_limit)
    : store_(store)
    , board_(board)
    , self_(std::move(self))
    , hooks_(std::move(hooks))
    , upload_limit_(upload_limit)
{
}

net::HttpResponse ControlApi::handle(const net::HttpRequest& request)
{
    size_t question = request.target.find('?');
    const std::string path = request.target.substr(0, question);
    const std::string query = question == std::string::npos ? "" : request.target.substr(question + 1);
    const std::string route = request.method + " " + path;

    auto answer = [](const Error& error) {
        net::HttpResponse response = api::error_response(api::status_of(error.kind), error.detail);
        return response;
    };
    if (route == "GET /attachment" && check_owner(request, path).ok()) {
        auto response = attachment(query);
        return response.ok() ? std::move(*response) : answer(response.error());
    }
    if (auto owner = check_owner(request, path); !owner.ok())
        return answer(owner.error());
    auto body = [&]() -> Result<Json> {
        std::string text = TRY(request.body->text(limits::kJsonBodyBytes));
        Json json = TRY(parse_json(text));
        if (!json.is_object())
            return fail(ErrorKind::Invalid, "expected an object");
        return json;
    };
    Result<Json> result = route == "POST /post" ? post(request, query) : run(route, query, body);
    if (!result.ok())
        return answer(result.error());
    net::HttpResponse response;
    response.body = result->dump();
    response.with("Content-Type", "application/json");
    return response;
}

Result<Json> ControlApi::ask(const std::string& route, const std::string& query, const Json& body)
{
    return run(route, query, [&]() -> Result<Json> { return body; });
}

Result<Json> ControlApi::run(const std::string& route, const std::string& query, const std::function<Result<Json>()>& body)
{
    if (route == "GET /status")
        return status();
    if (route == "GET /outages")
        return outages();
    if (route == "POST /check") {
        hooks_.check_reach();
        return Json({{"now", system_clock().now_ms()}});
    }
    if (route == "GET /feed")
        return feed(query);
    if (route == "GET /show")
        return show(query);
    if (route == "GET /search")
        return search(query);
    if (route == "POST /follow")
        return follow(TRY(body()));
    if (route == "POST /unfollow")
        return unfollow(TRY(body()));
    if (route == "GET /followers")
        return followers(query);
    if (route == "POST /followers")
        return decide(TRY(body()));
    if (route == "GET /following")
        return following();
    if (route == "GET /catch-up")
        return catch_ups();
    if (route == "POST /catch-up")
        return catch_up(TRY(body()));
    if (route == "GET /door")
        return door();
    if (route == "POST /door")
        return set_door(TRY(body()));
    if (route == "GET /groups")
        return groups();
    if (route == "GET /group")
        return group(query);
    if (route == "POST /groups")
        return change_group(TRY(body()));
    if (route == "GET /invites")
        return invites();
    if (route == "POST /invites")
        return change_invites(TRY(body()));
    if (route == "GET /audience")
        return audience(query);
    if (route == "GET /deliveries")
        return deliveries(query);
    if (route == "POST /deliveries")
        return change_deliveries(TRY(body()));
    if (route == "POST /app")
        return create_app(TRY(body()));
    if (route == "GET /apps")
        return apps();
    if (route == "GET /app")
        return app(query);
    if (route == "POST /apps")
        return decide_app(TRY(body()));
    if (route == "POST /onion-key")
        return onion_key();
    if (route == "GET /entities")
        return entities();
    if (route == "POST /entities")
        return change_entities(TRY(body()));
    if (route == "POST /move")
        return move(TRY(body()));
    if (route == "POST /restored") {
        TRY(store_.write([](store::WriteTx& tx) { return store::confirm_restoration(tx); }));
        return Json({{"confirmed", true}});
    }
    if (route == "POST /login-link") {
        const std::string path = TRY(hooks_.login_link());
        const std::string local = board_.get().local_api;
        return Json({{"link", self_.entity + path}, {"local", local.empty() ? Json() : Json(local + path)}});
    }
    if (route == "GET /storage") {
        const api::Storage storage = hooks_.storage();
        return Json({{"used", storage.used}, {"available", storage.available}});
    }
    if (route == "POST /stop") {
        hooks_.stop();
        return Json({{"stopping", true}});
    }
    return fail(ErrorKind::NotFound, "the running node does not know this; is it of another version?");
}

Result<Json> ControlApi::status()
{
    struct Counts {
        store::OutboxCounts outbox;
        int64_t pending = 0;
        int64_t approved = 0;
        store::StrangersToday strangers;
        std::optional<store::Restored> restored;
        Json moved = Json::array();     // people, lately
        Json previous = Json::array();  // addresses of hers that are still served
    };
    Counts counts = TRY(store_.read([&](store::ReadTx& tx) -> Result<Counts> {
        constexpr int64_t kLatelyMs = int64_t(30) * 24 * 3'600'000;
        Counts out{TRY(store::count_outbox(tx, self_.id)),
                      TRY(store::count_followers(tx, self_.id, "pending")),
                      TRY(store::count_followers(tx, self_.id, "approved")),
                      TRY(store::strangers_today(tx, self_.id)),
                      TRY(store::unconfirmed_restoration(tx)), Json::array(), Json::array()};
        for (const auto& r : TRY(store::moved_since(tx, self_.id, tx.now_ms() - kLatelyMs)))
            out.moved.push_back({{"from", r.moved_from}, {"to", r.peer}, {"noticed_at", r.moved_at}});
        for (const auto& one : TRY(store::previous_onions(tx)))
            if (one.owner == self_.id)
                out.previous.push_back({{"onion", one.onion + ".onion"}, {"until", one.until}});
        return out;
    }));
    const Status status = board_.get();
    Json out = {
        {"locked", false},
        {"name", self_.name},
        {"entity", self_.entity},
        {"onion", self_.onion + ".onion"},
        {"listen", status.listen},
        {"local_api", status.local_api.empty() ? Json() : Json(status.local_api)},
        {"tor",
         {{"mode", status.tor_mode},
          {"connected", status.tor.connected},
          {"bootstrap", status.tor.bootstrap},
          {"summary", status.tor.bootstrap_text},
          {"socks", status.tor.socks_address},
          {"restarts", status.tor.restarts}}},
        {"published", status.published},
        {"door", store::name_of(*self_.door)},
        {"pending_followers", counts.pending},
        {"followers", counts.approved},
        {"outbox",
         {{"waiting", counts.outbox.waiting},
          {"delivered", counts.outbox.delivered},
          {"refused", counts.outbox.refused},
          {"given_up", counts.outbox.given_up},
          {"cancelled", counts.outbox.cancelled},
          {"fetching", counts.outbox.fetching}}},
    };
    out["reach"] = reach_json(status.reach);
    const store::StrangersToday& strangers = counts.strangers;
    out["strangers_today"] = {{"contacts", strangers.contacts},
                              {"posts", strangers.posts},
                              {"bytes", strangers.bytes},
                              {"refused", tent::strangers_are_refused(strangers, counts.pending)}};
    if (const int64_t all = moving_.all; all > 0)
        out["moving"] = {{"done", moving_.done.load()}, {"all", all}};
    out["moved"] = counts.moved;
    out["previous"] = counts.previous;
    if (counts.restored)
        out["restored"] = {{"at", counts.restored->restored_at}, {"backup_of", counts.restored->made_at}};
    out["sandbox"] = sandbox_json(confinements());
    out["tor"]["proof_of_work"] = status.tor.pow;
    if (!status.tor.version.empty())
        out["tor"]["version"] = status.tor.version;
    if (!status.tor.problem.empty())
        out["tor"]["problem"] = status.tor.problem;
    return out;
}

Result<Json> ControlApi::outages()
{
    auto all = TRY(store_.read([&](store::ReadTx& tx) { return store::list_outages(tx, self_.id); }));
    Json list = Json::array();
    for (const auto& outage : all)
        list.push_back({{"began_at", outage.began_at},
                        {"ended_at", outage.ended_at == 0 ? Json() : Json(outage.ended_at)},
                        {"repairs", outage.repairs},
                        {"why", outage.why}});
    return Json({{"outages", list}});
}

Result<Json> ControlApi::post(const net::HttpRequest& request, std::string_view query)
{
    auto upload = TRY(api::read_post_upload(request, store_, self_.id, upload_limit_));
    Post draft = TRY(post_from_json(upload.post));
    for (auto& attachment : upload.uploaded)
        draft.attachments.push_back(std::move(attachment));
    return publish(std::move(draft), query);
}

Result<Json> ControlApi::publish(Post draft, std::string_view query)
{
    TRY(check_status(draft));
    struct Made {
        Post post;
        tent::Readers readers;
    };
    Made made = TRY(store_.write([&](store::WriteTx& tx) -> Result<Made> {
        tx.after_commit([this] { hooks_.posted(); });
        TRY(address(tx, self_, draft, query));
        Made out;
        out.post = TRY(tent::publish(tx, self_, draft));
        TRY(tent::introduce_to_readers(tx, self_, out.post));
        const int64_t row =
            TRY(store::find_version(tx, self_.id, self_.entity, out.post.id, out.post.version.id));
        out.readers = TRY(tent::readers_of(tx, self_, out.post, row));
        return out;
    }));
    return Json({{"post", post_to_json(made.post, Audience::owner())}, {"audience", readers_json(made.readers)}});
}

namespace {

// The names of the groups that these posts are for, by id; posts hold ids only.
Result<Json> group_names(store::ReadTx& tx, const tent::Self& self, const std::vector<Post>& posts)
{
    Json out = Json::object();
    if (std::all_of(posts.begin(), posts.end(), [](const Post& post) { return post.permissions.groups.empty(); }))
        return out;
    for (const auto& group : TRY(tent::list_groups(tx, self)))
        out[group.id] = group.name;
    return out;
}

Json posts_json(const std::vector<Post>& posts)
{
    Json out = Json::array();
    for (const auto& post : posts)
        out.push_back(post_to_json(post, Audience::owner()));
    return out;
}

}  // namespace

Result<Json> ControlApi::feed(std::string_view query)
{
    FeedQuery wanted = TRY(parse_feed_query(query));
    wanted.for_person = parameter(query, "all") != "1";
    return store_.read([&](store::ReadTx& tx) -> Result<Json> {
        const auto posts = TRY(store::load_feed(tx, self_.id, wanted, kOwnerSeesAll)).posts;
        return Json({{"entity", self_.entity}, {"posts", posts_json(posts)}, {"groups", TRY(group_names(tx, self_, posts))}});
    });
}

Result<Json> ControlApi::show(std::string_view query)
{
    std::string entity = TRY(tent::peer_entity(self_, parameter(query, "entity")));
    const std::string id = parameter(query, "post");
    return store_.read([&](store::ReadTx& tx) -> Result<Json> {
        auto found = TRY(store::load_post(tx, self_.id, entity, id, "", kOwnerSeesAll));
        auto author = TRY(store::find_relationship(tx, self_.id, entity));
        if (found && author && author->follower == "blocked")
            return fail(ErrorKind::Forbidden, "its author is blocked; to see it: bivouac followers unblock ENTITY");
        if (!found)
            return fail(ErrorKind::NotFound, "there is no such post here; see: bivouac feed");
        // Replies, reposts and favorites: what people have posted about it.
        FeedQuery about;
        about.mentions.push_back({{entity, id}});
        about.limit = limits::kFeedLimitMaximum;
        about.for_person = true;
        auto posts = TRY(store::load_feed(tx, self_.id, about, kOwnerSeesAll)).posts;
        Json below = posts_json(posts);
        posts.push_back(*found);
        return Json({{"entity", self_.entity},
                     {"post", post_to_json(*found, Audience::owner())},
                     {"about_it", below},
                     {"groups", TRY(group_names(tx, self_, posts))}});
    });
}

Result<net::HttpResponse> ControlApi::attachment(std::string_view query)
{
    std::string entity = TRY(tent::peer_entity(self_, parameter(query, "entity")));
    std::string name = parameter(query, "name");
    struct Found {
        std::string digest;
        int64_t size = -1;
    };
    Found found = TRY(store_.read([&](store::ReadTx& tx) -> Result<Found> {
        auto post = TRY(store::load_post(tx, self_.id, entity, parameter(query, "post"), "", kOwnerSeesAll));
        if (!post)
            return fail(ErrorKind::NotFound, "there is no such post here; see: bivouac feed");
        for (const auto& a : post->attachments)
            if (a.name == name)
                return Found{a.digest, TRY(store::blob_size(tx, self_.id, a.digest))};
        return fail(ErrorKind::NotFound, "this post has no attachment of that name");
    }));
    if (found.size < 0)
        return fail(ErrorKind::Unavailable, "this attachment is still on its way; try again in a moment");
    net::HttpResponse response;
    response.with("Content-Type", "application/octet-stream");
    response.large = net::BodySource{
        static_cast<uint64_t>(found.size), [this, digest = found.digest](uint64_t offset, size_t limit) {
            auto piece = store_.read([&](store::ReadTx& tx) {
                return store::read_blob(tx, digest, static_cast<int64_t>(offset));
            });
            if (piece.ok() && piece->size() > limit)
                piece->resize(limit);
            return piece;
        }};
    return response;
}

Result<Json> ControlApi::create_app(const Json& body)
{
    std::string name = TRY(string_member(body, "name"));
    auto read = TRY(list_in(body, "read"));
    auto write = TRY(list_in(body, "write"));
    auto app = TRY(store_.write(
        [&](store::WriteTx& tx) { return tent::create_local_app(tx, self_, name, read, write); }));
    hooks_.app_created(app.hawk_id);
    const std::string root = board_.get().local_api;
    return Json({{"id", app.hawk_id},
                 {"hawk_key", app.hawk_key},
                 {"hawk_algorithm", kHawkAlgorithm},
                 {"app", app.app_post},
                 {"entity", self_.entity},
                 {"api_root", root.empty() ? Json() : Json(root)}});
}

Result<Json> ControlApi::apps()
{
    auto all = TRY(store_.read([&](store::ReadTx& tx) { return tent::list_apps(tx, self_); }));
    Json list = Json::array();
    for (const auto& app : all)
        list.push_back(app_json(app));
    return Json({{"apps", list}});
}

Result<Json> ControlApi::app(std::string_view query)
{
    auto found = TRY(
        store_.read([&](store::ReadTx& tx) { return tent::show_app(tx, self_, parameter(query, "app")); }));
    return Json({{"app", app_json(found)}});
}

// "allow" replaces what the app may do, "revoke" takes it all away, "remove" forgets the app.
Result<Json> ControlApi::decide_app(const Json& body)
{
    std::string wanted = TRY(string_member(body, "app"));
    std::string action = TRY(string_member(body, "action"));
    tent::Grant grant{TRY(list_in(body, "read")), TRY(list_in(body, "write")), TRY(list_in(body, "scopes"))};
    auto app = TRY(store_.write([&](store::WriteTx& tx) -> Result<tent::AppView> {
        auto found = TRY(tent::show_app(tx, self_, wanted));
        if (action == "allow")
            TRY(tent::change_grant(tx, self_, found.id, grant));
        else if (action == "revoke")
            TRY(tent::revoke_app(tx, self_, found.id));
        else if (action == "remove")
            TRY(tent::remove_app(tx, self_, found.id));
        else
            return fail(ErrorKind::Invalid, "the action is allow, revoke or remove");
        if (action == "remove")
            return found;
        return tent::show_app(tx, self_, found.id);
    }));
    return Json({{"app", app_json(app)}});
}

Result<Json> ControlApi::onion_key()
{
    auto entities = TRY(store_.read([](store::ReadTx& tx) { return store::load_entities(tx); }));
    for (const auto& entity : entities) {
        if (entity.id != self_.id)
            continue;
        // The three files of a HiddenServiceDir (each key behind a header of 32 bytes).
        auto file = [](std::string header, std::string_view key) {
            header.resize(32, '\0');
            header += key;
            std::string text = to_base64(header);
            wipe(header);
            return text;
        };
        Secret expanded = tor::expanded_key_of_seed(entity.onion_seed);
        return Json({{"hs_ed25519_secret_key", file("== ed25519v1-secret: type0 ==", expanded.view())},
                     {"hs_ed25519_public_key",
                      file("== ed25519v1-public: type0 ==", tor::public_key_of_seed(entity.onion_seed))},
                     {"hostname", to_base64(entity.onion + ".onion\n")}});
    }
    return fail(ErrorKind::Internal, "the entity is gone");
}

}  // namespace bivouac::app
