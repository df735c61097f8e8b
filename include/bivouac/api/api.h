// SPDX-License-Identifier: BSD-3-Clause
// The Tent API of one node: request in, response out. Which entity is asked is decided by the listener a
// request came through, and its Host must be that entity's onion (or the local API's address).
// handle() runs on worker threads; the responder may be called later from the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include <bivouac/auth/authenticator.h>
#include <bivouac/base/secret.h>
#include <bivouac/model/json.h>
#include <bivouac/model/limits.h>
#include <bivouac/net/http_message.h>
#include <bivouac/net/request_head.h>
#include <bivouac/store/store.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/proxying.h>
#include <bivouac/tent/self.h>

namespace bivouac::api {

using Responder = std::function<void(net::HttpResponse)>;

enum class PassphraseCheck {
    Right,
    Wrong,
    Busy,  // too many are being checked, or there is no memory for it: not looked at
};

// Bytes, for apps (section 4.12).
struct Storage {
    uint64_t available = 0;
    uint64_t used = 0;
};

// How a listener is reached from outside.
struct Site {
    tent::Self self;
    std::set<std::string> hosts;  // Host values that are right
    bool local = false;           // the local API
};

// What the API asks of the rest of the node.
struct Hooks {
    std::function<Storage(int64_t owner)> storage;                    // may be empty
    std::function<void()> owner_seen;                                 // an app of the owner's asked; may be empty
    std::function<void()> posted;                                     // the outbox has something new
    std::function<void()> withdrawn;                                  // a deletion; may be empty
    std::function<void(int64_t owner, std::string peer)> peer_seen;   // a signed request of a peer came in
    // The target's side of a handshake; answers by itself.
    std::function<void(const tent::Self&, std::string url_entity, std::string url_post, std::string link, Json body,
                       std::optional<uint32_t> circuit, Responder)>
        initial;
    // Pages for people: is it a request for one (nowhere: its target is none of the API's), and the answer to it. May be empty.
    std::function<bool(const net::HttpRequest&, bool nowhere)> is_for_pages;
    std::function<void(net::HttpRequest, std::shared_ptr<const Site>, Responder)> page;
    // What becomes of a body that is sent to a page, by its head; on the loop thread. A limit of 0: nothing special.
    std::function<net::BodyPolicy(int64_t owner, const net::RequestHead&)> page_body;
    // Reads at other servers; without it only what is here is shown.
    tent::AskRemote ask_remote;
    // Is it the owner's? Slow on purpose, so it answers later from a thread of its own.
    std::function<void(int64_t owner, Secret passphrase, std::function<void(PassphraseCheck)> done)> check_passphrase;
};

struct Settings {
    // For tests of other programs: every app gets what it asks for, without a person. Never on a real node.
    bool auto_approve = false;
    uint64_t upload_limit_bytes = limits::kAttachmentBytes;  // of one attachment, and of one request's attachments
    // Posts by strangers (apps that register): so many at once, then one in three seconds.
    int stranger_burst = 20;
    // Apps of strangers that may wait to be allowed.
    size_t waiting_apps = tent::kWaitingApps;
};

struct Services;

class Api {
public:
    Api(store::Store& store, auth::Authenticator& authenticator, Clock& clock, Hooks hooks, Settings settings = {});
    ~Api();
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;

    void add_site(int listener, Site site);
    void remove_site(int listener);
    // What a request may send, by its head, before anything of the body is taken: strangers little.
    net::BodyPolicy body_policy(int listener, const net::RequestHead& head) const;
    // Hawk ids whose requests may carry large bodies; told by whoever makes or finds credentials of apps.
    void allow_large_bodies(const std::string& hawk_id);

    // Takes one from the strangers' share; false when it is used up.
    bool admit_stranger(int64_t owner);

    void handle(net::HttpRequest request, Responder respond);
    // A request whose site is known: handle()'s second half, and each part of a batch.
    void serve(net::HttpRequest request, std::shared_ptr<const Site> site, Responder respond, bool in_batch);

private:
    Hooks hooks_;
    Settings settings_;
    std::unique_ptr<Services> services_;
    mutable std::mutex mutex_;  // all that follows
    struct Tokens {
        int left = 0;
        int64_t refill_at = 0;  // monotonic ms
    };
    std::map<int64_t, Tokens> strangers_;  // by owner
    std::map<int, std::shared_ptr<const Site>> sites_;
    std::set<std::string, std::less<>> large_ids_;
};

}  // namespace bivouac::api
