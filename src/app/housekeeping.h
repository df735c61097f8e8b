// SPDX-License-Identifier: BSD-3-Clause
// What a node does by itself now and then: attachments that no post refers to any more go, an hour after they came.
#pragma once

#include <bivouac/base/event_loop.h>
#include <bivouac/store/store.h>

namespace bivouac::app {

class Housekeeping {
public:
    static constexpr int64_t kEveryMs = 3'600'000;

    Housekeeping(EventLoop& loop, store::Store& store, int64_t every_ms = kEveryMs);
    void stop() { timer_.cancel(); }  // loop thread

private:
    EventLoop::Timer timer_;
};

}  // namespace bivouac::app
