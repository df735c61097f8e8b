// SPDX-License-Identifier: BSD-3-Clause
// Whatever stands in an Accept header, the ranges taken from it are bounded, in lower case and in their order, and of
// several media types only one that is accepted is chosen.
#include "target.h"

#include <bivouac/model/accept.h>

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view text = view(data, size);
    const auto ranges = parse_accept(text);
    HOLDS(ranges.size() <= 50);
    int before = 1000;
    for (const auto& range : ranges) {
        HOLDS(!range.type.empty() && !range.subtype.empty() && (range.type != "*" || range.subtype == "*"));
        HOLDS((range.type + range.subtype).find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ \t,;/\"\r\n") == std::string::npos);
        HOLDS(range.q >= 0 && range.q <= before);
        HOLDS(range.parameters.size() <= 10);
        before = range.q;
        if (range.type != "*" && range.subtype != "*")
            HOLDS(wants(text, range.type + "/" + range.subtype));
    }
    // Also as the type of a file that somebody uploaded.
    const std::vector<std::string> types = {"text/html", std::string(text), "image/png", "image/svg+xml;charset=utf-8"};
    const auto best = best_match(ranges, types);
    HOLDS(!best || *best < types.size());
    HOLDS(!ranges.empty() || best == 0u);
    if (best && *best == 2 && !ranges.empty()) {
        bool accepted = false;
        for (const auto& range : ranges)
            accepted = accepted || (range.q > 0 && (range.type == "*" || range.type == "image"));
        HOLDS(accepted);
    }
    HOLDS(!best_match(ranges, {}));
    return 0;
}
