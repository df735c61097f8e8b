// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/quotas.h>

namespace bivouac::store {

Result<std::optional<Quota>> load_quota(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare("SELECT most_posts, most_bytes, posts, bytes FROM quotas WHERE owner = :owner");
    select.bind(":owner", owner);
    if (!TRY(select.step()))
        return std::optional<Quota>();
    return std::optional<Quota>(
        Quota{select.integer(0), select.integer(1), select.integer(2), select.integer(3)});
}

Result<Quota> count_usage(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare(R"(
        SELECT (SELECT count(*) FROM posts WHERE owner = :owner),
               (SELECT coalesce(sum(octet_length(b.body)), 0) FROM versions v JOIN bodies b ON b.version = v.id
                WHERE v.owner = :owner) +
               (SELECT coalesce(sum(a.size), 0) FROM versions v JOIN version_attachments a ON a.version = v.id
                WHERE v.owner = :owner))");
    select.bind(":owner", owner);
    Quota out;
    if (TRY(select.step())) {
        out.posts = select.integer(0);
        out.bytes = select.integer(1);
    }
    return out;
}

Result<void> set_quota(WriteTx& tx, int64_t owner, int64_t most_posts, int64_t most_bytes)
{
    TRY(tx.prepare("DELETE FROM quotas WHERE owner = :owner").bind(":owner", owner).run());
    if (most_posts == 0 && most_bytes == 0)
        return {};
    const Quota now = TRY(count_usage(tx, owner));
    auto insert = tx.prepare("INSERT INTO quotas VALUES (:owner, :most_posts, :most_bytes, :posts, :bytes)");
    return insert.bind(":owner", owner)
        .bind(":most_posts", most_posts)
        .bind(":most_bytes", most_bytes)
        .bind(":posts", now.posts)
        .bind(":bytes", now.bytes)
        .run();
}

Result<void> check_quota(ReadTx& tx, int64_t owner, int64_t bytes)
{
    const auto quota = TRY(load_quota(tx, owner));
    if (quota && ((quota->most_posts > 0 && quota->posts >= quota->most_posts) ||
                  (quota->most_bytes > 0 && quota->bytes + bytes > quota->most_bytes)))
        return fail(ErrorKind::NoSpace, "there is no room for this: the limit of this entity is reached");
    return {};
}

}  // namespace bivouac::store
