// SPDX-License-Identifier: BSD-3-Clause
// Checks passphrases that come in through the browser. Each check takes a quarter of a GiB of memory and a second,
// so it is one at a time on a thread of its own, a few wait, and after failures everybody waits longer: up to half a
// minute, never for good, since the owner must get in while somebody guesses.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include <bivouac/api/api.h>
#include <bivouac/base/secret.h>

namespace bivouac::app {

class PassphraseGate {
public:
    using Check = std::function<api::PassphraseCheck(const Secret&)>;
    using Done = std::function<void(api::PassphraseCheck)>;
    // How long to wait before the next check, so many failures in a row being known.
    using Delay = std::function<int64_t(int failures)>;

    static constexpr size_t kWaiting = 4;
    static int64_t delay_ms(int failures);  // 0, 1 s, 2 s, 4 s ... 30 s

    // `failures`: how many there were in a row before, so that beginning anew helps nobody who guesses.
    explicit PassphraseGate(Check check, Delay delay = delay_ms, int failures = 0);
    ~PassphraseGate();

    // `done` is called once: on the gate's thread, or at once with Busy.
    void ask(Secret passphrase, Done done);
    // Those who wait are answered with Busy, and so is everybody who asks from now on. Any thread, more than once.
    void close();

private:
    struct Asked {
        Secret passphrase;
        Done done;
    };
    void run();

    const Check check_;
    const Delay delay_;
    int failures_;  // of the thread
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Asked> waiting_;
    bool closed_ = false;
    std::thread thread_;
};

}  // namespace bivouac::app
