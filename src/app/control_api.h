// SPDX-License-Identifier: BSD-3-Clause
// What the command line asks of the running node, over a unix socket in the data directory (0600, peer uid
// checked): HTTP with JSON, like everything else, so one front serves both. Runs on worker threads.
#pragma once

#include <atomic>
#include <functional>

#include <bivouac/api/api.h>
#include <bivouac/net/http_message.h>
#include <bivouac/store/relationships.h>
#include <bivouac/store/store.h>
#include <bivouac/tent/follow_message.h>
#include <bivouac/tent/self.h>

#include "status_board.h"

namespace bivouac::app {

class ControlApi {
public:
    struct Hooks {
        std::function<void()> posted;
        std::function<void()> withdrawn;  // what is under way may not be meant for its reader any more
        std::function<void()> stop;
        std::function<void()> begin_anew;  // entities or addresses are others now
        std::function<void()> check_reach;
        std::function<void(const std::string& hawk_id)> app_created;
        std::function<Result<std::string>()> login_link;  // a path of the entity's address
        std::function<api::Storage()> storage;
        std::function<std::map<std::string, Status>()> boards;  // of all entities, by name
    };
    // `upload_limit`: bytes of one attachment.
    ControlApi(store::Store& store, const StatusBoard& board, tent::Self self, Hooks hooks, uint64_t upload_limit);

    net::HttpResponse handle(const net::HttpRequest& request);
    // The same within the program, for the pages: a route ("GET /followers"), its query, its body. The owner is known.
    Result<Json> ask(const std::string& route, const std::string& query, const Json& body);
    // A draft whose attachments are in the store, addressed by the query of POST /post.
    Result<Json> publish(Post draft, std::string_view query);

private:
    Result<Json> run(const std::string& route, const std::string& query, const std::function<Result<Json>()>& body);
    Result<Json> status();
    Result<Json> outages();
    Result<Json> post(const net::HttpRequest& request, std::string_view query);
    Result<Json> feed(std::string_view query);
    Result<Json> show(std::string_view query);
    Result<Json> search(std::string_view query);
    Result<net::HttpResponse> attachment(std::string_view query);
    struct Wish {
        std::string entity;
        tent::FollowMessage message;
    };
    Result<Wish> wish_in(const Json& body);
    Result<Json> follow(const Json& body);
    Result<Json> unfollow(const Json& body);
    Result<Json> follower_json(store::ReadTx& tx, const store::Relationship& relationship);
    Result<Json> followers(std::string_view query);
    Result<Json> decide(const Json& body);
    Result<Json> following();
    Result<Json> catch_ups();
    Result<Json> catch_up(const Json& body);
    Result<Json> door();
    Result<Json> set_door(const Json& body);
    Result<Json> groups();
    Result<Json> group(std::string_view query);
    Result<Json> change_group(const Json& body);
    Result<Json> invites();
    Result<Json> change_invites(const Json& body);
    Result<Json> audience(std::string_view query);
    Result<Json> deliveries(std::string_view query);
    Result<Json> change_deliveries(const Json& body);
    Result<Json> create_app(const Json& body);
    Result<Json> apps();
    Result<Json> app(std::string_view query);
    Result<Json> decide_app(const Json& body);
    Result<Json> onion_key();
    Result<Json> entities();
    Result<Json> change_entities(const Json& body);
    Result<Json> move(const Json& body);
    Result<void> check_owner(const net::HttpRequest& request, const std::string& path);

    store::Store& store_;
    const StatusBoard& board_;
    tent::Self self_;
    Hooks hooks_;
    uint64_t upload_limit_;
    struct Amount {
        std::atomic<int64_t> done{0}, all{0};
    };
    Amount moving_;  // posts of a move that is under way; all 0: none is
};

}  // namespace bivouac::app
