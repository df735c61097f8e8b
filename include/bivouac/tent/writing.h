// SPDX-License-Identifier: BSD-3-Clause
// What apps write (Tent 0.3, sections 4.3, 4.5, 4.7 and 9): may they, is it valid, store it, act on it, and queue
// it for whoever is to get it. One function is one step inside a transaction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bivouac/model/post.h>
#include <bivouac/model/principal.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

struct Written {
    Post post;
    std::string credentials;  // Hawk id of credentials that were made with it; empty: none
};

// POST. `draft` as the app sent it; what it lists in attachments is in the store already, `uploaded` came along.
// Strangers may register an app, nothing else: Unauthorized; TooMany when `waiting_apps` wait already. Forbidden: a
// type that the app may not write, or that only a server makes.
Result<Written> create_post(store::WriteTx& tx, const Self& self, const Principal& who, Post draft,
                            std::vector<Attachment> uploaded = {}, size_t waiting_apps = kWaitingApps);

// PUT without a rel. NotFound also for a post that the app may not read.
Result<Written> create_version(store::WriteTx& tx, const Self& self, const Principal& who,
                               const std::string& post_id, Post draft, std::vector<Attachment> uploaded = {});

// PUT with rel import: complete posts of any entity, ids and times as given, delivered to nobody; what they say of
// apps, keys, relationships and subscriptions holds from now on. The same version again changes nothing.
Result<Post> import_post(store::WriteTx& tx, const Self& self, const Principal& who, Post post,
                         std::vector<Attachment> uploaded = {});

enum class DeletePost { Make, Omit };
// DELETE, of a post that the caller was seen to be able to read. Nothing where no delete post was made: for a copy
// of somebody else's post, or on demand. Unauthorized, Forbidden.
Result<std::optional<Post>> delete_as(store::WriteTx& tx, const Self& self, const Principal& who,
                                      const std::string& entity, const std::string& post_id,
                                      const std::string& version_id, DeletePost wish);

}  // namespace bivouac::tent
