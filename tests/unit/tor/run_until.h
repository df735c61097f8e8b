// SPDX-License-Identifier: BSD-3-Clause
// Runs a loop in a test until something is so.
#pragma once

#include <functional>

#include <bivouac/base/event_loop.h>

// Runs the loop until the condition holds; false when it does not within the time.
inline bool run_until(bivouac::EventLoop& loop, std::function<bool()> condition, int64_t limit_ms = 10'000)
{
    bool held = false;
    auto check = loop.every(5, [&] {
        if (!held && condition()) {
            held = true;
            loop.stop();
        }
    });
    auto limit = loop.after(limit_ms, [&] { loop.stop(); });
    loop.run();
    return held;
}

inline void run_for(bivouac::EventLoop& loop, int64_t ms)
{
    run_until(
        loop, [] { return false; }, ms);
}
