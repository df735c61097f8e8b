// SPDX-License-Identifier: BSD-3-Clause
// The body of a peer's answer: an envelope with a meta post, a credentials post or a post that an app asked for, read
// as the relay and the API read it.
#include "target.h"

#include <bivouac/model/canonical_json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/proxying.h>

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto envelope = parse_json(view(data, size));
    if (!envelope.ok())
        return 0;
    for (const auto& urls : tent::usable_servers(*envelope))
        HOLDS(tent::is_onion_url(urls.post));
    if (!envelope->is_object() || !envelope->contains("post"))
        return 0;
    const Json& json = (*envelope)["post"];
    auto post = post_from_json(json);
    if (!post.ok())
        return 0;
    // Whatever verifies of the text verifies of what is kept of it.
    if (version_id_verifies(json, post->version.id))
        HOLDS(version_id_verifies(*parse_json(json.dump()), post->version.id));
    // What is kept for apps is what they asked for, and proves itself.
    auto fetched = tent::read_fetched(json, post->entity, post->id, {}, 1'700'000'000'000);
    if (fetched.ok()) {
        HOLDS(fetched->entity == post->entity && fetched->id == post->id);
        HOLDS(version_id_verifies(json, fetched->version.id));
        HOLDS(!tent::read_fetched(json, post->entity + "x", post->id, {}, 1'700'000'000'000).ok());
    }
    Json content = post->content.empty() ? Json::object() : Json::parse(post->content);
    HOLDS(content.is_object());
    bool right = validate_content(post->type, content, MetaOf::Others).ok();
    if (right && parse_type(post->type)->base == type::kMetaBase)
        HOLDS(content["entity"].is_string() && content["servers"].is_array());
    if (right && parse_type(post->type)->base == type::kCredentialsBase)
        HOLDS(content["hawk_key"].is_string() && content["hawk_algorithm"] == kHawkAlgorithm);
    if (content.contains("servers"))
        for (const auto& urls : tent::usable_servers(content["servers"]))
            HOLDS(tent::is_onion_url(urls.post) && urls.post.size() <= 2048);
    return 0;
}
