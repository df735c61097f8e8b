// SPDX-License-Identifier: BSD-3-Clause
#include "housekeeping.h"

#include <condition_variable>
#include <mutex>

#include <bivouac/base/log.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/search.h>

namespace bivouac::app {

namespace {

constexpr int64_t kIndexedAtOnce = 50;      // some 20 ms of the writer
constexpr int64_t kIndexedAnyway = 10'000;  // so many wait: a few each time even while somebody writes

}  // namespace

struct Housekeeping::Indexer : std::enable_shared_from_this<Indexer> {
    EventLoop& loop;
    store::Store& store;
    EventLoop::Timer timer;
    bool running = false;  // loop thread, like the two below
    bool stopped = false;
    int64_t newest = -1;  // row of the newest post when it was looked last

    std::mutex mutex;
    std::condition_variable writer_is_done;
    bool in_writer = false;

    Indexer(EventLoop& l, store::Store& s) : loop(l), store(s) {}

    struct Seen {
        int64_t newest = 0;
        int64_t waiting = 0;
        bool busy = false;
    };

    // Loop thread.
    void look()
    {
        if (running || stopped)
            return;
        running = true;
        step();
    }

    // One job of the writer, and the next one as soon as that is on disk, so that others come between.
    void step()
    {
        auto seen = std::make_shared<Seen>();
        const int64_t before = newest;
        {
            std::lock_guard lock(mutex);
            in_writer = true;
        }
        store.write_async(
            [seen, before](store::WriteTx& tx) -> Result<void> {
                seen->newest = TRY(store::newest_post_row(tx));
                seen->waiting = TRY(store::count_waiting(tx));
                if (seen->waiting == 0)
                    return {};
                seen->busy = seen->newest != before;
                if (seen->busy && seen->waiting < kIndexedAnyway)
                    return {};
                return store::index_some(tx, kIndexedAtOnce);
            },
            [self = shared_from_this(), seen](Result<void> done) {
                if (!done.ok())
                    log::warning("new posts are not indexed for searching yet: " + done.error().detail);
                const bool go_on = done.ok() && !seen->busy && seen->waiting > kIndexedAtOnce;
                self->loop.post([self, seen, go_on] {
                    self->newest = seen->newest;
                    self->running = go_on && !self->stopped;
                    if (self->running)
                        self->step();
                });
                std::lock_guard lock(self->mutex);
                self->in_writer = false;
                self->writer_is_done.notify_all();
            });
    }

    // The loop may be gone afterwards.
    void wait_for_writer()
    {
        std::unique_lock lock(mutex);
        writer_is_done.wait(lock, [this] { return !in_writer; });
    }
};

Housekeeping::Housekeeping(EventLoop& loop, store::Store& store, int64_t every_ms, int64_t index_every_ms)
    : timer_(loop.every(every_ms, [&store] {
        store.write_async(
            [](store::WriteTx& tx) { return store::remove_orphans(tx, store::Orphans::OlderThanAnHour); },
            [](Result<void> removed) {
                if (!removed.ok())
                    log::warning("attachments without a post stay for another hour: " + removed.error().detail);
            });
    }))
    , indexer_(std::make_shared<Indexer>(loop, store))
{
    indexer_->timer = loop.every(index_every_ms, [raw = indexer_.get()] { raw->look(); });
}

Housekeeping::~Housekeeping()
{
    stop();
    indexer_->wait_for_writer();
}

void Housekeeping::stop()
{
    timer_.cancel();
    indexer_->timer.cancel();
    indexer_->stopped = true;
}

}  // namespace bivouac::app
