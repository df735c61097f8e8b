// SPDX-License-Identifier: BSD-3-Clause
// Version ids of any object: well formed, verified by their own check, the same after the object was written and
// read; and the reduction leaves nothing for a second one to do.
#include "target.h"

#include <algorithm>

#include <bivouac/model/canonical_json.h>

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto value = parse_json(view(data, size));
    if (!value.ok())
        return 0;
    const std::string canonical = canonical_json(*value);
    bool controls = std::any_of(canonical.begin(), canonical.end(), [](unsigned char c) { return c < 0x20; });
    if (!controls) {
        auto read = parse_json(canonical);
        HOLDS(read.ok() && *read == *value);
        HOLDS(canonical_json(*value, Escapes::Ordinary) == canonical);
    }
    if (!value->is_object())
        return 0;
    const std::string id = version_id_of(*value);
    HOLDS(normal_digest(id) == id);
    HOLDS(version_id_verifies(*value, id));
    HOLDS(version_id_verifies(*value, id.substr(id.find('-') + 1)));
    HOLDS(!version_id_verifies(*value, id.substr(1)));
    HOLDS(version_id_of(*parse_json(value->dump())) == id);
    return 0;
}
