// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bivouac::relay {

// What libcurl reads or loads once, now. Before a process gives up its files (base/confine.h).
void load_http_client();

}  // namespace bivouac::relay
