// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/post_json.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/moves.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>

#include <algorithm>

namespace bivouac::store {

namespace {

constexpr int64_t kRowsAtOnce = 2000;      // looked at
constexpr size_t kRewrittenAtOnce = 200;

struct Ids {
    int64_t owner;
    int64_t from;
    int64_t to;
};

Result<void> run(WriteTx& tx, const char* sql, const Ids& ids)
{
    auto statement = tx.prepare(sql);
    for (auto [name, id] : {std::pair(":owner", ids.owner), std::pair(":from", ids.from), std::pair(":to", ids.to)})
        if (std::string_view(sql).find(name) != std::string_view::npos)
            statement.bind(name, id);
    return statement.run();
}

// Posts of the new address that were here before the move became known (its meta post, say) take the versions of the old
// one's; a version that is here twice stays once.
Result<void> merge_posts(WriteTx& tx, const Ids& ids)
{
    std::vector<std::pair<int64_t, int64_t>> both;
    {
        auto select = tx.prepare(R"(
            SELECT o.id, n.id FROM posts o JOIN posts n ON n.owner = o.owner AND n.author = :to AND n.public_id = o.public_id
            WHERE o.owner = :owner AND o.author = :from)");
        select.bind(":owner", ids.owner).bind(":from", ids.from).bind(":to", ids.to);
        while (TRY(select.step()))
            both.emplace_back(select.integer(0), select.integer(1));
    }
    for (auto [old_post, new_post] : both) {
        TRY(tx.prepare(R"(DELETE FROM versions WHERE post = :new AND version_id IN (SELECT version_id FROM versions WHERE post = :old))")
                .bind(":new", new_post)
                .bind(":old", old_post)
                .run());
        TRY(tx.prepare(R"(
                UPDATE versions SET post = :old, post_published_at = (SELECT published_at FROM posts WHERE id = :old),
                    post_received_at = (SELECT received_at FROM posts WHERE id = :old) WHERE post = :new)")
                .bind(":new", new_post)
                .bind(":old", old_post)
                .run());
        TRY(tx.prepare("DELETE FROM posts WHERE id = :new").bind(":new", new_post).run());
        TRY(order_versions(tx, old_post));
    }
    return {};
}

// One row is left, of the new address.
Result<void> merge_relationships(WriteTx& tx, const Ids& ids, const std::string& from, const std::string& to)
{
    auto old = TRY(find_relationship(tx, ids.owner, from));
    auto fresh = TRY(find_relationship(tx, ids.owner, to));
    if (!old)
        return {};
    if (fresh) {
        // Its keys are the newer ones.
        if (fresh->state == "active") {
            old->state = fresh->state;
            old->our_post = fresh->our_post;
            old->our_hawk_id = fresh->our_hawk_id;
            old->their_post = fresh->their_post;
            old->their_hawk_id = fresh->their_hawk_id;
            old->their_hawk_key = fresh->their_hawk_key;
            old->servers = fresh->servers;
        }
        if (old->follower.empty() || (old->follower == "pending" && fresh->follower == "approved"))
            old->follower = fresh->follower;
        if (old->following.empty()) {
            old->following = fresh->following;
            old->following_post = fresh->following_post;
        }
        if (old->verified_at == 0)
            old->verified_at = fresh->verified_at;
        TRY(run(tx, "DELETE FROM relationships WHERE owner = :owner AND peer = :to", ids));
    }
    TRY(run(tx, "UPDATE relationships SET peer = :to WHERE owner = :owner AND peer = :from", ids));
    old->peer = to;
    old->tries = 0;
    old->next_try_at = 0;
    old->last_problem.clear();
    return save_relationship(tx, *old);
}

Result<void> point_elsewhere(WriteTx& tx, const Ids& ids)
{
    static const char* const kStatements[] = {
        "UPDATE posts SET author = :to WHERE owner = :owner AND author = :from",
        "UPDATE versions SET author = :to WHERE owner = :owner AND author = :from",
        "INSERT OR IGNORE INTO tombstones SELECT owner, :to, public_id, version_id FROM tombstones"
        " WHERE owner = :owner AND author = :from",
        "INSERT OR IGNORE INTO version_entities SELECT e.version, :to FROM version_entities e"
        " JOIN versions v ON v.id = e.version WHERE e.entity = :from AND v.owner = :owner",
        "DELETE FROM version_entities WHERE entity = :from AND version IN (SELECT id FROM versions WHERE owner = :owner)",
        "UPDATE OR IGNORE mentions SET entity = :to WHERE owner = :owner AND entity = :from",
        "DELETE FROM mentions WHERE owner = :owner AND entity = :from",
        "UPDATE parents SET entity = :to WHERE entity = :from AND version IN (SELECT id FROM versions WHERE owner = :owner)",
        "UPDATE OR IGNORE group_members SET member = :to WHERE owner = :owner AND member = :from",
        "DELETE FROM group_members WHERE owner = :owner AND member = :from",
        "UPDATE credentials SET peer = :to WHERE owner = :owner AND peer = :from",
        "UPDATE OR IGNORE subscriptions SET subscriber = :to WHERE owner = :owner AND subscriber = :from",
        "DELETE FROM subscriptions WHERE owner = :owner AND subscriber = :from",
        "UPDATE OR IGNORE subscriptions SET target = :to WHERE owner = :owner AND target = :from",
        "DELETE FROM subscriptions WHERE owner = :owner AND target = :from",
        "UPDATE OR IGNORE deliveries SET peer = :to WHERE owner = :owner AND peer = :from",
        "DELETE FROM deliveries WHERE owner = :owner AND peer = :from",
        "UPDATE OR IGNORE fetches SET peer = :to WHERE owner = :owner AND peer = :from",
        "DELETE FROM fetches WHERE owner = :owner AND peer = :from",
        "DELETE FROM catch_ups WHERE owner = :owner AND peer = :to"
        " AND EXISTS (SELECT 1 FROM catch_ups WHERE owner = :owner AND peer = :from)",
        "UPDATE catch_ups SET peer = :to, due_at = 0, tries = 0 WHERE owner = :owner AND peer = :from",
        "UPDATE OR IGNORE invite_uses SET peer = :to WHERE peer = :from"
        " AND invite IN (SELECT id FROM invites WHERE owner = :owner)",
    };
    for (const char* sql : kStatements)
        TRY(run(tx, sql, ids));
    return {};
}

template <typename Element>
bool rename_one(Element& element, const std::string& from, const std::string& to)
{
    if (element.entity != from)
        return false;
    element.entity = to;
    if (element.original_entity.empty())
        element.original_entity = from;
    return true;
}

}  // namespace

bool rename_in(Post& post, const std::string& from, const std::string& to)
{
    bool changed = rename_one(post, from, to);
    for (auto& mention : post.mentions)
        changed |= rename_one(mention, from, to);
    for (auto& ref : post.refs)
        changed |= rename_one(ref, from, to);
    for (auto& parent : post.version.parents)
        changed |= rename_one(parent, from, to);
    for (auto& entity : post.permissions.entities)
        if (entity == from) {
            entity = to;
            changed = true;
        }
    return changed;
}

Result<std::vector<std::pair<std::string, std::string>>> load_moves(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare(R"(
        SELECT o.entity, n.entity FROM moves m JOIN names o ON o.id = m.old JOIN names n ON n.id = m.new
        WHERE m.owner = :owner ORDER BY m.id)");
    select.bind(":owner", owner);
    std::vector<std::pair<std::string, std::string>> out;
    while (TRY(select.step()))
        out.emplace_back(select.text(0), select.text(1));
    return out;
}

Result<void> move_entity(WriteTx& tx, int64_t owner, const std::string& from, const std::string& to, int64_t moved_at)
{
    const Ids ids{owner, TRY(name_id(tx, from)), TRY(name_id(tx, to))};
    auto note = tx.prepare(R"(
        INSERT OR IGNORE INTO moves (owner, old, new, moved_at, noticed_at, rewritten, rewrite_to)
        VALUES (:owner, :old, :new, :moved_at, :now, 0,
                (SELECT coalesce(max(id), 0) FROM versions WHERE owner = :owner)))");
    TRY(note.bind(":owner", owner)
            .bind(":old", ids.from)
            .bind(":new", ids.to)
            .bind(":moved_at", moved_at)
            .bind(":now", tx.now_ms())
            .run());
    if (tx.changes() == 0)
        return fail(ErrorKind::Conflict, "this address was left before");
    TRY(merge_posts(tx, ids));
    TRY(merge_relationships(tx, ids, from, to));
    TRY(point_elsewhere(tx, ids));
    auto moved = tx.prepare("UPDATE relationships SET moved_from = :from, moved_at = :now WHERE owner = :owner AND peer = :to");
    return moved.bind(":from", from).bind(":now", tx.now_ms()).bind(":owner", owner).bind(":to", ids.to).run();
}

Result<bool> rewrite_posts(WriteTx& tx, int64_t owner)
{
    struct Row {
        int64_t version;
        std::string body;
    };
    int64_t move = 0, after = 0, until = 0;
    std::string from, to;
    {
        auto select = tx.prepare(R"(
            SELECT m.id, m.rewritten, m.rewrite_to, o.entity, n.entity FROM moves m JOIN names o ON o.id = m.old
            JOIN names n ON n.id = m.new WHERE m.owner = :owner AND m.rewritten < m.rewrite_to ORDER BY m.id LIMIT 1)");
        select.bind(":owner", owner);
        if (!TRY(select.step()))
            return false;
        move = select.integer(0);
        after = select.integer(1);
        until = select.integer(2);
        from = select.text(3);
        to = select.text(4);
    }
    std::vector<Row> rows;
    int64_t last = std::min(after + kRowsAtOnce, until);
    {
        auto select = tx.prepare(R"(
            SELECT v.id, b.body FROM versions v JOIN bodies b ON b.version = v.id
            WHERE v.owner = :owner AND v.id > :after AND v.id <= :last AND instr(b.body, :from) > 0 ORDER BY v.id)");
        select.bind(":owner", owner).bind(":after", after).bind(":last", last).bind(":from", from);
        while (TRY(select.step())) {
            rows.push_back({select.integer(0), select.text(1)});
            if (rows.size() == kRewrittenAtOnce) {
                last = rows.back().version;
                break;
            }
        }
    }
    for (const auto& row : rows) {
        Post post = TRY(parse_post(row.body));
        if (!rename_in(post, from, to))
            continue;
        auto update = tx.prepare("UPDATE bodies SET body = :body, shown = :shown WHERE version = :version");
        TRY(update.bind(":body", write_post(post, Audience::owner()))
                .bind(":shown", write_post(post, Audience::everybody()))
                .bind(":version", row.version)
                .run());
    }
    TRY(tx.prepare("UPDATE moves SET rewritten = :last WHERE id = :id").bind(":last", last).bind(":id", move).run());
    return true;
}

Result<std::vector<int64_t>> unfinished_moves(ReadTx& tx)
{
    auto select = tx.prepare("SELECT DISTINCT owner FROM moves WHERE rewritten < rewrite_to");
    std::vector<int64_t> out;
    while (TRY(select.step()))
        out.push_back(select.integer(0));
    return out;
}

Result<void> set_entity_address(WriteTx& tx, int64_t owner, const std::string& entity, const std::string& onion,
                                const Secret& seed, int64_t serve_old_until)
{
    TRY(tx.prepare("INSERT OR REPLACE INTO previous_onions SELECT id, onion, onion_seed, :until FROM entities WHERE id = :id")
            .bind(":until", serve_old_until)
            .bind(":id", owner)
            .run());
    TRY(tx.prepare(R"(
            UPDATE relationships SET knows_us_as = (SELECT entity FROM entities WHERE id = :id)
            WHERE owner = :id AND state = 'active' AND knows_us_as = '')")
            .bind(":id", owner)
            .run());
    // A handshake that has only begun begins again, by the new address.
    TRY(tx.prepare(R"(
            UPDATE relationships SET state = 'none', our_post = '', our_hawk_id = '' WHERE owner = :id AND state = 'initiated')")
            .bind(":id", owner)
            .run());
    TRY(tx.prepare("UPDATE relationships SET tries = 0, next_try_at = 0 WHERE owner = :id").bind(":id", owner).run());
    return tx.prepare("UPDATE entities SET entity = :entity, onion = :onion, onion_seed = :seed WHERE id = :id")
        .bind(":entity", entity)
        .bind(":onion", onion)
        .bind_blob(":seed", seed.view())
        .bind(":id", owner)
        .run();
}

Result<std::vector<PreviousOnion>> previous_onions(ReadTx& tx)
{
    auto select = tx.prepare("SELECT owner, onion, seed, until FROM previous_onions WHERE until > :now");
    select.bind(":now", tx.now_ms());
    std::vector<PreviousOnion> out;
    while (TRY(select.step())) {
        std::string seed = select.blob(2);
        out.push_back({select.integer(0), select.text(1), Secret(std::string_view(seed)), select.integer(3)});
        wipe(seed);
    }
    return out;
}

Result<void> forget_previous_onions(WriteTx& tx, int64_t owner)
{
    return tx.prepare("DELETE FROM previous_onions WHERE owner = :owner AND until <= :now")
        .bind(":owner", owner)
        .bind(":now", tx.now_ms())
        .run();
}

Result<void> peer_knows_us(WriteTx& tx, int64_t owner, std::string_view peer)
{
    return tx.prepare(R"(
            UPDATE relationships SET knows_us_as = '' WHERE owner = :owner
                AND peer = (SELECT id FROM names WHERE entity = :peer))")
        .bind(":owner", owner)
        .bind(":peer", peer)
        .run();
}

}  // namespace bivouac::store
