// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/deliveries.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/moving.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/succession.h>
#include <bivouac/tor/onion_address.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

// Others may learn of the move for so long: somebody who was away for a year still finds us.
constexpr int64_t kSuccessionMs = int64_t(400) * 24 * 3'600'000;

// As many as a version's message has room for. Who missed more moves than that asks to follow again.
constexpr size_t kMostSteps = 9;

// Every URL that begins with one address begins with the other.
void replace_base(Json& json, const std::string& from, const std::string& to)
{
    if (json.is_string()) {
        if (auto& text = json.get_ref<std::string&>(); text.starts_with(from))
            text = to + text.substr(from.size());
    } else if (json.is_structured()) {
        for (auto& element : json)
            replace_base(element, from, to);
    }
}

Json moved_content(const Post& meta, const Succession& succession)
{
    Json content = content_of(meta);
    content["entity"] = succession.to;
    if (!content.contains("previous_entities") || !content["previous_entities"].is_array())
        content["previous_entities"] = Json::array();
    content["previous_entities"].push_back(succession.from);
    replace_base(content["servers"], succession.from, succession.to);
    return content;
}

Result<Post> next_version(store::WriteTx& tx, const Self& self, const Post& meta, const Succession& succession,
                          const std::string& parent)
{
    const Json content = moved_content(meta, succession);
    Json successions = successions_in(meta.version.message);
    successions.push_back(succession_to_json(succession));
    while (successions.size() > kMostSteps)
        successions.erase(successions.begin());
    Post draft;
    draft.version.message = with_successions("", successions);
    draft.id = kMetaPostId;
    draft.type = type::kMeta;
    draft.content = content.dump();
    draft.attachments = meta.attachments;
    draft.permissions = meta.permissions;
    Parent after;
    after.version = parent;
    draft.version.parents.push_back(std::move(after));
    return publish(tx, self, std::move(draft), Deliver::Nobody);
}

bool is_told(const store::Relationship& r)
{
    return r.follower != "blocked" && r.follower != "removed" &&
           (r.state == "active" || r.follower == "approved" || !r.following.empty());
}

}  // namespace

Result<void> load_moves(store::ReadTx& tx, const Self& self)
{
    for (const auto& [from, to] : TRY(store::load_moves(tx, self.id)))
        self.moves->add(from, to);
    return {};
}

Result<std::string> move_self(store::WriteTx& tx, const Self& self, const Secret& old_seed, const Secret& new_seed,
                              int64_t serve_old_until, const std::function<void(int64_t, int64_t)>& progress)
{
    const Succession succession = make_succession(old_seed, new_seed, tx.now_ms(), tx.now_ms() + kSuccessionMs);
    if (succession.from != self.entity)
        return fail(ErrorKind::Internal, "the key is not that of the address");
    // In the name of the old address, and rewritten with everything else: so its version id has that name in it, and is right
    // for whoever gets it under the one or the other (section 3.2).
    auto full = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, kMetaPostId, ""))));
    if (!full)
        return fail(ErrorKind::Internal, "the meta post is gone");
    Post told = *full;
    if (!full->permissions.is_public) {
        // Behind a sealed door everybody else's newest version has no profile.
        const Viewer anybody{Viewer::Kind::Anonymous, {}, {}, {}, false};
        auto bare = TRY(store::load_post(tx, self.id, self.entity, kMetaPostId, "", anybody));
        if (!bare)
            return fail(ErrorKind::Internal, "the meta post is gone");
        told = TRY(next_version(tx, self, *bare, succession, full->version.id));
        TRY(next_version(tx, self, *full, succession, told.version.id));
    } else {
        told = TRY(next_version(tx, self, *full, succession, full->version.id));
    }
    const int64_t version = TRY(store::find_version(tx, self.id, self.entity, told.id, told.version.id));
    TRY(store::set_entity_address(tx, self.id, succession.to, tor::onion_address_of_seed(new_seed), new_seed, serve_old_until));
    TRY(store::move_entity(tx, self.id, succession.from, succession.to, succession.at));
    for (int64_t turns = 0; TRY(store::rewrite_posts(tx, self.id)); ++turns)
        if (progress) {
            auto select = tx.prepare("SELECT rewritten, rewrite_to FROM moves WHERE owner = :owner ORDER BY id DESC LIMIT 1");
            select.bind(":owner", self.id);
            if (TRY(select.step()))
                progress(select.integer(0), select.integer(1));
        }
    for (const auto& r : TRY(store::list_relationships(tx, self.id)))
        if (is_told(r) && r.peer != succession.to)
            TRY(store::enqueue_delivery(tx, self.id, r.peer, version, store::Order::Ahead));
    return succession.to;
}

Result<bool> follow_move(store::WriteTx& tx, const Self& self, const Post& meta, const std::string& from)
{
    const Json content = content_of(meta);
    const std::string to = text_in(content, "entity");
    if (to.empty() || to == from || to == self.entity || from == self.entity)
        return false;
    const auto way = way_from(meta, from, to, tx.now_ms());
    if (!way)
        return fail(ErrorKind::Forbidden, "a move that is not signed by both addresses, or too old");
    const std::string now = self.current(from);
    if (now == to)
        return true;  // known
    // Once left, an address has one successor: whoever got hold of its key later leads nobody elsewhere.
    if (now != from)
        return fail(ErrorKind::Forbidden, "this address was left for another one");
    if (self.current(to) != to)
        return fail(ErrorKind::Forbidden, "a move to an address that was left");
    auto fresh = TRY(store::find_relationship(tx, self.id, to));
    auto known = TRY(store::find_relationship(tx, self.id, from));
    if (fresh && fresh->follower == "blocked" && !(known && known->follower == "blocked"))
        return fail(ErrorKind::Forbidden, "a move to an address that is blocked");
    TRY(store::move_entity(tx, self.id, from, to, way->back().at));
    tx.after_commit([moves = self.moves, from, to] { moves->add(from, to); });
    auto moved = TRY(store::find_relationship(tx, self.id, to));
    auto servers = content.find("servers");
    if (moved && servers != content.end() && servers->is_array()) {
        moved->servers = servers->dump();
        TRY(store::save_relationship(tx, *moved));
    }
    return true;
}

Result<bool> follow_moves(store::WriteTx& tx, const Self& self, const Post& meta)
{
    const Json content = content_of(meta);
    auto previous = content.find("previous_entities");
    if (previous == content.end() || !previous->is_array())
        return false;
    bool moved = false;
    for (const auto& one : *previous) {
        if (!one.is_string())
            continue;
        const std::string from = one.get<std::string>();
        if (self.current(from) != from || !TRY(store::find_relationship(tx, self.id, from)))
            continue;
        // What is not true about an address is no reason not to talk to this one.
        auto followed = follow_move(tx, self, meta, from);
        if (!followed.ok() && followed.error().kind != ErrorKind::Forbidden)
            return std::move(followed).error();
        moved = moved || (followed.ok() && *followed);
    }
    return moved;
}

Post announcement(const Post& meta, const std::string& current, const std::string& known_as)
{
    Post out = meta;
    const std::string published_by = meta.original_entity.empty() ? current : meta.original_entity;
    out.entity = known_as;
    out.original_entity = published_by == known_as ? std::string() : published_by;
    return out;
}

void bring_up_to_date(const Self& self, Post& post)
{
    for (const auto& [from, to] : self.moves->all()) {
        const std::string now = self.current(to);
        store::rename_in(post, from, now);
    }
}

}  // namespace bivouac::tent
