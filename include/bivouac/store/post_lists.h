// SPDX-License-Identifier: BSD-3-Clause
// What is shown around posts: who mentions one, its versions, their children (Tent 0.3, section 4.4), the posts
// that posts refer to, and profiles (section 4.2).
#pragma once

#include <map>
#include <string>
#include <vector>

#include <bivouac/model/post_list.h>
#include <bivouac/store/posts.h>

namespace bivouac::store {

// All lists take the post (and version) asked about as load_post_text found it for the same viewer. Newest first,
// by received_at for those who may see that (Everything, Types), by published_at for others, as in feeds.
struct MentionList {
    std::vector<MentionEntry> entries;
    FeedEnds ends;
};
struct VersionList {
    std::vector<VersionEntry> entries;
    FeedEnds ends;
};

// Latest versions of posts that mention the post. Strangers: public mentions by public posts.
Result<MentionList> load_mention_list(ReadTx& tx, int64_t owner, const PostText& of, const ListQuery& query,
                                      const Viewer& viewer);
Result<int64_t> count_mention_list(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer);

// All versions of the post that the viewer may read.
Result<VersionList> load_version_list(ReadTx& tx, int64_t owner, const PostText& of, const ListQuery& query,
                                      const Viewer& viewer);
Result<int64_t> count_version_list(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer);

// Versions of any post that name the version as parent.
Result<VersionList> load_child_list(ReadTx& tx, int64_t owner, const PostText& of, const ListQuery& query,
                                    const Viewer& viewer);
Result<int64_t> count_child_list(ReadTx& tx, int64_t owner, const PostText& of, const Viewer& viewer);

// The first `max_refs` refs of each post, in order, each version once, those that are here and readable. For
// full apps: the texts given and returned are the owner's.
Result<std::vector<PostText>> load_refs(ReadTx& tx, int64_t owner, const std::vector<PostText>& posts, int max_refs,
                                        const Viewer& viewer);

// The entities of a page for the relations asked for (bits of profiles_of), each once; of the owner's texts.
Result<std::vector<std::string>> profile_entities(const std::vector<PostText>& posts, unsigned profiles);

// From the newest meta posts in the store; entities without one, or with an empty one, are left out.
Result<std::map<std::string, Profile>> load_profiles(ReadTx& tx, int64_t owner,
                                                     const std::vector<std::string>& entities);

}  // namespace bivouac::store
