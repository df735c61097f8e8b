// SPDX-License-Identifier: BSD-3-Clause
// Attachments (Tent 0.3, section 4.8).
#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/posts.h>

#include <algorithm>
#include <cstring>

#include "call.h"

namespace bivouac::api {

namespace {

std::string etag_of_digest(const std::string& digest)
{
    std::string hex = digest.substr(std::strlen(kDigestPrefix));
    return "\"" + to_base64url(from_hex(hex).value_or("")) + "\"";
}

// A file name inside a quoted string, and nothing that could end it.
std::string quoted_name(const std::string& name)
{
    std::string out = "\"";
    for (char c : name) {
        auto byte = static_cast<unsigned char>(c);
        out += byte < 0x20 || byte == 0x7f || c == '"' || c == '\\' ? '_' : c;
    }
    return out + "\"";
}

// A media type as it may go into a header; anything odd becomes bytes without meaning.
std::string safe_content_type(const std::string& type)
{
    bool good = !type.empty() && std::all_of(type.begin(), type.end(), [](unsigned char c) {
        return c >= 0x20 && c < 0x7f;
    });
    return good ? type : "application/octet-stream";
}

net::HttpResponse attachment_response(const CallPtr& call, const std::string& entity, const std::string& digest)
{
    if (digest.empty() || (entity != call->self().entity && call->principal().kind != Principal::Kind::App))
        return not_found();
    auto found = call->services.store.read([&](store::ReadTx& tx) -> Result<std::optional<Attachment>> {
        auto attachment = TRY(
            store::find_attachment(tx, call->self().id, entity, digest, tent::viewer_of(call->principal())));
        if (attachment)
            attachment->size = TRY(store::blob_size(tx, digest));
        return attachment;
    });
    if (!found.ok())
        return error_response(found.error());
    if (!*found || (**found).size < 0)
        return not_found();
    const Attachment& attachment = **found;
    net::HttpResponse response;
    response.with("Content-Type", safe_content_type(attachment.content_type));
    response.with("Content-Disposition", "inline; filename=" + quoted_name(attachment.name));
    response.with("ETag", etag_of_digest(digest));
    response.with("Cache-Control", "private, max-age=31557600");
    // Whatever an attachment is, it never runs in our origin.
    response.with("X-Content-Type-Options", "nosniff");
    response.with("Content-Security-Policy", "sandbox; default-src 'none'");
    response.large = net::BodySource{static_cast<uint64_t>(attachment.size),
                                     [&store = call->services.store, digest](uint64_t offset, size_t limit) -> Result<std::string> {
                                         auto piece = store.read([&](store::ReadTx& tx) {
                                             return store::read_blob(tx, digest, static_cast<int64_t>(offset));
                                         });
                                         if (piece.ok() && piece->size() > limit)
                                             piece->resize(limit);
                                         return piece;
                                     }};
    return response;
}

}  // namespace

Answer get_attachment(const CallPtr& call)
{
    return attachment_response(call, call->route.entity, normal_digest(call->route.digest));
}

Answer get_post_attachment(const CallPtr& call)
{
    const Principal& principal = call->principal();
    if (call->foreign() && principal.kind != Principal::Kind::App)
        return not_found();
    std::string version = normal_digest(query_parameter(call->route.query, "version").value_or(""));
    auto post = call->services.store.read([&](store::ReadTx& tx) {
        return store::load_post(tx, call->self().id, call->route.entity, call->route.post, version,
                                tent::viewer_of(principal));
    });
    if (!post.ok())
        return error_response(post.error());
    if (*post) {
        std::string spaced = call->route.name;
        std::replace(spaced.begin(), spaced.end(), '+', ' ');
        for (const auto& name : {call->route.name, spaced})
            for (const auto& attachment : (**post).attachments) {
                if (attachment.name != name)
                    continue;
                net::HttpResponse response;
                response.status = 302;
                std::string target =
                    "/attachments/" + percent_encode(call->route.entity) + "/" + attachment.digest;
                response.with("Location", target);
                response.with("Attachment-Digest", attachment.digest);
                return response;
            }
    }
    return not_found();
}

}  // namespace bivouac::api
