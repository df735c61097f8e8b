// SPDX-License-Identifier: BSD-3-Clause
// The language of a page: include/bivouac/words/words.h.
#pragma once

#include <bivouac/words/words.h>
