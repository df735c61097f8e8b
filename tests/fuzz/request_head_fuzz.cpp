// SPDX-License-Identifier: BSD-3-Clause
// Whatever is taken as a head must have the properties that the front relies on.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <bivouac/net/request_head.h>

using namespace bivouac::net;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    (void)parse_circuit_line(bytes).ok();
    size_t end = find_head_end(bytes);
    if (end > size)
        std::abort();
    auto head = parse_request_head(bytes.substr(0, end ? end : size));
    if (!head.ok())
        return head_error_status(head.error()) < 400 ? (std::abort(), 0) : 0;
    if (end == 0 || end > kHeadLimitBytes || head->headers.size() > kHeadLimitFields)
        std::abort();
    if (head->host.empty() || head->method.empty() || head->target.empty())
        std::abort();
    if (head->chunked && head->content_length)
        std::abort();
    for (const Header& header : head->headers) {
        if (header.name.empty() ||
            header.value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
            std::abort();
    }
    return 0;
}
