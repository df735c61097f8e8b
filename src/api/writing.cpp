// SPDX-License-Identifier: BSD-3-Clause
// Writing posts (Tent 0.3, sections 4.3, 4.5 and 4.7).
#include <bivouac/api/post_upload.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/log.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/net/multipart.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/moving.h>
#include <bivouac/tent/receive.h>
#include <bivouac/tent/writing.h>

#include "call.h"

namespace bivouac::api {

namespace {

constexpr int64_t kCredentialsLinkSeconds = 3600;  // ruling 40

// What a request wants to write: the post, the files that came with it, and its media type's parameters.
struct Submission {
    Post post;
    std::vector<Attachment> uploaded;
    std::string rel;
};

// The checks of section 4.3 that need no store, in its order.
Result<Submission> read_submission(const CallPtr& call)
{
    auto upload = TRY(read_post_upload(call->request, call->services.store, call->self().id, call->services.settings.upload_limit_bytes));
    auto media = net::parse_media_type(upload.content_type);
    if (!media.ok() || media->type != mime::kPost)
        return fail(ErrorKind::Unsupported, "a post is sent as " + std::string(mime::kPost));
    Submission out;
    out.rel = media->parameter("rel");
    // An imported post keeps every member: its version id is made of them (section 2.2).
    if (out.rel != rel::kImport)
        upload.post = strip_nulls(std::move(upload.post));
    const std::string type = TRY(string_member(upload.post, "type"));
    if (!type.empty() && media->parameter("type") != type)
        return fail(ErrorKind::Unsupported, "the Content-Type must name the type of the post");
    out.post = TRY(post_from_json(upload.post));
    out.uploaded = std::move(upload.uploaded);
    return out;
}

net::HttpResponse written_response(const CallPtr& call, const tent::Written& written)
{
    // Whoever registers an app sees it as its maker (section 2.3).
    net::HttpResponse response = post_response(written.post, Audience::owner());
    response.with("Cache-Control", "private, must-revalidate");
    if (!written.credentials.empty()) {
        if (parse_type(written.post.type).value().base == type::kAppAuthBase)
            call->services.api.allow_large_bodies(written.credentials);
        const std::string target =
            "/posts/" + percent_encode(call->self().entity) + "/" + written.credentials;
        response.with("Link", "<" + signed_url(*call, target, kCredentialsLinkSeconds) + ">; rel=\"" +
                                  rel::kCredentials + "\"");
    }
    return response;
}

// A job on the writer, after whose commit the outbox is looked at. No worker waits for the disk meanwhile, so as many
// clients as there are share one commit. `answer` runs on a thread of the store's: it must not write itself.
template <typename T>
Answer write(const CallPtr& call, std::function<Result<T>(store::WriteTx&)> job,
             std::function<net::HttpResponse(Result<T>)> answer)
{
    auto out = std::make_shared<std::optional<Result<T>>>();
    auto run = [call, out, job = std::move(job)](store::WriteTx& tx) -> Result<void> {
        out->emplace(job(tx));
        if (!(*out)->ok())
            return (*out)->error();
        tx.after_commit([call] {
            call->services.hooks.posted();
            if (call->request.method == "DELETE" && call->services.hooks.withdrawn)
                call->services.hooks.withdrawn();
        });
        return {};
    };
    auto done = [call, out, answer = std::move(answer)](Result<void> committed) {
        net::HttpResponse response = error_response(500, "Internal error");
        try {
            response = answer(committed.ok() ? std::move(**out) : Result<T>(std::move(committed).error()));
        } catch (const std::exception&) {
            log::error("the answer to a write could not be made");
        }
        finish(*call, std::move(response));
    };
    call->services.store.write_async(std::move(run), std::move(done));
    return std::nullopt;
}

bool is_multipart(const Call& call)
{
    auto media = net::parse_media_type(call.header("Content-Type"));
    return media.ok() && media->type == mime::kMultipart;
}

// Files are stored before it is known whether their post is taken, so strangers' only while it could be.
bool has_room_for_apps(const Call& call)
{
    auto waiting =
        call.services.store.read([&](store::ReadTx& tx) { return tent::waiting_apps(tx, call.self()); });
    return waiting.ok() && *waiting < call.services.settings.waiting_apps;
}

net::HttpResponse answer_written(const CallPtr& call, const Result<tent::Written>& written)
{
    return written.ok() ? written_response(call, *written) : error_response(written.error());
}

Answer put_version(const CallPtr& call, Submission submission)
{
    // Nobody but the publisher writes versions of a post (section 2.6).
    if (call->foreign())
        return error_response(403, "Forbidden");
    return write<tent::Written>(
        call,
        [call, submission = std::move(submission)](store::WriteTx& tx) {
            return tent::create_version(tx, call->self(), call->principal(), call->route.post, submission.post,
                                        submission.uploaded);
        },
        [call](Result<tent::Written> written) { return answer_written(call, written); });
}

Answer put_import(const CallPtr& call, Submission submission)
{
    Post& post = submission.post;
    if (post.entity.empty())
        post.entity = call->route.entity;
    if (post.id.empty())
        post.id = call->route.post;
    tent::bring_up_to_date(call->self(), post);
    if (post.entity != call->route.entity || post.id != call->route.post || !is_entity_url(post.entity) ||
        !is_valid_post_id(post.id))
        return error_response(400, "Invalid Attributes: /id and /entity differ from the URL");
    return write<Post>(
        call,
        [call, submission = std::move(submission)](store::WriteTx& tx) {
            return tent::import_post(tx, call->self(), call->principal(), submission.post, submission.uploaded);
        },
        [call](Result<Post> imported) {
            if (!imported.ok())
                return error_response(imported.error());
            // Keys of apps that were brought along work from now on.
            if (!call->foreign() && parse_type(imported->type).value().base == type::kCredentialsBase)
                call->services.api.allow_large_bodies(imported->id);
            return written_response(call, {std::move(*imported), ""});
        });
}

Answer put_notification(const CallPtr& call, const std::string& type)
{
    const bool initial = type == type::kRelationshipInitial;
    if (!initial && call->principal().kind != Principal::Kind::Peer)
        return error_response(403, "Forbidden");  // also unsigned (section 7.5)
    auto text = call->request.body->text(limits::kJsonBodyBytes);
    if (!text.ok())
        return error_response(text.error());
    auto body = parse_json(*text);
    if (!body.ok())
        return error_response(body.error());
    if (initial) {
        call->services.hooks.initial(call->self(), call->route.entity, call->route.post,
                                     std::string(call->header("Link")), std::move(*body), call->request.circuit,
                                     [call](net::HttpResponse response) { finish(*call, std::move(response)); });
        return std::nullopt;
    }
    const std::string peer = call->principal().entity;
    return write<tent::Received>(
        call,
        [call, body = std::move(*body)](store::WriteTx& tx) {
            return tent::receive(tx, call->self(), call->principal().entity, call->route.entity, call->route.post, body);
        },
        [peer](Result<tent::Received> received) {
            return received.ok() ? post_response(received->post, Audience::peer(peer))
                                 : error_response(received.error());
        });
}

}  // namespace

Answer new_post(const CallPtr& call)
{
    const bool stranger = !call->is_signed();
    if (stranger && !call->services.api.admit_stranger(call->self().id))
        return error_response(429, "Too many requests");
    if (stranger && is_multipart(*call) && !has_room_for_apps(*call))
        return error_response(429, "Too many requests");
    auto submission = read_submission(call);
    if (!submission.ok())
        return error_response(submission.error());
    return write<tent::Written>(
        call,
        [call, submission = std::move(*submission)](store::WriteTx& tx) {
            return tent::create_post(tx, call->self(), call->principal(), submission.post, submission.uploaded,
                                     call->services.settings.waiting_apps);
        },
        [call](Result<tent::Written> made) { return answer_written(call, made); });
}

// One URL, four meanings (section 4.5). A delivery comes without files, so only the other two can be multipart.
Answer put_post(const CallPtr& call)
{
    auto media = net::parse_media_type(call->header("Content-Type"));
    if (media.ok() && media->type == mime::kPost && media->parameter("rel") == rel::kNotification)
        return put_notification(call, media->parameter("type"));
    if (!call->is_signed())
        return error_response(401, "Unauthorized");
    auto submission = read_submission(call);
    if (!submission.ok())
        return error_response(submission.error());
    return submission->rel == rel::kImport ? put_import(call, std::move(*submission))
                                           : put_version(call, std::move(*submission));
}

Answer delete_post(const CallPtr& call)
{
    const Principal& principal = call->principal();
    const std::string version = version_parameter(*call);
    auto post = call->services.store.read([&](store::ReadTx& tx) {
        return store::load_post(tx, call->self().id, call->route.entity, call->route.post, version,
                                tent::viewer_of(principal));
    });
    if (!post.ok())
        return error_response(post.error());
    // Not readable: absent (section 4.7). Copies of other people's posts are an app's business only.
    if (!*post || (call->foreign() && !call->is_app()))
        return not_found();
    const auto wish = call->header("Create-Delete-Post") == "false" ? tent::DeletePost::Omit : tent::DeletePost::Make;
    return write<std::optional<Post>>(
        call,
        [call, version, wish](store::WriteTx& tx) -> Result<std::optional<Post>> {
            auto made = TRY(tent::delete_as(tx, call->self(), call->principal(), call->route.entity,
                                            call->route.post, version, wish));
            TRY(store::remove_orphans(tx, store::Orphans::OlderThanAnHour));
            return made;
        },
        [call, wish](Result<std::optional<Post>> deleted) {
            if (!deleted.ok())
                return error_response(deleted.error());
            if (!*deleted || wish == tent::DeletePost::Omit)
                return net::HttpResponse{};
            return written_response(call, {std::move(**deleted), ""});
        });
}

}  // namespace bivouac::api
