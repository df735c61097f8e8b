// SPDX-License-Identifier: BSD-3-Clause
#include "passphrase_gate.h"

#include <algorithm>
#include <chrono>

namespace bivouac::app {

int64_t PassphraseGate::delay_ms(int failures)
{
    constexpr int64_t kLongest = 30'000;
    return failures <= 0 ? 0 : std::min(kLongest, int64_t(1'000) << std::min(failures - 1, 16));
}

PassphraseGate::PassphraseGate(Check check, Delay delay, int failures)
    : check_(std::move(check))
    , delay_(std::move(delay))
    , failures_(failures)
    , thread_([this] { run(); })
{
}

PassphraseGate::~PassphraseGate()
{
    close();
    thread_.join();
}

void PassphraseGate::ask(Secret passphrase, Done done)
{
    {
        std::lock_guard lock(mutex_);
        if (!closed_ && waiting_.size() < kWaiting) {
            waiting_.push_back({std::move(passphrase), std::move(done)});
            changed_.notify_all();
            return;
        }
    }
    done(api::PassphraseCheck::Busy);
}

void PassphraseGate::close()
{
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
}

void PassphraseGate::run()
{
    auto not_before = std::chrono::steady_clock::now() + std::chrono::milliseconds(failures_ > 0 ? delay_(failures_) : 0);
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
        if (!closed_)
            changed_.wait_until(lock, not_before, [this] { return closed_; });
        if (closed_)
            break;
        Asked asked = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        const api::PassphraseCheck outcome = check_(asked.passphrase);
        asked.passphrase = Secret();
        if (outcome == api::PassphraseCheck::Right)
            failures_ = 0;
        else if (outcome == api::PassphraseCheck::Wrong)
            ++failures_;
        not_before = std::chrono::steady_clock::now() + std::chrono::milliseconds(delay_(failures_));
        asked.done(outcome);
        lock.lock();
    }
    std::deque<Asked> left = std::move(waiting_);
    waiting_.clear();
    lock.unlock();
    for (auto& asked : left)
        asked.done(api::PassphraseCheck::Busy);
}

}  // namespace bivouac::app
