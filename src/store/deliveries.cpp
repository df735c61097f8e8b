// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/deliveries.h>
#include <bivouac/store/entities.h>

namespace bivouac::store {

Result<void> enqueue_delivery(WriteTx& tx, int64_t owner, std::string_view peer, int64_t version_row,
                              Order order)
{
    int64_t peer_id = TRY(name_id(tx, peer));
    auto queue = tx.prepare("INSERT OR IGNORE INTO relationships (owner, peer) VALUES (:owner, :peer)");
    TRY(queue.bind(":owner", owner).bind(":peer", peer_id).run());
    auto insert = tx.prepare(R"(
        INSERT OR IGNORE INTO deliveries (owner, peer, version, state, created_at, ahead)
        VALUES (:owner, :peer, :version, 'waiting', :now, :ahead))");
    return insert.bind(":owner", owner)
        .bind(":peer", peer_id)
        .bind(":version", version_row)
        .bind(":now", tx.now_ms())
        .bind(":ahead", order == Order::Ahead)
        .run();
}

Result<void> deliver_again(WriteTx& tx, int64_t owner, std::string_view peer, int64_t version_row)
{
    TRY(enqueue_delivery(tx, owner, peer, version_row, Order::InTurn));
    auto again = tx.prepare(R"(
        UPDATE deliveries SET state = 'waiting', tries = 0, ended_at = 0, problem = '', told = 0
        WHERE owner = :owner AND version = :version AND peer = (SELECT id FROM names WHERE entity = :peer))");
    return again.bind(":owner", owner).bind(":version", version_row).bind(":peer", peer).run();
}

Result<std::vector<DuePeer>> due_peers(ReadTx& tx, int64_t now_ms, int64_t limit)
{
    std::vector<DuePeer> out;
    auto select = tx.prepare(R"(
        SELECT r.owner, n.entity FROM relationships r JOIN names n ON n.id = r.peer
        WHERE r.next_try_at <= :now
          AND (EXISTS (SELECT 1 FROM deliveries d
                       WHERE d.owner = r.owner AND d.peer = r.peer AND d.state = 'waiting')
               OR EXISTS (SELECT 1 FROM fetches f
                          WHERE f.owner = r.owner AND f.peer = r.peer AND f.next_try_at <= :now)
               OR EXISTS (SELECT 1 FROM catch_ups c
                          WHERE c.owner = r.owner AND c.peer = r.peer AND c.due_at <= :now))
        ORDER BY r.next_try_at LIMIT :limit)");
    select.bind(":now", now_ms).bind(":limit", limit);
    while (TRY(select.step()))
        out.push_back({select.integer(0), select.text(1)});
    return out;
}

Result<std::optional<int64_t>> next_due_at(ReadTx& tx)
{
    auto select = tx.prepare(R"(
        SELECT min(due) FROM (
            SELECT r.next_try_at AS due FROM relationships r
            WHERE EXISTS (SELECT 1 FROM deliveries d
                          WHERE d.owner = r.owner AND d.peer = r.peer AND d.state = 'waiting')
            UNION ALL
            SELECT max(r.next_try_at, f.next_try_at) FROM fetches f
            JOIN relationships r ON r.owner = f.owner AND r.peer = f.peer
            UNION ALL
            SELECT max(r.next_try_at, c.due_at) FROM catch_ups c
            JOIN relationships r ON r.owner = c.owner AND r.peer = c.peer))");
    if (!TRY(select.step()) || select.is_null(0))
        return std::optional<int64_t>();
    return std::optional<int64_t>(select.integer(0));
}

Result<std::optional<Delivery>> next_delivery(ReadTx& tx, int64_t owner, std::string_view peer)
{
    auto select = tx.prepare(R"(
        SELECT d.id, d.version, d.tries, d.created_at FROM deliveries d JOIN names n ON n.id = d.peer
        WHERE d.owner = :owner AND n.entity = :peer AND d.state = 'waiting' ORDER BY d.ahead DESC, d.id LIMIT 1)");
    select.bind(":owner", owner).bind(":peer", peer);
    if (!TRY(select.step()))
        return std::optional<Delivery>();
    Delivery delivery{select.integer(0), select.integer(1), select.integer(2), select.integer(3)};
    return std::optional<Delivery>(delivery);
}

Result<bool> is_waiting(ReadTx& tx, int64_t id)
{
    auto select = tx.prepare("SELECT 1 FROM deliveries WHERE id = :id AND state = 'waiting'");
    select.bind(":id", id);
    return select.step();
}

Result<void> end_delivery(WriteTx& tx, int64_t id, std::string_view state, std::string_view problem)
{
    auto update = tx.prepare(R"(
        UPDATE deliveries SET state = :state, problem = :problem, ended_at = :now, tries = tries + 1
        WHERE id = :id)");
    return update.bind(":state", state).bind(":problem", problem).bind(":now", tx.now_ms()).bind(":id", id).run();
}

Result<void> count_delivery_try(WriteTx& tx, int64_t id, std::string_view problem)
{
    auto update = tx.prepare("UPDATE deliveries SET tries = tries + 1, problem = :problem WHERE id = :id");
    return update.bind(":problem", problem).bind(":id", id).run();
}

Result<void> drop_deliveries(WriteTx& tx, int64_t owner, std::string_view peer)
{
    auto remove = tx.prepare(R"(
        DELETE FROM deliveries WHERE owner = :owner AND state = 'waiting'
            AND peer = (SELECT id FROM names WHERE entity = :peer))");
    TRY(remove.bind(":owner", owner).bind(":peer", peer).run());
    auto fetches = tx.prepare(R"(
        DELETE FROM fetches WHERE owner = :owner AND peer = (SELECT id FROM names WHERE entity = :peer))");
    return fetches.bind(":owner", owner).bind(":peer", peer).run();
}

Result<std::vector<GivenUp>> give_up_old(WriteTx& tx, int64_t patience_ms)
{
    std::vector<GivenUp> out;
    const int64_t oldest = tx.now_ms() - patience_ms;
    std::vector<int64_t> ids;
    {
        auto select = tx.prepare(R"(
            SELECT d.id, d.owner, n.entity, d.version FROM deliveries d JOIN names n ON n.id = d.peer
            JOIN relationships r ON r.owner = d.owner AND r.peer = d.peer
            WHERE d.state = 'waiting' AND d.created_at < :oldest AND r.failed_at > d.created_at + :patience
            LIMIT 200)");
        select.bind(":oldest", oldest).bind(":patience", patience_ms);
        while (TRY(select.step())) {
            ids.push_back(select.integer(0));
            out.push_back({select.integer(1), select.text(2), select.integer(3)});
        }
    }
    for (int64_t id : ids) {
        auto update = tx.prepare("UPDATE deliveries SET state = 'given_up', ended_at = :now WHERE id = :id");
        TRY(update.bind(":now", tx.now_ms()).bind(":id", id).run());
    }
    auto fetches = tx.prepare("DELETE FROM fetches WHERE created_at < :oldest AND failed_at > created_at + :patience");
    TRY(fetches.bind(":oldest", oldest).bind(":patience", patience_ms).run());
    return out;
}

Result<std::vector<int64_t>> untold_deliveries(ReadTx& tx, int64_t owner, std::string_view peer)
{
    std::vector<int64_t> out;
    auto select = tx.prepare(R"(
        SELECT d.version FROM deliveries d JOIN names n ON n.id = d.peer
        WHERE d.owner = :owner AND n.entity = :peer AND d.state = 'waiting' AND d.told = 0 ORDER BY d.id)");
    select.bind(":owner", owner).bind(":peer", peer);
    while (TRY(select.step()))
        out.push_back(select.integer(0));
    return out;
}

Result<void> mark_told(WriteTx& tx, int64_t owner, std::string_view peer)
{
    auto update = tx.prepare(R"(
        UPDATE deliveries SET told = 1 WHERE owner = :owner AND state = 'waiting' AND told = 0
            AND peer = (SELECT id FROM names WHERE entity = :peer))");
    return update.bind(":owner", owner).bind(":peer", peer).run();
}

Result<void> set_peer_wait(WriteTx& tx, int64_t owner, std::string_view peer, int64_t tries, int64_t next_try_at,
                           std::string_view problem)
{
    auto update = tx.prepare(R"(
        UPDATE relationships SET tries = :tries, next_try_at = :next, last_problem = :problem,
            failed_at = CASE WHEN :tries > 0 THEN :now ELSE failed_at END
        WHERE owner = :owner AND peer = (SELECT id FROM names WHERE entity = :peer))");
    return update.bind(":tries", tries)
        .bind(":next", next_try_at)
        .bind(":problem", problem)
        .bind(":now", tx.now_ms())
        .bind(":owner", owner)
        .bind(":peer", peer)
        .run();
}

Result<void> wake_all(WriteTx& tx)
{
    TRY(tx.prepare("UPDATE relationships SET next_try_at = 0 WHERE next_try_at > 0").run());
    return tx.prepare("UPDATE fetches SET next_try_at = 0 WHERE next_try_at > 0").run();
}

Result<bool> wake_peer(WriteTx& tx, int64_t owner, std::string_view peer)
{
    auto update = tx.prepare(R"(
        UPDATE relationships SET next_try_at = 0, tries = 0
        WHERE owner = :owner AND next_try_at > 0 AND peer = (SELECT id FROM names WHERE entity = :peer))");
    TRY(update.bind(":owner", owner).bind(":peer", peer).run());
    return tx.changes() > 0;
}

Result<std::vector<std::string>> recipients_of(ReadTx& tx, int64_t owner, std::string_view author, std::string_view post_id,
                                               int64_t now_ms)
{
    std::vector<std::string> out;
    auto select = tx.prepare(R"(
        SELECT DISTINCT n.entity FROM posts p JOIN names a ON a.id = p.author JOIN versions v ON v.post = p.id
        JOIN deliveries d ON d.version = v.id JOIN names n ON n.id = d.peer
        LEFT JOIN relationships r ON r.owner = d.owner AND r.peer = d.peer
        WHERE p.owner = :owner AND a.entity = :author AND p.public_id = :post
          AND (d.state = 'delivered' OR (d.state = 'waiting' AND (d.tries > 0 OR r.next_try_at <= :now))))");
    select.bind(":owner", owner).bind(":author", author).bind(":post", post_id).bind(":now", now_ms);
    while (TRY(select.step()))
        out.push_back(select.text(0));
    return out;
}

namespace {

// Which rows `d` of deliveries are meant.
std::string ledger_condition(const LedgerFilter& filter)
{
    std::string out = "d.owner = :owner";
    if (!filter.peer.empty())
        out += " AND d.peer = (SELECT id FROM names WHERE entity = :peer)";
    if (!filter.post.empty())
        out += R"( AND d.version IN (
            SELECT v.id FROM entities e JOIN names n ON n.entity = e.entity
            JOIN posts p ON p.owner = e.id AND p.author = n.id AND p.public_id = :post
            JOIN versions v ON v.post = p.id WHERE e.id = :owner))";
    if (!filter.state.empty())
        out += " AND d.state = :state";
    return out;
}

