// SPDX-License-Identifier: BSD-3-Clause
// Own posts: making versions, deciding who gets them, deleting. The outbox is written in the same transaction
// (Tent 0.3, sections 4.3, 4.7 and 7.5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

enum class Deliver { ByRules, Nobody };

// Completes the draft (id, entity, times, version id), stores it and queues it for whoever is to get it.
// A draft with an id is a new version of that post. Attachments must be in the store by their digests:
// Invalid otherwise.
Result<Post> publish(store::WriteTx& tx, const Self& self, Post draft, Deliver deliver = Deliver::ByRules);

// May this entity read the post? (section 8.3, rule 5)
Result<bool> is_permitted(store::ReadTx& tx, const Self& self, const Post& post, std::string_view entity);

// Section 7.5, "To whom".
Result<std::vector<std::string>> recipients(store::ReadTx& tx, const Self& self, const Post& post);

// The same question for one entity, asked again when its turn comes: she may have left, or been denied, since
// the post was queued.
Result<bool> is_recipient(store::ReadTx& tx, const Self& self, const Post& post, const std::string& entity);

// Deletes an own post, or one version of it, with all that depends on it: keys of apps, subscriptions, groups,
// relationships (section 4.7). `tell`: those who have it are told by a delete post, which is given back.
// NotFound; Forbidden for the meta post.
Result<std::optional<Post>> delete_own(store::WriteTx& tx, const Self& self, std::string_view post_id,
                                       std::string_view version_id, bool tell = true);

// Drafts of the protocol's own posts.
Post private_draft(std::string type);

}  // namespace bivouac::tent
