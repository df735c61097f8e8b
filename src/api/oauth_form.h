// SPDX-License-Identifier: BSD-3-Clause
// The filled-in consent form, out of the body that a browser sends. Strict: what our own page cannot send is
// refused. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/base/secret.h>

namespace bivouac::api {

constexpr size_t kFormBytes = 32u << 10;

struct ConsentForm {
    std::string token;
    bool allowed = false;
    Secret passphrase;
    // Numbers of what was ticked, in the lists that the app post has.
    std::vector<size_t> read;
    std::vector<size_t> write;
    std::vector<size_t> scopes;
};

// application/x-www-form-urlencoded. Invalid.
Result<ConsentForm> parse_consent_form(std::string_view body);

}  // namespace bivouac::api
