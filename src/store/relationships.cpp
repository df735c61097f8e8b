// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/entities.h>
#include <bivouac/store/relationships.h>

namespace bivouac::store {

namespace {

constexpr const char* kColumns =
    "r.owner, n.entity, r.state, r.our_post, r.our_hawk_id, r.their_post, r.their_hawk_id, r.their_hawk_key, "
    "r.servers, r.follower, r.follower_since, r.following, r.following_post, r.tries, r.next_try_at, "
    "r.last_problem, r.note, r.first_seen, r.verified_at, r.before_block, r.knows_us_as, r.moved_from, r.moved_at";

Relationship row_of(const Statement& s)
{
    Relationship r;
    r.owner = s.integer(0);
    r.peer = s.text(1);
    r.state = s.text(2);
    r.our_post = s.text(3);
    r.our_hawk_id = s.text(4);
    r.their_post = s.text(5);
    r.their_hawk_id = s.text(6);
    r.their_hawk_key = s.text(7);
    r.servers = s.text(8);
    r.follower = s.text(9);
    r.follower_since = s.integer(10);
    r.following = s.text(11);
    r.following_post = s.text(12);
    r.tries = s.integer(13);
    r.next_try_at = s.integer(14);
    r.last_problem = s.text(15);
    r.note = s.text(16);
    r.first_seen = s.integer(17);
    r.verified_at = s.integer(18);
    r.before_block = s.text(19);
    r.knows_us_as = s.text(20);
    r.moved_from = s.text(21);
    r.moved_at = s.integer(22);
    return r;
}

Subscription subscription_of(const Statement& s)
{
    return {s.text(0), s.text(1), s.text(2), s.text(3)};
}

}  // namespace

Result<std::optional<Relationship>> find_relationship(ReadTx& tx, int64_t owner, std::string_view peer)
{
    auto select = tx.prepare(std::string("SELECT ") + kColumns +
                             " FROM relationships r JOIN names n ON n.id = r.peer"
                             " WHERE r.owner = :owner AND n.entity = :peer");
    select.bind(":owner", owner).bind(":peer", peer);
    if (!TRY(select.step()))
        return std::optional<Relationship>();
    return std::optional<Relationship>(row_of(select));
}

Result<void> save_relationship(WriteTx& tx, const Relationship& r)
{
    auto save = tx.prepare(R"(
        INSERT INTO relationships (owner, peer, state, our_post, our_hawk_id, their_post, their_hawk_id,
            their_hawk_key, servers, follower, follower_since, following, following_post, tries, next_try_at,
            last_problem, note, first_seen, verified_at, before_block)
        VALUES (:owner, :peer, :state, :our_post, :our_hawk_id, :their_post, :their_hawk_id, :their_hawk_key,
            :servers, :follower, :follower_since, :following, :following_post, :tries, :next_try_at, :last_problem,
            :note, :now, :verified_at, :before_block)
        ON CONFLICT (owner, peer) DO UPDATE SET state = excluded.state, our_post = excluded.our_post,
            our_hawk_id = excluded.our_hawk_id, their_post = excluded.their_post,
            their_hawk_id = excluded.their_hawk_id, their_hawk_key = excluded.their_hawk_key,
            servers = excluded.servers, follower = excluded.follower, follower_since = excluded.follower_since,
            following = excluded.following, following_post = excluded.following_post, tries = excluded.tries,
            next_try_at = excluded.next_try_at, last_problem = excluded.last_problem, note = excluded.note,
            first_seen = CASE first_seen WHEN 0 THEN excluded.first_seen ELSE first_seen END,
            verified_at = excluded.verified_at, before_block = excluded.before_block)");
    return save.bind(":owner", r.owner)
        .bind(":peer", TRY(name_id(tx, r.peer)))
        .bind(":state", r.state)
        .bind(":our_post", r.our_post)
        .bind(":our_hawk_id", r.our_hawk_id)
        .bind(":their_post", r.their_post)
        .bind(":their_hawk_id", r.their_hawk_id)
        .bind(":their_hawk_key", r.their_hawk_key)
        .bind(":servers", r.servers)
        .bind(":follower", r.follower)
        .bind(":follower_since", r.follower_since)
        .bind(":following", r.following)
        .bind(":following_post", r.following_post)
        .bind(":tries", r.tries)
        .bind(":next_try_at", r.next_try_at)
        .bind(":last_problem", r.last_problem)
        .bind(":note", r.note)
        .bind(":now", tx.now_ms())
        .bind(":verified_at", r.verified_at)
        .bind(":before_block", r.before_block)
        .run();
}

Result<std::vector<Relationship>> list_relationships(ReadTx& tx, int64_t owner)
{
    std::vector<Relationship> out;
    auto select = tx.prepare(std::string("SELECT ") + kColumns +
                             " FROM relationships r JOIN names n ON n.id = r.peer"
                             " WHERE r.owner = :owner ORDER BY r.id");
    select.bind(":owner", owner);
    while (TRY(select.step()))
        out.push_back(row_of(select));
    return out;
}

Result<std::vector<Relationship>> moved_since(ReadTx& tx, int64_t owner, int64_t since_ms)
{
    std::vector<Relationship> out;
    auto select = tx.prepare(std::string("SELECT ") + kColumns +
                             " FROM relationships r JOIN names n ON n.id = r.peer"
                             " WHERE r.owner = :owner AND r.moved_at > :since AND r.follower <> 'blocked' ORDER BY r.moved_at");
    select.bind(":owner", owner).bind(":since", since_ms);
    while (TRY(select.step()))
        out.push_back(row_of(select));
    return out;
}

Result<bool> anybody_blocked(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare("SELECT 1 FROM relationships WHERE owner = :owner AND follower = 'blocked' LIMIT 1");
    select.bind(":owner", owner);
    return select.step();
}

Result<int64_t> count_followers(ReadTx& tx, int64_t owner, std::string_view state)
{
    auto select = tx.prepare("SELECT count(*) FROM relationships WHERE owner = :owner AND follower = :state");
    select.bind(":owner", owner).bind(":state", state);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

Result<void> add_subscription(WriteTx& tx, int64_t owner, const Subscription& s)
{
    auto insert = tx.prepare(
        "INSERT OR REPLACE INTO subscriptions VALUES (:owner, :subscriber, :target, :selector, :post)");
    return insert.bind(":owner", owner)
        .bind(":subscriber", TRY(name_id(tx, s.subscriber)))
        .bind(":target", TRY(name_id(tx, s.target)))
        .bind(":selector", s.selector)
        .bind(":post", s.post)
        .run();
}

Result<std::optional<Subscription>> remove_subscription_by_post(WriteTx& tx, int64_t owner,
                                                                std::string_view subscriber, std::string_view post)
{
    std::optional<Subscription> found;
    {
        auto select = tx.prepare(R"(
            SELECT a.entity, b.entity, s.selector, s.post FROM subscriptions s
            JOIN names a ON a.id = s.subscriber JOIN names b ON b.id = s.target
            WHERE s.owner = :owner AND a.entity = :subscriber AND s.post = :post)");
        select.bind(":owner", owner).bind(":subscriber", subscriber).bind(":post", post);
        if (TRY(select.step()))
            found = subscription_of(select);
    }
    auto remove = tx.prepare(R"(
        DELETE FROM subscriptions WHERE owner = :owner AND post = :post
            AND subscriber = (SELECT id FROM names WHERE entity = :subscriber))");
    TRY(remove.bind(":owner", owner).bind(":subscriber", subscriber).bind(":post", post).run());
    return found;
}

Result<std::vector<Subscription>> subscriptions_of(ReadTx& tx, int64_t owner, std::string_view subscriber,
                                                   std::string_view target)
{
    std::vector<Subscription> out;
    auto select = tx.prepare(R"(
        SELECT a.entity, b.entity, s.selector, s.post FROM subscriptions s
        JOIN names a ON a.id = s.subscriber JOIN names b ON b.id = s.target
        WHERE s.owner = :owner AND a.entity = :subscriber AND b.entity = :target)");
    select.bind(":owner", owner).bind(":subscriber", subscriber).bind(":target", target);
    while (TRY(select.step()))
        out.push_back(subscription_of(select));
    return out;
}

Result<std::vector<Subscription>> approved_subscriptions(ReadTx& tx, int64_t owner, std::string_view self)
{
    std::vector<Subscription> out;
    auto select = tx.prepare(R"(
        SELECT a.entity, b.entity, s.selector, s.post FROM subscriptions s
        JOIN names a ON a.id = s.subscriber JOIN names b ON b.id = s.target
        JOIN relationships r ON r.owner = s.owner AND r.peer = s.subscriber AND r.follower = 'approved'
        WHERE s.owner = :owner AND b.entity = :self)");
    select.bind(":owner", owner).bind(":self", self);
    while (TRY(select.step()))
        out.push_back(subscription_of(select));
    return out;
}

}  // namespace bivouac::store
