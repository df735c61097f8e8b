// SPDX-License-Identifier: BSD-3-Clause
// From a request to the Principal behind it (Tent 0.3, sections 4.1 and 5): Hawk header or bewit, clock skew,
// replay, payload hash. Keys stay in here: what leaves is a Principal and a function that signs the answer.
// Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include <bivouac/auth/hawk.h>
#include <bivouac/base/clock.h>
#include <bivouac/model/principal.h>
#include <bivouac/net/http_message.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/store.h>

namespace bivouac::auth {

class Nonces;

struct Authenticated {
    Principal principal;
    // Server-Authorization for a response with this content type and body; empty for anonymous and bewit.
    // Pass no body (nullptr) for HEAD, 302, 304 and empty answers.
    std::function<std::string(std::string_view content_type, const std::string* body)> sign;
    // The raw target without its bewit: what handlers look at.
    std::string target;
};

struct AuthFailure {
    int status = 403;
    std::string www_authenticate;  // for 401
    std::string error;
};

class Authenticator {
public:
    Authenticator(store::Store& store, Clock& clock);
    ~Authenticator();

    // The asked entity decides which credentials exist at all: one onion cannot be asked about another.
    // Either Authenticated or the failure to answer with.
    std::variant<Authenticated, AuthFailure> authenticate(const net::HttpRequest& request, int64_t owner,
                                                          std::string_view bewit_id, std::string_view bewit_key);

private:
    store::Store& store_;
    Clock& clock_;
    int64_t started_at_;  // seconds
    std::unique_ptr<Nonces> nonces_;
};

}  // namespace bivouac::auth
