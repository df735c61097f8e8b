// SPDX-License-Identifier: BSD-3-Clause
#include "oauth_state.h"

#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>

#include <charconv>

namespace bivouac::api {

OauthState::OauthState()
    : key_(system_random().bytes(32))
{
}

std::string OauthState::mac(const FormSubject& subject, std::string_view expires) const
{
    // Digests have one length, so no two subjects run together into one text.
    return to_base64url(hmac_sha256(key_, "consent\n" + std::string(expires) + "\n" + sha256(subject.client_id) +
                                              sha256(subject.state) + sha256(subject.app_version)));
}

std::string OauthState::form_token(const FormSubject& subject, int64_t now_ms) const
{
    std::string expires = std::to_string(now_ms + kFormMs);
    return expires + "." + mac(subject, expires);
}

bool OauthState::is_form_token(std::string_view token, const FormSubject& subject, int64_t now_ms) const
{
    size_t dot = token.find('.');
    if (dot == std::string_view::npos || dot == 0 || dot > 16)
        return false;
    std::string_view expires = token.substr(0, dot);
    int64_t until = 0;
    auto [end, error] = std::from_chars(expires.begin(), expires.end(), until);
    if (error != std::errc() || end != expires.end())
        return false;
    return equal_constant_time(mac(subject, expires), token.substr(dot + 1)) && now_ms < until;
}

}  // namespace bivouac::api
