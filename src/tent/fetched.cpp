// SPDX-License-Identifier: BSD-3-Clause
// The pure half of proxying.h, free of the store, so that it can be fuzzed.
#include <bivouac/model/canonical_json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/tent/proxying.h>

#include <algorithm>

namespace bivouac::tent {

Result<Post> read_fetched(const Json& json, const std::string& entity, const std::string& post,
                          const std::string& version, int64_t now_ms)
{
    Post out = TRY(post_from_json(json));
    if (out.entity != entity || out.id != post || !is_valid_post_id(out.id))
        return fail(ErrorKind::Invalid, "not the post that was asked for");
    if (out.version.id.empty() || !version_id_verifies(json, out.version.id))
        return fail(ErrorKind::Invalid, "a post without the version id that it should have");
    const std::string normal = normal_digest(out.version.id);
    if (normal.empty() || (!version.empty() && normal != version))
        return fail(ErrorKind::Invalid, "not the version that was asked for");
    out.version.id = normal;
    if (out.published_at <= 0 || out.version.published_at <= 0)
        return fail(ErrorKind::Invalid, "a post without its times");
    for (const auto& attachment : out.attachments)
        if (attachment.digest.empty())
            return fail(ErrorKind::Invalid, "an attachment without its digest");
    TRY(parse_type(out.type));
    if (has_schema(out.type))
        TRY(validate_content(out, MetaOf::Others));
    // It did not arrive, it was read: an old post must not turn up among the new ones.
    out.received_at = std::min(out.published_at, now_ms);
    out.version.received_at = std::min(out.version.published_at, now_ms);
    out.app.id.clear();
    // Who else may read it is its author's business; we only know that it is not public (section 2.3).
    out.permissions.entities.clear();
    out.permissions.groups.clear();
    return out;
}

}  // namespace bivouac::tent
