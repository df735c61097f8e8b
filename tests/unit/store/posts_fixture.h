// SPDX-License-Identifier: BSD-3-Clause
// A store with one entity, and short ways to put posts into it.
#pragma once

#include <bivouac/model/canonical_json.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>

#include "store_fixture.h"

inline const std::string kSelf = "http://self.onion";
inline const std::string kBob = "http://bob.onion";
inline const std::string kCarol = "http://carol.onion";
inline const bivouac::Viewer kAll{bivouac::Viewer::Kind::Everything, {}, {}, {}};
inline const bivouac::Viewer kAnonymous{};

inline bivouac::Viewer app_of(std::vector<std::string> types)
{
    return {bivouac::Viewer::Kind::Types, std::move(types), {}, {}};
}

inline bivouac::Viewer peer_of(const std::string& entity)
{
    return {bivouac::Viewer::Kind::Peer, {}, entity, {}};
}

struct Posts : TestStore {
    int64_t owner = 0;

    Posts()
    {
        owner = write([](bivouac::store::WriteTx& tx) {
            bivouac::store::LocalEntity entity;
            entity.name = "default";
            entity.entity = kSelf;
            entity.onion = "self";
            entity.onion_seed = bivouac::Secret(size_t(32));
            entity.bewit_id = "bewit";
            entity.bewit_key = "key";
            entity.followers_group = "group1";
            return bivouac::store::add_entity(tx, entity);
        });
    }

    bivouac::Post make(const std::string& id, int64_t time, bool is_public = true)
    {
        bivouac::Post post;
        post.id = id;
        post.entity = kSelf;
        post.type = "https://tent.io/types/status/v0#";
        post.content = R"({"text":"t"})";
        post.published_at = post.received_at = time;
        post.version.published_at = post.version.received_at = time;
        post.permissions.is_public = is_public;
        return post;
    }

    bivouac::Post add(bivouac::Post post)
    {
        post.version.id = bivouac::version_id_of(post);
        write([&](bivouac::store::WriteTx& tx) { return bivouac::store::insert_version(tx, owner, post); });
        return post;
    }

    void relate(const std::string& peer, const std::string& follower, const std::string& following)
    {
        write([&](bivouac::store::WriteTx& tx) {
            bivouac::store::Relationship r;
            r.owner = owner;
            r.peer = peer;
            r.follower = follower;
            r.following = following;
            auto saved = bivouac::store::save_relationship(tx, r);
            return saved.ok() ? bivouac::Result<bool>(true) : bivouac::Result<bool>(saved.error());
        });
    }

    std::vector<std::string> ids(const bivouac::FeedQuery& query, const bivouac::Viewer& viewer)
    {
        auto page = store->read(
            [&](bivouac::store::ReadTx& tx) { return bivouac::store::load_feed(tx, owner, query, viewer); });
        REQUIRE(page.ok());
        auto count = store->read(
            [&](bivouac::store::ReadTx& tx) { return bivouac::store::count_feed(tx, owner, query, viewer); });
        REQUIRE(count.ok());
        if (*count <= query.limit)
            CHECK(static_cast<size_t>(*count) == page->posts.size());
        std::vector<std::string> out;
        for (const auto& post : page->posts)
            out.push_back(post.id);
        return out;
    }

    // By the query string of a feed.
    std::vector<std::string> feed(std::string_view query, const bivouac::Viewer& viewer)
    {
        auto parsed = bivouac::parse_feed_query(query);
        REQUIRE(parsed.ok());
        return ids(*parsed, viewer);
    }

    std::optional<bivouac::Post> get(const std::string& id, const bivouac::Viewer& viewer,
                                     const std::string& version = "")
    {
        auto post = store->read([&](bivouac::store::ReadTx& tx) {
            return bivouac::store::load_post(tx, owner, kSelf, id, version, viewer);
        });
        REQUIRE(post.ok());
        return *post;
    }
};

using Ids = std::vector<std::string>;
