// SPDX-License-Identifier: BSD-3-Clause
// Attachments of what the owner may read. Pictures in four plain formats are shown; everything else is a download, so
// that nothing of somebody else's is ever run or laid out by the browser under this address.
#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/relationships.h>

#include "picture.h"
#include "post_view.h"

namespace bivouac::pages {

namespace {

std::string ascii_name(std::string_view name)
{
    std::string out;
    for (char c : name.substr(0, 100))
        out += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ? c : '_';
    return out.empty() ? "file" : out;
}

net::HttpResponse blob_response(Visit& visit, const Attachment& attachment, bool only_images)
{
    struct Begin {
        int64_t size = -1;
        std::string bytes;
    };
    auto begin = visit.store().read([&](store::ReadTx& tx) -> Result<Begin> {
        Begin out{TRY(store::blob_size(tx, visit.self().id, attachment.digest)), {}};
        // Cameras write much before the size of a JPEG.
        constexpr size_t kBegin = 512u << 10;
        while (plain_image_type(attachment.content_type) && static_cast<int64_t>(out.bytes.size()) < out.size && out.bytes.size() < kBegin && !picture_of(out.bytes))
            out.bytes += TRY(store::read_blob(tx, attachment.digest, static_cast<int64_t>(out.bytes.size())));
        return out;
    });
    if (!begin.ok())
        return error_page(visit, begin.error());
    if (begin->size < 0)
        return error_page(visit, fail(ErrorKind::Unavailable, std::string(visit.tr(T("This attachment is still on its way. Try again in a minute.")))));
    const auto picture = picture_of(begin->bytes);
    const char* image = picture ? picture->type : nullptr;
    if (only_images && !image)
        return not_found(visit);
    net::HttpResponse response;
    response.with("Content-Type", image ? image : "application/octet-stream")
        .with("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with("Cross-Origin-Resource-Policy", "same-origin")
        .with("Cache-Control", "no-store");
    if (!image)
        response.with("Content-Disposition", "attachment; filename=\"" + ascii_name(attachment.name) + "\"; filename*=UTF-8''" + percent_encode(attachment.name));
    response.large = net::BodySource{static_cast<uint64_t>(begin->size),
                                     [&store = visit.store(), digest = attachment.digest](uint64_t offset, size_t limit) {
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

net::HttpResponse file(Visit& visit)
{
    const std::string name = visit.param("name");
    auto found = visit.store().read([&](store::ReadTx& tx) -> Result<Attachment> {
        const std::string entity = TRY(tent::peer_entity(visit.self(), visit.param("entity")));
        auto post = TRY(store::load_post(tx, visit.self().id, entity, visit.param("post"), "", kOwnerSees));
        if (post)
            for (const auto& attachment : post->attachments)
                if (attachment.name == name)
                    return attachment;
        return fail(ErrorKind::NotFound, "");
    });
    return found.ok() ? blob_response(visit, *found, false) : error_page(visit, found.error());
}

net::HttpResponse avatar(Visit& visit)
{
    auto found = visit.store().read([&](store::ReadTx& tx) -> Result<Attachment> {
        const std::string entity = TRY(tent::peer_entity(visit.self(), visit.param("entity")));
        auto meta = TRY(store::load_post(tx, visit.self().id, entity, kMetaPostId, "", kOwnerSees));
        if (meta) {
            const std::string digest = profile_of(*meta).avatar_digest;
            for (const auto& attachment : meta->attachments)
                if (attachment.digest == digest || attachment.category == "avatar")
                    return attachment;
        }
        return fail(ErrorKind::NotFound, "");
    });
    return found.ok() ? blob_response(visit, *found, true) : not_found(visit);
}

}  // namespace bivouac::pages
