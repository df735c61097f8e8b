// SPDX-License-Identifier: BSD-3-Clause
// What OAuth keeps in memory while the process lives: the key that signs consent forms. Thread-safe: constant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bivouac::api {

// The form of one request for consent: nobody else's page can make one up, and what the person saw is what she
// allows, since the version of the app post is part of it.
struct FormSubject {
    std::string client_id;
    std::string state;
    std::string app_version;
};

constexpr int64_t kFormMs = 30LL * 60 * 1000;

class OauthState {
public:
    OauthState();

    std::string form_token(const FormSubject& subject, int64_t now_ms) const;
    bool is_form_token(std::string_view token, const FormSubject& subject, int64_t now_ms) const;

private:
    std::string mac(const FormSubject& subject, std::string_view expires) const;
    std::string key_;
};

}  // namespace bivouac::api
