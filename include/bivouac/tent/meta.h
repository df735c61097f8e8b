// SPDX-License-Identifier: BSD-3-Clause
// Our meta post, and the reading of others' (Tent 0.3, sections 1.2 to 1.5).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/model/json.h>
#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

// The first version, made at init. Servers on onions: the endpoints follow from the entity.
Result<void> publish_first_meta(store::WriteTx& tx, const Self& self);

// "/posts/http%3A%2F%2F...onion/meta": what the Link header of the entity URL names.
std::string meta_path(const Self& self);
// The HTML of the entity URL: exactly the form that old clients match (section 1.2).
std::string discovery_html(const Self& self);

// Link header values with that rel, in order; URLs as written.
std::vector<std::string> links_with_rel(const std::vector<std::string_view>& header_values, std::string_view rel);
std::vector<std::string> html_links_with_rel(std::string_view html, std::string_view rel);

// http, a v3 onion, perhaps a port: what we may fetch from.
bool is_onion_url(std::string_view url);

// One of an entity's servers, by preference; only those we may reach (http and a v3 onion).
// A version of the meta post with the profile, as it is while the door is sealed.
void seal_meta(const Self& self, Post& meta);
// Who may follow, and what strangers learn. Behind a sealed door the profile is for approved followers: everybody else's
// newest version of the meta post has none. The copies of `self` know it after the commit.
Result<void> change_door(store::WriteTx& tx, const Self& self, store::Door door);

// A new version of the meta post with this profile (members of section 1.3; empty ones are left out) and, when given, another
// avatar; an attachment without a digest takes it away. Behind a sealed door the full one is for followers, as in
// change_door(). Invalid: too long.
Result<void> change_profile(store::WriteTx& tx, const Self& self, const Json& profile, const std::optional<Attachment>& avatar);

struct ServerUrls {
    std::string post;        // templates
    std::string attachment;
    std::string posts_feed;
    std::string post_attachment;
    int64_t preference = 0;  // the lowest first; among equals whoever uses them chooses
};
// `servers` is the JSON array of the meta post's content.
std::vector<ServerUrls> usable_servers(const Json& servers);

// RFC 6570 level 1: every {name} replaced by its percent-encoded value.
std::string expand_template(std::string_view url_template,
                            const std::vector<std::pair<std::string_view, std::string_view>>& values);

}  // namespace bivouac::tent
