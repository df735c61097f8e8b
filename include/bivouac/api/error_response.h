// SPDX-License-Identifier: BSD-3-Clause
// ErrorKind to status and Tent error body (Tent 0.3, section 10): the only place that maps them.
#pragma once

#include <string>

#include <bivouac/base/result.h>
#include <bivouac/net/http_message.h>

namespace bivouac::api {

net::HttpResponse error_response(int status, const std::string& text);
// The detail goes out only where it is about the input.
net::HttpResponse error_response(const Error& error);
int status_of(ErrorKind kind);

}  // namespace bivouac::api
