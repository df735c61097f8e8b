// SPDX-License-Identifier: BSD-3-Clause
// What this server allows, and for apps what it holds (Tent 0.3, section 4.12).
#include <bivouac/model/limits.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/posts.h>

#include <algorithm>

#include "call.h"

namespace bivouac::api {

namespace {

// The types that this app may read, as far as there are posts of them.
Result<Json> count_types(store::ReadTx& tx, const Call& call)
{
    const std::vector<std::string>& granted = call.principal().read_types;
    auto may_read = [&](const std::string& base) {
        return std::any_of(granted.begin(), granted.end(), [&](const std::string& selector) {
            // Keys are for whoever names their type (section 5.8).
            if (selector == kAllTypes)
                return base != type::kCredentialsBase;
            auto type = parse_type(selector);
            return type.ok() && type->base == base;
        });
    };
    Json out = Json::object();
    for (const auto& [base, count] : TRY(store::count_types(tx, call.self().id)))
        if (may_read(base))
            out[base] = {{"count", count}};
    return out;
}

}  // namespace

Answer server_info(const CallPtr& call)
{
    Json body = {{"limits",
                  {{"posts_feed", {{"default", limits::kFeedLimitDefault}, {"maximum", limits::kFeedLimitMaximum}}},
                   {"batch", {{"max_requests", limits::kBatchRequests}}}}}};
    if (call->is_app()) {
        const uint64_t upload = call->services.settings.upload_limit_bytes;
        body["limits"]["attachments"] = {{"maximum_size", upload}, {"maximum_per_post", limits::kAttachmentsPerPost}};
        if (call->services.hooks.storage) {
            const Storage storage = call->services.hooks.storage(call->self().id);
            body["storage"] = {{"available", storage.available}, {"used", storage.used}};
        }
        auto types = call->services.store.read([&](store::ReadTx& tx) { return count_types(tx, *call); });
        if (!types.ok())
            return error_response(types.error());
        body["types"] = std::move(*types);
    }
    net::HttpResponse response = json_response(body, "application/json");
    add_read_headers(response, false);
    return response;
}

}  // namespace bivouac::api
