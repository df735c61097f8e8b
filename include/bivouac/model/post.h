// SPDX-License-Identifier: BSD-3-Clause
// A Tent post (one version of it) as plain values: Tent 0.3, section 2.2. An empty string or a zero time means
// that the member is absent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>

namespace bivouac {

struct Parent {
    std::string version;
    std::string entity;           // empty: the post's own
    std::string original_entity;
    std::string post;             // empty: this post
};

struct Mention {
    std::string entity;  // empty: the post's own
    std::string original_entity;
    std::string post;
    std::string version;
    std::string type;
    bool is_public = true;
};

struct Ref {
    std::string entity;  // empty: the post's own
    std::string original_entity;
    std::string post;
    std::string version;
    std::string type;
};

struct Attachment {
    std::string category;
    std::string content_type;
    std::string name;
    std::string digest;  // "sha512t256-" and 64 hex digits
    int64_t size = 0;    // bytes
};

struct AppInfo {
    std::string id;  // of the app post; shown to full apps only
    std::string name;
    std::string url;
};

struct Permissions {
    bool is_public = true;
    std::vector<std::string> entities;
    std::vector<std::string> groups;  // ids of our own group posts
};

struct Version {
    std::string id;
    std::vector<Parent> parents;
    std::string message;
    int64_t published_at = 0;  // ms
    int64_t received_at = 0;   // ms
};

struct Post {
    std::string id;
    std::string entity;
    std::string original_entity;
    std::string type;
    std::string content;  // JSON text of an object, as Json::dump() writes it; empty when absent
    int64_t published_at = 0;
    int64_t received_at = 0;
    Version version;
    std::vector<Mention> mentions;
    std::vector<Ref> refs;
    std::vector<std::string> licenses;  // urls
    std::vector<Attachment> attachments;
    AppInfo app;
    Permissions permissions;

    const std::string& mention_entity(const Mention& m) const { return m.entity.empty() ? entity : m.entity; }
};

// A type URI in its two halves (section 2.4). "https://x/v0#reply" -> "https://x/v0" and "reply".
struct TypeUri {
    std::string base;
    std::string fragment;  // percent-decoded, for comparing
    bool has_fragment = false;
};
Result<TypeUri> parse_type(std::string_view text);

// The base of a post's type as it stands there, without any check.
std::string_view base_of(const Post& post);

// Does a selector (a base, a base with fragment, or "all") cover the type?
bool type_matches(std::string_view selector, std::string_view type);

// A type of the protocol itself, which no person wants to read.
bool is_bookkeeping(std::string_view base);

bool is_valid_post_id(std::string_view id);  // [-0-9A-Za-z_]+ within limits
// "sha512t256-<64 hex>" out of a form with or without prefix; empty when it is neither.
std::string normal_digest(std::string_view text);

}  // namespace bivouac
