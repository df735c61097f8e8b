// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/limits.h>
#include <bivouac/relay/own_reach.h>

#include <algorithm>

namespace bivouac::relay {

void ReachPlan::up(int64_t now)
{
    failures_ = 0;
    // After a repair soon, to know; otherwise when the directories have had time to spread the descriptor.
    const int64_t first = lost_ ? limits::kReachAfterRepairMs : limits::kReachFirstMs;
    if (!check_at_ || *check_at_ > now + first || lost_)
        check_at_ = now + first;
}

void ReachPlan::down()
{
    check_at_.reset();
    repair_at_.reset();
    failures_ = 0;
    known_ = lost_;
    suspicious_ = false;
}

void ReachPlan::resumed(int64_t now)
{
    if (!check_at_)
        return;
    check_at_ = now;
    suspicious_ = true;
}

void ReachPlan::ask(int64_t now)
{
    check_at_ = now;
}

ReachPlan::Step ReachPlan::step(int64_t now) const
{
    if (repair_at_ && *repair_at_ <= now)
        return Step::Repair;
    return check_at_ && *check_at_ <= now ? Step::Check : Step::Rest;
}

int64_t ReachPlan::wait(int64_t now) const
{
    int64_t at = -1;
    for (const auto& planned : {check_at_, repair_at_})
        if (planned)
            at = at < 0 ? *planned : std::min(at, *planned);
    return at < 0 ? -1 : std::max<int64_t>(at - now, 0);
}

ReachPlan::Verdict ReachPlan::checked(bool reached, int64_t now, int64_t jitter_ms)
{
    if (reached) {
        const bool news = lost_ || !known_;
        known_ = true;
        lost_ = suspicious_ = false;
        failures_ = 0;
        repair_at_.reset();
        check_at_ = now + limits::kReachEveryMs + jitter_ms;
        return news ? Verdict::Reached : Verdict::Same;
    }
    ++failures_;
    const bool enough = lost_ || suspicious_ || failures_ >= 3;
    if (!enough) {
        check_at_ = now + (failures_ == 1 ? limits::kReachSecondMs : limits::kReachThirdMs);
        return Verdict::Same;
    }
    const bool news = !lost_;
    lost_ = known_ = true;
    suspicious_ = false;
    repair_at_ = last_repair_ ? std::max(now, *last_repair_ + limits::kReachRepairApartMs) : now;
    // If the repair must wait, look meanwhile whether it has mended itself.
    check_at_ = now + limits::kReachLostMs;
    return news ? Verdict::Lost : Verdict::Same;
}

void ReachPlan::repaired(int64_t now)
{
    last_repair_ = now;
    repair_at_.reset();
    check_at_ = now + limits::kReachLostMs;  // unless the onion is up earlier
}

}  // namespace bivouac::relay
