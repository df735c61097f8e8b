// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/api/post_upload.h>
#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/protocol.h>
#include <bivouac/net/multipart.h>
#include <bivouac/store/attachments.h>

#include <algorithm>

namespace bivouac::api {

namespace {

// "photo[0]" and "photo" are both the category "photo" (section 4.6).
std::string category_of(std::string_view part_name)
{
    if (part_name.ends_with(']')) {
        size_t open = part_name.rfind('[');
        if (open != std::string_view::npos && open > 0) {
            std::string_view digits = part_name.substr(open + 1, part_name.size() - open - 2);
            if (std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
                return std::string(part_name.substr(0, open));
        }
    }
    return std::string(part_name);
}

class UploadReader {
public:
    UploadReader(store::Store& store, int64_t owner, uint64_t limit_bytes)
        : store_(store)
        , owner_(owner)
        , limit_(limit_bytes)
    {
    }

    Result<void> begin(const net::PartHead& head)
    {
        auto media = net::parse_media_type(head.content_type);
        // The post is known by its media type, not by its place (section 4.6).
        in_post_ = media.ok() && media->type == mime::kPost;
        if (in_post_) {
            if (!upload.content_type.empty())
                return fail(ErrorKind::Invalid, "two post parts");
            upload.content_type = head.content_type;
            return {};
        }
        if (!head.has_filename || head.filename.empty() || head.content_type.empty() || head.name.empty())
            return fail(ErrorKind::Invalid, "an attachment part needs a name, a filename and a content type");
        if (upload.uploaded.size() == limits::kAttachmentsPerPost)
            return fail(ErrorKind::TooLarge, "too many attachments");
        Attachment attachment;
        attachment.category = category_of(head.name);
        attachment.name = head.filename;
        attachment.content_type = head.content_type;
        for (const auto* text : {&attachment.category, &attachment.name, &attachment.content_type})
            if (text->size() > limits::kNameLength || !is_valid_utf8(*text))
                return fail(ErrorKind::Invalid, "an attachment's name or type is too long or not UTF-8");
        for (const auto& other : upload.uploaded)
            if (other.name == attachment.name && other.content_type == attachment.content_type)
                return fail(ErrorKind::Invalid, "two attachments of one name and content type");
        upload.uploaded.push_back(std::move(attachment));
        writer_ = std::make_unique<store::BlobWriter>(store_, owner_);
        return {};
    }

    Result<void> data(std::string_view bytes)
    {
        if (in_post_) {
            if (post_text_.size() + bytes.size() > limits::kJsonBodyBytes)
                return fail(ErrorKind::TooLarge, "the post is over 1 MiB");
            post_text_ += bytes;
            return {};
        }
        size_ += bytes.size();
        if (size_ > limit_)
            return fail(ErrorKind::TooLarge, "an attachment is over " + std::to_string(limit_ >> 20) + " MiB");
        return writer_->append(bytes);
    }

    Result<void> end()
    {
        if (in_post_)
            return {};
        auto blob = TRY(writer_->finish());
        writer_.reset();
        size_ = 0;
        upload.uploaded.back().digest = blob.digest;
        upload.uploaded.back().size = blob.size;
        return {};
    }

    Result<void> finish()
    {
        if (upload.content_type.empty())
            return fail(ErrorKind::Invalid, "no post part");
        upload.post = TRY(parse_json(post_text_));
        return {};
    }

    PostUpload upload;

private:
    store::Store& store_;
    int64_t owner_;
    uint64_t limit_;
    bool in_post_ = false;
    std::string post_text_;
    size_t size_ = 0;
    std::unique_ptr<store::BlobWriter> writer_;
};

}  // namespace

Result<PostUpload> read_post_upload(const net::HttpRequest& request, store::Store& store, int64_t owner, uint64_t limit_bytes)
{
    std::string content_type(request.header("Content-Type").value_or(""));
    auto media = net::parse_media_type(content_type);
    if (media.ok() && media->type == mime::kMultipart) {
        std::string boundary = media->parameter("boundary");
        if (boundary.empty() || boundary.size() > 200)
            return fail(ErrorKind::Invalid, "multipart without a boundary");
        UploadReader reader(store, owner, limit_bytes);
        net::MultipartReader parser(boundary,
                                    {[&](const net::PartHead& head) { return reader.begin(head); },
                                     [&](std::string_view bytes) { return reader.data(bytes); },
                                     [&] { return reader.end(); }});
        Spool::Reader body(*request.body);
        for (std::string piece; !(piece = TRY(body.next())).empty();)
            TRY(parser.feed(piece));
        TRY(parser.finish());
        TRY(reader.finish());
        return std::move(reader.upload);
    }
    PostUpload upload;
    upload.content_type = content_type;
    if (request.body->size() == 0)
        return fail(ErrorKind::Invalid, "Request body missing.");
    std::string text = TRY(request.body->text(limits::kJsonBodyBytes));
    upload.post = TRY(parse_json(text));
    if (!upload.post.is_object())
        return fail(ErrorKind::Invalid, "the body must be a JSON object");
    if (!media.ok() || media->type != mime::kPost)
        return fail(ErrorKind::Unsupported, "a post is sent as " + std::string(mime::kPost));
    return upload;
}

}  // namespace bivouac::api
