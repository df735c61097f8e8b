// SPDX-License-Identifier: BSD-3-Clause
// The first byte picks the type. Whatever the content is, the problems told are few, say where they are and can go
// out as JSON; what servers of others may leave out is all that sets their metas apart.
#include "target.h"

#include <bivouac/model/schemas.h>

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    constexpr const char* kNames[] = {"meta",   "app",      "app-auth", "credentials", "relationship",
                                      "subscription", "delivery-failure", "status", "favorite", "photo",
                                      "album",  "essay",    "tag",      "group",       "group-member", "x"};
    if (size == 0)
        return 0;
    const std::string type = "https://tent.io/types/" + std::string(kNames[data[0] % std::size(kNames)]) + "/v0#";
    auto content = parse_json(view(data + 1, size - 1));
    if (!content.ok())
        return 0;
    auto problems = schema_problems(type, *content);
    HOLDS(problems.size() <= 20);
    for (const auto& problem : problems) {
        HOLDS(problem.path.starts_with("/content"));
        HOLDS(problem.op == "remove" || problem.op == "add" || problem.op == "replace");
        HOLDS((problem.op == "remove") == problem.type.empty());
    }
    HOLDS(schema_diff(problems).dump().size() > 1);  // throws when a path is not UTF-8
    auto result = validate_content(type, *content);
    HOLDS(result.ok() == problems.empty());
    if (!result.ok())
        HOLDS(!Json(result.error().detail).dump().empty());
    HOLDS(schema_problems(type, *content, MetaOf::Others).size() <= problems.size());
    return 0;
}
