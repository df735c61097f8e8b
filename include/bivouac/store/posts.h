// SPDX-License-Identifier: BSD-3-Clause
// Posts and their versions. `owner` is the local entity in whose store they are.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <bivouac/model/feed_query.h>
#include <bivouac/model/post.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/principal.h>
#include <bivouac/store/transaction.h>

namespace bivouac::store {

// Stores one version, complete and with its id, as the newest or not as its times say. The row of the version.
// Conflict when that version is there already.
Result<int64_t> insert_version(WriteTx& tx, int64_t owner, const Post& post);

// Which versions of a post feeds can show, found anew after its versions came or went otherwise than by these functions.
Result<void> order_versions(WriteTx& tx, int64_t post_row);

// The row of a version; 0 when unknown. An empty version_id: the latest.
Result<int64_t> find_version(ReadTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                             std::string_view version_id);

// A version by its row.
Result<std::optional<Post>> load_version(ReadTx& tx, int64_t version_row);

// The newest version that the viewer may see, or the named one if she may.
Result<std::optional<Post>> load_post(ReadTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                                      std::string_view version_id, const Viewer& viewer);

// A version as JSON text for one audience, and what an answer needs beside it. Cheaper than a Post: the text
// comes from the store as it is, but for readers to whom private mentions of it are addressed.
struct PostText {
    int64_t version_row = 0;
    std::string author;
    std::string id;
    std::string type;
    std::string version_id;
    bool is_public = false;
    std::string json;
};
Result<std::optional<PostText>> load_version_text(ReadTx& tx, int64_t version_row, const Audience& audience);
// As load_post.
Result<std::optional<PostText>> load_post_text(ReadTx& tx, int64_t owner, std::string_view author,
                                               std::string_view post_id, std::string_view version_id,
                                               const Viewer& viewer, const Audience& audience);

struct FeedText {
    std::vector<PostText> posts;  // newest first
    FeedEnds ends;
};
Result<FeedText> load_feed_text(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer,
                                const Audience& audience);
Result<FeedPage> load_feed(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer);
// How many posts there are of each type, by its base; a post that looks different to some readers may count twice.
Result<std::map<std::string, int64_t>> count_types(ReadTx& tx, int64_t owner);
Result<int64_t> count_feed(ReadTx& tx, int64_t owner, const FeedQuery& query, const Viewer& viewer);

// Deletes all versions, or one; remembers it in tombstones. False when there was nothing.
Result<bool> delete_post(WriteTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                         std::string_view version_id);
Result<bool> is_deleted(ReadTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                        std::string_view version_id);

// All versions that the entity has, in the order in which they were stored: at most `limit` rows after `last`.
struct StoredVersion {
    int64_t row = 0;
    int64_t received_at = 0;
};
Result<std::vector<StoredVersion>> versions_after(ReadTx& tx, int64_t owner, int64_t last, int64_t limit);

// Versions of that author that are in the store (bound for what strangers may leave with us).
Result<int64_t> count_versions_by(ReadTx& tx, int64_t owner, std::string_view author);

// Later than everything that has been received, so that what arrives together keeps its order; now, when the clock is
// behind what some post says.
Result<int64_t> next_received_at(ReadTx& tx, int64_t owner);

// A version of somebody else's post that comes after a newer one (catching up brings the newest, deliveries that waited
// bring what was before it) must not become the latest (section 2.6): the time of reception that puts it below, or nothing
// when it goes on top. Below whatever descends from it; below what was published later, unless it descends from that.
Result<std::optional<int64_t>> late_received_at(ReadTx& tx, int64_t owner, const Post& post);

Result<void> add_group_member(WriteTx& tx, int64_t owner, std::string_view group_post, std::string_view member,
                              std::string_view member_post);
// The member post that made her a member, now no longer; empty when she was none.
Result<std::string> remove_group_member(WriteTx& tx, int64_t owner, std::string_view group_post,
                                        std::string_view member);

}  // namespace bivouac::store
