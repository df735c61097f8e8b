// SPDX-License-Identifier: BSD-3-Clause
// Can strangers reach us? The node asks for its own address through tor, on a circuit of its own each time, at calm
// intervals. When nobody gets through, the onion is taken down and put up again. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <bivouac/base/clock.h>
#include <bivouac/base/event_loop.h>
#include <bivouac/relay/http_client.h>
#include <bivouac/store/store.h>
#include <bivouac/tent/self.h>

namespace bivouac::relay {

// What is known. Times: Clock::now_ms.
struct Reach {
    enum class Answer { Unknown, Yes, No };
    Answer answer = Answer::Unknown;
    int64_t checked_at = 0;
    int64_t since = 0;        // of this answer
    int64_t repaired_at = 0;  // the last time
    std::string why;          // not reached, in words
};

// When to look and when to repair, without doing either. Pure; times are monotonic milliseconds.
class ReachPlan {
public:
    enum class Step { Rest, Check, Repair };

    // The onion is up (again), or tor or the onion is gone: then there is nothing to check.
    void up(int64_t now);
    void down();
    void resumed(int64_t now);  // the machine slept
    void ask(int64_t now);      // a person wants to know
    Step step(int64_t now) const;
    int64_t wait(int64_t now) const;  // until step() is something else than Rest; -1: nothing is planned

    // What came of Check. An outage begins with the third failure in a row, or with the first after a suspend.
    enum class Verdict { Same, Reached, Lost };
    Verdict checked(bool reached, int64_t now, int64_t jitter_ms);
    void repaired(int64_t now);

    bool lost() const { return lost_; }

private:
    std::optional<int64_t> check_at_;
    std::optional<int64_t> repair_at_;
    std::optional<int64_t> last_repair_;
    int failures_ = 0;
    bool lost_ = false;
    bool known_ = false;
    bool suspicious_ = false;  // after a suspend one failure is enough
};

class OwnReach {
public:
    struct Hooks {
        std::function<bool()> republish;         // takes the onion down and puts it up; false: cannot
        std::function<void(const Reach&)> said;  // something is known
    };
    OwnReach(EventLoop& loop, HttpClient& http, store::Store& store, Clock& clock, tent::Self self, Hooks hooks);
    ~OwnReach();

    void published(bool up);
    void tor_is_usable(bool usable);
    void check_now();  // from every thread
    void stop(std::function<void()> done);

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace bivouac::relay
