// SPDX-License-Identifier: BSD-3-Clause
// The lists of a post (Tent 0.3, section 4.4: mentions, versions, children), profiles (section 4.2), their
// parameters, cursors and JSON. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/model/feed_query.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post.h>

namespace bivouac {

// What the opaque `page` parameter says.
struct ListPosition {
    enum class Side {
        Older,   // the newest of what is older than the cursor
        Newer,   // the oldest of what is newer
        Oldest,  // the oldest of what is older: the last page
        Newest,  // the newest of what is newer: the first page
    };
    Side side = Side::Older;
    Cursor at;  // with a version
};
std::string write_position(const ListPosition& position);
Result<ListPosition> parse_position(std::string_view token);

struct ListQuery {
    int limit = limits::kFeedLimitDefault;
    std::optional<ListPosition> page;
    std::string version;    // of the post whose list it is; empty: the newest readable
    unsigned profiles = 0;  // bits of profiles_of
};
// From the query string of the target (without '?'). Unknown parameters are ignored.
Result<ListQuery> parse_list_query(std::string_view query);
FeedLinks list_links(const ListQuery& query, const FeedEnds& ends);

// A post that mentions the one asked about.
struct MentionEntry {
    std::string entity;
    std::string post;
    std::string type;
    bool is_public = true;  // the mention
};

// A version of the post asked about, or one that names its version as parent.
struct VersionEntry {
    std::string entity;
    std::string post;
    std::string type;
    Version version;
};

enum class ReceivedAt { Shown, Hidden };  // full apps see it (section 2.3)

Json mentions_to_json(const std::vector<MentionEntry>& entries, const std::string& entity);
Json versions_to_json(const std::vector<VersionEntry>& entries, const std::string& entity, const std::string& post,
                      ReceivedAt received_at);
Json pages_to_json(const FeedLinks& links);

// From a meta post (section 1.3): empty members are absent.
struct Profile {
    std::string name, bio, website, location;
    std::string avatar_digest;

    bool empty() const
    {
        return name.empty() && bio.empty() && website.empty() && location.empty() && avatar_digest.empty();
    }
};
Profile profile_of(const Post& meta);
Json profiles_to_json(const std::map<std::string, Profile>& profiles);

// The entities that a post has to do with in these ways (bits of profiles_of), each once.
std::vector<std::string> entities_of(const std::vector<Post>& posts, unsigned profiles);

}  // namespace bivouac
