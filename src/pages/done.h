// SPDX-License-Identifier: BSD-3-Clause
// What was done, in words, on the page that follows a form.
#pragma once

#include <string>

#include <bivouac/html/html.h>

#include "visit.h"

namespace bivouac::pages {

// From ?done=; empty for nothing and for what is none of ours.
std::string done_words(const Visit& visit);
void language_links(Html& html, Visit& visit);

}  // namespace bivouac::pages
