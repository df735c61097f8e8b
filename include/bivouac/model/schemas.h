// SPDX-License-Identifier: BSD-3-Clause
// The content of the types that Tent itself defines (Tent 0.3, section 9): which members there are, which must be
// there, what they look like. Pure. Types of others are free.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post.h>

namespace bivouac {

// Old servers publish meta posts without the `discover` template (section 1.3).
enum class MetaOf { Ourselves, Others };

// One step that would make the content right, in the words of JSON Patch (section 10).
struct SchemaProblem {
    std::string op;        // "remove": not a member; "add": required and absent; "replace": of a wrong form
    std::string path;      // JSON pointer into the post: "/content/types/read/0"
    std::string type;      // what belongs there, as JSON Schema names it; empty for "remove"
    std::string expected;  // the same in words: "a string of at most 512 characters"
};

// Whether the type has a schema: https://tent.io/types/<one of section 9>/v0 with any fragment.
bool has_schema(std::string_view type);

// Everything that is wrong, up to a bound; empty when all is well or the type has no schema. A content that is
// absent is given as null.
std::vector<SchemaProblem> schema_problems(std::string_view type, const Json& content,
                                           MetaOf meta = MetaOf::Ourselves);

// Invalid with the first problem in words: "Invalid Attributes: /content/extra is not a member of a status post".
Result<void> validate_content(const std::string& type, const Json& content, MetaOf meta = MetaOf::Ourselves);
Result<void> validate_content(const Post& post, MetaOf meta = MetaOf::Ourselves);
Error schema_error(std::string_view type, const std::vector<SchemaProblem>& problems);  // there is at least one

// The `diff` of an error body: [{"op":"remove","path":"/content/extra"}].
Json schema_diff(const std::vector<SchemaProblem>& problems);

// What apps send may hold null where a member is meant to be absent (section 2.2): such members are taken out of
// the metadata and of content that has a schema. Never for imports and notifications: their hash would change.
Json strip_nulls(Json post);

}  // namespace bivouac
