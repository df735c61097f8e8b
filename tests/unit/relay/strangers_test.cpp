// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/limits.h>

#include "handshake.h"

using namespace bivouac;
using namespace bivouac::relay;

TEST_CASE("strangers have so many handshakes at a time")
{
    Strangers strangers;
    for (size_t i = 0; i < limits::kInboundHandshakes; ++i)
        CHECK(strangers.enter(std::nullopt));
    CHECK_FALSE(strangers.enter(std::nullopt));
    strangers.leave();
    CHECK(strangers.enter(std::nullopt));
    CHECK_FALSE(strangers.enter(7));
}

TEST_CASE("a circuit brings so many strangers, whether they wait or are done")
{
    Strangers strangers;
    for (size_t i = 0; i < limits::kStrangersPerCircuit; ++i) {
        CHECK(strangers.enter(7));
        strangers.leave();
    }
    CHECK_FALSE(strangers.enter(7));
    CHECK(strangers.enter(8));
    strangers.leave();
    for (uint32_t circuit = 100; circuit < 50'000; ++circuit) {
        CHECK(strangers.enter(circuit));
        strangers.leave();
    }
}
