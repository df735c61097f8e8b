// SPDX-License-Identifier: BSD-3-Clause
// Headers, challenges and bewits that are understood are understood the same when written again; nobody without
// the key makes one that verifies.
#include "target.h"

#include <bivouac/auth/hawk.h>
#include <bivouac/base/bytes.h>

using namespace bivouac;
using namespace bivouac::auth;

namespace {

constexpr std::string_view kKey = "onion-vector-key-0123456789";

void check_header(std::string_view text)
{
    auto header = parse_hawk_header(text);
    if (!header.ok())
        return;
    HOLDS(!header->id.empty() && !header->mac.empty() && !header->nonce.empty() && header->ts >= 0);
    auto again = parse_hawk_header(write_hawk_header(*header));
    // An `ext=""` is read and not written.
    if (again.ok()) {
        HOLDS(again->id == header->id && again->ts == header->ts && again->nonce == header->nonce);
        HOLDS(again->mac == header->mac && again->hash == header->hash && again->ext == header->ext);
        HOLDS(again->app == header->app && again->dlg == header->dlg);
    } else {
        HOLDS(write_hawk_header(*header).size() > 4096);
    }
    HawkTarget target{"GET", "/", "b.onion", 80};
    HOLDS(hawk_mac(HawkKind::Header, kKey, *header, target).size() == 44);
    std::string proof = write_server_authorization(kKey, *header, target, header->hash);
    HOLDS(proof.size() > 4096 || verify_server_authorization(proof, kKey, *header, target, header->hash));
    HOLDS(!verify_server_authorization(proof, "another key", *header, target, header->hash));
}

void check_challenge(std::string_view text)
{
    auto seconds = read_stale_challenge(text, kKey);
    if (seconds)  // only with the key, so from the corpus
        HOLDS(read_stale_challenge(write_stale_challenge(kKey, *seconds), kKey) == seconds);
    HOLDS(!read_stale_challenge(text, "another key") || !seconds);
}

void check_bewit(std::string_view text)
{
    auto bewit = parse_bewit(text);
    if (!bewit.ok())
        return;
    HOLDS(!bewit->id.empty() && !bewit->mac.empty() && bewit->exp >= 0);
    auto again = parse_bewit(write_bewit(*bewit));
    HOLDS(again.ok() && again->id == bewit->id && again->exp == bewit->exp && again->mac == bewit->mac &&
          again->ext == bewit->ext);
}

// Taking the parameter out leaves everything else in its place.
void check_split(std::string_view text)
{
    SplitTarget split = split_bewit(text);
    HOLDS(split.target.size() + split.bewit.size() <= text.size());
    HOLDS(split.target.substr(0, split.target.find('?')) == text.substr(0, text.find('?')));
    HOLDS(split.bewit.find('&') == std::string::npos);
    if (split.bewit.empty())
        return;
    std::string signed_target = split.target;
    signed_target += signed_target.find('?') == std::string::npos ? '?' : '&';
    SplitTarget again = split_bewit(signed_target + "bewit=" + split.bewit);
    if (split.target.find("bewit=") == std::string::npos)
        HOLDS(again.target == split.target && again.bewit == split.bewit);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view text = view(data, size);
    check_header(text);
    check_challenge(text);
    check_bewit(text);
    check_bewit(to_base64url(text));
    check_split(text);
    auto target = hawk_target("GET", "/", text);
    if (target.ok())
        HOLDS(target->port > 0 && target->host.size() <= size);
    return 0;
}
