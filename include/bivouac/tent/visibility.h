// SPDX-License-Identifier: BSD-3-Clause
// Who may see and write what (Tent 0.3, sections 6.6 and 8.3). Nobody else decides it. Pure.
#pragma once

#include <string_view>

#include <bivouac/model/post_json.h>
#include <bivouac/model/principal.h>

namespace bivouac::tent {

Viewer viewer_of(const Principal& principal);
Audience audience_of(const Principal& principal);
// For whom a sealed door is open: the owner's programs, approved followers, and whoever was handed a signed URL.
bool is_let_in(const Principal& principal);
bool may_write(const Principal& principal, std::string_view type);

}  // namespace bivouac::tent
