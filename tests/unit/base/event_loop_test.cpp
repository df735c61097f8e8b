// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/base/event_loop.h>
#include <bivouac/base/result.h>

#include <string>
#include <thread>
#include <vector>

using namespace bivouac;

TEST_CASE("jobs posted from another thread run on the loop in order")
{
    EventLoop loop;
    std::vector<int> seen;
    std::thread other([&] {
        for (int i = 0; i < 1000; ++i)
            loop.post([&, i] { seen.push_back(i); });
        loop.stop();
    });
    loop.run();
    other.join();
    REQUIRE(seen.size() == 1000);
    for (int i = 0; i < 1000; ++i)
        CHECK(seen[static_cast<size_t>(i)] == i);
}

TEST_CASE("a timer may destroy itself, and a destroyed timer does not fire")
{
    EventLoop loop;
    int fired = 0;
    EventLoop::Timer own;
    own = loop.after(1, [&] {
        ++fired;
        own.cancel();
    });
    {
        auto gone = loop.after(2, [&] { fired += 100; });
    }
    auto end = loop.after(20, [&] { loop.stop(); });
    loop.run();
    CHECK(fired == 1);
}

namespace {

Task<Result<int>> slow_double(EventLoop& loop, int value)
{
    co_await loop.sleep(1);
    if (value < 0)
        co_return fail(ErrorKind::Invalid, "negative");
    co_return value * 2;
}

Task<Result<int>> sum_of_doubles(EventLoop& loop, int a, int b)
{
    CO_TRY(first, co_await slow_double(loop, a));
    CO_TRY(second, co_await slow_double(loop, b));
    co_return first + second;
}

}  // namespace

TEST_CASE("tasks await each other and pass errors up")
{
    EventLoop loop;
    std::string seen;
    spawn([](EventLoop& l, std::string& out) -> Task<void> {
        auto good = co_await sum_of_doubles(l, 1, 2);
        out += std::to_string(*good);
        auto bad = co_await sum_of_doubles(l, 1, -2);
        out += " " + bad.error().detail;
        l.stop();
    }(loop, seen));
    loop.run();
    CHECK(seen == "6 negative");
}

TEST_CASE("wake_sleepers ends every sleep at once")
{
    EventLoop loop;
    bool woke = false;
    spawn([](EventLoop& l, bool& flag) -> Task<void> {
        co_await l.sleep(3'600'000);
        flag = true;
        l.stop();
    }(loop, woke));
    auto soon = loop.after(1, [&] { loop.wake_sleepers(); });
    loop.run();
    CHECK(woke);
}
