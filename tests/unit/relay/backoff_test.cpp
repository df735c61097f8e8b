// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "backoff.h"

using namespace bivouac;
using namespace bivouac::relay;

TEST_CASE("waits grow from seconds to an hour, with a quarter of chance either way")
{
    for (int64_t failures = 1; failures <= 60; ++failures) {
        int64_t middle = std::min<int64_t>(2'000LL << std::min<int64_t>(failures - 1, 20), 3'600'000);
        for (int i = 0; i < 20; ++i) {
            int64_t wait = backoff_ms(failures, system_random());
            CHECK(wait >= middle * 3 / 4);
            CHECK(wait <= middle * 5 / 4);
        }
    }
}
