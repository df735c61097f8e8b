// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <future>
#include <vector>

#include "passphrase_gate.h"

using namespace bivouac;
using namespace bivouac::app;
using api::PassphraseCheck;

namespace {

int64_t no_delay(int)
{
    return 0;
}

PassphraseCheck is_right(const Secret& passphrase)
{
    return passphrase.view() == "right" ? PassphraseCheck::Right : PassphraseCheck::Wrong;
}

std::future<PassphraseCheck> ask(PassphraseGate& gate, const char* passphrase)
{
    auto answer = std::make_shared<std::promise<PassphraseCheck>>();
    auto future = answer->get_future();
    gate.ask(Secret(std::string_view(passphrase)), [answer](PassphraseCheck outcome) { answer->set_value(outcome); });
    return future;
}

// A check that stands still until it is let go.
struct Held {
    std::promise<void> begun;
    std::promise<void> go;
    std::shared_future<void> gone = go.get_future().share();
    PassphraseCheck operator()(const Secret& passphrase)
    {
        if (passphrase.view() == "hold") {
            begun.set_value();
            gone.wait();
        }
        return is_right(passphrase);
    }
};

}  // namespace

TEST_CASE("the passphrase gate says right and wrong")
{
    PassphraseGate gate(is_right, no_delay);
    CHECK(ask(gate, "wrong").get() == PassphraseCheck::Wrong);
    CHECK(ask(gate, "right").get() == PassphraseCheck::Right);
    CHECK(ask(gate, "").get() == PassphraseCheck::Wrong);
}

TEST_CASE("failures make everybody wait longer, up to half a minute; a success ends it")
{
    CHECK(PassphraseGate::delay_ms(0) == 0);
    CHECK(PassphraseGate::delay_ms(1) == 1'000);
    CHECK(PassphraseGate::delay_ms(2) == 2'000);
    CHECK(PassphraseGate::delay_ms(5) == 16'000);
    CHECK(PassphraseGate::delay_ms(6) == 30'000);
    CHECK(PassphraseGate::delay_ms(1'000'000) == 30'000);
    std::vector<int> seen;
    {
        PassphraseGate gate(is_right, [&](int failures) {
            seen.push_back(failures);
            return int64_t(0);
        });
        for (const char* passphrase : {"a", "b", "right", "c"})
            ask(gate, passphrase).get();
    }
    CHECK(seen == std::vector<int>{1, 2, 0, 1});
}

TEST_CASE("whoever guessed wrong before the node began anew waits as she would have without that")
{
    std::vector<int> seen;
    {
        PassphraseGate gate(
            is_right,
            [&](int failures) {
                seen.push_back(failures);
                return int64_t(0);
            },
            3);
        CHECK(ask(gate, "a").get() == PassphraseCheck::Wrong);
        CHECK(ask(gate, "right").get() == PassphraseCheck::Right);
    }
    CHECK(seen == std::vector<int>{3, 4, 0});
}

TEST_CASE("four may wait for a check; the next is told that the gate is busy")
{
    Held held;
    PassphraseGate gate([&](const Secret& passphrase) { return held(passphrase); }, no_delay);
    auto first = ask(gate, "hold");
    held.begun.get_future().wait();
    std::vector<std::future<PassphraseCheck>> waiting;
    for (size_t i = 0; i < PassphraseGate::kWaiting; ++i)
        waiting.push_back(ask(gate, "right"));
    CHECK(ask(gate, "right").get() == PassphraseCheck::Busy);
    held.go.set_value();
    CHECK(first.get() == PassphraseCheck::Wrong);
    for (auto& answer : waiting)
        CHECK(answer.get() == PassphraseCheck::Right);
}

TEST_CASE("a closed gate answers those who wait, however long they would have had to")
{
    constexpr int64_t kForever = 1'000'000'000;
    PassphraseGate gate(is_right, [](int) { return kForever; });
    CHECK(ask(gate, "wrong").get() == PassphraseCheck::Wrong);
    auto waiting = ask(gate, "right");
    gate.close();
    CHECK(waiting.get() == PassphraseCheck::Busy);
    CHECK(ask(gate, "right").get() == PassphraseCheck::Busy);
    gate.close();
}
