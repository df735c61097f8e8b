// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/protocol.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/audience.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>
#include <map>

namespace bivouac::tent {

namespace {

constexpr std::string_view kGroupPrefix = "group:";

std::vector<std::string> split(const std::vector<std::string>& lists)
{
    std::vector<std::string> out;
    for (std::string_view list : lists)
        for (;;) {
            const size_t comma = list.find(',');
            std::string_view one = list.substr(0, comma);
            while (!one.empty() && one.front() == ' ')
                one.remove_prefix(1);
            while (!one.empty() && one.back() == ' ')
                one.remove_suffix(1);
            if (!one.empty())
                out.emplace_back(one);
            if (comma == std::string_view::npos)
                break;
            list.remove_prefix(comma + 1);
        }
    return out;
}

// Mentioned, so that it is delivered and not only readable (section 7.5).
void name_reader(Post& draft, const std::string& entity)
{
    auto& entities = draft.permissions.entities;
    if (std::find(entities.begin(), entities.end(), entity) == entities.end())
        entities.push_back(entity);
    for (const auto& mention : draft.mentions)
        if (mention.entity == entity)
            return;
    Mention mention;
    mention.entity = entity;
    // One reader need not learn of the others.
    mention.is_public = false;
    draft.mentions.push_back(std::move(mention));
}

struct Deliveries {
    std::string state;
    int64_t ended_at = 0;
};

Result<std::map<std::string, Deliveries>> deliveries_of(store::ReadTx& tx, const Self& self, int64_t version_row)
{
    std::map<std::string, Deliveries> out;
    auto select = tx.prepare(R"(
        SELECT n.entity, d.state, d.ended_at FROM deliveries d JOIN names n ON n.id = d.peer
        WHERE d.version = :version AND d.owner = :owner)");
    select.bind(":version", version_row).bind(":owner", self.id);
    while (TRY(select.step()))
        out[select.text(0)] = {select.text(1), select.integer(2)};
    return out;
}

}  // namespace

Result<void> address_to(store::ReadTx& tx, const Self& self, Post& draft, const std::vector<std::string>& to)
{
    draft.permissions = {};
    draft.permissions.is_public = false;
    const auto audiences = split(to);
    // A variable of a script that is empty must not make a message that nobody gets.
    if (audiences.empty())
        return fail(ErrorKind::Invalid, "--to names nobody; for yourself alone: --to me");
    for (const auto& audience : audiences) {
        if (audience == "public") {
            draft.permissions.is_public = true;
        } else if (audience == "followers") {
            draft.permissions.groups.push_back(self.followers_group);
        } else if (audience == "me") {
            continue;
        } else if (audience.starts_with(kGroupPrefix)) {
            draft.permissions.groups.push_back(
                TRY(find_group(tx, self, audience.substr(kGroupPrefix.size()))).id);
        } else {
            auto entity = peer_entity(audience);
            if (!entity.ok())
                return fail(ErrorKind::Invalid, "--to takes public, followers, group:NAME, me, or the whole address of an "
                                                "entity (http://<56 letters and digits>.onion)");
            if (*entity != self.entity)
                name_reader(draft, *entity);
        }
    }
    return {};
}

Result<void> address_as_reply(store::ReadTx& tx, const Self& self, Post& draft, const std::string& entity,
                              const std::string& post)
{
    auto answered = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, entity, post, ""))));
    if (!answered)
        return fail(ErrorKind::NotFound, "there is no such post here; see: bivouac feed");
    Mention mention;
    mention.entity = entity;
    mention.post = post;
    mention.type = answered->type;
    draft.mentions.insert(draft.mentions.begin(), std::move(mention));
    draft.permissions = answered->permissions;
    if (answered->permissions.is_public)
        return {};
    if (entity != self.entity) {
        // Her other readers are hers to know (section 2.3).
        draft.permissions = {};
        draft.permissions.is_public = false;
        draft.permissions.entities.push_back(entity);
    }
    for (const auto& other : answered->mentions)
        if (const std::string& named = answered->mention_entity(other); named != self.entity)
            name_reader(draft, named);
    return {};
}

Result<Readers> readers_of(store::ReadTx& tx, const Self& self, const Post& post, int64_t version_row)
{
    Readers out;
    out.is_public = post.permissions.is_public;
    std::map<std::string, Reader> readers;
    auto add = [&](const std::string& entity, std::string because) {
        if (entity == self.entity)
            return;
        Reader& reader = readers[entity];
        reader.entity = entity;
        reader.because.push_back(std::move(because));
    };
    for (const auto& group : post.permissions.groups) {
        const bool followers = group == self.followers_group;
        auto found = find_group(tx, self, group);
        for (const auto& member : TRY(group_members(tx, self, group)))
            add(member, followers ? "follower" : "group:" + (found.ok() ? found->name : group));
    }
    for (const auto& entity : post.permissions.entities)
        add(entity, "named");
    if (out.is_public)
        for (const auto& subscription : TRY(store::approved_subscriptions(tx, self.id, self.entity)))
            if (type_matches(subscription.selector, post.type) && readers.count(subscription.subscriber) == 0)
                add(subscription.subscriber, "follower");
    for (const auto& mention : post.mentions) {
        const std::string& entity = post.mention_entity(mention);
        if (entity.empty() || entity == self.entity)
            continue;
        if (out.is_public || readers.count(entity) != 0) {
            auto known = readers.find(entity);
            if (known == readers.end() || known->second.because.back() != "mentioned")
                add(entity, "mentioned");
        } else {
            out.warnings.push_back("mentioned, but may not read it: " + entity);
        }
    }
    const auto deliveries = TRY(deliveries_of(tx, self, version_row));
    const auto recipients = TRY(tent::recipients(tx, self, post));
    for (auto& [entity, reader] : readers) {
        auto relationship = TRY(store::find_relationship(tx, self.id, entity));
        if (relationship && relationship->follower == "blocked") {
            out.warnings.push_back("blocked, gets nothing: " + entity);
            continue;
        }
        reader.delivered_to = std::find(recipients.begin(), recipients.end(), entity) != recipients.end();
        if (auto delivery = deliveries.find(entity); delivery != deliveries.end()) {
            reader.delivery = delivery->second.state;
            reader.delivered_at = delivery->second.state == "delivered" ? delivery->second.ended_at : 0;
        }
        if (!reader.delivered_to && !out.is_public)
            out.warnings.push_back("may read it, but it is not delivered to her, as she does not follow: " + entity);
        out.readers.push_back(std::move(reader));
    }
    return out;
}

}  // namespace bivouac::tent
