// SPDX-License-Identifier: BSD-3-Clause
#include "app_notifier.h"

#include <bivouac/base/log.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/credentials.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/notifications.h>

#include <algorithm>

#include "backoff.h"
#include "handshake.h"

namespace bivouac::relay {

namespace {

constexpr size_t kAppsAtOnce = 16;
constexpr int64_t kIdleLookMs = 60'000;
constexpr int64_t kTimeoutMs = 60'000;
constexpr uint64_t kAnswerBytes = 1u << 20;  // nobody reads it

// Section 7.7: what need not be tried again.
bool is_final(int status)
{
    return status >= 400 && status < 500 && status != 401 && status != 403 && status != 404 && status != 408 &&
           status != 429;
}

}  // namespace

struct AppNotifier::Job {
    int64_t notification = 0;  // 0: nothing waits
    std::string url;
    Key key;
    std::string type;
    std::string body;
};

AppNotifier::AppNotifier(EventLoop& loop, store::Store& store, HttpClient& http, Clock& clock,
                         std::vector<tent::Self> entities, std::function<void()> idle)
    : loop_(loop)
    , store_(store)
    , client_(http, clock, {})
    , idle_(std::move(idle))
{
    for (auto& self : entities)
        entities_.emplace(self.id, std::move(self));
}

void AppNotifier::set_tor(bool ready)
{
    has_tor_ = ready;
    if (ready)
        stuck_.clear();
    pump();
}

void AppNotifier::stop()
{
    stopping_ = true;
    timer_.cancel();
    rest_timer_.cancel();
}

void AppNotifier::pump()
{
    if (stopping_)
        return;
    if (pumping_ || resting_) {
        pump_again_ = true;
        return;
    }
    pumping_ = true;
    spawn(look(shared_from_this()));
}

Task<void> AppNotifier::look(std::shared_ptr<AppNotifier> self)
{
    struct Due {
        std::vector<store::DueApp> apps;
        std::optional<int64_t> next_at;
        int64_t now = 0;
    };
    const auto room = static_cast<int64_t>(kAppsAtOnce + self->running_.size() + self->stuck_.size());
    std::function<Result<Due>(store::WriteTx&)> ask = [room](store::WriteTx& tx) -> Result<Due> {
        Due due;
        due.now = tx.now_ms();
        due.apps = TRY(store::due_apps(tx, due.now, room));
        due.next_at = TRY(store::next_app_due_at(tx, due.now));
        return due;
    };
    auto due = co_await write_to<Due>(self->loop_, self->store_, ask);
    self->pumping_ = false;
    int64_t next_look = kIdleLookMs;
    if (due.ok()) {
        for (auto& app : due->apps) {
            AppId id{app.owner, app.app_post};
            if (self->stopping_ || self->running_.size() >= kAppsAtOnce)
                break;
            if (self->entities_.count(app.owner) > 0 && self->stuck_.count(id) == 0 && self->running_.insert(id).second)
                spawn(serve(self, id));
        }
        if (due->next_at)
            next_look = std::clamp<int64_t>(*due->next_at - due->now, 50, kIdleLookMs);
    } else {
        log::warning("what apps are to be told could not be read: " + due.error().detail);
    }
    if (self->stopping_) {
        self->idle_();
        co_return;
    }
    self->timer_ = self->loop_.after(next_look, [raw = self.get()] {
        raw->stuck_.clear();
        raw->pump();
    });
    self->resting_ = true;
    self->rest_timer_ = self->loop_.after(kLooksApartMs, [raw = self.get()] {
        raw->resting_ = false;
        if (std::exchange(raw->pump_again_, false))
            raw->pump();
    });
}

// The grant and the wishes of the app are looked at anew for each.
Result<AppNotifier::Job> AppNotifier::next_job(store::WriteTx& tx, const tent::Self& self, const std::string& app)
{
    Job job;
    auto hook = TRY(store::find_app_hook(tx, self.id, app));
    auto credentials = TRY(store::find_credentials_of(tx, self.id, app));
    if (!hook || !credentials || credentials->kind != "app") {
        TRY(store::drop_notifications(tx, self.id, app));
        return job;
    }
    while (auto next = TRY(store::next_notification(tx, self.id, app))) {
        const bool too_old = next->created_at < tx.now_ms() - limits::kDeliveryPatienceMs;
        auto text = TRY(store::load_version_text(tx, next->version_row, Audience::owner()));
        if (too_old || !text || !tent::is_told(*hook, self, text->author, text->type)) {
            TRY(store::end_notification(tx, next->id));
            continue;
        }
        job.notification = next->id;
        job.url = hook->url;
        job.key = Key(credentials->hawk_id, credentials->hawk_key);
        job.type = text->type;
        job.body = std::move(text->json);
        break;
    }
    return job;
}

Task<void> AppNotifier::serve(std::shared_ptr<AppNotifier> self, AppId id)
{
    const tent::Self owner = self->entities_.at(id.first);
    bool stuck = false;
    while (!self->stopping_) {
        std::function<Result<Job>(store::WriteTx&)> ask = [&](store::WriteTx& tx) {
            return next_job(tx, owner, id.second);
        };
        auto job = co_await write_to<Job>(self->loop_, self->store_, ask);
        if (!job.ok()) {
            log::warning("what an app is to be told could not be read: " + job.error().detail);
            stuck = true;
            break;
        }
        if (job->notification == 0)
            break;
        Next next = co_await self->send(id, std::move(*job));
        stuck = next == Next::Stuck;
        if (next != Next::GoOn)
            break;
    }
    if (stuck)
        self->stuck_.insert(id);
    self->running_.erase(id);
    if (self->stopping_)
        self->idle_();
    else
        self->pump();
}

bool AppNotifier::may_send_to(const std::string& url) const
{
    const std::string authority = split_url(url).host;
    const size_t colon = authority.find(':', authority.find(']') == std::string::npos ? 0 : authority.find(']'));
    return avoided_.count(colon == std::string::npos ? "80" : authority.substr(colon + 1)) == 0;
}

Task<AppNotifier::Next> AppNotifier::send(AppId id, Job job)
{
    const tent::Self owner = entities_.at(id.first);
    const auto place = tent::notification_place(job.url);
    const bool here = place == tent::NotificationPlace::ThisMachine;
    if (!here && !has_tor_)
        co_return Next::Stuck;
    PeerRequest put;
    put.method = "PUT";
    put.url = job.url;
    put.direct_loopback = here;
    put.content_type = std::string(mime::kPost) + "; type=\"" + job.type + "\"; rel=\"" + rel::kNotification + "\"";
    put.body = std::move(job.body);
    put.key = std::move(job.key);
    put.timeout_ms = kTimeoutMs;
    put.limit_bytes = kAnswerBytes;
    Result<InResponse> answer = fail(ErrorKind::Invalid, "nothing is sent to that address");
    // A circuit of its own for each app, and for none of the peers.
    if ((here && may_send_to(put.url)) || place == tent::NotificationPlace::Onion)
        answer = co_await client_.request(owner, "app " + id.second, put);
    if (stopping_ && !answer.ok())
        co_return Next::Wait;
    const bool done = answer.ok() && ((answer->status >= 200 && answer->status < 300) || is_final(answer->status));
    std::function<Result<bool>(store::WriteTx&)> record = [&](store::WriteTx& tx) -> Result<bool> {
        if (done) {
            TRY(store::end_notification(tx, job.notification));
            TRY(store::set_app_wait(tx, id.first, id.second, 0, 0));
            return true;
        }
        const int64_t failures = TRY(store::count_app_failure(tx, id.first, id.second));
        const int64_t wait = backoff_ms(failures, system_random());
        TRY(store::set_app_wait(tx, id.first, id.second, failures, tx.now_ms() + wait));
        return true;
    };
    auto recorded = co_await write_to<bool>(loop_, store_, record);
    if (!recorded.ok())
        co_return Next::Stuck;
    if (!done)
        log::debug("an app could not be told: " + (answer.ok() ? "answered " + std::to_string(answer->status)
                                                               : answer.error().detail));
    co_return done ? Next::GoOn : Next::Wait;
}

}  // namespace bivouac::relay
