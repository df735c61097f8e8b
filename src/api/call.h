// SPDX-License-Identifier: BSD-3-Clause
// One request on its way through the API, and what handlers share. A handler answers at once, or keeps the call
// and finishes it later from another thread (proxying, handshakes, OAuth's slow passphrase check).
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <bivouac/api/api.h>
#include <bivouac/api/error_response.h>
#include <bivouac/model/post_json.h>
#include <bivouac/tent/visibility.h>

#include "oauth_state.h"
#include "target.h"

namespace bivouac::api {

struct Services {
    Api& api;
    store::Store& store;
    auth::Authenticator& authenticator;
    Clock& clock;
    const Hooks& hooks;
    const Settings& settings;
    std::unique_ptr<OauthState> oauth = std::make_unique<OauthState>();
    // Under way. Shared: the last of a batch can go after the API itself, on a thread of the store's.
    std::shared_ptr<std::atomic<int>> batches = std::make_shared<std::atomic<int>>(0);
};

struct Call {
    Services& services;
    net::HttpRequest request;
    std::shared_ptr<const Site> site;
    auth::Authenticated caller;
    Route route;
    Responder respond;
    bool page = false;      // for a browser's address bar: no CORS (section 11)
    bool in_batch = false;  // inside a batch: no OAuth, no other batch (section 4.11)

    const Principal& principal() const { return caller.principal; }
    const tent::Self& self() const { return site->self; }
    bool reading() const { return request.method == "GET" || request.method == "HEAD"; }
    bool is_head() const { return request.method == "HEAD"; }
    bool is_signed() const { return principal().kind != Principal::Kind::Anonymous; }
    bool is_app() const { return principal().kind == Principal::Kind::App; }
    bool foreign() const { return route.entity != self().entity; }
    std::optional<std::string> parameter(std::string_view name) const { return query_parameter(route.query, name); }
    std::string_view header(std::string_view name) const { return request.header(name).value_or(""); }
};
using CallPtr = std::shared_ptr<Call>;

// Nothing: the call was kept, finish() follows.
using Answer = std::optional<net::HttpResponse>;

// Completes the answer (304, CORS, Server-Authorization) and sends it. From every thread, once.
void finish(Call& call, net::HttpResponse response);

inline net::HttpResponse not_found() { return error_response(404, "Not Found"); }

std::string post_content_type(const std::string& type);
net::HttpResponse post_response(const Post& post, const Audience& audience);
net::HttpResponse json_response(const Json& body, const char* content_type);
// Vary, Cache-Control, and an ETag made of the body: what depends on who asks has another tag for each.
void add_read_headers(net::HttpResponse& response, bool is_public);

// ?version=: empty for none and for "latest"; ids with or without prefix.
std::string version_parameter(const Call& call);

// Where the credentials post can be read for an hour without other authentication (sections 5.7 and 6.1).
std::string signed_url(const Call& call, const std::string& target, int64_t lifetime_seconds);
std::string signed_target(const Call& call, const std::string& target, int64_t lifetime_seconds);

// The media type of the list that Accept asks for instead of the post (section 4.4); null for the post itself.
const char* wanted_list(const Call& call);

// reading.cpp
Answer feed(const CallPtr& call);
Answer get_post(const CallPtr& call);
// writing.cpp
Answer new_post(const CallPtr& call);
Answer put_post(const CallPtr& call);
Answer delete_post(const CallPtr& call);
// files.cpp
Answer get_attachment(const CallPtr& call);
Answer get_post_attachment(const CallPtr& call);
// pages of the protocol
Answer discovery(const CallPtr& call);
// oauth.cpp
Answer oauth_authorize(const CallPtr& call);
Answer oauth_token(const CallPtr& call);
// batch.cpp
Answer batch(const CallPtr& call);
// server_info.cpp
Answer server_info(const CallPtr& call);
// proxying.cpp
Answer discover(const CallPtr& call);

}  // namespace bivouac::api
