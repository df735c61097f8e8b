// SPDX-License-Identifier: BSD-3-Clause
// A post that was taken in can be written for every reader, reads back as itself and keeps its version id.
#include "target.h"

#include <bivouac/model/canonical_json.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/schemas.h>

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto json = parse_json(view(data, size));
    if (!json.ok())
        return 0;
    Json stripped = strip_nulls(*json);
    HOLDS(strip_nulls(stripped) == stripped);
    auto post = post_from_json(*json);
    if (!post.ok()) {
        HOLDS(post.error().kind == ErrorKind::Invalid || post.error().kind == ErrorKind::TooLarge);
        HOLDS(!Json(post.error().detail).dump().empty());  // throws when the words are not UTF-8
        return 0;
    }
    HOLDS(post->mentions.size() <= limits::kListElements && post->refs.size() <= limits::kListElements);
    HOLDS(parse_type(post->type).ok());

    const std::string text = write_post(*post, Audience::owner());
    auto again = parse_post(text);
    HOLDS(again.ok());
    HOLDS(write_post(*again, Audience::owner()) == text);
    HOLDS(version_id_of(*again) == version_id_of(*post));
    for (const auto& audience : {Audience::everybody(), Audience::peer("http://b.onion")}) {
        auto seen = parse_post(write_post(*post, audience));
        HOLDS(seen.ok());
        HOLDS(seen->received_at == 0 && seen->version.received_at == 0 && seen->app.id.empty());
        HOLDS(seen->permissions.entities.empty() && seen->permissions.groups.empty());
        HOLDS(version_id_of(*seen) == version_id_of(*post));
    }
    return 0;
}
