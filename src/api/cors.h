// SPDX-License-Identifier: BSD-3-Clause
// Cross-origin headers (Tent 0.3, section 11): web apps anywhere may use the API, with Hawk and never with cookies.
#pragma once

#include <bivouac/net/http_message.h>

namespace bivouac::api {

net::HttpResponse preflight_response();
// For a request with Origin; nothing otherwise.
void add_cors_headers(const net::HttpRequest& request, net::HttpResponse& response);

}  // namespace bivouac::api
