// SPDX-License-Identifier: BSD-3-Clause
#include "proxy.h"

#include <bivouac/base/log.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>
#include <limits>

#include "handshake.h"

namespace bivouac::relay {

namespace {

using tent::RemoteAnswer;
using tent::RemoteRequest;
using Outcome = RemoteAnswer::Outcome;

constexpr int64_t kServersKnownMs = 600'000;
constexpr size_t kServersKnown = 1000;
constexpr size_t kServersAsked = 3;

bool is_file(const RemoteRequest& request)
{
    return request.what == RemoteRequest::What::Attachment;
}

RemoteAnswer failed(const Error& error, std::string url)
{
    RemoteAnswer out;
    out.url = std::move(url);
    out.outcome = is_too_late(error)                        ? Outcome::TimedOut
                  : error.kind == ErrorKind::Unavailable    ? Outcome::Unreachable
                  : error.kind == ErrorKind::TooLarge       ? Outcome::Unreachable
                                                            : Outcome::NotDiscovered;
    return out;
}

std::string value_of(const InResponse& response, std::string_view name)
{
    return std::string(response.header(name).value_or(""));
}

RemoteAnswer answered(InResponse response, std::string url)
{
    RemoteAnswer out;
    out.outcome = Outcome::Answered;
    out.url = std::move(url);
    out.status = response.status;
    out.content_type = value_of(response, "Content-Type");
    out.etag = value_of(response, "ETag");
    out.location = value_of(response, "Location");
    out.attachment_digest = value_of(response, "Attachment-Digest");
    out.count = value_of(response, "Count");
    out.body = std::move(response.body);
    out.spool = std::move(response.spool);
    return out;
}

}  // namespace

std::string url_of(const RemoteRequest& request, const tent::ServerUrls& server)
{
    const std::string* address = nullptr;
    switch (request.what) {
    case RemoteRequest::What::Post: address = &server.post; break;
    case RemoteRequest::What::PostAttachment: address = &server.post_attachment; break;
    case RemoteRequest::What::Attachment: address = &server.attachment; break;
    case RemoteRequest::What::Feed: address = &server.posts_feed; break;
    case RemoteRequest::What::Meta: break;
    }
    if (!address)
        return {};
    std::string url = tent::expand_template(*address, {{"entity", request.entity},
                                                       {"post", request.post},
                                                       {"name", request.name},
                                                       {"digest", request.digest}});
    if (!request.query.empty())
        url += (url.find('?') == std::string::npos ? "?" : "&") + request.query;
    return tent::is_onion_url(url) ? url : std::string();
}

Proxy::Proxy(EventLoop& loop, store::Store& store, HttpClient& http, Clock& clock, std::string spool_directory,
             std::function<void()> idle)
    : loop_(loop)
    , store_(store)
    , clock_(clock)
    , peers_(http, clock, std::move(spool_directory))
    , background_(loop)
    , idle_(std::move(idle))
{
}

void Proxy::ask(RemoteRequest request, std::function<void(RemoteAnswer)> done)
{
    auto job = std::make_shared<Job>(Job{std::move(request), std::move(done), 0});
    loop_.post([self = shared_from_this(), job] { self->take(std::move(*job)); });
}

void Proxy::take(Job job)
{
    if (stopping_ || waiting_.size() >= limits::kProxiedWaiting)
        return come_to_nothing(std::move(job), Outcome::Busy);
    job.until = clock_.monotonic_ms() + job.request.timeout_ms;
    waiting_.push_back(std::move(job));
    start_waiting();
    end_late();
}

void Proxy::come_to_nothing(Job job, Outcome why)
{
    RemoteAnswer nothing;
    nothing.outcome = why;
    nothing.url = job.request.entity;
    ++running_;
    spawn(answer(shared_from_this(), std::move(job), std::move(nothing)));
}

// Whoever has waited too long for a turn is told so, and is not asked for.
void Proxy::end_late()
{
    const int64_t now = clock_.monotonic_ms();
    int64_t next = std::numeric_limits<int64_t>::max();
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        if (it->until <= now) {
            Job job = std::move(*it);
            it = waiting_.erase(it);
            come_to_nothing(std::move(job), Outcome::TimedOut);
        } else {
            next = std::min(next, it->until);
            ++it;
        }
    }
    if (waiting_.empty())
        late_timer_.cancel();
    else
        late_timer_ = loop_.after(next - now, [this] { end_late(); });
}

// In turn, but nobody waits for a peer that is slow and not hers.
void Proxy::start_waiting()
{
    for (auto it = waiting_.begin(); it != waiting_.end() && running_ < limits::kProxiedAtOnce;) {
        const PeerId id{it->request.self.id, it->request.entity};
        if (running_from_[id] >= limits::kProxiedAtOnceFromOne) {
            ++it;
            continue;
        }
        ++running_from_[id];
        ++running_;
        Job job = std::move(*it);
        waiting_.erase(it);
        spawn(run(shared_from_this(), std::move(job)));
        it = waiting_.begin();
    }
}

Task<void> Proxy::run(std::shared_ptr<Proxy> self, Job job)
{
    const PeerId id{job.request.self.id, job.request.entity};
    RemoteAnswer given;
    if (self->stopping_)
        given.outcome = Outcome::Busy;
    else
        given = co_await self->look(job.request, job.until);
    if (auto from = self->running_from_.find(id); from != self->running_from_.end() && --from->second == 0)
        self->running_from_.erase(from);
    co_await answer(self, std::move(job), std::move(given));
}

