// SPDX-License-Identifier: BSD-3-Clause
// Who is asking (decided once a request, by auth) and what they may see (tent/visibility).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bivouac {

struct Principal {
    enum class Kind {
        Owner,      // the local control socket: her own program
        App,        // app-auth credentials
        AppItself,  // app credentials: only its own app post
        Peer,       // relationship credentials of another entity
        Server,     // our own bewit: exactly the signed URL
        Anonymous,
    };
    Kind kind = Kind::Anonymous;
    int64_t owner = 0;        // the local entity that is asked
    std::string entity;       // Peer: who
    std::string target_post;  // the app, app-auth or relationship post that the credentials belong to
    std::vector<std::string> read_types;   // App; writing includes reading
    std::vector<std::string> write_types;
    std::vector<std::string> scopes;
    std::string app_post;  // App
    std::string app_name;
    std::string app_url;
    bool approved = false;  // Peer: a follower whom the owner approved
    bool untold = false;    // Peer: it knows us by an address that we left
    bool shut_out = false;  // the door is sealed, and this is nobody for whom it opens

    bool full() const { return kind == Kind::Owner || kind == Kind::App; }
};

// What a query may show. Made by tent/visibility only.
struct Viewer {
    enum class Kind { Everything, Types, Peer, Anonymous };
    Kind kind = Kind::Anonymous;
    std::vector<std::string> types;  // Types: selectors whose private posts are shown as well
    std::string entity;              // Peer
    std::string own_post;            // a post of ours shown in any case: what the credentials belong to
    // Of what is public only the newest public version of the meta post, so that she can find and ask.
    bool shut_out = false;
};

}  // namespace bivouac
