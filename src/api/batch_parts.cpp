// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/limits.h>
#include <bivouac/net/multipart.h>

#include "batch_parts.h"

namespace bivouac::api {

namespace {

constexpr size_t kContentIdBytes = 255;

}  // namespace

Result<std::vector<BatchPart>> split_batch(const std::string& boundary, std::string_view body)
{
    std::vector<BatchPart> parts;
    auto begin = [&](const net::PartHead& head) -> Result<void> {
        if (parts.size() == limits::kBatchRequests)
            return fail(ErrorKind::Invalid, "more than " + std::to_string(limits::kBatchRequests) + " requests");
        auto type = net::parse_media_type(head.content_type);
        if (!type.ok() || type->type != "application/http")
            return fail(ErrorKind::Invalid, "a part of a batch is application/http");
        if (head.content_id.size() > kContentIdBytes)
            return fail(ErrorKind::Invalid, "a Content-ID is too long");
        parts.push_back({head.content_id, {}});
        return {};
    };
    auto data = [&](std::string_view bytes) -> Result<void> {
        parts.back().text += bytes;
        return {};
    };
    auto end = []() -> Result<void> { return {}; };
    net::MultipartReader reader(boundary, {begin, data, end}, net::MultipartKind::Mixed);
    TRY(reader.feed(body));
    TRY(reader.finish());
    if (parts.empty())
        return fail(ErrorKind::Invalid, "a batch without requests");
    return parts;
}

Result<BatchRequest> parse_batch_request(std::string_view text)
{
    const size_t head_bytes = net::find_head_end(text);
    if (head_bytes == 0)
        return fail(ErrorKind::Invalid, "a request without an empty line after its head");
    BatchRequest out;
    out.head = TRY(net::parse_request_head(text.substr(0, head_bytes), net::HostField::Optional));
    if (out.head.chunked)
        return fail(ErrorKind::Invalid, "requests in a batch have a Content-Length");
    const std::string_view rest = text.substr(head_bytes);
    const uint64_t length = out.head.content_length.value_or(0);
    if (length > rest.size())
        return fail(ErrorKind::Invalid, "a request in a batch is shorter than its Content-Length");
    out.body = rest.substr(0, static_cast<size_t>(length));
    if (rest.find_first_not_of("\r\n", out.body.size()) != std::string_view::npos)
        return fail(ErrorKind::Invalid, "a request in a batch is longer than its Content-Length");
    return out;
}

}  // namespace bivouac::api