void bind_ledger(Statement& statement, int64_t owner, const LedgerFilter& filter)
{
    statement.bind(":owner", owner);
    if (!filter.peer.empty())
        statement.bind(":peer", filter.peer);
    if (!filter.post.empty())
        statement.bind(":post", filter.post);
    if (!filter.state.empty())
        statement.bind(":state", filter.state);
}

}  // namespace

Result<std::vector<LedgerEntry>> load_ledger(ReadTx& tx, int64_t owner, const LedgerFilter& filter, int64_t before,
                                             int64_t limit)
{
    auto select = tx.prepare(R"(
        SELECT d.id, n.entity, p.public_id, v.version_id, coalesce(v.type_text, t.base || '#' || v.fragment), d.state,
            d.tries, d.created_at, d.ended_at, coalesce(r.next_try_at, 0), d.problem, coalesce(r.last_problem, '')
        FROM deliveries d JOIN names n ON n.id = d.peer JOIN versions v ON v.id = d.version
        JOIN posts p ON p.id = v.post JOIN types t ON t.id = v.type
        LEFT JOIN relationships r ON r.owner = d.owner AND r.peer = d.peer
        WHERE )" + ledger_condition(filter) +
                             (before > 0 ? " AND d.id < :before" : "") + " ORDER BY d.id DESC LIMIT :limit");
    bind_ledger(select, owner, filter);
    if (before > 0)
        select.bind(":before", before);
    select.bind(":limit", limit);
    std::vector<LedgerEntry> out;
    while (TRY(select.step())) {
        LedgerEntry entry;
        entry.id = select.integer(0);
        entry.peer = select.text(1);
        entry.post = select.text(2);
        entry.version = select.text(3);
        entry.type = select.text(4);
        entry.state = select.text(5);
        entry.tries = select.integer(6);
        entry.created_at = select.integer(7);
        entry.ended_at = select.integer(8);
        const bool waits = entry.state == "waiting";
        entry.next_try_at = waits ? select.integer(9) : 0;
        entry.problem = select.text(10);
        if (waits && entry.problem.empty())
            entry.problem = select.text(11);
        out.push_back(std::move(entry));
    }
    return out;
}

