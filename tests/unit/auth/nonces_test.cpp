// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <string>

#include "../../../src/auth/nonces.h"

using bivouac::auth::Nonces;

TEST_CASE("nonces: a pair of id and nonce passes once in a second (section 5.6)")
{
    Nonces nonces(1000);
    CHECK(nonces.first_time("app", 100, "n", 100));
    CHECK_FALSE(nonces.first_time("app", 100, "n", 100));
    CHECK_FALSE(nonces.first_time("app", 100, "n", 130));
    CHECK(nonces.first_time("app", 101, "n", 130));
    CHECK(nonces.first_time("ap", 100, "pn", 130));
    CHECK(nonces.first_time("other", 100, "n", 130));
    CHECK(nonces.size() == 4);
}

TEST_CASE("nonces: many of one second are told apart, and none is forgotten while it could be fresh (section 5.6)")
{
    Nonces nonces(100'000);
    for (int round = 0; round < 2; ++round)
        for (int i = 0; i < 5000; ++i) {
            const bool first = nonces.first_time("app", 1000, std::to_string(i), 1060);
            if (first != (round == 0))
                FAIL("nonce " << i << " in round " << round);
        }
    CHECK(nonces.size() == 5000);
    // A request of that second is stale from now on, so its nonces take no more room.
    CHECK(nonces.first_time("app", 1061, "x", 1061));
    CHECK(nonces.size() == 1);
}

TEST_CASE("nonces: when full, requests are refused until there is room (section 5.6)")
{
    Nonces nonces(2);
    CHECK(nonces.first_time("app", 1, "a", 1));
    CHECK(nonces.first_time("app", 2, "b", 2));
    CHECK_FALSE(nonces.first_time("app", 3, "c", 3));
    CHECK_FALSE(nonces.first_time("app", 1, "a", 3));
    CHECK(nonces.first_time("app", 62, "c", 62));
    CHECK_FALSE(nonces.first_time("app", 2, "b", 62));
}
