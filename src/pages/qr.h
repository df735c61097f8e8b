// SPDX-License-Identifier: BSD-3-Clause
// A QR code in a page: a picture inside the page itself, since what it says is nobody else's business.
#pragma once

#include "page.h"

namespace bivouac::pages {

void show_qr(Page& page, std::string_view text, Msg alternative);

}  // namespace bivouac::pages