Task<void> Proxy::answer(std::shared_ptr<Proxy> self, Job job, RemoteAnswer answer)
{
    auto kept = std::make_shared<RemoteAnswer>(std::move(answer));
    std::function<bool()> tell = [kept, done = std::move(job.done)] {
        done(std::move(*kept));
        return true;
    };
    (void)co_await self->background_.run<bool>(tell);
    --self->running_;
    self->start_waiting();
    if (self->stopping_ && !self->busy())
        self->idle_();
}

Task<RemoteAnswer> Proxy::look(const RemoteRequest& request, int64_t until)
{
    // Not a place that Tor leads to, or ourselves.
    if (!tent::peer_host(request.entity) || request.entity == request.self.entity) {
        RemoteAnswer nowhere;
        nowhere.outcome = Outcome::NotDiscovered;
        nowhere.url = request.entity;
        co_return nowhere;
    }
    if (request.what == RemoteRequest::What::Meta)
        co_return co_await discover(request, until);
    auto way = co_await find_way(request, until);
    if (!way.ok())
        co_return failed(way.error(), request.entity);
    std::string url = request.entity;
    auto response = co_await request_any(request, *way, until, url);
    // A key that is no longer known there opens less than none.
    if (response.ok() && !way->key.empty() && (response->status == 401 || response->status == 403)) {
        way->key = Key();
        response = co_await request_any(request, *way, until, url);
    }
    if (!response.ok()) {
        found_.erase({request.self.id, request.entity});
        co_return failed(response.error(), url);
    }
    co_return answered(std::move(*response), url);
}

Task<RemoteAnswer> Proxy::discover(const RemoteRequest& request, int64_t until)
{
    const int64_t left = std::max<int64_t>(until - clock_.monotonic_ms(), 1);
    auto discovered = co_await peers_.discover(request.self, request.entity, left, left);
    if (!discovered.ok())
        co_return failed(discovered.error(), request.entity);
    remember({request.self.id, request.entity}, std::move(discovered->usable));
    RemoteAnswer out;
    out.outcome = Outcome::Answered;
    out.url = request.entity;
    out.status = 200;
    out.meta = std::move(discovered->meta);
    co_return out;
}

Task<Result<Proxy::Way>> Proxy::find_way(const RemoteRequest& request, int64_t until)
{
    std::function<Result<store::Relationship>(store::WriteTx&)> ask =
        [&](store::WriteTx& tx) -> Result<store::Relationship> {
        auto known = TRY(store::find_relationship(tx, request.self.id, request.entity));
        return known ? std::move(*known) : store::Relationship();
    };
    auto relationship = co_await write_to<store::Relationship>(loop_, store_, ask);
    if (!relationship.ok())
        co_return std::move(relationship).error();
    Way way;
    if (relationship->state == "active") {
        way.servers = tent::usable_servers(Json::parse(relationship->servers, nullptr, false));
        if (request.sign)
            way.key = Key(relationship->their_hawk_id, relationship->their_hawk_key);
    }
    const PeerId id{request.self.id, request.entity};
    if (auto found = found_.find(id); way.servers.empty() && found != found_.end()) {
        if (found->second.until > clock_.monotonic_ms())
            way.servers = found->second.urls;
        else
            found_.erase(found);
    }
    if (way.servers.empty()) {
        const int64_t left = std::max<int64_t>(until - clock_.monotonic_ms(), 1);
        CO_TRY(discovered, co_await peers_.discover(request.self, request.entity, left, left));
        way.servers = discovered.usable;
        remember(id, std::move(discovered.usable));
    }
    co_return std::move(way);
}

// The next server when one does not answer, or only that it cannot (section 1.4).
Task<Result<InResponse>> Proxy::request_any(const RemoteRequest& request, const Way& way, int64_t until,
                                            std::string& url)
{
    Result<InResponse> last = fail(ErrorKind::Invalid, "the entity's servers have no such address");
    for (size_t i = 0; i < way.servers.size() && i < kServersAsked; ++i) {
        PeerRequest get;
        get.url = url_of(request, way.servers[i]);
        if (get.url.empty())
            continue;
        url = get.url;
        get.method = request.method;
        get.accept = request.accept;
        get.key = way.key;
        get.limit_bytes = request.limit_bytes;
        get.to_spool = is_file(request);
        get.timeout_ms = until - clock_.monotonic_ms();
        if (get.timeout_ms <= 0 || stopping_)
            co_return too_late();
        last = co_await peers_.request(request.self, request.entity, get);
        if (last.ok() && last->status < 500)
            break;
    }
    co_return std::move(last);
}

void Proxy::remember(const PeerId& id, std::vector<tent::ServerUrls> urls)
{
    if (found_.size() >= kServersKnown)
        found_.clear();
    Servers servers;
    servers.urls = std::move(urls);
    servers.until = clock_.monotonic_ms() + kServersKnownMs;
    found_[id] = std::move(servers);
}

void Proxy::stop()
{
    stopping_ = true;
    late_timer_.cancel();
    start_waiting();  // each is told that it comes to nothing
}

}  // namespace bivouac::relay
