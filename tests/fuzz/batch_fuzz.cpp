// SPDX-License-Identifier: BSD-3-Clause
// A batch with boundary B, and each request that comes out of it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <bivouac/model/limits.h>

#include "src/api/batch_parts.h"

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    auto parts = api::split_batch("B", bytes);
    if (!parts.ok())
        return 0;
    if (parts->empty() || parts->size() > limits::kBatchRequests)
        std::abort();
    size_t total = 0;
    for (const auto& part : *parts) {
        total += part.text.size();
        auto request = api::parse_batch_request(part.text);
        if (!request.ok())
            continue;
        // The body lies inside its part, behind the head, and has the length that was declared.
        if (request->body.size() != request->head.content_length.value_or(0))
            std::abort();
        if (!request->body.empty() && (request->body.data() < part.text.data() ||
                                       request->body.data() + request->body.size() > part.text.data() + part.text.size()))
            std::abort();
        if (request->head.method.empty() || request->head.target.empty() || request->head.chunked)
            std::abort();
    }
    if (total > size)
        std::abort();
    return 0;
}
