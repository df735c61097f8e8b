// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/result.h>

namespace bivouac {

std::string_view error_kind_name(ErrorKind kind)
{
    switch (kind) {
    case ErrorKind::NotFound: return "not found";
    case ErrorKind::Invalid: return "invalid";
    case ErrorKind::Unauthorized: return "unauthorized";
    case ErrorKind::Forbidden: return "forbidden";
    case ErrorKind::Gone: return "gone";
    case ErrorKind::Conflict: return "conflict";
    case ErrorKind::TooLarge: return "too large";
    case ErrorKind::TooMany: return "too many";
    case ErrorKind::Unsupported: return "unsupported";
    case ErrorKind::Unavailable: return "unavailable";
    case ErrorKind::NoSpace: return "no space";
    case ErrorKind::Internal: return "internal error";
    }
    return "internal error";
}

Error Error::in(std::string_view context) &&
{
    detail = std::string(context) + ": " + detail;
    return std::move(*this);
}

}  // namespace bivouac
