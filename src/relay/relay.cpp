// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/background.h>
#include <bivouac/base/log.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/relay/relay.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/catch_ups.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/catch_up.h>
#include <bivouac/tent/delivery_failure.h>
#include <bivouac/tent/invites.h>
#include <bivouac/tent/moving.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/relationships.h>

#include <map>
#include <set>
#include <unordered_map>

#include "app_notifier.h"
#include "backoff.h"
#include "handshake.h"
#include "peer_client.h"
#include "proxy.h"

namespace bivouac::relay {

namespace {

using PeerId = std::pair<int64_t, std::string>;

// The outbox is looked at this often even when nobody nudges.
constexpr int64_t kIdleLookMs = 60'000;

// A delivery that takes longer has probably lost its circuit.
constexpr int64_t kHangingMs = 10'000;

// Greetings after an absence: few at a time, and not more often than this.
constexpr size_t kHellosAtOnce = 8;
constexpr int64_t kHelloPauseMs = 10'000;

// What a peer's queue asks for next.
struct Step {
    enum class Kind { Nothing, Deliver, Fetch, CatchUp } kind = Kind::Nothing;
    store::Relationship relationship;
    store::Delivery delivery;
    Post post;
    store::Fetch fetch;
    store::CatchUp catch_up;
};

struct Failure {
    std::string problem;  // for the person
    tent::FailureReason reason = tent::FailureReason::DeliveryFailed;
    bool too_large = false;  // less at a time may come
};

// What waits for a peer that failed concerns all of its queue: each is told once (section 7.7).
Result<void> tell_of_waiting(store::WriteTx& tx, const tent::Self& self, const std::string& peer,
                             tent::FailureReason reason)
{
    for (int64_t row : TRY(store::untold_deliveries(tx, self.id, peer)))
        if (auto post = TRY(store::load_version(tx, row)))
            TRY(tent::record_failure(tx, self, *post, peer, reason, tent::FailureStatus::Temporary));
    return store::mark_told(tx, self.id, peer);
}

Result<void> tell_of_end(store::WriteTx& tx, const tent::Self& self, const std::string& peer, int64_t version_row,
                         tent::FailureReason reason)
{
    if (auto post = TRY(store::load_version(tx, version_row)))
        TRY(tent::record_failure(tx, self, *post, peer, reason, tent::FailureStatus::Permanent));
    return {};
}

Result<Step> next_step(store::WriteTx& tx, const tent::Self& self, const std::string& peer)
{
    Step step;
    for (;;) {
        auto delivery = TRY(store::next_delivery(tx, self.id, peer));
        if (!delivery)
            break;
        auto post = TRY(store::load_version(tx, delivery->version_row));
        // Asked again, because she may have left or been denied since.
        if (!post || !TRY(tent::is_recipient(tx, self, *post, peer))) {
            TRY(store::end_delivery(tx, delivery->id, "refused", "no longer for this reader"));
            continue;
        }
        step.kind = Step::Kind::Deliver;
        step.delivery = *delivery;
        step.post = std::move(*post);
        break;
    }
    if (auto relationship = TRY(store::find_relationship(tx, self.id, peer)))
        step.relationship = std::move(*relationship);
    if (step.kind == Step::Kind::Deliver)
        return step;
    while (auto fetch = TRY(store::next_fetch(tx, self.id, peer))) {
        Viewer everything{Viewer::Kind::Everything, {}, {}, {}};
        bool here = TRY(store::has_blob(tx, self.id, fetch->digest));
        bool wanted = TRY(store::find_attachment(tx, self.id, peer, fetch->digest, everything)).has_value();
        if (here || !wanted) {
            TRY(store::end_fetch(tx, fetch->id));
            continue;
        }
        step.kind = Step::Kind::Fetch;
        step.fetch = std::move(*fetch);
        return step;
    }
    if (auto missed = TRY(store::next_catch_up(tx, self.id, peer))) {
        step.kind = Step::Kind::CatchUp;
        step.catch_up = std::move(*missed);
    }
    return step;
}

// What an attempt came to.
enum class Outcome {
    Done,
    Later,    // nobody there, or not now: wait, longer each time
    Refused,  // this one post will never be taken
    Unknown,  // our key is not accepted (any more): a new handshake, once
};

Outcome outcome_of(int status)
{
    if (status >= 200 && status < 300)
        return Outcome::Done;
    if (status == 401 || status == 403)
        return Outcome::Unknown;
    // Section 7.7: worth another try.
    if (status < 400 || status >= 500 || status == 404 || status == 408 || status == 429)
        return Outcome::Later;
    return Outcome::Refused;
}

}  // namespace

struct Relay::Impl : std::enable_shared_from_this<Relay::Impl> {
    EventLoop& loop;
    store::Store& store;
    HttpClient& http;
    Clock& clock;
    PeerClient peers;
    Background background;
    std::map<int64_t, tent::Self> entities;
    std::shared_ptr<AppNotifier> apps;
    std::shared_ptr<Proxy> proxy;

