// SPDX-License-Identifier: BSD-3-Clause
// The part of the control API about other people: following, the desk, groups, audiences, the ledger of deliveries.
#include <bivouac/model/protocol.h>
#include <bivouac/store/catch_ups.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/post_lists.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "control_api.h"
#include "control_parameters.h"

namespace bivouac::app {

namespace {

Json following_json(const tent::Self& self, const store::Relationship& r)
{
    Json out = {{"entity", r.peer},
                {"state", r.following},
                {"verified_at", r.verified_at == 0 ? Json() : Json(r.verified_at)}};
    if (!r.moved_from.empty())
        out["moved"] = {{"from", r.moved_from}, {"noticed_at", r.moved_at}};
    if (auto phrase = tent::safety_phrase(self.entity, r.peer); phrase.ok())
        out["safety_phrase"] = *phrase;
    if (!r.last_problem.empty() && (r.following == "connecting" || r.following == "refused"))
        out["problem"] = r.last_problem;
    return out;
}

// Why the last form of our wish was not taken. What the peer's queue met later says nothing about that.
Result<std::string> refusal_of(store::ReadTx& tx, const tent::Self& self, const store::Relationship& r)
{
    if (r.following_post.empty())
        return std::string();
    store::LedgerFilter filter;
    filter.post = r.following_post;
    filter.peer = r.peer;
    auto last = TRY(store::load_ledger(tx, self.id, filter, 0, 1));
    return last.empty() || last[0].state != "refused" ? std::string() : last[0].problem;
}

Json group_json(const tent::Group& group)
{
    return {{"id", group.id}, {"name", group.name}, {"members", group.members}};
}

Json delivery_json(const store::LedgerEntry& entry)
{
    Json out = {{"id", entry.id},       {"entity", entry.peer},           {"post", entry.post}, {"version", entry.version},
                {"type", entry.type},   {"state", entry.state},           {"tries", entry.tries},
                {"queued_at", entry.created_at}};
    if (entry.ended_at != 0)
        out["ended_at"] = entry.ended_at;
    if (entry.next_try_at != 0)
        out["next_try_at"] = entry.next_try_at;
    if (!entry.problem.empty())
        out["problem"] = entry.problem;
    return out;
}

Json catch_up_json(const store::CatchUp& c)
{
    Json out = {{"entity", c.peer}, {"got", c.got}, {"due_at", c.due_at}, {"tries", c.tries}};
    if (c.done_at != 0)
        out["done_at"] = c.done_at;
    if (c.failed_at != 0)
        out["failed_at"] = c.failed_at;
    if (!c.problem.empty())
        out["problem"] = c.problem;
    return out;
}

}  // namespace

Result<Json> ControlApi::follow(const Json& body)
{
    auto wish = TRY(wish_in(body));
    auto relationship = TRY(store_.write([&](store::WriteTx& tx) {
        tx.after_commit([this] {
            hooks_.posted();
            hooks_.withdrawn();
        });
        return tent::follow(tx, self_, wish.entity, wish.message);
    }));
    return Json({{"following", following_json(self_, relationship)}});
}

Result<Json> ControlApi::unfollow(const Json& body)
{
    std::string entity = TRY(entity_in(self_, body));
    TRY(store_.write([&](store::WriteTx& tx) {
        tx.after_commit([this] {
            hooks_.posted();
            hooks_.withdrawn();
        });
        return tent::unfollow(tx, self_, entity);
    }));
    return Json({{"unfollowed", entity}});
}

// The desk: who asks, and what is known of her.
Result<Json> ControlApi::follower_json(store::ReadTx& tx, const store::Relationship& r)
{
    Json out = {{"entity", r.peer},
                {"state", r.follower},
                {"since", r.follower_since},
                {"first_seen", r.first_seen},
                {"verified_at", r.verified_at == 0 ? Json() : Json(r.verified_at)}};
    if (!r.moved_from.empty())
        out["moved"] = {{"from", r.moved_from}, {"noticed_at", r.moved_at}};
    if (!r.note.empty())
        out["note"] = r.note;
    if (auto phrase = tent::safety_phrase(self_.entity, r.peer); phrase.ok())
        out["safety_phrase"] = *phrase;
    auto profiles = TRY(store::load_profiles(tx, self_.id, {r.peer}));
    if (auto profile = profiles.find(r.peer); profile != profiles.end() && !profile->second.name.empty())
        out["name"] = profile->second.name;
    Json groups = Json::array();
    if (r.follower == "approved")
        for (const auto& group : TRY(tent::list_groups(tx, self_))) {
            auto members = TRY(tent::group_members(tx, self_, group.id));
            if (std::binary_search(members.begin(), members.end(), r.peer))
                groups.push_back(group.name);
        }
    out["groups"] = groups;
    return out;
}

Result<Json> ControlApi::followers(std::string_view query)
{
    const std::string state = parameter(query, "state");
    return store_.read([&](store::ReadTx& tx) -> Result<Json> {
        auto all = TRY(store::list_relationships(tx, self_.id));
        // Who waits longest comes first of those who wait; a flood of others must not hide her.
        std::stable_sort(all.begin(), all.end(), [](const store::Relationship& a, const store::Relationship& b) {
            return a.follower_since < b.follower_since;
        });
        const int64_t limit = std::clamp<int64_t>(std::atoll(parameter(query, "limit").c_str()), 0, 1000);
        Json list = Json::array();
        Json counts = Json::object();
        for (const auto& r : all) {
            if (r.follower.empty())
                continue;
            counts[r.follower] = counts.value(r.follower, 0) + 1;
            if ((state.empty() || state == r.follower) && (limit == 0 || static_cast<int64_t>(list.size()) < limit))
                list.push_back(TRY(follower_json(tx, r)));
        }
        return Json({{"followers", list}, {"counts", counts}, {"door", store::name_of(*self_.door)}});
    });
}

Result<Json> ControlApi::decide(const Json& body)
{
    std::string action = TRY(string_member(body, "action"));
    if (action == "deny-all") {
        auto denied = TRY(store_.write([&](store::WriteTx& tx) { return tent::deny_all(tx, self_); }));
        return Json({{"denied", denied}});
    }
    std::string entity = TRY(entity_in(self_, body));
    auto groups = TRY(list_in(body, "groups"));
    return store_.write([&](store::WriteTx& tx) -> Result<Json> {
        Json out = Json::object();
        if (action == "approve") {
            std::vector<std::string> ids;
            for (const auto& name : groups)
                ids.push_back(TRY(tent::find_group(tx, self_, name)).id);
            TRY(tent::approve(tx, self_, entity, ids));
        } else if (action == "deny") {
            TRY(tent::deny(tx, self_, entity));
        } else if (action == "block") {
            TRY(tent::block(tx, self_, entity));
        } else if (action == "unblock") {
            TRY(tent::unblock(tx, self_, entity));
        } else if (action == "remove") {
            auto held = TRY(tent::remove_follower(tx, self_, entity));
            out["held"] = {{"delivered", held.delivered},
                           {"readable", held.readable},
                           {"last_delivered_at", held.last_delivered_at == 0 ? Json() : Json(held.last_delivered_at)}};
        } else if (action == "verify" || action == "unverify") {
            TRY(tent::verify(tx, self_, entity, action == "verify"));
        } else {
            return fail(ErrorKind::Invalid, "the action is approve, deny, deny-all, block, unblock, remove, verify or unverify");
        }
        tx.after_commit([this] {
            hooks_.posted();
            hooks_.withdrawn();
        });
        auto now = TRY(store::find_relationship(tx, self_.id, entity));
        if (!now)
            return fail(ErrorKind::Internal, "the follower is gone");
        out["follower"] = TRY(follower_json(tx, *now));
        return out;
    });
}

Result<Json> ControlApi::catch_ups()
{
    return store_.read([&](store::ReadTx& tx) -> Result<Json> {
        Json list = Json::array();
        for (const auto& c : TRY(store::list_catch_ups(tx, self_.id)))
            list.push_back(catch_up_json(c));
        return Json({{"catch_ups", list}, {"now", tx.now_ms()}});
    });
}

// Due now: of one entity, or of all that we follow.
Result<Json> ControlApi::catch_up(const Json& body)
{
    std::string entity;
    if (body.contains("entity") && !TRY(string_member(body, "entity")).empty())
        entity = TRY(entity_in(self_, body));
    return store_.write([&](store::WriteTx& tx) -> Result<Json> {
        tx.after_commit([this] {
            hooks_.posted();
            hooks_.withdrawn();
        });
        Json list = Json::array();
        for (const auto& c : TRY(store::list_catch_ups(tx, self_.id))) {
            if (!entity.empty() && c.peer != entity)
                continue;
            TRY(store::want_catch_up(tx, self_.id, c.peer, store::Begin::WhereItEnded));
            TRY(store::wake_peer(tx, self_.id, c.peer));
            list.push_back(c.peer);
        }
        if (!entity.empty() && list.empty())
            return fail(ErrorKind::NotFound, "you do not follow this entity, or she has not been reached yet; see: bivouac "
                                             "following");
        return Json({{"entities", list}, {"now", tx.now_ms()}});
    });
}

Result<Json> ControlApi::door()
{
    return Json({{"door", store::name_of(*self_.door)}});
}

Result<Json> ControlApi::set_door(const Json& body)
{
    auto door = store::door_of(TRY(string_member(body, "door")));
    if (!door)
        return fail(ErrorKind::Invalid, "the door is open, vetted or sealed");
    TRY(store_.write([&](store::WriteTx& tx) {
        tx.after_commit([this] {
            hooks_.posted();
            hooks_.withdrawn();
        });
        return tent::change_door(tx, self_, *door);
    }));
    return Json({{"door", store::name_of(*door)}});
}

Result<Json> ControlApi::groups()
{
    auto all = TRY(store_.read([&](store::ReadTx& tx) { return tent::list_groups(tx, self_); }));
    Json list = Json::array();
    for (const auto& group : all)
        list.push_back(group_json(group));
    return Json({{"groups", list}});
}

Result<Json> ControlApi::group(std::string_view query)
{
    return store_.read([&](store::ReadTx& tx) -> Result<Json> {
        auto group = TRY(tent::find_group(tx, self_, parameter(query, "group")));
        Json out = group_json(group);
        out["members"] = TRY(tent::group_members(tx, self_, group.id));
        return Json({{"group", out}});
    });
}

Result<Json> ControlApi::change_group(const Json& body)
{
    std::string name = TRY(string_member(body, "group"));
    std::string action = TRY(string_member(body, "action"));
    return store_.write([&](store::WriteTx& tx) -> Result<Json> {
        tx.after_commit([this] {
            hooks_.posted();
            hooks_.withdrawn();
        });
        if (action == "add")
            return Json({{"group", group_json(TRY(tent::make_group(tx, self_, name)))}});
        if (action == "remove")
            return Json({{"group", group_json(TRY(tent::remove_group(tx, self_, name)))}});
        if (action != "join" && action != "leave")
            return fail(ErrorKind::Invalid, "the action is add, remove, join or leave");
        auto group = TRY(tent::find_group(tx, self_, name));
        if (group.id == self_.followers_group)
            return fail(ErrorKind::Invalid, "who is a follower is decided with: bivouac followers approve | remove");
        for (const auto& text : TRY(list_in(body, "entities"))) {
            std::string entity = TRY(tent::peer_entity(self_, text));
            if (entity == self_.entity)
                return fail(ErrorKind::Invalid, "this is your own address; you see all of your posts anyway");
            if (action == "join")
                TRY(tent::join_group(tx, self_, group.id, entity));
            else
                TRY(tent::leave_group(tx, self_, group.id, entity));
        }
        Json out = group_json(group);
        out["members"] = TRY(tent::group_members(tx, self_, group.id));
        return Json({{"group", out}});
    });
}

// Of a stored post (?post=), or of one that is not written yet (?to=, ?reply_post=, and ?mention= for those named in its text).
Result<Json> ControlApi::audience(std::string_view query)
{
    const std::string id = parameter(query, "post");
    return store_.read([&](store::ReadTx& tx) -> Result<Json> {
        if (id.empty()) {
            Post draft;
            draft.type = type::kStatus;
            draft.entity = self_.entity;
            for (const auto& entity : parameters(query, "mention")) {
                Mention mention;
                mention.entity = TRY(tent::peer_entity(self_, entity));
                draft.mentions.push_back(std::move(mention));
            }
            TRY(address(tx, self_, draft, query));
            return Json({{"audience", readers_json(TRY(tent::readers_of(tx, self_, draft, 0)))}});
        }
        const int64_t row = TRY(store::find_version(tx, self_.id, self_.entity, id, ""));
        auto post = TRY(store::load_version(tx, row));
        if (!post)
            return fail(ErrorKind::NotFound, "you have no such post; see: bivouac feed");
        return Json({{"post", id}, {"audience", readers_json(TRY(tent::readers_of(tx, self_, *post, row)))}});
    });
}

namespace {

Result<store::LedgerFilter> ledger_filter(const tent::Self& self, const std::string& post, const std::string& entity, const std::string& state)
{
    store::LedgerFilter out;
    out.post = post;
    if (!entity.empty())
        out.peer = TRY(tent::peer_entity(self, entity));
    for (const char* known : {"", "waiting", "delivered", "refused", "given_up", "cancelled"})
        if (state == known) {
            out.state = state;
            return out;
        }
    return fail(ErrorKind::Invalid, "the state is waiting, delivered, refused, given_up or cancelled");
}

// An id with a slip in it would look like a post that goes to nobody.
Result<void> need_own_post(store::ReadTx& tx, const tent::Self& self, const std::string& post)
{
    if (!post.empty() && TRY(store::find_version(tx, self.id, self.entity, post, "")) == 0)
        return fail(ErrorKind::NotFound, "you have no such post; see: bivouac feed");
    return {};
}

}  // namespace

Result<Json> ControlApi::deliveries(std::string_view query)
{
    auto filter = TRY(ledger_filter(self_, parameter(query, "post"), parameter(query, "entity"), parameter(query, "state")));
    const int64_t before = std::max<int64_t>(std::atoll(parameter(query, "before").c_str()), 0);
    int64_t limit = std::atoll(parameter(query, "limit").c_str());
    limit = limit <= 0 ? 100 : std::min<int64_t>(limit, 1000);
    auto all = TRY(store_.read([&](store::ReadTx& tx) -> Result<std::vector<store::LedgerEntry>> {
        TRY(need_own_post(tx, self_, filter.post));
        return store::load_ledger(tx, self_.id, filter, before, limit + 1);
    }));
    const bool more = static_cast<int64_t>(all.size()) > limit;
    if (more)
        all.pop_back();
    Json list = Json::array();
    for (const auto& entry : all)
        list.push_back(delivery_json(entry));
    return Json({{"deliveries", list}, {"next_before", more ? Json(all.back().id) : Json()}});
}

Result<Json> ControlApi::change_deliveries(const Json& body)
{
    auto text = [&](const char* name) -> Result<std::string> {
        return body.contains(name) ? TRY(string_member(body, name)) : std::string();
    };
    auto filter = TRY(ledger_filter(self_, TRY(text("post")), TRY(text("entity")), ""));
    std::string action = TRY(text("action"));
    const bool cancel = action == "cancel";
    if (!cancel && action != "retry")
        return fail(ErrorKind::Invalid, "the action is cancel or retry");
    if (cancel && filter.post.empty() && filter.peer.empty())
        return fail(ErrorKind::Invalid, "say which: a post, or whom with --to");
    int64_t count = TRY(store_.write([&](store::WriteTx& tx) -> Result<int64_t> {
        TRY(need_own_post(tx, self_, filter.post));
        tx.after_commit([this] {
            hooks_.posted();
            hooks_.withdrawn();
        });
        return cancel ? store::cancel_deliveries(tx, self_.id, filter) : store::retry_deliveries(tx, self_.id, filter);
    }));
    return Json({{cancel ? "cancelled" : "waiting", count}});
}

Result<Json> ControlApi::following()
{
    return store_.read([&](store::ReadTx& tx) -> Result<Json> {
        std::map<std::string, int64_t> caught_up;
        for (const auto& c : TRY(store::list_catch_ups(tx, self_.id)))
            caught_up[c.peer] = c.done_at;
        Json list = Json::array();
        for (const auto& r : TRY(store::list_relationships(tx, self_.id))) {
            if (r.following.empty())
                continue;
            Json one = following_json(self_, r);
            if (std::string why = TRY(refusal_of(tx, self_, r)); !why.empty())
                one["problem"] = std::move(why);
            one["caught_up_at"] = caught_up[r.peer] == 0 ? Json() : Json(caught_up[r.peer]);
            list.push_back(std::move(one));
        }
        return Json({{"following", list}});
    });
}

}  // namespace bivouac::app
