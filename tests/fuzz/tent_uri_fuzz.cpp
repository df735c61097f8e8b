// SPDX-License-Identifier: BSD-3-Clause
// A tent: link that is understood is the same when it is written and read again.
#include "target.h"

#include <bivouac/base/bytes.h>
#include <bivouac/model/post.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/tent_uri.h>

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    auto uri = parse_tent_uri(view(data, size));
    if (!uri.ok()) {
        HOLDS(uri.error().kind == ErrorKind::Invalid);
        return 0;
    }
    HOLDS(is_entity_url(uri->entity));
    HOLDS(uri->post.empty() ? uri->version.empty() && uri->attachment_name.empty() : is_valid_post_id(uri->post));
    HOLDS(is_valid_utf8(uri->attachment_name) && uri->attachment_name.find('\0') == std::string::npos);
    HOLDS(normal_digest(uri->attachment_digest) == uri->attachment_digest);
    auto again = parse_tent_uri(write_tent_uri(*uri));
    HOLDS(again.ok() && *again == *uri);
    return 0;
}
