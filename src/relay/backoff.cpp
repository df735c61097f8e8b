// SPDX-License-Identifier: BSD-3-Clause
#include "backoff.h"

#include <algorithm>

namespace bivouac::relay {

int64_t backoff_ms(int64_t failures, Random& random)
{
    int64_t doublings = std::clamp<int64_t>(failures - 1, 0, 20);
    int64_t wait = std::min(kFirstWaitMs << doublings, kLongestWaitMs);
    return wait * 3 / 4 + static_cast<int64_t>(random.below(static_cast<uint64_t>(wait / 2)));
}

}  // namespace bivouac::relay
