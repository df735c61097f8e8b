// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/tent/delivery_failure.h>
#include <bivouac/tent/publish.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

const char* word(FailureReason reason)
{
    switch (reason) {
    case FailureReason::Unreachable: return "unreachable";
    case FailureReason::DiscoveryFailed: return "discovery_failed";
    case FailureReason::RelationshipFailed: return "relationship_failed";
    case FailureReason::DeliveryFailed: return "delivery_failed";
    }
    return "";
}

const char* word(FailureStatus status)
{
    return status == FailureStatus::Temporary ? "temporary" : "permanent";
}

// An app wrote it and wants it to arrive. A subscription to meta posts is every server's own.
bool is_an_apps(const Post& post, const std::string& base)
{
    for (const char* ours : {type::kRelationshipBase, type::kCredentialsBase, type::kDeleteBase,
                             type::kDeliveryFailureBase, type::kMetaBase, type::kAppBase, type::kAppAuthBase})
        if (base == ours)
            return false;
    return post.type != type::kSubscriptionMeta;
}

// Marks the delivery; false when this status was told already.
Result<bool> first_time(store::WriteTx& tx, const Self& self, const Post& failed, const std::string& peer,
                        FailureStatus status)
{
    auto mark = tx.prepare(R"(
        UPDATE deliveries SET told = :status
        WHERE owner = :owner AND told < :status AND peer = (SELECT id FROM names WHERE entity = :peer)
            AND version = (SELECT v.id FROM versions v JOIN posts p ON p.id = v.post JOIN names n ON n.id = p.author
                           WHERE p.owner = :owner AND n.entity = :author AND p.public_id = :post
                               AND v.version_id = :version))");
    TRY(mark.bind(":status", status == FailureStatus::Temporary ? 1 : 2)
            .bind(":owner", self.id)
            .bind(":peer", peer)
            .bind(":author", failed.entity)
            .bind(":post", failed.id)
            .bind(":version", failed.version.id)
            .run());
    return tx.changes() > 0;
}

}  // namespace

Result<void> record_failure(store::WriteTx& tx, const Self& self, const Post& failed, const std::string& peer,
                            FailureReason reason, FailureStatus status)
{
    const std::string base = TRY(parse_type(failed.type)).base;
    const bool mentioned = std::any_of(failed.mentions.begin(), failed.mentions.end(),
                                       [&](const Mention& m) { return failed.mention_entity(m) == peer; });
    if (!mentioned || !is_an_apps(failed, base) || !TRY(first_time(tx, self, failed, peer, status)))
        return {};
    Post draft = private_draft(std::string(type::kDeliveryFailureBase) + "#" + base);
    draft.content = Json({{"entity", peer}, {"status", word(status)}, {"reason", word(reason)}}).dump();
    Mention mention;
    mention.post = failed.id;
    mention.version = failed.version.id;
    mention.type = failed.type;
    Ref ref;
    ref.post = failed.id;
    ref.version = failed.version.id;
    ref.type = failed.type;
    draft.mentions.push_back(std::move(mention));
    draft.refs.push_back(std::move(ref));
    TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    return {};
}

}  // namespace bivouac::tent
