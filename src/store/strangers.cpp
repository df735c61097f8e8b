// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/strangers.h>

namespace bivouac::store {

namespace {

constexpr int64_t kDayMs = 24 * 3600'000;

}  // namespace

Result<StrangersToday> strangers_today(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare("SELECT contacts, posts, bytes FROM stranger_days WHERE owner = :owner AND day = :day");
    select.bind(":owner", owner).bind(":day", tx.now_ms() / kDayMs);
    StrangersToday out;
    if (TRY(select.step()))
        out = {select.integer(0), select.integer(1), select.integer(2)};
    return out;
}

Result<void> count_strangers(WriteTx& tx, int64_t owner, const StrangersToday& more)
{
    const int64_t day = tx.now_ms() / kDayMs;
    auto add = tx.prepare(R"(
        INSERT INTO stranger_days VALUES (:owner, :day, :contacts, :posts, :bytes)
        ON CONFLICT DO UPDATE SET contacts = contacts + excluded.contacts, posts = posts + excluded.posts,
                                  bytes = bytes + excluded.bytes)");
    TRY(add.bind(":owner", owner)
            .bind(":day", day)
            .bind(":contacts", more.contacts)
            .bind(":posts", more.posts)
            .bind(":bytes", more.bytes)
            .run());
    auto old = tx.prepare("DELETE FROM stranger_days WHERE owner = :owner AND day < :day");
    return old.bind(":owner", owner).bind(":day", day).run();
}

}  // namespace bivouac::store
