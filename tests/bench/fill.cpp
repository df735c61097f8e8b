// SPDX-License-Identifier: BSD-3-Clause
// A data directory with as many public posts as asked for, written by the store's own functions in large
// transactions, under a passphrase that costs nothing to check. Prints what the bench needs to know of it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

#include <bivouac/app/config.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/files.h>
#include <bivouac/model/canonical_json.h>
#include <bivouac/model/json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/key_file.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/store/search.h>
#include <bivouac/store/store.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tor/onion_address.h>

#include <sodium.h>

#include "arguments.h"

using namespace bivouac;

namespace {

template <typename T>
T must(Result<T> result)
{
    if (!result)
        die(result.error().detail);
    return std::move(*result);
}

void must(Result<void> result)
{
    if (!result)
        die(result.error().detail);
}

store::LocalEntity make_entity()
{
    store::LocalEntity entity;
    entity.name = "default";
    entity.onion_seed = Secret(system_random().bytes(32));
    entity.onion = tor::onion_address_of_seed(entity.onion_seed);
    entity.entity = "http://" + entity.onion + ".onion";
    entity.bewit_id = system_random().id();
    entity.bewit_key = to_base64url(system_random().bytes(32));
    entity.followers_group = system_random().id();
    return entity;
}

constexpr const char* kWords[] = {"fog", "over", "the", "harbour", "this", "morning", "and", "nobody", "awake",
                                  "but", "gulls", "tea", "is", "ready", "bring", "a", "coat", "née", "\"quoted\""};

std::string words(size_t length)
{
    std::string text;
    while (text.size() < length)
        text += std::string(kWords[system_random().below(std::size(kWords))]) + " ";
    return text;
}

Post status_post(const tent::Self& self, int64_t when)
{
    Post post;
    post.id = system_random().id();
    post.entity = self.entity;
    post.type = type::kStatus;
    // One word of many, for searches that find few.
    post.content = Json({{"text", words(40 + system_random().below(200)) + "w" + std::to_string(system_random().below(20'000))}}).dump();
    post.published_at = post.received_at = when;
    post.version.published_at = post.version.received_at = when;
    post.version.id = version_id_of(post);
    return post;
}

// Somebody whose handshake is done, who subscribed and was let in, and for whom nothing waits.
Result<void> add_follower(store::WriteTx& tx, const tent::Self& self, const std::string& entity)
{
    store::Relationship known;  // not a stranger: of those only so many come in a day
    known.owner = self.id;
    known.peer = entity;
    known.follower = "pending";
    known.follower_since = tx.now_ms();
    TRY(store::save_relationship(tx, known));
    auto remote = [&](const char* id, const char* type) {
        Post post = status_post(self, tx.now_ms());
        post.id = id;
        post.entity = entity;
        post.type = type;
        post.content = "{}";
        post.permissions.is_public = false;
        post.version.id = version_id_of(post);
        return post;
    };
    tent::TheirSide theirs;
    theirs.entity = entity;
    Json urls = {{"post", entity + "/posts/{entity}/{post}"}};
    for (const char* name : {"oauth_auth", "oauth_token", "posts_feed", "new_post", "post_attachment", "attachment",
                             "batch", "server_info"})
        urls[name] = entity + "/" + name;
    Json servers = Json::array();
    servers.push_back({{"version", "0.3"}, {"preference", 0}, {"urls", urls}});
    theirs.servers = servers.dump();
    theirs.meta = remote("meta", type::kMeta);
    theirs.meta.content = Json({{"entity", entity}, {"servers", servers}}).dump();
    theirs.meta.version.id = version_id_of(theirs.meta);
    theirs.relationship = remote("relationship", type::kRelationshipInitial);
    theirs.hawk_id = "key-of-" + entity.substr(7, 8);
    theirs.hawk_key = to_base64url(system_random().bytes(32));
    TRY(tent::accept(tx, self, theirs));
    TRY(store::add_subscription(tx, self.id, {entity, self.entity, "all", "subscription"}));
    TRY(tent::approve(tx, self, entity));
    return store::drop_deliveries(tx, self.id, entity);
}

}  // namespace

int main(int count, char** values)
{
    if (sodium_init() < 0)
        return 1;
    Arguments arguments(count, values);
    const std::string directory = arguments.text("--data");
    const int64_t posts = arguments.number("--posts", 1000);
    const Secret passphrase(arguments.text("--passphrase"));

    const app::DataPaths paths = app::DataPaths::in(directory);
    must(ensure_private_directory(directory));
    store::DataKeys keys = store::make_data_keys(system_random());
    must(write_file_atomically(
        paths.keys, must(store::create_key_file(keys, passphrase, store::PassphraseCost{1, 64}, system_random()))));
    store::StoreOptions options;
    options.readers = 1;
    options.cache_kib_writer = 64 << 10;
    auto store = must(store::Store::open(paths.database, keys, true, options));

    tent::Self self;
    auto app = must(store->write([&](store::WriteTx& tx) -> Result<tent::LocalApp> {
        store::LocalEntity entity = make_entity();
        entity.id = TRY(store::add_entity(tx, entity));
        self = tent::Self::of(entity);
        TRY(tent::make_followers_group(tx, self));
        TRY(tent::publish_first_meta(tx, self));
        return tent::create_local_app(tx, self, "Bench", {"all"}, {"all"});
    }));

    // A minute apart, up to an hour ago.
    const int64_t begin = system_clock().now_ms() - (posts + 60) * 60'000;
    std::string middle;
    for (int64_t done = 0; done < posts;) {
        const int64_t until = std::min<int64_t>(posts, done + 20'000);
        must(store->write([&](store::WriteTx& tx) -> Result<void> {
            for (; done < until; ++done) {
                Post post = status_post(self, begin + done * 60'000);
                if (done == posts / 2)
                    middle = post.id;
                TRY(store::insert_version(tx, self.id, post));
            }
            return {};
        }));
    }
    // As a node does by itself.
    const auto indexing = std::chrono::steady_clock::now();
    if (must(store::index_waiting(*store, std::chrono::hours(1))) != 0)
        die("the posts are not indexed");
    const std::chrono::duration<double> indexed = std::chrono::steady_clock::now() - indexing;
    Json followers = Json::array();
    for (const int64_t wanted = arguments.number("--followers", 0); static_cast<int64_t>(followers.size()) < wanted;)
        must(store->write([&](store::WriteTx& tx) -> Result<void> {
            for (int i = 0; i < 500 && static_cast<int64_t>(followers.size()) < wanted; ++i) {
                followers.push_back("http://" + tor::onion_address_of_seed(Secret(system_random().bytes(32))) + ".onion");
                TRY(add_follower(tx, self, followers.back().get<std::string>()));
            }
            return {};
        }));
    std::cout << Json({{"entity", self.entity}, {"id", app.hawk_id}, {"key", app.hawk_key}, {"app", app.app_post},
                       {"post", middle}, {"posts", posts}, {"followers", followers}, {"index_seconds", indexed.count()}})
              << std::endl;
}