    bool has_proxy = false;
    bool stopping = false;
    bool pumping = false;
    bool pump_again = false;
    bool resting = false;
    std::set<PeerId> running;
    std::set<PeerId> waiting;  // failed the last time: worth waking when they show up
    // Inbound handshakes, and of them those that were not known: of each entity by herself, or one that is flooded would show
    // who else lives here.
    std::map<int64_t, size_t> answering;
    std::map<int64_t, Strangers> strangers;
    int64_t patience_ms = limits::kDeliveryPatienceMs;
    struct LookedUp {
        std::string words;
        int64_t at = 0;
    };
    std::unordered_map<std::string, LookedUp> looked_up;  // by onion
    std::set<PeerId> answering_peers;
    // Deliveries under way: since when (monotonic), and whether the peer contacted us meanwhile.
    struct Attempt {
        int64_t since = 0;
        bool seen = false;
        int64_t delivery = 0;      // 0: something else is under way
        int64_t version_row = 0;
        EventLoop::Timer recheck;  // she was seen when it was too early to say that it hangs
    };
    std::map<PeerId, Attempt> attempts;
    std::map<PeerId, int> unhung;  // since something last worked: on a slow way each attempt gets longer than the one before
    size_t helloing = 0;
    std::map<int64_t, int64_t> last_hello;  // by owner, monotonic
    EventLoop::Timer look_timer;
    EventLoop::Timer rest_timer;
    EventLoop::Timer abort_timer;
    std::function<void()> stopped;

    Impl(EventLoop& l, store::Store& s, HttpClient& h, Clock& c, std::string spool_directory,
         std::vector<tent::Self> all)
        : loop(l)
        , store(s)
        , http(h)
        , clock(c)
        , peers(h, c, std::move(spool_directory))
        , background(l)
    {
        for (auto& self : all)
            entities.emplace(self.id, std::move(self));
    }

    size_t answering_now(int64_t owner) const
    {
        auto found = answering.find(owner);
        return found == answering.end() ? 0 : found->second;
    }

    Hands hands() { return {loop, store, peers, clock}; }

    template <typename T>
    Task<Result<T>> write(std::function<Result<T>(store::WriteTx&)> function)
    {
        return write_to<T>(loop, store, std::move(function));
    }

    void pump()
    {
        apps->pump();  // whatever calls us may have stored posts
        if (stopping || !has_proxy)
            return;
        if (pumping || resting) {
            pump_again = true;
            return;
        }
        pumping = true;
        spawn(look(shared_from_this()));
    }

    struct Due {
        std::vector<store::DuePeer> peers;
        std::optional<int64_t> next_at;
        int64_t now = 0;
    };

    static Task<void> look(std::shared_ptr<Impl> self)
    {
        const auto room = static_cast<int64_t>(limits::kPeersAtOnce + self->running.size());
        std::function<Result<Due>(store::WriteTx&)> ask = [room, self](store::WriteTx& tx) -> Result<Due> {
            for (const auto& old : TRY(store::give_up_old(tx, self->patience_ms)))
                if (auto entity = self->entities.find(old.owner); entity != self->entities.end())
                    TRY(tell_of_end(tx, entity->second, old.peer, old.version_row, tent::FailureReason::Unreachable));
            Due due;
            due.now = tx.now_ms();
            due.peers = TRY(store::due_peers(tx, due.now, room));
            due.next_at = TRY(store::next_due_at(tx));
            // Of somebody's move there is more to do: some now, some at the next look.
            for (int64_t owner : TRY(store::unfinished_moves(tx)))
                if (TRY(store::rewrite_posts(tx, owner)))
                    due.next_at = due.now;
            return due;
        };
        auto due = co_await self->write<Due>(ask);
        self->pumping = false;
        int64_t next_look = kIdleLookMs;
        if (due.ok()) {
            for (auto& peer : due->peers) {
                PeerId id{peer.owner, peer.peer};
                if (self->stopping || self->running.size() >= limits::kPeersAtOnce)
                    break;
                if (self->entities.count(peer.owner) == 0 || !self->running.insert(id).second)
                    continue;
                spawn(serve(self, id));
            }
            if (due->next_at)
                next_look = std::clamp<int64_t>(*due->next_at - due->now, 50, kIdleLookMs);
        } else {
            log::warning("the outbox could not be read: " + due.error().detail);
        }
        // Those that run look again when they end; only the others' time matters here.
        if (due.ok() && due->next_at && *due->next_at <= due->now)
            next_look = 1000;
        self->look_timer = self->loop.after(next_look, [raw = self.get()] { raw->pump(); });
        self->resting = true;
        self->rest_timer = self->loop.after(kLooksApartMs, [raw = self.get()] {
            raw->resting = false;
            if (std::exchange(raw->pump_again, false))
                raw->pump();
        });
        self->check_stopped();
    }

