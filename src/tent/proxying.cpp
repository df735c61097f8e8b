// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/protocol.h>
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
