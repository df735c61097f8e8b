// SPDX-License-Identifier: BSD-3-Clause
#include "cors.h"

namespace bivouac::api {

namespace {

void add_common(net::HttpResponse& response)
{
    response.with("Access-Control-Allow-Origin", "*");
    response.with("Access-Control-Expose-Headers",
                  "Content-Type, Count, ETag, Link, Server-Authorization, WWW-Authenticate, Attachment-Digest, "
                  "Location");
    response.with("Access-Control-Max-Age", "2592000");
}

}  // namespace

net::HttpResponse preflight_response()
{
    net::HttpResponse response;
    response.with("Access-Control-Allow-Methods", "DELETE, GET, HEAD, PATCH, POST, PUT");
    response.with("Access-Control-Allow-Headers",
                  "Accept, Authorization, Cache-Control, Content-Type, If-Match, If-None-Match, Link, "
                  "Create-Delete-Post");
    add_common(response);
    return response;
}

void add_cors_headers(const net::HttpRequest& request, net::HttpResponse& response)
{
    if (request.header("Origin"))
        add_common(response);
}

}  // namespace bivouac::api
