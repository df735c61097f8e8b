// SPDX-License-Identifier: BSD-3-Clause
// How long to wait after a failed attempt. Pure.
#pragma once

#include <cstdint>

#include <bivouac/base/clock.h>

namespace bivouac::relay {

// What waits in the store is looked for at most this often: looking takes a turn of the writer, and a hundred posts
// at once are one look.
constexpr int64_t kLooksApartMs = 20;

constexpr int64_t kFirstWaitMs = 2'000;
constexpr int64_t kLongestWaitMs = 3'600'000;

// After the n-th failure in a row (n from 1): doubling from 2 s to an hour, and a quarter more or less by
// chance, so that peers that failed together do not come back together.
int64_t backoff_ms(int64_t failures, Random& random);

}  // namespace bivouac::relay
