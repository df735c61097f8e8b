// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/log.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/protocol.h>
#include <bivouac/relay/own_reach.h>
#include <bivouac/store/outages.h>
#include <bivouac/tor/isolation.h>

#include <utility>

namespace bivouac::relay {

struct OwnReach::Impl : std::enable_shared_from_this<OwnReach::Impl> {
    EventLoop& loop;
    HttpClient& http;
    store::Store& store;
    Clock& clock;
    tent::Self self;
    Hooks hooks;
    tor::IsolationKey isolation;
    ReachPlan plan;
    Reach reach;
    EventLoop::Timer timer;
    EventLoop::Timer watch;
    int64_t asleep = 0;  // how long the machine had slept at the last look
    bool up = false;
    bool usable = false;
    bool checking = false;
    bool stopping = false;
    uint64_t rounds = 0;
    std::function<void()> stopped;

    Impl(EventLoop& l, HttpClient& h, store::Store& s, Clock& c, tent::Self me, Hooks k)
        : loop(l)
        , http(h)
        , store(s)
        , clock(c)
        , self(std::move(me))
        , hooks(std::move(k))
        , asleep(c.monotonic_ms() - c.awake_ms())
    {
    }

    void plan_next()
    {
        timer.cancel();
        if (stopping || checking)
            return;
        const int64_t wait = plan.wait(clock.monotonic_ms());
        if (wait >= 0)
            timer = loop.after(wait, [this] { work(); });
    }

    void work()
    {
        if (stopping || checking)
            return;
        switch (plan.step(clock.monotonic_ms())) {
        case ReachPlan::Step::Rest: break;
        case ReachPlan::Step::Repair: repair(); break;
        case ReachPlan::Step::Check:
            checking = true;
            spawn(check(shared_from_this()));
            return;
        }
        plan_next();
    }

    void repair()
    {
        plan.repaired(clock.monotonic_ms());
        if (!hooks.republish())
            return;
        log::info("others cannot reach the onion; it is taken down and put up again");
        reach.repaired_at = clock.now_ms();
        hooks.said(reach);
        const int64_t id = self.id;
        store.write_async([id](store::WriteTx& tx) { return store::count_repair(tx, id); }, [](Result<void>) {});
    }

    static Task<void> check(std::shared_ptr<Impl> impl)
    {
        OutRequest head;
        head.method = "HEAD";
        head.url = impl->self.entity;
        // As a stranger would come: on a circuit that nothing has used before.
        head.isolation = impl->isolation.for_pair(impl->self.entity, impl->self.entity,
                                                  "reach " + std::to_string(++impl->rounds));
        head.timeout_ms = limits::kReachTimeoutMs;
        auto response = co_await impl->http.fetch(std::move(head));
        impl->checking = false;
        if (!impl->stopping)
            impl->take(response);
        impl->check_stopped();
    }

    void take(const Result<InResponse>& response)
    {
        const bool known = response.ok() && response->status == 200 &&
                           response->header("Link").value_or("").find(rel::kMetaPost) != std::string_view::npos;
        const std::string why = !response.ok() ? response.error().detail
                                : known        ? ""
                                               : "the answer was not ours: " + std::to_string(response->status);
        // Tor went away meanwhile: that says nothing of the onion.
        if (!known && (!up || !usable))
            return plan_next();
        const auto jitter = static_cast<int64_t>(system_random().below(limits::kReachEveryMs / 4));
        const auto verdict = plan.checked(known, clock.monotonic_ms(), jitter);
        const int64_t now = clock.now_ms();
        reach.checked_at = now;
        if (verdict == ReachPlan::Verdict::Reached) {
            reach.answer = Reach::Answer::Yes;
            reach.since = now;
            reach.why.clear();
        } else if (verdict == ReachPlan::Verdict::Lost) {
            reach.answer = Reach::Answer::No;
            reach.since = now;
            reach.why = why;
            log::warning("others cannot reach the onion");
        } else if (!known) {
            reach.why = why;
        }
        if (verdict != ReachPlan::Verdict::Same)
            record(verdict == ReachPlan::Verdict::Lost ? why : "");
        hooks.said(reach);
        plan_next();
    }

    // "" ends an outage.
    void record(const std::string& why)
    {
        const int64_t id = self.id;
        store.write_async(
            [id, why](store::WriteTx& tx) {
                return why.empty() ? store::end_outage(tx, id) : store::begin_outage(tx, id, why);
            },
            [](Result<void>) {});
    }

    void look_at_clocks()
    {
        const int64_t asleep_now = clock.monotonic_ms() - clock.awake_ms();
        if (asleep_now - std::exchange(asleep, asleep_now) >= limits::kReachSuspendMs) {
            plan.resumed(clock.monotonic_ms());
            plan_next();
        }
        if (!stopping)
            watch = loop.after(limits::kReachClockLookMs, [this] { look_at_clocks(); });
    }

    void changed()
    {
        if (up && usable) {
            plan.up(clock.monotonic_ms());
        } else {
            plan.down();
            if (!plan.lost() && reach.answer != Reach::Answer::Unknown) {
                reach.answer = Reach::Answer::Unknown;
                reach.since = clock.now_ms();
                hooks.said(reach);
            }
        }
        plan_next();
    }

    void check_stopped()
    {
        if (stopping && stopped && !checking)
            std::exchange(stopped, nullptr)();
    }
};

OwnReach::OwnReach(EventLoop& loop, HttpClient& http, store::Store& store, Clock& clock, tent::Self self, Hooks hooks)
    : impl_(std::make_shared<Impl>(loop, http, store, clock, std::move(self), std::move(hooks)))
{
    loop.post([weak = std::weak_ptr(impl_)] {
        if (auto impl = weak.lock())
            impl->look_at_clocks();
    });
}

OwnReach::~OwnReach() = default;

void OwnReach::published(bool up)
{
    impl_->up = up;
    impl_->changed();
}

void OwnReach::tor_is_usable(bool usable)
{
    if (impl_->usable == usable)
        return;
    impl_->usable = usable;
    impl_->changed();
}

void OwnReach::check_now()
{
    impl_->loop.post([weak = std::weak_ptr(impl_)] {
        auto impl = weak.lock();
        if (!impl || !impl->up || !impl->usable)
            return;
        impl->plan.ask(impl->clock.monotonic_ms());
        impl->work();
    });
}

void OwnReach::stop(std::function<void()> done)
{
    impl_->stopping = true;
    impl_->timer.cancel();
    impl_->watch.cancel();
    impl_->stopped = std::move(done);
    impl_->check_stopped();
}

}  // namespace bivouac::relay
