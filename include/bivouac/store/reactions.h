// SPDX-License-Identifier: BSD-3-Clause
// How many posts answer, repost or favor a post, as people see it: nothing of those whom the owner does not know.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <bivouac/store/transaction.h>

namespace bivouac::store {

struct Reactions {
    int64_t replies = 0;
    int64_t reposts = 0;
    int64_t favorites = 0;
    std::string my_repost;    // ids of the owner's own posts
    std::string my_favorite;
};

enum class ReactionsFor { Owner, Strangers };  // strangers: public ones only

Result<Reactions> count_reactions(ReadTx& tx, int64_t owner, std::string_view entity, std::string_view post, ReactionsFor whom);

}  // namespace bivouac::store
