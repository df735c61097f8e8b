// SPDX-License-Identifier: BSD-3-Clause
// Reading what other entities publish in the name of an app of ours (Tent 0.3, sections 4.9 and 4.10): what is asked
// of their servers, what came back, and which of it is kept. Who may ask is the API's decision, how to get there
// the relay's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <bivouac/base/spool.h>
#include <bivouac/model/json.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

struct RemoteRequest {
    enum class What {
        Post,  // and its lists, by Accept
        PostAttachment,
        Attachment,
        Feed,
        Meta,  // by discovery
    };
    What what = What::Post;
    Self self;
    std::string entity;  // whose server is asked
    std::string post;
    std::string name;    // of an attachment
    std::string digest;
    std::string query;   // without '?'
    std::string method = "GET";
    std::string accept;
    // With the keys of the relationship, where there is one. Not for an app that must not see all that these open.
    bool sign = true;
    uint64_t limit_bytes = limits::kProxiedBytes;  // of the answer
    int64_t timeout_ms = limits::kProxiedMs;       // for all of it
};

struct RemoteAnswer {
    enum class Outcome {
        Answered,
        TimedOut,
        Unreachable,    // or the answer is none
        NotDiscovered,  // the entity leads to no server that we may ask
        Busy,           // too much under way
    };
    Outcome outcome = Outcome::Unreachable;
    std::string url;  // the last one asked
    int status = 0;
    std::string content_type;
    std::string etag;
    std::string location;
    std::string attachment_digest;
    std::string count;
    std::string body;
    std::shared_ptr<Spool> spool;  // of attachments
    std::optional<Post> meta;      // What::Meta
};

// May be called from every thread; `done` follows once, on a thread that may wait for the store.
using AskRemote = std::function<void(RemoteRequest, std::function<void(RemoteAnswer)> done)>;

// A post as it came, and whether it is what was asked for: Invalid when it is somebody else's, has another id or
// version (an empty one: any), or does not have the version id that it claims.
Result<Post> read_fetched(const Json& json, const std::string& entity, const std::string& post,
                          const std::string& version, int64_t now_ms);

// Stored, without anything else happening, unless it is one of those by which servers keep order among themselves, or
// has been deleted. True: it is in the store now.
Result<bool> keep_fetched(store::WriteTx& tx, const Self& self, Post post);

}  // namespace bivouac::tent
