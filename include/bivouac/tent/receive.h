// SPDX-License-Identifier: BSD-3-Clause
// A post that another server delivers (Tent 0.3, section 7.5): may they, is it valid, keep it, act on it.
#pragma once

#include <string>

#include <bivouac/model/json.h>
#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

struct Received {
    Post post;
    bool stored = false;      // false: known already, deleted since, or not wanted; the answer is 200 all the same
    bool fetches = false;     // attachments are to be fetched
};

// `peer` is the entity whose relationship key signed the request; `body` as it came.
// Forbidden: not hers to deliver. Invalid. TooMany: a stranger has left enough.
// `received_at`: when it arrived; 0: now.
Result<Received> receive(store::WriteTx& tx, const Self& self, const std::string& peer,
                         const std::string& url_entity, const std::string& url_post, const Json& body,
                         int64_t received_at = 0);

}  // namespace bivouac::tent
