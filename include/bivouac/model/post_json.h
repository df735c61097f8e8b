// SPDX-License-Identifier: BSD-3-Clause
// JSON to Post and back, and who sees which members (Tent 0.3, sections 2.2 and 2.3). Pure.
#pragma once

#include <string>
#include <string_view>

#include <bivouac/base/result.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post.h>

namespace bivouac {

// Who will read the JSON.
struct Audience {
    enum class Kind {
        Owner,   // full apps and the owner: everything
        Peer,    // another entity: no received_at, no app.id, only the private mentions of that entity
        Public,  // nobody in particular
    };
    Kind kind = Kind::Public;
    std::string entity;  // of the Peer

    static Audience owner() { return {Kind::Owner, {}}; }
    static Audience everybody() { return {Kind::Public, {}}; }
    static Audience peer(std::string who) { return {Kind::Peer, std::move(who)}; }
};

// Invalid names the offending member. Unknown members are an error at every level of the metadata; null
// members count as absent. `content` keeps its text faithfully.
Result<Post> post_from_json(const Json& object);
Result<Post> parse_post(std::string_view text);

Json post_to_json(const Post& post, const Audience& audience);
Json envelope_to_json(const Post& post, const Audience& audience);  // the same without its content
std::string write_post(const Post& post, const Audience& audience);

// The content of a post as an object, an empty one where it has none.
Json content_of(const Post& post);

// An entity URL: http or https, a host, no query, no fragment, within limits.
bool is_entity_url(std::string_view text);

}  // namespace bivouac
