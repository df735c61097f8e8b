// SPDX-License-Identifier: BSD-3-Clause
// What the gate lets in is bounded, has integers only and means the same when it is written and read again.
#include "target.h"

#include <bivouac/model/json.h>
#include <bivouac/model/limits.h>

using namespace bivouac;

namespace {

size_t count(const Json& value, size_t depth)
{
    HOLDS(!value.is_number_float() && !value.is_binary() && !value.is_discarded());
    if (!value.is_structured())
        return 1;
    HOLDS(depth < limits::kJsonDepth);
    size_t nodes = 1;
    for (const auto& child : value)
        nodes += count(child, depth + 1);
    return nodes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto value = parse_json(view(data, size));
    if (!value.ok()) {
        HOLDS(value.error().kind == ErrorKind::Invalid);
        HOLDS(!Json(value.error().detail).dump().empty());  // throws when the words are not UTF-8
        return 0;
    }
    HOLDS(count(*value, 0) <= limits::kJsonNodes);
    auto again = parse_json(value->dump());
    HOLDS(again.ok() && *again == *value);
    return 0;
}
