// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/limits.h>
#include <bivouac/relay/own_reach.h>

using namespace bivouac;
using namespace bivouac::relay;
using Step = ReachPlan::Step;
using Verdict = ReachPlan::Verdict;

TEST_CASE("reach: nothing is looked at before the onion is up, then calmly")
{
    ReachPlan plan;
    CHECK(plan.wait(0) == -1);
    CHECK(plan.step(1'000'000) == Step::Rest);
    plan.up(1000);
    CHECK(plan.step(1000) == Step::Rest);
    CHECK(plan.wait(1000) == limits::kReachFirstMs);
    int64_t now = 1000 + limits::kReachFirstMs;
    CHECK(plan.step(now) == Step::Check);
    CHECK(plan.checked(true, now, 7) == Verdict::Reached);
    CHECK(plan.wait(now) == limits::kReachEveryMs + 7);
    now += limits::kReachEveryMs + 7;
    CHECK(plan.step(now) == Step::Check);
    CHECK(plan.checked(true, now, 0) == Verdict::Same);
    plan.down();
    CHECK(plan.wait(now) == -1);
}

TEST_CASE("reach: an outage is three failures on three circuits, then it is repaired, at most every 15 minutes")
{
    ReachPlan plan;
    plan.up(0);
    int64_t now = limits::kReachFirstMs;
    CHECK(plan.checked(false, now, 0) == Verdict::Same);
    CHECK(plan.wait(now) == limits::kReachSecondMs);
    now += limits::kReachSecondMs;
    CHECK(plan.checked(false, now, 0) == Verdict::Same);
    CHECK(plan.wait(now) == limits::kReachThirdMs);
    now += limits::kReachThirdMs;
    CHECK(plan.checked(false, now, 0) == Verdict::Lost);
    CHECK(plan.lost());
    REQUIRE(plan.step(now) == Step::Repair);
    plan.repaired(now);
    const int64_t repaired = now;
    CHECK(plan.step(now) == Step::Rest);
    plan.up(now + 2000);
    CHECK(plan.wait(now + 2000) == limits::kReachAfterRepairMs);
    now += 2000 + limits::kReachAfterRepairMs;
    REQUIRE(plan.step(now) == Step::Check);
    CHECK(plan.checked(false, now, 0) == Verdict::Same);  // it is known to be lost
    // Until the next repair it looks now and then.
    int checks = 0;
    while (plan.step(now) != Step::Repair) {
        now += plan.wait(now);
        if (plan.step(now) == Step::Check) {
            ++checks;
            CHECK(plan.checked(false, now, 0) == Verdict::Same);
        }
        REQUIRE(checks < 20);
    }
    CHECK(now - repaired >= limits::kReachRepairApartMs);
    CHECK(checks >= 3);
    plan.repaired(now);
    plan.up(now);
    now += limits::kReachAfterRepairMs;
    CHECK(plan.checked(true, now, 0) == Verdict::Reached);
    CHECK_FALSE(plan.lost());
    CHECK(plan.wait(now) == limits::kReachEveryMs);
}

TEST_CASE("reach: one that mends itself before the third failure is none")
{
    ReachPlan plan;
    plan.up(0);
    plan.checked(true, 1000, 0);
    plan.checked(false, 2000, 0);
    plan.checked(false, 3000, 0);
    CHECK(plan.checked(true, 4000, 0) == Verdict::Same);
    CHECK(plan.step(4000) == Step::Rest);
    plan.checked(false, 5000, 0);
    CHECK_FALSE(plan.lost());
}

TEST_CASE("reach: after a sleep of the machine it looks at once, and one failure is enough")
{
    ReachPlan plan;
    plan.resumed(10);
    CHECK(plan.wait(10) == -1);  // nothing is up
    plan.up(0);
    plan.checked(true, 100, 0);
    plan.resumed(200);
    REQUIRE(plan.step(200) == Step::Check);
    CHECK(plan.checked(false, 300, 0) == Verdict::Lost);
    CHECK(plan.step(300) == Step::Repair);
    plan.repaired(300);
    CHECK(plan.checked(true, 400, 0) == Verdict::Reached);
    plan.resumed(500);
    CHECK(plan.checked(true, 600, 0) == Verdict::Same);
    CHECK(plan.checked(false, 700, 0) == Verdict::Same);  // the suspicion is over
}

TEST_CASE("reach: tor's absence is no outage, and a person may ask at any time")
{
    ReachPlan plan;
    plan.up(0);
    plan.checked(false, 100, 0);
    plan.checked(false, 200, 0);
    plan.down();
    CHECK(plan.step(1'000'000) == Step::Rest);
    plan.up(1000);
    CHECK(plan.checked(false, 2000, 0) == Verdict::Same);  // counted anew
    CHECK(plan.checked(true, 2500, 0) == Verdict::Reached);
    plan.down();
    plan.up(2600);
    CHECK(plan.checked(true, 2700, 0) == Verdict::Reached);  // what was known is old
    plan.ask(3000);
    CHECK(plan.step(3000) == Step::Check);
}
