// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/canonical_json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/proxying.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

// A copy of one of these would make its delivery later look like a repetition, and its effects would never come.
bool is_between_servers(const std::string& base)
{
    for (const char* known : {type::kRelationshipBase, type::kSubscriptionBase, type::kDeleteBase, type::kAppBase,
                              type::kAppAuthBase, type::kCredentialsBase})
        if (base == known)
            return true;
    return false;
}

}  // namespace

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
        TRY(validate_content(out.type, out.content.empty() ? Json() : Json::parse(out.content), MetaOf::Others));
    // It did not arrive, it was read: an old post must not turn up among the new ones.
    out.received_at = std::min(out.published_at, now_ms);
    out.version.received_at = std::min(out.version.published_at, now_ms);
    out.app.id.clear();
    // Who else may read it is its author's business; we only know that it is not public (section 2.3).
    out.permissions.entities.clear();
    out.permissions.groups.clear();
    return out;
}

Result<bool> keep_fetched(store::WriteTx& tx, const Self& self, Post post)
{
    const std::string base = TRY(parse_type(post.type)).base;
    if (is_between_servers(base) || post.entity == self.entity)
        return false;
    if (TRY(store::find_version(tx, self.id, post.entity, post.id, post.version.id)) != 0)
        return true;
    if (TRY(store::is_deleted(tx, self.id, post.entity, post.id, post.version.id)))
        return false;
    // Those whom we know send us theirs, and say with it where their servers are.
    if (base == type::kMetaBase && TRY(store::find_relationship(tx, self.id, post.entity)))
        return false;
    // A newer version than the one that was delivered must not look older than that.
    if (auto known = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, post.entity, post.id, ""))));
        known && known->version.published_at < post.version.published_at)
        post.received_at = post.version.received_at = std::max(tx.now_ms(), known->version.received_at + 1);
    TRY(store::insert_version(tx, self.id, post));
    return true;
}

}  // namespace bivouac::tent
