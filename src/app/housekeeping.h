// SPDX-License-Identifier: BSD-3-Clause
// What a node does by itself now and then: attachments that no post refers to any more go, an hour after they came; and new
// posts are indexed for searching, when nobody writes.
#pragma once

#include <memory>

#include <bivouac/base/event_loop.h>
#include <bivouac/store/store.h>

namespace bivouac::app {

class Housekeeping {
public:
    static constexpr int64_t kEveryMs = 3'600'000;
    static constexpr int64_t kIndexEveryMs = 5'000;

    Housekeeping(EventLoop& loop, store::Store& store, int64_t every_ms = kEveryMs, int64_t index_every_ms = kIndexEveryMs);
    ~Housekeeping();  // when the loop does not run any more
    Housekeeping(const Housekeeping&) = delete;
    void stop();  // loop thread

private:
    struct Indexer;
    EventLoop::Timer timer_;
    std::shared_ptr<Indexer> indexer_;
};

}  // namespace bivouac::app