    // Works one peer's queue until it is empty or an attempt fails.
    static Task<void> serve(std::shared_ptr<Impl> impl, PeerId id)
    {
        const tent::Self self = impl->entities.at(id.first);
        bool new_handshake_made = false;
        while (!impl->stopping && impl->has_proxy) {
            std::function<Result<Step>(store::WriteTx&)> ask = [&](store::WriteTx& tx) {
                return next_step(tx, self, id.second);
            };
            auto step = co_await impl->write<Step>(ask);
            if (!step.ok() || step->kind == Step::Kind::Nothing)
                break;
            bool go_on = co_await impl->attempt(self, id, std::move(*step), new_handshake_made);
            if (!go_on)
                break;
        }
        impl->running.erase(id);
        if (impl->stopping)
            impl->check_stopped();
        else
            impl->pump();
    }

    // One step; false when the queue has to wait.
    Task<bool> attempt(const tent::Self& self, const PeerId& id, Step step, bool& new_handshake_made)
    {
        Failure problem;
        if (step.relationship.state != "active") {
            // Two weeks of trying would not make a clearnet address one that we may reach.
            if (!tent::peer_host(id.second)) {
                problem = {"not an address that Tor's onions can be reached by", tent::FailureReason::DiscoveryFailed};
                co_return co_await refuse_all(self, id, problem);
            }
            auto shaken = co_await start_handshake(hands(), self, id.second, problem.reason);
            if (shaken.ok()) {
                new_handshake_made = true;
                co_return true;
            }
            problem.problem = shaken.error().detail;
            if (shaken.error().kind == ErrorKind::Forbidden)
                co_return co_await refuse_all(self, id, problem);
            co_return co_await wait_longer(self, id, step, problem);
        }
        if (!step.relationship.knows_us_as.empty())
            co_return co_await announce(self, id, step);
        Outcome outcome = Outcome::Later;
        attempts[id] = Attempt();
        attempts[id].since = clock.monotonic_ms();
        if (step.kind == Step::Kind::Deliver) {
            attempts[id].delivery = step.delivery.id;
            attempts[id].version_row = step.delivery.version_row;
        }
        if (step.kind == Step::Kind::Deliver)
            outcome = co_await deliver(self, id, step, problem);
        else if (step.kind == Step::Kind::Fetch)
            outcome = co_await fetch(self, id, step, problem);
        else
            outcome = co_await pull(self, id, step, problem);
        const bool seen = std::exchange(attempts[id].seen, false);
        attempts.erase(id);
        // She is there, only this attempt was not: at once again, on a new connection.
        if (outcome == Outcome::Later && seen && !stopping && has_proxy)
            co_return true;
        switch (outcome) {
        case Outcome::Done:
            waiting.erase(id);
            unhung.erase(id);
            co_return true;
        case Outcome::Later: co_return co_await wait_longer(self, id, step, problem);
        case Outcome::Refused: co_return co_await refuse_one(self, id, step, problem);
        case Outcome::Unknown: break;
        }
        if (new_handshake_made)
            co_return co_await refuse_all(self, id, problem);
        // They may have lost their data: show ourselves anew (section 7.7).
        new_handshake_made = true;
        auto shaken = co_await start_handshake(hands(), self, id.second, problem.reason);
        if (shaken.ok())
            co_return true;
        problem.problem = shaken.error().detail;
        if (shaken.error().kind == ErrorKind::Forbidden)
            co_return co_await refuse_all(self, id, problem);
        co_return co_await wait_longer(self, id, step, problem);
    }

    static Result<std::vector<tent::ServerUrls>> servers_of(const store::Relationship& relationship)
    {
        auto servers = tent::usable_servers(Json::parse(relationship.servers, nullptr, false));
        if (servers.empty())
            return fail(ErrorKind::Unavailable, "no server of the peer can be reached through tor");
        // Among equals by chance (section 1.4).
        for (size_t i = servers.size(); i > 1; --i) {
            const size_t other = system_random().below(i);
            if (servers[i - 1].preference == servers[other].preference)
                std::swap(servers[i - 1], servers[other]);
        }
        return servers;
    }

    // The next server of the peer when one does not answer, or only that it cannot (section 1.4).
    Task<Result<InResponse>> request_any(const tent::Self& self, const PeerId& id, PeerRequest request,
                                         std::vector<std::string> urls)
    {
        for (size_t i = 0;; ++i) {
            request.url = urls[i];
            auto response = co_await peers.request(self, id.second, request);
            const bool answered = response.ok() && response->status < 500;
            if (answered || i + 1 == urls.size() || stopping || !has_proxy)
                co_return std::move(response);
        }
    }

