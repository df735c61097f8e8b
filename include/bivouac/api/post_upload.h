// SPDX-License-Identifier: BSD-3-Clause
// A post with its attachments out of a request body (Tent 0.3, section 4.6): plain JSON or multipart, read in
// pieces, attachment bytes straight into the store. Used by new_post, by new versions and by the owner's
// control socket.
#pragma once

#include <memory>
#include <vector>

#include <bivouac/model/json.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post.h>
#include <bivouac/net/http_message.h>
#include <bivouac/store/store.h>

namespace bivouac::api {

struct PostUpload {
    std::string content_type;  // of the post itself, parameters included
    Json post;
    std::vector<Attachment> uploaded;  // in body order
};

// Unsupported: neither the post media type nor multipart. Invalid, TooLarge, NoSpace.
// `limit_bytes`: of one attachment.
Result<PostUpload> read_post_upload(const net::HttpRequest& request, store::Store& store, int64_t owner,
                                    uint64_t limit_bytes = limits::kAttachmentBytes);

}  // namespace bivouac::api
