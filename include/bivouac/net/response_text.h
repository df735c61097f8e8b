// SPDX-License-Identifier: BSD-3-Clause
// An answer as text, for a part of a batch: what the front would send for it.
#pragma once

#include <string>
#include <string_view>

#include <bivouac/net/http_message.h>

namespace bivouac::net {

// Status line, headers and body. Of a `large` body only the length is told, as for HEAD.
std::string response_text(std::string_view method, HttpResponse response);

}  // namespace bivouac::net
