// SPDX-License-Identifier: BSD-3-Clause
// What deeper layers say and pages show.
#pragma once

#include <span>

#include <bivouac/words/words.h>

namespace bivouac {

// Those with a place in them, to be tried one by one.
std::span<const Msg> runtime_patterns();
// Those that are found as they are.
std::span<const Msg> runtime_texts();

}  // namespace bivouac
