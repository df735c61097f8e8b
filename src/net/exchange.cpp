// SPDX-License-Identifier: BSD-3-Clause
#include "exchange.h"

#include <exception>

#include <bivouac/base/log.h>

namespace bivouac::net
{

void Shared::post(std::function<void(AnswerSink&)> job)
{
    std::lock_guard lock(mutex_);
    if (!sink_)
        return;
    // sink_ is cleared on the loop thread only, so the job may look at it there without the lock.
    loop_->post([self = shared_from_this(), work = std::move(job)] {
        if (self->sink_)
            work(*self->sink_);
    });
}

void Shared::detach()
{
    std::lock_guard lock(mutex_);
    sink_ = nullptr;
}

Exchange::Exchange(std::shared_ptr<Shared> shared, RequestId id, std::string method, Persistence persistence)
    : shared_(std::move(shared))
    , id_(id)
    , method_(std::move(method))
    , persistence_(persistence)
{
    ++shared_->waiting;
}

Exchange::~Exchange()
{
    if (answered_)
        return;
    settle(deferred_);
    if (!shared_->abandoned)
        deliver(error_response(500, "internal error"));
}

void Exchange::run(HttpRequest& request, const Handler& handler)
{
    auto answer = [&]() -> std::optional<HttpResponse> {
        try {
            handler(std::move(request), [self = shared_from_this()](HttpResponse response) {
                self->respond(std::move(response));
            });
        } catch (const std::exception& e) {
            log::error("a request handler threw: " + log::name(e.what()));
            respond(error_response(500, "internal error"));
        } catch (...) {
            log::error("a request handler threw");
            respond(error_response(500, "internal error"));
        }
        return handler_returned();
    };
    auto wire = shared_->adapter.process(request, persistence_, answer);
    if (!wire)
        return;
    shared_->post([id = id_, answer_bytes = std::move(*wire)](AnswerSink& sink) mutable {
        sink.answered(id, std::move(answer_bytes));
    });
}

void Exchange::respond(HttpResponse response)
{
    bool was_deferred = false;
    {
        std::lock_guard lock(mutex_);
        if (answered_)
            return;
        answered_ = true;
        was_deferred = deferred_;
        if (in_handler_) {
            early_ = std::move(response);
            return;
        }
    }
    settle(was_deferred);
    deliver(std::move(response));
}

std::optional<HttpResponse> Exchange::handler_returned()
{
    std::lock_guard lock(mutex_);
    in_handler_ = false;
    if (answered_) {
        settle(false);
        return std::move(early_);
    }
    deferred_ = true;
    ++shared_->deferred;
    return std::nullopt;
}

void Exchange::settle(bool was_deferred)
{
    --shared_->waiting;
    if (was_deferred)
        --shared_->deferred;
}

// Here and not on a worker: it is a head of a few lines and at most one copy of the body.
void Exchange::deliver(HttpResponse response)
{
    WireAnswer wire = shared_->adapter.serialise(method_, persistence_, std::move(response));
    shared_->post([id = id_, answer_bytes = std::move(wire)](AnswerSink& sink) mutable {
        sink.answered(id, std::move(answer_bytes));
    });
}

} // namespace bivouac::net