    // She knows us by an address that we left: before anything else she gets the meta post that says where we are now, in the
    // name of the old one and signed as usual (section 1.6).
    Task<bool> announce(const tent::Self& self, const PeerId& id, const Step& step)
    {
        Failure problem;
        auto servers = servers_of(step.relationship);
        if (!servers.ok()) {
            problem.problem = servers.error().detail;
            problem.reason = tent::FailureReason::DiscoveryFailed;
            co_return co_await wait_longer(self, id, step, problem);
        }
        const std::string known_as = step.relationship.knows_us_as;
        std::function<Result<std::optional<Post>>(store::WriteTx&)> load =
            [&](store::WriteTx& tx) -> Result<std::optional<Post>> {
            const Viewer reader{Viewer::Kind::Peer, {}, id.second, {}, false};
            return store::load_post(tx, self.id, self.entity, kMetaPostId, "", reader);
        };
        auto meta = co_await write<std::optional<Post>>(load);
        if (!meta.ok() || !*meta)
            co_return false;
        const Post told = tent::announcement(**meta, self.entity, known_as);
        PeerRequest put;
        put.method = "PUT";
        std::vector<std::string> urls;
        for (const auto& server : *servers)
            urls.push_back(tent::expand_template(server.post, {{"entity", known_as}, {"post", told.id}}));
        put.content_type = std::string(mime::kPost) + "; type=\"" + told.type + "\"; rel=\"" + rel::kNotification + "\"";
        put.body = write_post(told, Audience::peer(id.second));
        put.key = Key(step.relationship.their_hawk_id, step.relationship.their_hawk_key);
        put.timeout_ms = limits::kPeerRequestMs;
        auto response = co_await request_any(self, id, put, std::move(urls));
        if (!response.ok()) {
            problem.problem = response.error().detail;
            problem.reason = tent::FailureReason::Unreachable;
            co_return co_await wait_longer(self, id, step, problem);
        }
        const Outcome outcome = outcome_of(response->status);
        if (outcome == Outcome::Later) {
            problem.problem = "answered " + std::to_string(response->status);
            co_return co_await wait_longer(self, id, step, problem);
        }
        std::function<Result<bool>(store::WriteTx&)> record = [&](store::WriteTx& tx) -> Result<bool> {
            TRY(store::peer_knows_us(tx, self.id, id.second));
            // A server that knows nothing of moves meets somebody new.
            if (outcome != Outcome::Done)
                TRY(tent::meet_anew(tx, self, id.second));
            return true;
        };
        auto recorded = co_await write<bool>(record);
        co_return recorded.ok();
    }

    Task<Outcome> deliver(const tent::Self& self, const PeerId& id, Step& step, Failure& problem)
    {
        auto servers = servers_of(step.relationship);
        if (!servers.ok()) {
            problem.problem = servers.error().detail;
            problem.reason = tent::FailureReason::DiscoveryFailed;
            co_return Outcome::Later;
        }
        PeerRequest put;
        put.method = "PUT";
        std::vector<std::string> urls;
        for (const auto& server : *servers)
            urls.push_back(tent::expand_template(server.post, {{"entity", self.entity}, {"post", step.post.id}}));
        put.content_type =
            std::string(mime::kPost) + "; type=\"" + step.post.type + "\"; rel=\"" + rel::kNotification + "\"";
        put.body = write_post(step.post, Audience::peer(id.second));
        put.key = Key(step.relationship.their_hawk_id, step.relationship.their_hawk_key);
        put.timeout_ms = limits::kPeerRequestMs;
        auto response = co_await request_any(self, id, put, std::move(urls));
        if (!response.ok() || response->status > 500)
            problem.reason = tent::FailureReason::Unreachable;
        if (!response.ok()) {
            problem.problem = response.error().detail;
            co_return Outcome::Later;
        }
        Outcome outcome = outcome_of(response->status);
        problem.problem = "answered " + std::to_string(response->status);
        if (response->status == 410 && tent::carries_invite(step.post))
            problem.problem = tent::kInviteRefused;
        if (outcome != Outcome::Done)
            co_return outcome;
        std::function<Result<bool>(store::WriteTx&)> record = [&](store::WriteTx& tx) -> Result<bool> {
            TRY(store::end_delivery(tx, step.delivery.id, "delivered", ""));
            TRY(store::set_peer_wait(tx, self.id, id.second, 0, 0, ""));
            TRY(tent::delivered(tx, self, id.second, step.post));
            return true;
        };
        auto recorded = co_await write<bool>(record);
        if (!recorded.ok()) {
            // It will be sent again, and the receiver knows it already.
            problem.problem = recorded.error().detail;
            co_return Outcome::Later;
        }
        co_return Outcome::Done;
    }

