// SPDX-License-Identifier: BSD-3-Clause
// Several requests in one (Tent 0.3, section 4.11). Each is served as if it had come alone, by its own Authorization.
// They begin in order; those that take a while (commits, handshakes, other servers' posts) wait together.
#include <bivouac/base/secret.h>
#include <bivouac/model/limits.h>
#include <bivouac/net/multipart.h>
#include <bivouac/net/response_text.h>

#include <mutex>

#include "batch_parts.h"
#include "call.h"

namespace bivouac::api {

namespace {

constexpr const char* kMixed = "multipart/mixed";
constexpr int kAtOnce = 16;  // each may hold kBatchBytes and kBatchAnswerBytes

Result<std::vector<BatchPart>> read_parts(const net::HttpRequest& request)
{
    auto media = net::parse_media_type(request.header("Content-Type").value_or(""));
    if (!media.ok() || media->type != kMixed)
        return fail(ErrorKind::Unsupported, std::string("a batch is sent as ") + kMixed);
    std::string text = TRY(request.body->text(limits::kBatchBytes));
    return split_batch(media->parameter("boundary"), text);
}

Result<net::HttpRequest> inner_request(std::string_view text, const net::HttpRequest& outer)
{
    BatchRequest inner = TRY(parse_batch_request(text));
    net::HttpRequest request;
    request.method = std::move(inner.head.method);
    request.target = std::move(inner.head.target);
    request.headers = std::move(inner.head.headers);
    request.host = outer.host;
    request.listener = outer.listener;
    request.body = Spool::of_text(inner.body);
    return request;
}

std::string answer_id(const std::string& id)
{
    if (id.size() > 2 && id.front() == '<' && id.back() == '>')
        return "<response-" + id.substr(1);
    return "response-" + id;
}

net::HttpResponse too_large()
{
    return error_response(413, "The answers of this batch are too large: ask for this alone");
}

// The answers as they come in. The last one sends them all.
class Answers {
public:
    Answers(CallPtr outer, const std::vector<BatchPart>& parts)
        : outer_(std::move(outer))
        , under_way_(outer_->services.batches)
        , waiting_(parts.size())
    {
        for (const auto& part : parts)
            slots_.push_back({part.content_id, {}, false});
    }
    ~Answers() { --*under_way_; }
    Answers(const Answers&) = delete;
    Answers& operator=(const Answers&) = delete;

    bool full() const
    {
        std::lock_guard lock(mutex_);
        return bytes_ >= limits::kBatchAnswerBytes;
    }

    void put(size_t index, const std::string& method, net::HttpResponse response)
    {
        const bool reading = method == "GET" || method == "HEAD";
        if (response.large && method != "HEAD")
            response = hold(std::move(response));
        std::string text = net::response_text(method, std::move(response));
        std::unique_lock lock(mutex_);
        Slot& slot = slots_[index];
        if (slot.answered)
            return;
        slot.answered = true;
        // What was written stays written, so its answer is given whatever there is already.
        if (reading && bytes_ + text.size() > limits::kBatchAnswerBytes)
            text = net::response_text(method, too_large());
        bytes_ += text.size();
        slot.text = std::move(text);
        if (--waiting_ > 0)
            return;
        lock.unlock();
        finish(*outer_, all());
    }

private:
    struct Slot {
        std::string content_id;
        std::string text;
        bool answered = false;
    };

    // The same with its body in memory.
    net::HttpResponse hold(net::HttpResponse response)
    {
        const net::BodySource source = *response.large;
        {
            std::lock_guard lock(mutex_);
            if (source.size > limits::kBatchAnswerBytes - std::min(bytes_, limits::kBatchAnswerBytes))
                return too_large();
        }
        response.large.reset();
        while (response.body.size() < source.size) {
            auto piece = source.read(response.body.size(), static_cast<size_t>(source.size) - response.body.size());
            if (!piece.ok() || piece->empty())
                return error_response(500, "Internal error");
            response.body += *piece;
        }
        return response;
    }

    net::HttpResponse all()
    {
        const std::string boundary = system_random().id();
        net::HttpResponse response;
        // Nothing quoted may follow: clients take all between the first and the last quote.
        response.with("Content-Type", std::string(kMixed) + "; boundary=\"" + boundary + "\"");
        response.body.reserve(bytes_ + slots_.size() * 200);
        for (auto& slot : slots_) {
            response.body += "--" + boundary + "\r\nContent-Type: application/http\r\n";
            if (!slot.content_id.empty())
                response.body += "Content-ID: " + answer_id(slot.content_id) + "\r\n";
            response.body += "\r\n" + slot.text + "\r\n";
            std::string().swap(slot.text);
        }
        response.body += "--" + boundary + "--\r\n";
        return response;
    }

    const CallPtr outer_;
    const std::shared_ptr<std::atomic<int>> under_way_;
    mutable std::mutex mutex_;  // all that follows
    std::vector<Slot> slots_;
    size_t waiting_;
    size_t bytes_ = 0;
};

}  // namespace

Answer batch(const CallPtr& call)
{
    if (call->in_batch)
        return error_response(400, "A batch inside a batch");
    auto parts = read_parts(call->request);
    if (!parts.ok())
        return error_response(parts.error());
    if (++*call->services.batches > kAtOnce) {
        --*call->services.batches;
        return error_response(503, "Too many batches at once");
    }
    auto answers = std::make_shared<Answers>(call, *parts);
    for (size_t i = 0; i < parts->size(); ++i) {
        std::string text = std::move((*parts)[i].text);
        auto inner = inner_request(text, call->request);
        std::string().swap(text);
        if (!inner.ok()) {
            answers->put(i, "POST", error_response(net::head_error_status(inner.error()), inner.error().detail));
            continue;
        }
        const std::string method = inner->method;
        if (answers->full()) {
            answers->put(i, method, too_large());
            continue;
        }
        call->services.api.serve(std::move(*inner), call->site,
                                 [answers, i, method](net::HttpResponse response) {
                                     answers->put(i, method, std::move(response));
                                 },
                                 true);
    }
    return std::nullopt;
}

}  // namespace bivouac::api