Result<int64_t> cancel_deliveries(WriteTx& tx, int64_t owner, const LedgerFilter& filter)
{
    LedgerFilter waiting = filter;
    waiting.state = "waiting";
    auto update = tx.prepare("UPDATE deliveries AS d SET state = 'cancelled', ended_at = :now WHERE " +
                             ledger_condition(waiting));
    bind_ledger(update, owner, waiting);
    TRY(update.bind(":now", tx.now_ms()).run());
    return tx.changes();
}

Result<int64_t> retry_deliveries(WriteTx& tx, int64_t owner, const LedgerFilter& filter)
{
    LedgerFilter all = filter;
    all.state.clear();
    if (!filter.post.empty() || !filter.peer.empty()) {
        auto again = tx.prepare("UPDATE deliveries AS d SET state = 'waiting', ended_at = 0, created_at = :now, told = 0"
                                " WHERE d.state IN ('refused', 'given_up', 'cancelled') AND " +
                                ledger_condition(all));
        bind_ledger(again, owner, all);
        TRY(again.bind(":now", tx.now_ms()).run());
    }
    auto due = tx.prepare("UPDATE relationships SET next_try_at = 0, tries = 0 WHERE owner = :owner AND peer IN"
                          " (SELECT d.peer FROM deliveries d WHERE d.state = 'waiting' AND " +
                          ledger_condition(all) + ")");
    bind_ledger(due, owner, all);
    TRY(due.run());
    int64_t waiting = 0;
    auto count = tx.prepare("SELECT count(*) FROM deliveries d WHERE d.state = 'waiting' AND " + ledger_condition(all));
    bind_ledger(count, owner, all);
    if (TRY(count.step()))
        waiting = count.integer(0);
    return waiting;
}