    Task<Outcome> fetch(const tent::Self& self, const PeerId& id, Step& step, Failure& problem)
    {
        auto servers = servers_of(step.relationship);
        if (!servers.ok()) {
            problem.problem = servers.error().detail;
            co_return Outcome::Later;
        }
        PeerRequest get;
        std::vector<std::string> urls;
        for (const auto& server : *servers)
            urls.push_back(tent::expand_template(server.attachment,
                                                 {{"entity", id.second}, {"digest", step.fetch.digest}}));
        get.key = Key(step.relationship.their_hawk_id, step.relationship.their_hawk_key);
        // A slow circuit gives some 50 KB/s: time for the whole of a large file.
        get.timeout_ms = limits::kPeerRequestMs + step.fetch.size / 20;
        get.limit_bytes = static_cast<uint64_t>(step.fetch.size) + 1;
        get.to_spool = true;
        auto response = co_await request_any(self, id, get, std::move(urls));
        if (!response.ok() || response->status != 200 || !response->spool) {
            problem.problem = response.ok() ? "answered " + std::to_string(response->status) : response.error().detail;
            co_return response.ok() && outcome_of(response->status) == Outcome::Unknown ? Outcome::Unknown
                                                                                        : Outcome::Later;
        }
        std::shared_ptr<Spool> spool = std::move(response->spool);
        std::function<Result<bool>()> keep = [this, spool, owner = self.id, &step]() -> Result<bool> {
            // The digest first: what does not fit must not enter the store.
            Sha512Half digest;
            Spool::Reader check(*spool);
            for (std::string piece; !(piece = TRY(check.next())).empty();)
                digest.update(piece);
            if (kDigestPrefix + to_hex(digest.finish()) != step.fetch.digest)
                return fail(ErrorKind::Unavailable, "the attachment does not have the digest of the post");
            store::BlobWriter writer(store, owner);
            Spool::Reader reader(*spool);
            for (std::string piece; !(piece = TRY(reader.next())).empty();)
                TRY(writer.append(piece));
            TRY(writer.finish());
            return true;
        };
        auto kept = co_await background.run<Result<bool>>(keep);
        if (!kept.ok()) {
            problem.problem = kept.error().detail;
            co_return Outcome::Later;
        }
        std::function<Result<bool>(store::WriteTx&)> record = [&](store::WriteTx& tx) -> Result<bool> {
            TRY(store::end_fetch(tx, step.fetch.id));
            TRY(store::set_peer_wait(tx, self.id, id.second, 0, 0, ""));
            return true;
        };
        (void)co_await write<bool>(record);
        co_return Outcome::Done;
    }

    // A page of what she has posted since we last looked.
    Task<Outcome> pull(const tent::Self& self, const PeerId& id, Step& step, Failure& problem)
    {
        auto servers = servers_of(step.relationship);
        if (!servers.ok()) {
            problem.problem = servers.error().detail;
            co_return Outcome::Later;
        }
        PeerRequest get;
        std::vector<std::string> urls;
        for (const auto& server : *servers)
            if (tent::is_onion_url(server.posts_feed))
                urls.push_back(server.posts_feed + (server.posts_feed.find('?') == std::string::npos ? "?" : "&") +
                               tent::catch_up_query(step.catch_up));
        if (urls.empty()) {
            problem.problem = "her servers have no feed";
            co_return Outcome::Later;
        }
        get.accept = mime::kFeed;
        get.key = Key(step.relationship.their_hawk_id, step.relationship.their_hawk_key);
        get.timeout_ms = limits::kPeerRequestMs;
        get.limit_bytes = limits::kCatchUpBytes;
        auto response = co_await request_any(self, id, get, std::move(urls));
        if (!response.ok()) {
            problem.problem = response.error().detail;
            problem.too_large = response.error().kind == ErrorKind::TooLarge;
            co_return Outcome::Later;
        }
        if (response->status != 200) {
            problem.problem = "her feed answered " + std::to_string(response->status);
            co_return outcome_of(response->status) == Outcome::Unknown ? Outcome::Unknown : Outcome::Later;
        }
        auto page = tent::read_missed(response->body, step.catch_up, clock.now_ms());
        if (!page.ok()) {
            problem.problem = page.error().detail;
            co_return Outcome::Later;
        }
        // One function a post, so that a bad one is undone by itself; all of them and the cursor are one commit.
        struct Taken {
            int64_t got = 0;
            std::optional<Error> failed;
        };
        auto taken = std::make_shared<Taken>();  // the writer's, until the last function has run
        for (auto& post : page->posts) {
            auto one = std::make_shared<Json>(std::move(post));
            store.write_async(
                [self, peer = id.second, one, taken](store::WriteTx& tx) -> Result<void> {
                    auto kept = tent::take_missed(tx, self, peer, *one);
                    if (kept.ok())
                        taken->got += *kept ? 1 : 0;
                    else if (kept.error().kind != ErrorKind::Invalid)
                        taken->failed = kept.error();
                    if (!kept.ok())
                        return std::move(kept).error();
                    return {};
                },
                [](Result<void>) {});
        }
        const int64_t rest = limits::kCatchUpEveryMs * 3 / 4 +
                             static_cast<int64_t>(system_random().below(limits::kCatchUpEveryMs / 2));
        std::function<Result<int64_t>(store::WriteTx&)> record = [&](store::WriteTx& tx) -> Result<int64_t> {
            if (taken->failed)
                return *taken->failed;
            TRY(tent::missed_page_done(tx, std::move(*page), taken->got, rest));
            TRY(store::set_peer_wait(tx, self.id, id.second, 0, 0, ""));
            return taken->got;
        };
        auto recorded = co_await write<int64_t>(record);
        if (!recorded.ok()) {
            problem.problem = recorded.error().detail;
            co_return Outcome::Later;
        }
        if (*recorded > 0)
            apps->pump();
        co_return Outcome::Done;
    }

    // What tor said during this attempt; older words are about another.
    std::string with_tors_words(const std::string& peer, const Failure& failure) const
    {
        auto host = tent::peer_host(peer);
        if (failure.reason != tent::FailureReason::Unreachable || !host)
            return failure.problem;
        auto said = looked_up.find(host->substr(0, host->find('.')));
        if (said == looked_up.end() || clock.monotonic_ms() - said->second.at > limits::kPeerRequestMs)
            return failure.problem;
        return failure.problem + " (" + said->second.words + ")";
    }

