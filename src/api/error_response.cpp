// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/api/error_response.h>
#include <bivouac/model/json.h>
#include <bivouac/model/protocol.h>

namespace bivouac::api {

int status_of(ErrorKind kind)
{
    switch (kind) {
    case ErrorKind::NotFound: return 404;
    case ErrorKind::Invalid: return 400;
    case ErrorKind::Unauthorized: return 401;
    case ErrorKind::Forbidden: return 403;
    case ErrorKind::Gone: return 410;
    case ErrorKind::Conflict: return 400;  // the protocol has no 409 (section 2.6)
    case ErrorKind::TooLarge: return 413;
    case ErrorKind::TooMany: return 429;
    case ErrorKind::Unsupported: return 415;
    case ErrorKind::Unavailable: return 503;
    case ErrorKind::NoSpace: return 507;
    case ErrorKind::Internal: return 500;
    }
    return 500;
}

net::HttpResponse error_response(int status, const std::string& text)
{
    net::HttpResponse response;
    response.status = status;
    response.body = Json({{"error", text}}).dump();
    response.with("Content-Type", mime::kError);
    return response;
}

net::HttpResponse error_response(const Error& error)
{
    const int status = status_of(error.kind);
    switch (error.kind) {
    case ErrorKind::Invalid:
    case ErrorKind::Conflict:
    case ErrorKind::TooLarge:
    case ErrorKind::Unsupported: {
        net::HttpResponse response = error_response(status, error.detail);
        if (!error.diff.empty())
            response.body = Json({{"error", error.detail}, {"diff", Json::parse(error.diff)}}).dump();
        return response;
    }
    // Absent, deleted and forbidden are one to whoever may not see it.
    case ErrorKind::NotFound: return error_response(status, "Not Found");
    case ErrorKind::Unauthorized: return error_response(status, "Unauthorized");
    case ErrorKind::Forbidden: return error_response(status, "Forbidden");
    case ErrorKind::Gone: return error_response(status, "No longer valid");
    case ErrorKind::TooMany: return error_response(status, "Too many requests");
    case ErrorKind::NoSpace: return error_response(status, "Insufficient storage");
    case ErrorKind::Unavailable: return error_response(status, "Try again later");
    case ErrorKind::Internal: return error_response(status, "Internal error");
    }
    return error_response(500, "Internal error");
}

}  // namespace bivouac::api
