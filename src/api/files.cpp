// SPDX-License-Identifier: BSD-3-Clause
// Attachments (Tent 0.3, section 4.8).
#include <bivouac/base/bytes.h>
#include <bivouac/model/accept.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/posts.h>

#include <algorithm>
#include <cstring>

#include "call.h"
#include "disposition.h"
#include "proxying.h"
#include "range.h"

namespace bivouac::api {

namespace {

// What clients that lose their Authorization header on a redirect have time for (ruling 24).
constexpr int64_t kRedirectSeconds = 600;
// Up to here a signed answer is held in memory, so that its signature covers it (ruling 9).
constexpr uint64_t kHashedBytes = 1u << 20;

std::string etag_of_digest(const std::string& digest)
{
    std::string hex = digest.substr(std::strlen(kDigestPrefix));
    return "\"" + to_base64url(from_hex(hex).value_or("")) + "\"";
}

// Files of other people's posts are for apps, and for the addresses that apps were sent to.
bool may_see_foreign(const Principal& principal)
{
    return principal.kind == Principal::Kind::App || principal.kind == Principal::Kind::Server;
}

// By its post, where the address names one: name and type are then those of that post, and whoever was sent here
// learns of no other post with the same bytes. Else the most recently received one.
Result<std::optional<Attachment>> find_in_store(store::ReadTx& tx, const Call& call, const std::string& digest)
{
    const Viewer viewer = tent::viewer_of(call.principal());
    if (auto id = call.parameter("post")) {
        auto post = TRY(store::load_post(tx, call.self().id, call.route.entity, *id, version_parameter(call), viewer));
        if (!post)
            return std::optional<Attachment>();
        for (auto& attachment : post->attachments)
            if (attachment.digest == digest)
                return std::optional<Attachment>(std::move(attachment));
        return std::optional<Attachment>();
    }
    return store::find_attachment(tx, call.self().id, call.route.entity, digest, viewer);
}

ByteRange wanted_range(const Call& call, uint64_t size, const std::string& etag)
{
    // Ranges are for GET alone, and a condition comes before them: who asks whether something has changed gets 304 or
    // all of it. An If-Range that names something else than these bytes wants them whole.
    if (call.request.method != "GET" || call.request.header("If-None-Match"))
        return {};
    if (auto only_if = call.request.header("If-Range"); only_if && *only_if != etag)
        return {};
    return parse_byte_range(call.header("Range"), size);
}

net::BodySource stored_bytes(store::Store& store, const std::string& digest, uint64_t start, uint64_t length)
{
    return {length, [&store, digest, start, length](uint64_t offset, size_t limit) -> Result<std::string> {
                auto piece = store.read([&](store::ReadTx& tx) {
                    return store::read_blob(tx, digest, static_cast<int64_t>(start + offset));
                });
                const uint64_t most = std::min<uint64_t>(limit, length - std::min(offset, length));
                if (piece.ok() && piece->size() > most)
                    piece->resize(most);
                return piece;
            }};
}

Result<std::string> read_all(const net::BodySource& source)
{
    std::string out;
    while (out.size() < source.size) {
        auto piece = TRY(source.read(out.size(), static_cast<size_t>(source.size)));
        if (piece.empty())
            return fail(ErrorKind::Internal, "an attachment ends too early");
        out += piece;
    }
    return out;
}

net::HttpResponse unsatisfiable(uint64_t size)
{
    net::HttpResponse response = error_response(416, "Range not satisfiable");
    response.with("Content-Range", "bytes */" + std::to_string(size));
    response.with("Accept-Ranges", "bytes");
    return response;
}

net::HttpResponse attachment_response(const Call& call, const Attachment& attachment)
{
    const auto size = static_cast<uint64_t>(attachment.size);
    const std::string etag = etag_of_digest(attachment.digest);
    ByteRange range = wanted_range(call, size, etag);
    if (range.kind == ByteRange::Kind::Unsatisfiable)
        return unsatisfiable(size);
    net::HttpResponse response;
    if (range.kind == ByteRange::Kind::Part) {
        response.status = 206;
        response.with("Content-Range", "bytes " + std::to_string(range.offset) + "-" +
                                           std::to_string(range.offset + range.length - 1) + "/" +
                                           std::to_string(size));
    } else {
        range.length = size;
    }
    response.with("Content-Type", safe_content_type(attachment.content_type));
    response.with("Content-Disposition", content_disposition(attachment.content_type, attachment.name));
    response.with("ETag", etag);
    response.with("Accept-Ranges", "bytes");
    response.with("Cache-Control", "private, max-age=31557600");
    // Whatever an attachment is, it never runs in our origin.
    response.with("X-Content-Type-Options", "nosniff");
    response.with("Content-Security-Policy", "sandbox; default-src 'none'");
    net::BodySource bytes = stored_bytes(call.services.store, attachment.digest, range.offset, range.length);
    if (!call.caller.sign || call.is_head() || range.length > kHashedBytes) {
        response.large = std::move(bytes);
        return response;
    }
    auto body = read_all(bytes);
    if (!body.ok())
        return error_response(body.error());
    response.body = std::move(*body);
    return response;
}

// The attachments of that name; in paths of old clients a plus may stand for a space.
std::vector<const Attachment*> attachments_named(const Post& post, std::string name)
{
    std::vector<const Attachment*> out;
    auto look = [&] {
        for (const auto& attachment : post.attachments)
            if (attachment.name == name)
                out.push_back(&attachment);
    };
    look();
    if (out.empty()) {
        std::replace(name.begin(), name.end(), '+', ' ');
        look();
    }
    return out;
}

const Attachment* choose(const std::vector<const Attachment*>& candidates, std::string_view accept)
{
    std::vector<std::string> types;
    for (const auto* candidate : candidates)
        types.push_back(candidate->content_type);
    auto best = best_match(parse_accept(accept), types);
    return best ? candidates[*best] : nullptr;
}

}  // namespace

Answer get_attachment(const CallPtr& call)
{
    const std::string digest = normal_digest(call->route.digest);
    if (digest.empty() || (call->foreign() && !may_see_foreign(call->principal())))
        return not_found();
    struct Found {
        Attachment attachment;
        bool stored = false;
    };
    auto found = call->services.store.read([&](store::ReadTx& tx) -> Result<std::optional<Found>> {
        auto attachment = TRY(find_in_store(tx, *call, digest));
        if (!attachment)
            return std::optional<Found>();
        const int64_t size = TRY(store::blob_size(tx, call->self().id, digest));
        if (size >= 0)
            attachment->size = size;
        return std::optional<Found>(Found{std::move(*attachment), size >= 0});
    });
    if (!found.ok())
        return error_response(found.error());
    const ProxyMode mode = call->foreign() ? proxy_mode(*call, ProxyMode::IfMiss) : ProxyMode::Local;
    // A post of somebody else's may be here before its files.
    const bool here = *found && (**found).stored;
    if (mode == ProxyMode::Always || (mode == ProxyMode::IfMiss && !here)) {
        proxy_attachment(call, digest, *found ? (**found).attachment.size : -1);
        return std::nullopt;
    }
    return here ? attachment_response(*call, (**found).attachment) : not_found();
}

net::HttpResponse fetched_attachment(const Call& call, const std::string& digest, const std::string& content_type)
{
    auto found = call.services.store.read([&](store::ReadTx& tx) -> Result<Attachment> {
        // Without a post of it here there is no name for it.
        Attachment unnamed;
        unnamed.content_type = content_type;
        unnamed.digest = digest;
        Attachment out = TRY(find_in_store(tx, call, digest)).value_or(unnamed);
        out.size = TRY(store::blob_size(tx, call.self().id, digest));
        return out;
    });
    if (!found.ok())
        return error_response(found.error());
    return found->size < 0 ? not_found() : attachment_response(call, *found);
}

Answer get_post_attachment(const CallPtr& call)
{
    if (call->foreign() && !may_see_foreign(call->principal()))
        return not_found();
    const ProxyMode mode = call->foreign() ? proxy_mode(*call, ProxyMode::IfMiss) : ProxyMode::Local;
    if (mode == ProxyMode::Always || (mode == ProxyMode::IfMiss && !is_here(*call))) {
        proxy_post_attachment(call);
        return std::nullopt;
    }
    auto post = call->services.store.read([&](store::ReadTx& tx) {
        return store::load_post(tx, call->self().id, call->route.entity, call->route.post, version_parameter(*call),
                                tent::viewer_of(call->principal()));
    });
    if (!post.ok())
        return error_response(post.error());
    if (!*post)
        return not_found();
    const Attachment* chosen = choose(attachments_named(**post, call->route.name), call->header("Accept"));
    if (!chosen)
        return not_found();
    std::string target = "/attachments/" + percent_encode(call->route.entity) + "/" + chosen->digest;
    if (call->is_signed())
        target = signed_target(*call,
                               target + "?post=" + percent_encode((**post).id) + "&version=" +
                                   percent_encode((**post).version.id),
                               kRedirectSeconds);
    net::HttpResponse response;
    response.status = 302;
    response.with("Location", target);
    response.with("Attachment-Digest", chosen->digest);
    response.with("Vary", "Accept");
    return response;
}

}  // namespace bivouac::api