    Task<bool> wait_longer(const tent::Self& self, const PeerId& id, const Step& step, const Failure& failure)
    {
        // Our own end is closing or has no tor: not the peer's failure.
        if (stopping || !has_proxy)
            co_return false;
        waiting.insert(id);
        const std::string problem = with_tors_words(id.second, failure);
        // A fetch waits by itself, so that one attachment that is gone does not hold up the posts.
        const bool fetching = step.kind == Step::Kind::Fetch;
        const bool pulling = step.kind == Step::Kind::CatchUp;
        const int64_t failures = (fetching ? step.fetch.tries : pulling ? step.catch_up.tries : step.relationship.tries) + 1;
        const int64_t wait = backoff_ms(failures, system_random());
        std::function<Result<bool>(store::WriteTx&)> record = [&](store::WriteTx& tx) -> Result<bool> {
            if (fetching) {
                TRY(store::postpone_fetch(tx, step.fetch.id, tx.now_ms() + wait));
                return true;
            }
            if (pulling) {
                TRY(tent::missed_page_failed(tx, step.catch_up, problem, failure.too_large, wait));
                return true;
            }
            TRY(store::count_delivery_try(tx, step.delivery.id, problem));
            TRY(store::set_peer_wait(tx, self.id, id.second, failures, tx.now_ms() + wait, problem));
            TRY(tell_of_waiting(tx, self, id.second, failure.reason));
            return true;
        };
        auto recorded = co_await write<bool>(record);
        log::debug("delivery to " + log::name(id.second) + " waits: " + problem);
        co_return recorded.ok() && (fetching || pulling);
    }

    Task<bool> refuse_one(const tent::Self& self, const PeerId& id, const Step& step, const Failure& failure)
    {
        const std::string& problem = failure.problem;
        log::warning("a post was refused by " + log::name(id.second) + ": " + problem);
        std::function<Result<bool>(store::WriteTx&)> record = [&](store::WriteTx& tx) -> Result<bool> {
            if (step.kind == Step::Kind::Fetch)
                TRY(store::end_fetch(tx, step.fetch.id));
            else if (step.kind == Step::Kind::CatchUp)
                TRY(tent::missed_page_failed(tx, step.catch_up, problem, false, limits::kCatchUpEveryMs));
            else {
                TRY(store::end_delivery(tx, step.delivery.id, "refused", problem));
                TRY(tent::refused(tx, self, id.second, step.post));
                TRY(tell_of_end(tx, self, id.second, step.delivery.version_row, failure.reason));
            }
            return true;
        };
        auto recorded = co_await write<bool>(record);
        co_return recorded.ok();
    }

    // She does not accept us at all: nothing that waits will be taken.
    Task<bool> refuse_all(const tent::Self& self, const PeerId& id, const Failure& failure)
    {
        const std::string& problem = failure.problem;
        log::warning("all that waited for " + log::name(id.second) + " was refused: " + problem);
        std::function<Result<bool>(store::WriteTx&)> record = [&](store::WriteTx& tx) -> Result<bool> {
            while (auto delivery = TRY(store::next_delivery(tx, self.id, id.second))) {
                TRY(store::end_delivery(tx, delivery->id, "refused", problem));
                TRY(tell_of_end(tx, self, id.second, delivery->version_row, failure.reason));
            }
            while (auto fetch = TRY(store::next_fetch(tx, self.id, id.second)))
                TRY(store::end_fetch(tx, fetch->id));
            if (auto missed = TRY(store::next_catch_up(tx, self.id, id.second)))
                TRY(tent::missed_page_failed(tx, std::move(*missed), problem, false, limits::kCatchUpEveryMs));
            TRY(store::set_peer_wait(tx, self.id, id.second, 0, 0, problem));
            return true;
        };
        (void)co_await write<bool>(record);
        co_return false;
    }

    static Task<void> answer(std::shared_ptr<Impl> impl, PeerId id, InitialRequest request,
                             std::function<void(net::HttpResponse)> respond)
    {
        net::HttpResponse response = co_await answer_handshake(impl->hands(), std::move(request), impl->strangers[id.first]);
        if (--impl->answering[id.first] == 0)
            impl->answering.erase(id.first);
        impl->answering_peers.erase(id);
        respond(std::move(response));
        impl->pump();
        impl->check_stopped();
    }

    // She is there. An attempt that hangs since before she came back would hang until its time is up.
    void unhang(const PeerId& id)
    {
        auto attempt = attempts.find(id);
        if (attempt == attempts.end() || attempt->second.seen)
            return;
        const int64_t age = clock.monotonic_ms() - attempt->second.since;
        const auto before = unhung.find(id);
        const int64_t patience = kHangingMs << (before == unhung.end() ? 0 : std::min(before->second, 4));
        if (age >= patience) {
            attempt->second.seen = true;
            ++unhung[id];
            peers.interrupt(entities.at(id.first), id.second);
        } else if (!attempt->second.recheck) {
            attempt->second.recheck = loop.after(patience - age, [this, id] {
                if (auto same = attempts.find(id); same != attempts.end()) {
                    same->second.recheck = EventLoop::Timer();
                    unhang(id);
                }
            });
        }
    }