Result<OutboxCounts> count_outbox(ReadTx& tx, int64_t owner)
{
    OutboxCounts counts;
    {
        auto select = tx.prepare("SELECT state, count(*) FROM deliveries WHERE owner = :owner GROUP BY state");
        select.bind(":owner", owner);
        while (TRY(select.step())) {
            std::string state = select.text(0);
            (state == "waiting"     ? counts.waiting
             : state == "delivered" ? counts.delivered
             : state == "refused"   ? counts.refused
             : state == "cancelled" ? counts.cancelled
                                    : counts.given_up) = select.integer(1);
        }
    }
    auto select = tx.prepare("SELECT count(*) FROM fetches WHERE owner = :owner");
    select.bind(":owner", owner);
    if (TRY(select.step()))
        counts.fetching = select.integer(0);
    return counts;
}

Result<void> enqueue_fetch(WriteTx& tx, int64_t owner, std::string_view peer, std::string_view digest, int64_t size)
{
    auto insert = tx.prepare(R"(
        INSERT OR IGNORE INTO fetches (owner, peer, digest, size, created_at)
        VALUES (:owner, :peer, :digest, :size, :now))");
    return insert.bind(":owner", owner)
        .bind(":peer", TRY(name_id(tx, peer)))
        .bind(":digest", digest)
        .bind(":size", size)
        .bind(":now", tx.now_ms())
        .run();
}

Result<void> enqueue_missing_fetches(WriteTx& tx, int64_t owner, std::string_view author, int64_t largest_bytes)
{
    auto insert = tx.prepare(R"(
        INSERT OR IGNORE INTO fetches (owner, peer, digest, size, created_at)
        SELECT :owner, v.author, a.digest, a.size, :now
        FROM names n JOIN posts p ON p.owner = :owner AND p.author = n.id JOIN versions v ON v.post = p.id
        JOIN version_attachments a ON a.version = v.id
        WHERE n.entity = :author AND a.size <= :largest
          AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = a.digest))");
    return insert.bind(":owner", owner)
        .bind(":now", tx.now_ms())
        .bind(":author", author)
        .bind(":largest", largest_bytes)
        .run();
}

Result<std::optional<Fetch>> next_fetch(ReadTx& tx, int64_t owner, std::string_view peer)
{
    auto select = tx.prepare(R"(
        SELECT f.id, f.digest, f.size, f.tries, f.created_at FROM fetches f JOIN names n ON n.id = f.peer
        WHERE f.owner = :owner AND n.entity = :peer AND f.next_try_at <= :now ORDER BY f.id LIMIT 1)");
    select.bind(":owner", owner).bind(":peer", peer).bind(":now", tx.now_ms());
    if (!TRY(select.step()))
        return std::optional<Fetch>();
    Fetch fetch{select.integer(0), select.text(1), select.integer(2), select.integer(3), select.integer(4)};
    return std::optional<Fetch>(std::move(fetch));
}

Result<void> end_fetch(WriteTx& tx, int64_t id)
{
    auto remove = tx.prepare("DELETE FROM fetches WHERE id = :id");
    return remove.bind(":id", id).run();
}

Result<void> postpone_fetch(WriteTx& tx, int64_t id, int64_t next_try_at)
{
    auto update = tx.prepare("UPDATE fetches SET tries = tries + 1, next_try_at = :next, failed_at = :now WHERE id = :id");
    return update.bind(":next", next_try_at).bind(":now", tx.now_ms()).bind(":id", id).run();
}

}  // namespace bivouac::store
