// SPDX-License-Identifier: BSD-3-Clause
// Every name that goes over the wire (Tent 0.3, section 0).
#pragma once

namespace bivouac::mime {
inline constexpr const char* kPost = "application/vnd.tent.post.v0+json";
inline constexpr const char* kFeed = "application/vnd.tent.posts-feed.v0+json";
inline constexpr const char* kMentions = "application/vnd.tent.post-mentions.v0+json";
inline constexpr const char* kVersions = "application/vnd.tent.post-versions.v0+json";
inline constexpr const char* kChildren = "application/vnd.tent.post-children.v0+json";
inline constexpr const char* kServerInfo = "application/vnd.tent.server-info.v0+json";
inline constexpr const char* kError = "application/vnd.tent.error.v0+json";
inline constexpr const char* kMultipart = "multipart/form-data";
}  // namespace bivouac::mime

namespace bivouac::rel {
inline constexpr const char* kMetaPost = "https://tent.io/rels/meta-post";
inline constexpr const char* kCredentials = "https://tent.io/rels/credentials";
inline constexpr const char* kNotification = "https://tent.io/rels/notification";
inline constexpr const char* kImport = "https://tent.io/rels/import";
}  // namespace bivouac::rel

namespace bivouac::type {
// Section 9. Bases have no '#', types do.
inline constexpr const char* kMeta = "https://tent.io/types/meta/v0#";
inline constexpr const char* kMetaBase = "https://tent.io/types/meta/v0";
inline constexpr const char* kApp = "https://tent.io/types/app/v0#";
inline constexpr const char* kAppBase = "https://tent.io/types/app/v0";
inline constexpr const char* kAppAuth = "https://tent.io/types/app-auth/v0#";
inline constexpr const char* kAppAuthBase = "https://tent.io/types/app-auth/v0";
inline constexpr const char* kCredentialsBase = "https://tent.io/types/credentials/v0";
inline constexpr const char* kCredentialsForApp =
    "https://tent.io/types/credentials/v0#https://tent.io/types/app/v0";
inline constexpr const char* kCredentialsForAppAuth =
    "https://tent.io/types/credentials/v0#https://tent.io/types/app-auth/v0";
inline constexpr const char* kCredentialsForRelationship =
    "https://tent.io/types/credentials/v0#https://tent.io/types/relationship/v0";
inline constexpr const char* kRelationshipBase = "https://tent.io/types/relationship/v0";
inline constexpr const char* kRelationship = "https://tent.io/types/relationship/v0#";
inline constexpr const char* kRelationshipInitial = "https://tent.io/types/relationship/v0#initial";
inline constexpr const char* kRelationshipSubscriber = "https://tent.io/types/relationship/v0#subscriber";
inline constexpr const char* kRelationshipMutual = "https://tent.io/types/relationship/v0#mutual";
inline constexpr const char* kSubscriptionBase = "https://tent.io/types/subscription/v0";
inline constexpr const char* kSubscriptionAll = "https://tent.io/types/subscription/v0#all";
inline constexpr const char* kSubscriptionMeta =
    "https://tent.io/types/subscription/v0#https://tent.io/types/meta/v0";
inline constexpr const char* kDelete = "https://tent.io/types/delete/v0#";
inline constexpr const char* kDeleteBase = "https://tent.io/types/delete/v0";
inline constexpr const char* kDeliveryFailureBase = "https://tent.io/types/delivery-failure/v0";
inline constexpr const char* kStatus = "https://tent.io/types/status/v0#";
inline constexpr const char* kStatusReply = "https://tent.io/types/status/v0#reply";
inline constexpr const char* kStatusBase = "https://tent.io/types/status/v0";
inline constexpr const char* kEssayBase = "https://tent.io/types/essay/v0";
inline constexpr const char* kPhotoBase = "https://tent.io/types/photo/v0";
inline constexpr const char* kRepostBase = "https://tent.io/types/repost/v0";
inline constexpr const char* kFavoriteBase = "https://tent.io/types/favorite/v0";
inline constexpr const char* kTagBase = "https://tent.io/types/tag/v0";
inline constexpr const char* kGroup = "https://tent.io/types/group/v0#";
inline constexpr const char* kGroupBase = "https://tent.io/types/group/v0";
inline constexpr const char* kGroupMember = "https://tent.io/types/group-member/v0#";
inline constexpr const char* kGroupMemberBase = "https://tent.io/types/group-member/v0";
}  // namespace bivouac::type

namespace bivouac {
inline constexpr const char* kDigestPrefix = "sha512t256-";
inline constexpr const char* kAllTypes = "all";
inline constexpr const char* kHawkAlgorithm = "sha256";
inline constexpr const char* kMetaPostId = "meta";
}  // namespace bivouac