    static Task<void> stop_withdrawn(std::shared_ptr<Impl> impl)
    {
        struct UnderWay {
            PeerId id;
            int64_t delivery = 0;
            int64_t version_row = 0;
        };
        std::vector<UnderWay> all;
        for (const auto& [id, attempt] : impl->attempts)
            if (attempt.delivery != 0)
                all.push_back({id, attempt.delivery, attempt.version_row});
        if (all.empty())
            co_return;
        std::function<Result<std::vector<UnderWay>>(store::WriteTx&)> ask =
            [impl, all](store::WriteTx& tx) -> Result<std::vector<UnderWay>> {
            std::vector<UnderWay> out;
            for (const auto& one : all) {
                auto self = impl->entities.find(one.id.first);
                auto post = TRY(store::load_version(tx, one.version_row));
                if (self == impl->entities.end() || !post || !TRY(store::is_waiting(tx, one.delivery)) ||
                    !TRY(tent::is_recipient(tx, self->second, *post, one.id.second)))
                    out.push_back(one);
            }
            return out;
        };
        auto withdrawn = co_await impl->write<std::vector<UnderWay>>(ask);
        if (!withdrawn.ok())
            co_return;
        for (const auto& one : *withdrawn) {
            auto attempt = impl->attempts.find(one.id);
            if (attempt == impl->attempts.end() || attempt->second.delivery != one.delivery)
                continue;
            attempt->second.seen = true;  // what else waits for her goes on at once
            impl->peers.interrupt(impl->entities.at(one.id.first), one.id.second);
        }
    }

    static Task<void> wake_one(std::shared_ptr<Impl> impl, PeerId id)
    {
        std::function<Result<bool>(store::WriteTx&)> wake = [&](store::WriteTx& tx) -> Result<bool> {
            TRY(store::hurry_catch_ups(tx, id.first, id.second, tx.now_ms() - limits::kCatchUpAbsenceMs,
                                       tx.now_ms() + limits::kCatchUpAfterHelloMs));
            return store::wake_peer(tx, id.first, id.second);
        };
        (void)co_await impl->write<bool>(wake);
        impl->pump();
    }

    static Task<void> wake_everybody(std::shared_ptr<Impl> impl)
    {
        std::function<Result<bool>(store::WriteTx&)> wake = [](store::WriteTx& tx) -> Result<bool> {
            TRY(store::wake_all(tx));
            TRY(store::hurry_catch_ups(tx, 0, "", tx.now_ms() - limits::kCatchUpAbsenceMs,
                                       tx.now_ms() + limits::kCatchUpAfterHelloMs));
            return true;
        };
        (void)co_await impl->write<bool>(wake);
        impl->pump();
    }

    // "I am here again": a signed request for the meta post of everybody whose posts we wait for or who waits
    // for ours. What they hold back for us comes at once instead of after their next long wait.
    static Task<void> say_hello(std::shared_ptr<Impl> impl, int64_t owner)
    {
        const tent::Self self = impl->entities.at(owner);
        std::function<Result<std::vector<store::Relationship>>(store::WriteTx&)> ask =
            [&](store::WriteTx& tx) -> Result<std::vector<store::Relationship>> {
            TRY(store::hurry_catch_ups(tx, self.id, "", tx.now_ms() - limits::kCatchUpAbsenceMs,
                                       tx.now_ms() + limits::kCatchUpAfterHelloMs));
            return store::list_relationships(tx, self.id);
        };
        auto all = co_await impl->write<std::vector<store::Relationship>>(ask);
        auto queue = std::make_shared<std::vector<store::Relationship>>();
        if (all.ok())
            for (auto& r : *all)
                if (r.state == "active" && (!r.following.empty() || r.follower == "approved"))
                    queue->push_back(std::move(r));
        for (size_t i = 0; i < kHellosAtOnce && i < queue->size(); ++i) {
            ++impl->helloing;
            spawn(greet(impl, self, queue));
        }
    }

    static Task<void> greet(std::shared_ptr<Impl> impl, tent::Self self,
                            std::shared_ptr<std::vector<store::Relationship>> queue)
    {
        while (!queue->empty() && !impl->stopping && impl->has_proxy) {
            store::Relationship peer = std::move(queue->back());
            queue->pop_back();
            auto servers = servers_of(peer);
            if (!servers.ok())
                continue;
            PeerRequest head;
            head.method = "HEAD";
            head.url = tent::expand_template((*servers)[0].post, {{"entity", peer.peer}, {"post", kMetaPostId}});
            head.key = Key(peer.their_hawk_id, peer.their_hawk_key);
            head.timeout_ms = limits::kPeerRequestMs;
            auto response = co_await impl->peers.request(self, peer.peer, head);
            (void)response.ok();  // who is not there finds us when she comes
        }
        --impl->helloing;
        impl->check_stopped();
    }

