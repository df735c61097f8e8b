// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/tent/delivery_failure.h>

#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

struct Failing : Home {
    Post post_to(const std::string& entity, const std::string& type = type::kStatus)
    {
        Post draft;
        draft.type = type;
        draft.content = R"({"text":"t"})";
        Mention mention;
        mention.entity = entity;
        draft.mentions = {mention};
        return publish(draft);
    }

    void fails(const Post& post, const std::string& peer, FailureStatus status = FailureStatus::Temporary,
               FailureReason reason = FailureReason::Unreachable)
    {
        write([&](store::WriteTx& tx) { return record_failure(tx, self, post, peer, reason, status); });
    }

    std::vector<Post> told()
    {
        FeedQuery query;
        query.types = {type::kDeliveryFailureBase};
        Viewer all;
        all.kind = Viewer::Kind::Everything;
        auto page = store->read([&](store::ReadTx& tx) { return store::load_feed(tx, self.id, query, all); });
        REQUIRE(page.ok());
        return page->posts;
    }
};

}  // namespace

TEST_CASE("a failed delivery to somebody mentioned is told once for each status, privately (section 7.7)")
{
    Failing home;
    Post post = home.post_to(home.bob);
    home.fails(post, home.bob);
    home.fails(post, home.bob);
    auto told = home.told();
    REQUIRE(told.size() == 1);
    const Post& failure = told[0];
    CHECK(failure.type == std::string(type::kDeliveryFailureBase) + "#" + type::kStatusBase);
    CHECK(Json::parse(failure.content) ==
          Json({{"entity", home.bob}, {"status", "temporary"}, {"reason", "unreachable"}}));
    REQUIRE(failure.refs.size() == 1);
    CHECK(failure.refs[0].post == post.id);
    CHECK(failure.refs[0].version == post.version.id);
    CHECK(failure.refs[0].type == post.type);
    REQUIRE(failure.mentions.size() == 1);
    CHECK(failure.mentions[0].post == post.id);
    CHECK_FALSE(failure.permissions.is_public);
    // Nobody but our own apps gets it.
    CHECK(home.waiting(home.bob) == std::vector<std::string>{type::kStatus});

    home.clock.now += 1000;
    home.fails(post, home.bob, FailureStatus::Permanent, FailureReason::DeliveryFailed);
    home.fails(post, home.bob, FailureStatus::Permanent);
    home.fails(post, home.bob);
    told = home.told();
    REQUIRE(told.size() == 2);
    CHECK(Json::parse(told[0].content)["status"] == "permanent");
    CHECK(Json::parse(told[0].content)["reason"] == "delivery_failed");
}

TEST_CASE("nothing is told of mere subscribers, nor of what servers keep among themselves (section 7.7)")
{
    Failing home;
    home.know(home.bob);
    REQUIRE(home.deliver(home.subscription(home.bob)).ok());
    home.write([&](store::WriteTx& tx) { return approve(tx, home.self, home.bob); });
    Post to_subscribers = home.status(true);
    home.fails(home.publish(to_subscribers), home.bob);
    auto subscription = home.write([&](store::WriteTx& tx) -> Result<Post> {
        Post draft = private_draft(type::kSubscriptionMeta);
        draft.content = Json({{"type", type::kMeta}}).dump();
        Mention mention;
        mention.entity = home.carol;
        draft.mentions = {mention};
        draft.permissions.entities = {home.carol};
        return publish(tx, home.self, draft);
    });
    home.fails(subscription, home.carol);
    CHECK(home.told().empty());
}

TEST_CASE("an app's subscription that does not reach its target is told (section 7.7)")
{
    Failing home;
    home.write([&](store::WriteTx& tx) { return follow(tx, home.self, home.bob); });
    auto row = home.write([&](store::WriteTx& tx) { return store::next_delivery(tx, home.self.id, home.bob); });
    REQUIRE(row);
    auto post = home.write([&](store::WriteTx& tx) { return store::load_version(tx, row->version_row); });
    home.fails(*post, home.bob, FailureStatus::Temporary, FailureReason::RelationshipFailed);
    REQUIRE(home.told().size() == 1);
    CHECK(home.told()[0].type == std::string(type::kDeliveryFailureBase) + "#" + type::kSubscriptionBase);
}
