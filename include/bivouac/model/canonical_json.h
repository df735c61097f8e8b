// SPDX-License-Identifier: BSD-3-Clause
// Canonical JSON of a post and the version id computed from it (Tent 0.3, section 3). Pure.
#pragma once

#include <string>
#include <string_view>

#include <bivouac/model/json.h>
#include <bivouac/model/post.h>

namespace bivouac {

// Section 3.3: how control characters inside strings are written.
enum class Escapes {
    Tent,      // only \" and \\ ; everything else raw
    Ordinary,  // as an ordinary JSON encoder does it: some old servers hash this form (section 3.5)
};

// Any JSON value; keys in byte order, no white space. Depth is bounded by parse_json.
std::string canonical_json(const Json& value, Escapes escapes = Escapes::Tent);

// Section 3.2: what is hashed of a post.
Json reduce_post(Json post);

std::string version_id_of(const Json& post);  // with prefix
std::string version_id_of(const Post& post);

// Section 3.5 [R]: with or without prefix, Tent's form or the ordinary one.
bool version_id_verifies(const Json& post, std::string_view claimed);

}  // namespace bivouac
