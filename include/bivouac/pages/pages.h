// SPDX-License-Identifier: BSD-3-Clause
// The pages of a node, for people with a browser: what strangers see of an entity, and, after a login, all that its owner
// does. Plain HTML, one style sheet, no script, nothing from elsewhere. docs/pages.md lists them.
//
// wants() and handle() run on worker threads; the responder may be called later from another one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <bivouac/api/api.h>
#include <bivouac/base/secret.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post.h>
#include <bivouac/net/http_message.h>
#include <bivouac/net/request_head.h>
#include <bivouac/store/store.h>
#include <bivouac/tent/self.h>

namespace bivouac::pages {

// A file that is being made in the background, to be downloaded.
struct Job {
    enum class State { None, Running, Ready, Failed };
    State state = State::None;
    std::string what;     // "backup" or "export"
    int64_t done = 0;     // bytes, of `all`
    int64_t all = 0;
    int64_t size = 0;     // of the file
    std::string problem;
};

// One uploaded file on its way into the store.
struct Upload {
    std::string name;
    std::string content_type;
    std::shared_ptr<const Spool> bytes;
    bool as_is = false;  // the person wants it although it cannot be cleaned
};
struct TakenUpload {
    Attachment attachment;
    std::vector<std::string> removed;
    std::string cannot_be_cleaned;  // why; then nothing was stored
};

// What the pages of one entity ask of the rest of the node.
struct Hooks {
    // The control API: "GET /followers", its query, its body.
    std::function<Result<Json>(const std::string& route, const std::string& query, const Json& body)> ask;
    // A draft, addressed by the query of the control API's POST /post.
    std::function<Result<Json>(Post draft, const std::string& query)> publish;
    std::function<Result<TakenUpload>(const Upload& upload, size_t number)> take_upload;
    // Slow on purpose. `known`: from a browser that has been logged in before.
    std::function<void(Secret passphrase, bool known, std::function<void(api::PassphraseCheck)> done)> check_passphrase;
    std::function<void()> owner_seen;
    std::function<void()> posted;
    // Of the node as a whole: not for an entity that belongs to somebody else than whoever runs the node.
    std::function<bool()> runs_the_node;
    std::function<void()> lock;
    std::function<void()> panic;
    // Begins; Conflict while another is being made. The secrets are the node's passphrase and the backup's.
    std::function<Result<void>(Secret passphrase, Secret sealing)> begin_backup;
    std::function<Result<void>(Secret passphrase)> begin_export;
    std::function<Job()> job;
    std::function<Result<net::BodySource>()> job_file;
    std::function<void()> forget_job;
};

struct Settings {
    uint64_t upload_limit_bytes = limits::kAttachmentBytes;  // of one attachment
    std::string spool_directory;
};

class Pages {
public:
    Pages(store::Store& store, Clock& clock, tent::Self self, Hooks hooks, Settings settings);
    ~Pages();
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;

    // Is this a request of a browser for a page? By method, path and Accept alone. `nowhere`: nobody else knows the path, so a
    // browser is told here that it leads nowhere.
    static bool wants(const net::HttpRequest& request, bool nowhere = false);
    void handle(net::HttpRequest request, std::shared_ptr<const api::Site> site, api::Responder respond);

    // What a body may be, by its head: those who are logged in may upload, and are told on a page when it was too much. On
    // the loop thread, without I/O.
    net::BodyPolicy body_policy(const net::RequestHead& head) const;

    // A link that logs in once, as path of the entity's address.
    Result<std::string> make_login_link();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bivouac::pages
