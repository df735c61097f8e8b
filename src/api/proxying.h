// SPDX-License-Identifier: BSD-3-Clause
// Reading at other servers for the owner's apps (Tent 0.3, section 4.9): whether a call may, and how it is finished
// with what came. Whatever can be kept is stored first and then shown as everything here is, so what an app gets to
// see is decided in one place.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <bivouac/model/feed_query.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/proxying.h>

#include "call.h"

namespace bivouac::api {

enum class ProxyMode {
    Local,   // no-proxy
    IfMiss,  // proxy-if-miss
    Always,  // proxy
};
// What Cache-Control asks for; Local for everybody but apps and whom they were sent here by.
ProxyMode proxy_mode(const Call& call, ProxyMode otherwise);

// Is a version of the call's post in the store that the caller may read?
bool is_here(const Call& call);

// These finish the call later.
void proxy_post(const CallPtr& call);
void proxy_list(const CallPtr& call, const char* media_type);
void proxy_post_attachment(const CallPtr& call);
// `size`: what a post here says; -1 when none does.
void proxy_attachment(const CallPtr& call, const std::string& digest, int64_t size);

// What would have to be asked for: the feeds of foreign entities, and refs and profiles that are not here.
std::vector<tent::RemoteRequest> feeds_elsewhere(const Call& call, const FeedQuery& query);
std::vector<tent::RemoteRequest> extras_elsewhere(const Call& call, const std::vector<store::PostText>& posts,
                                                  std::optional<int> max_refs, unsigned profiles, ProxyMode mode);
// Asks for all of these, keeps what is as it should be, leaves out what fails; then `then`.
void fetch_all(const CallPtr& call, std::vector<tent::RemoteRequest> requests, std::function<void()> then);

// reading.cpp: the call's post as it is here; an empty version: the newest that the caller may see.
Answer answer_post(const CallPtr& call, const std::string& version, ProxyMode mode);
// files.cpp: an attachment whose bytes are here now.
net::HttpResponse fetched_attachment(const Call& call, const std::string& digest, const std::string& content_type);

}  // namespace bivouac::api
