// SPDX-License-Identifier: BSD-3-Clause
// A store with one entity, and two others with real onion addresses.
#pragma once

#include <bivouac/model/canonical_json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/receive.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tor/onion_address.h>

#include "store_fixture.h"

inline std::string onion_entity(char letter)
{
    return "http://" + bivouac::tor::onion_address_of_seed(bivouac::Secret(std::string(32, letter))) + ".onion";
}

struct Home : TestStore {
    bivouac::tent::Self self;
    const std::string bob = onion_entity('b');
    const std::string carol = onion_entity('c');

    Home()
    {
        self = write([](bivouac::store::WriteTx& tx) -> bivouac::Result<bivouac::tent::Self> {
            bivouac::store::LocalEntity e;
            e.name = "default";
            e.onion_seed = bivouac::Secret(std::string(32, 'a'));
            e.onion = bivouac::tor::onion_address_of_seed(e.onion_seed);
            e.entity = "http://" + e.onion + ".onion";
            e.bewit_id = "bewit-id";
            e.bewit_key = "bewit-key";
            e.followers_group = "followersgroup";
            e.id = TRY(bivouac::store::add_entity(tx, e));
            auto made = bivouac::tent::Self::of(e);
            TRY(bivouac::tent::make_followers_group(tx, made));
            TRY(bivouac::tent::publish_first_meta(tx, made));
            return made;
        });
    }

    // As if the handshake had been made.
    void know(const std::string& peer)
    {
        write([&](bivouac::store::WriteTx& tx) -> bivouac::Result<void> {
            bivouac::tent::TheirSide theirs;
            theirs.entity = peer;
            theirs.servers = "[]";
            theirs.hawk_id = "their-id";
            theirs.hawk_key = "their-key";
            theirs.relationship = remote(peer, "rel", bivouac::type::kRelationshipInitial);
            TRY(bivouac::tent::accept(tx, self, theirs));
            return {};
        });
    }

    bivouac::Post remote(const std::string& author, const std::string& id, const std::string& type)
    {
        bivouac::Post post;
        post.id = id;
        post.entity = author;
        post.type = type;
        post.published_at = post.version.published_at = clock.now;
        post.received_at = post.version.received_at = clock.now;
        bivouac::Mention mention;
        mention.entity = self.entity;
        post.mentions.push_back(mention);
        post.version.id = bivouac::version_id_of(post);
        return post;
    }

    bivouac::Post subscription(const std::string& author, const std::string& id = "sub",
                               const std::string& selector = "all")
    {
        bivouac::Post post = remote(author, id, bivouac::type::kSubscriptionAll);
        post.content = bivouac::Json({{"type", selector}}).dump();
        post.version.id = bivouac::version_id_of(post);
        return post;
    }

    bivouac::Result<bivouac::tent::Received> deliver(const bivouac::Post& post, const std::string& signer = "")
    {
        bivouac::Json body = bivouac::post_to_json(post, bivouac::Audience::peer(self.entity));
        return store->write([&](bivouac::store::WriteTx& tx) {
            return bivouac::tent::receive(tx, self, signer.empty() ? post.entity : signer, post.entity, post.id, body);
        });
    }

    std::string follower_state(const std::string& peer)
    {
        auto known = store->read(
            [&](bivouac::store::ReadTx& tx) { return bivouac::store::find_relationship(tx, self.id, peer); });
        REQUIRE(known.ok());
        return *known ? (**known).follower : "";
    }

    bivouac::store::Relationship relationship(const std::string& peer)
    {
        auto known = store->read(
            [&](bivouac::store::ReadTx& tx) { return bivouac::store::find_relationship(tx, self.id, peer); });
        REQUIRE(known.ok());
        REQUIRE(known->has_value());
        return **known;
    }

    // Types of what waits for the peer, in order of delivery.
    std::vector<std::string> waiting(const std::string& peer)
    {
        std::vector<std::string> out;
        auto all = store->read([&](bivouac::store::ReadTx& tx) -> bivouac::Result<std::vector<int64_t>> {
            std::vector<int64_t> rows;
            auto select = tx.prepare(R"(
                SELECT d.version FROM deliveries d JOIN names n ON n.id = d.peer
                WHERE n.entity = :peer AND d.state = 'waiting' ORDER BY d.ahead DESC, d.id)");
            select.bind(":peer", peer);
            while (TRY(select.step()))
                rows.push_back(select.integer(0));
            return rows;
        });
        for (int64_t row : *all) {
            auto post = store->read([&](bivouac::store::ReadTx& tx) { return bivouac::store::load_version(tx, row); });
            out.push_back((**post).type);
        }
        return out;
    }

    bivouac::Post publish(bivouac::Post draft)
    {
        return write([&](bivouac::store::WriteTx& tx) { return bivouac::tent::publish(tx, self, draft); });
    }

    bivouac::Post status(bool is_public, std::vector<std::string> groups = {}, std::vector<std::string> entities = {})
    {
        bivouac::Post draft;
        draft.type = bivouac::type::kStatus;
        draft.content = R"({"text":"t"})";
        draft.permissions.is_public = is_public;
        draft.permissions.groups = std::move(groups);
        draft.permissions.entities = std::move(entities);
        return draft;
    }
};
