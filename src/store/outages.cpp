// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/outages.h>

namespace bivouac::store {

Result<void> begin_outage(WriteTx& tx, int64_t owner, std::string_view why)
{
    auto insert = tx.prepare("INSERT INTO outages (owner, began_at, why) VALUES (:owner, :now, :why)");
    TRY(insert.bind(":owner", owner).bind(":now", tx.now_ms()).bind(":why", why).run());
    auto old = tx.prepare(R"(
        DELETE FROM outages WHERE owner = :owner AND id NOT IN (
            SELECT id FROM outages WHERE owner = :owner ORDER BY id DESC LIMIT :kept))");
    return old.bind(":owner", owner).bind(":kept", kOutagesKept).run();
}

Result<void> count_repair(WriteTx& tx, int64_t owner)
{
    auto update = tx.prepare("UPDATE outages SET repairs = repairs + 1 WHERE owner = :owner AND ended_at = 0");
    return update.bind(":owner", owner).run();
}

Result<void> end_outage(WriteTx& tx, int64_t owner)
{
    auto update = tx.prepare("UPDATE outages SET ended_at = :now WHERE owner = :owner AND ended_at = 0");
    return update.bind(":now", tx.now_ms()).bind(":owner", owner).run();
}

Result<std::vector<Outage>> list_outages(ReadTx& tx, int64_t owner)
{
    std::vector<Outage> out;
    auto select = tx.prepare(
        "SELECT began_at, ended_at, repairs, why FROM outages WHERE owner = :owner ORDER BY id DESC LIMIT :kept");
    select.bind(":owner", owner).bind(":kept", kOutagesKept);
    while (TRY(select.step()))
        out.push_back({select.integer(0), select.integer(1), select.integer(2), select.text(3)});
    return out;
}

}  // namespace bivouac::store
