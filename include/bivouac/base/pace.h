// SPDX-License-Identifier: BSD-3-Clause
// Whether our time runs as fast as everybody's. It does; only in the build for tests on one machine (docs/developer.md)
// it can run faster, so that weeks of a network pass in minutes. Whoever hands a wait to something that knows real time
// only (timers of the kernel, libcurl) translates it here.
#pragma once

#include <cstdint>

namespace bivouac {

int64_t real_ms(int64_t ours);  // rounded up, so that a wait never ends too early
int64_t our_ms(int64_t real);

}  // namespace bivouac
