// SPDX-License-Identifier: BSD-3-Clause
// The two sides of a relationship handshake (Tent 0.3, section 7.2). Step numbers are those of its table.
#pragma once

#include <unordered_map>

#include <bivouac/base/event_loop.h>
#include <bivouac/relay/relay.h>
#include <bivouac/store/store.h>
#include <bivouac/tent/delivery_failure.h>
#include <bivouac/tent/relationships.h>

#include "peer_client.h"

namespace bivouac::relay {

// A function on the writer, awaited from the loop.
template <typename T>
Task<Result<T>> write_to(EventLoop& loop, store::Store& store, std::function<Result<T>(store::WriteTx&)> function)
{
    auto value = std::make_shared<std::optional<T>>();
    auto committed = co_await suspend<Result<void>>([&](auto done) {
        auto finish = std::make_shared<decltype(done)>(std::move(done));
        store.write_async(
            [function, value](store::WriteTx& tx) -> Result<void> {
                auto result = function(tx);
                if (!result.ok())
                    return std::move(result).error();
                value->emplace(std::move(*result));
                return {};
            },
            [&loop, finish](Result<void> result) {
                auto kept = std::make_shared<Result<void>>(std::move(result));
                loop.post([finish, kept] { (*finish)(std::move(*kept)); });
            });
    });
    if (!committed.ok())
        co_return std::move(committed).error();
    co_return std::move(**value);
}

struct Hands {  // what both sides need
    EventLoop& loop;
    store::Store& store;
    PeerClient& peers;
    Clock& clock;
};

// "http://<self>/posts/<self>/<id>?bewit=...": readable by whoever has it, for an hour (section 5.7).
std::string credentials_url(const tent::Self& self, const std::string& hawk_id, int64_t now_ms);

// Forbidden: the peer refuses us. Otherwise Unavailable or Invalid; worth another try later. `reason` is what to tell
// apps about a failure.
Task<Result<bool>> start_handshake(Hands hands, tent::Self self, std::string peer, tent::FailureReason& reason);

// Who is not known and wants to be.
class Strangers {
public:
    // False: too many at this time, or too many by this circuit since it was first seen.
    bool enter(std::optional<uint32_t> circuit);
    void leave() { --now_; }

private:
    size_t now_ = 0;
    std::unordered_map<uint32_t, size_t> by_circuit_;
};

// 200, 400 (with tentd's words), 403 for a blocked entity; 429 or 503 when strangers had their share of today or of now.
Task<net::HttpResponse> answer_handshake(Hands hands, Relay::InitialRequest request, Strangers& strangers);

}  // namespace bivouac::relay