    void check_stopped()
    {
        if (!stopping || !stopped || pumping || apps->busy() || proxy->busy() || !running.empty() || !answering.empty() || helloing > 0)
            return;
        abort_timer.cancel();
        look_timer.cancel();
        rest_timer.cancel();
        std::exchange(stopped, nullptr)();
    }
};

Relay::Relay(EventLoop& loop, store::Store& store, HttpClient& http, Clock& clock, std::string spool_directory,
             std::vector<tent::Self> entities)
    : impl_(std::make_shared<Impl>(loop, store, http, clock, spool_directory, entities))
{
    auto idle = [weak = std::weak_ptr(impl_)] {
        if (auto impl = weak.lock())
            impl->check_stopped();
    };
    impl_->proxy = std::make_shared<Proxy>(loop, store, http, clock, std::move(spool_directory), idle);
    impl_->apps = std::make_shared<AppNotifier>(loop, store, http, clock, std::move(entities), std::move(idle));
    wake();  // apps on this machine need no tor
}

Relay::~Relay() = default;

void Relay::set_proxy(const std::string& socks_address)
{
    impl_->has_proxy = !socks_address.empty();
    if (auto set = impl_->http.set_proxy(socks_address); !set.ok()) {
        log::error("tor's SOCKS address cannot be used: " + set.error().detail);
        impl_->has_proxy = false;
    }
    avoid_address(socks_address);
    impl_->apps->set_tor(impl_->has_proxy);
    impl_->pump();
}

#ifdef BIVOUAC_CONFORMANCE
void Relay::go_without_tor()
{
    impl_->has_proxy = true;
    impl_->pump();
}
#endif

void Relay::onion_looked_up(const std::string& address, const std::string& words)
{
    constexpr size_t kRemembered = 4096;
    if (impl_->looked_up.size() >= kRemembered)
        impl_->looked_up.clear();
    impl_->looked_up[address] = {words, impl_->clock.monotonic_ms()};
}

void Relay::tor_is_back()
{
    spawn(Impl::wake_everybody(impl_));
}

void Relay::onion_is_published(int64_t owner)
{
    const int64_t now = impl_->clock.monotonic_ms();
    int64_t& last = impl_->last_hello[owner];
    if (impl_->stopping || (last != 0 && now - last < kHelloPauseMs))
        return;
    last = now;
    spawn(Impl::say_hello(impl_, owner));
}

void Relay::wake()
{
    impl_->loop.post([weak = std::weak_ptr(impl_)] {
        if (auto impl = weak.lock())
            impl->pump();
    });
}

void Relay::avoid_address(const std::string& address)
{
    if (address.starts_with("127.0.0.1:"))
        impl_->apps->avoid_port(address.substr(address.rfind(':') + 1));
}

void Relay::peer_seen(int64_t owner, std::string peer)
{
    impl_->loop.post([weak = std::weak_ptr(impl_), id = PeerId{owner, std::move(peer)}] {
        auto impl = weak.lock();
        if (!impl)
            return;
        if (impl->attempts.count(id) > 0) {
            impl->unhang(id);
            return;
        }
        if (impl->waiting.erase(id) > 0)
            spawn(Impl::wake_one(impl, id));
    });
}

void Relay::answer_initial(InitialRequest request, std::function<void(net::HttpResponse)> respond)
{
    PeerId id{request.self.id, request.url_entity};
    bool busy = impl_->stopping || !impl_->has_proxy || impl_->answering_now(id.first) >= limits::kInboundHandshakes + limits::kInboundHandshakesOfKnown;
    if (busy || !impl_->answering_peers.insert(id).second) {
        net::HttpResponse response;
        response.status = busy ? 503 : 429;
        response.body = Json({{"error", "Try again later"}}).dump();
        response.with("Content-Type", mime::kError);
        respond(std::move(response));
        return;
    }
    ++impl_->answering[id.first];
    spawn(Impl::answer(impl_, id, std::move(request), std::move(respond)));
}

void Relay::something_withdrawn()
{
    impl_->loop.post([weak = std::weak_ptr(impl_)] {
        if (auto impl = weak.lock())
            spawn(Impl::stop_withdrawn(impl));
    });
}

void Relay::set_patience(int64_t ms)
{
    impl_->patience_ms = ms;
}

void Relay::ask_remote(tent::RemoteRequest request, std::function<void(tent::RemoteAnswer)> done)
{
    impl_->proxy->ask(std::move(request), std::move(done));
}

void Relay::stop(int64_t grace_ms, std::function<void()> done)
{
    impl_->stopping = true;
    impl_->stopped = std::move(done);
    impl_->look_timer.cancel();
    impl_->apps->stop();
    impl_->proxy->stop();
    impl_->abort_timer = impl_->loop.after(grace_ms, [raw = impl_.get()] { raw->http.stop(); });
    impl_->loop.post([weak = std::weak_ptr(impl_)] {
        if (auto impl = weak.lock())
            impl->check_stopped();
    });
}

}  // namespace bivouac::relay
