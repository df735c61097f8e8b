// SPDX-License-Identifier: BSD-3-Clause
// A target that leads to a post leads to the same post when its parts are escaped as they should be.
#include "target.h"

#include "../../src/api/target.h"

#include <bivouac/base/bytes.h>

using namespace bivouac;
using namespace bivouac::api;

namespace {

void same(const Route& route, const std::string& path)
{
    Route again = parse_target(path);
    HOLDS(again.kind == route.kind && again.entity == route.entity && again.post == route.post);
    HOLDS(again.name == route.name && again.digest == route.digest);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view text = view(data, size);
    Route route = parse_target(text);
    HOLDS(text.ends_with(route.query));
    const bool post = route.kind == Route::Kind::Post || route.kind == Route::Kind::PostAttachment;
    const bool digest = route.kind == Route::Kind::Attachment;
    HOLDS(post || (route.post.empty() && route.name.empty()));
    HOLDS((route.kind == Route::Kind::PostAttachment) == !route.name.empty());
    HOLDS(post || digest || route.entity.empty());
    const std::string entity = percent_encode(route.entity);
    if (post && !route.entity.empty() && !route.post.empty())
        same(route, "/posts/" + entity + "/" + percent_encode(route.post) +
                        (route.name.empty() ? "" : "/attachments/" + percent_encode(route.name)));
    if (digest && !route.entity.empty() && !route.digest.empty())
        same(route, "/attachments/" + entity + "/" + percent_encode(route.digest));
    for (const char* name : {"version", "limit", "entity", ""}) {
        auto value = query_parameter(text, name);
        if (value)
            HOLDS(query_parameter(std::string(name) + "=" + percent_encode(*value), name) == value);
    }
    return 0;
}
