// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/protocol.h>
#include <bivouac/store/reactions.h>

namespace bivouac::store {

Result<Reactions> count_reactions(ReadTx& tx, int64_t owner, std::string_view entity, std::string_view post, ReactionsFor whom)
{
    auto select = tx.prepare(R"(
        SELECT t.base, m.own, p.public_id FROM mentions m
            JOIN versions v ON v.id = m.version
            JOIN posts p ON p.id = v.post
            JOIN types t ON t.id = v.type
        WHERE m.owner = :owner AND m.entity = (SELECT id FROM names WHERE entity = :entity) AND m.post = :post AND m.latest > 0
            AND t.bookkeeping = 0
            AND (:all OR (v.public = 1 AND m.public = 1))
            AND (m.own = 1 OR v.author IN (SELECT peer FROM relationships WHERE owner = :owner
                 AND follower <> 'blocked' AND (following <> '' OR follower = 'approved')))
        LIMIT 10000)");
    select.bind(":owner", owner).bind(":entity", entity).bind(":post", post).bind(":all", whom == ReactionsFor::Owner);
    Reactions out;
    while (TRY(select.step())) {
        const std::string base = select.text(0);
        if (base == type::kRepostBase) {
            ++out.reposts;
            if (select.integer(1) != 0)
                out.my_repost = select.text(2);
        } else if (base == type::kFavoriteBase) {
            ++out.favorites;
            if (select.integer(1) != 0)
                out.my_favorite = select.text(2);
        } else {
            ++out.replies;
        }
    }
    return out;
}

}  // namespace bivouac::store
