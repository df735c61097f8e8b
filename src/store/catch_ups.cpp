// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/catch_ups.h>
#include <bivouac/store/entities.h>

namespace bivouac::store {

namespace {

constexpr const char* kColumns = "c.owner, n.entity, c.due_at, c.fresh, c.cursor_time, c.cursor_version, c.page_size, "
                                 "c.pages, c.got, c.tries, c.done_at, c.failed_at, c.problem";

CatchUp row_of(const Statement& s)
{
    CatchUp out;
    out.owner = s.integer(0);
    out.peer = s.text(1);
    out.due_at = s.integer(2);
    out.fresh = s.integer(3) != 0;
    out.cursor = {s.integer(4), s.text(5)};
    out.page_size = static_cast<int>(s.integer(6));
    out.pages = s.integer(7);
    out.got = s.integer(8);
    out.tries = s.integer(9);
    out.done_at = s.integer(10);
    out.failed_at = s.integer(11);
    out.problem = s.text(12);
    return out;
}

}  // namespace

Result<void> want_catch_up(WriteTx& tx, int64_t owner, std::string_view peer, Begin begin)
{
    const int64_t peer_id = TRY(name_id(tx, peer));
    auto queue = tx.prepare("INSERT OR IGNORE INTO relationships (owner, peer) VALUES (:owner, :peer)");
    TRY(queue.bind(":owner", owner).bind(":peer", peer_id).run());
    auto insert = tx.prepare(R"(
        INSERT INTO catch_ups (owner, peer, due_at) VALUES (:owner, :peer, :now)
        ON CONFLICT DO UPDATE SET due_at = :now, tries = 0, pages = 0, got = 0,
            fresh = CASE :anew WHEN 1 THEN 1 ELSE fresh END)");
    return insert.bind(":owner", owner)
        .bind(":peer", peer_id)
        .bind(":now", tx.now_ms())
        .bind(":anew", begin == Begin::Anew)
        .run();
}

Result<void> drop_catch_up(WriteTx& tx, int64_t owner, std::string_view peer)
{
    auto remove = tx.prepare(
        "DELETE FROM catch_ups WHERE owner = :owner AND peer = (SELECT id FROM names WHERE entity = :peer)");
    return remove.bind(":owner", owner).bind(":peer", peer).run();
}

Result<void> save_catch_up(WriteTx& tx, const CatchUp& c)
{
    auto update = tx.prepare(R"(
        UPDATE catch_ups SET due_at = :due_at, fresh = :fresh, cursor_time = :time, cursor_version = :version,
            page_size = :page_size, pages = :pages, got = :got, tries = :tries, done_at = :done_at,
            failed_at = :failed_at, problem = :problem
        WHERE owner = :owner AND peer = (SELECT id FROM names WHERE entity = :peer))");
    return update.bind(":due_at", c.due_at)
        .bind(":fresh", c.fresh)
        .bind(":time", c.cursor.time)
        .bind(":version", c.cursor.version)
        .bind(":page_size", int64_t(c.page_size))
        .bind(":pages", c.pages)
        .bind(":got", c.got)
        .bind(":tries", c.tries)
        .bind(":done_at", c.done_at)
        .bind(":failed_at", c.failed_at)
        .bind(":problem", c.problem)
        .bind(":owner", c.owner)
        .bind(":peer", c.peer)
        .run();
}

Result<std::optional<CatchUp>> next_catch_up(ReadTx& tx, int64_t owner, std::string_view peer)
{
    auto select = tx.prepare(std::string("SELECT ") + kColumns +
                             " FROM catch_ups c JOIN names n ON n.id = c.peer"
                             " WHERE c.owner = :owner AND n.entity = :peer AND c.due_at <= :now");
    select.bind(":owner", owner).bind(":peer", peer).bind(":now", tx.now_ms());
    if (!TRY(select.step()))
        return std::optional<CatchUp>();
    return std::optional<CatchUp>(row_of(select));
}

Result<std::vector<CatchUp>> list_catch_ups(ReadTx& tx, int64_t owner)
{
    std::vector<CatchUp> out;
    auto select = tx.prepare(std::string("SELECT ") + kColumns +
                             " FROM catch_ups c JOIN names n ON n.id = c.peer WHERE c.owner = :owner ORDER BY n.entity");
    select.bind(":owner", owner);
    while (TRY(select.step()))
        out.push_back(row_of(select));
    return out;
}

Result<void> hurry_catch_ups(WriteTx& tx, int64_t owner, std::string_view peer, int64_t done_before, int64_t due_at)
{
    auto update = tx.prepare(R"(
        UPDATE catch_ups SET due_at = :due_at WHERE due_at > :due_at AND done_at < :done_before
            AND (:owner = 0 OR owner = :owner)
            AND (:peer = '' OR peer = (SELECT id FROM names WHERE entity = :peer)))");
    return update.bind(":due_at", due_at)
        .bind(":done_before", done_before)
        .bind(":owner", owner)
        .bind(":peer", peer)
        .run();
}

}  // namespace bivouac::store
