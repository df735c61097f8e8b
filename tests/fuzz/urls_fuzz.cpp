// SPDX-License-Identifier: BSD-3-Clause
// Two lines: a URL and a reference to resolve against it. Nothing but plain http on an onion comes out.
#include "target.h"

#include "../../src/relay/url.h"

#include <bivouac/base/bytes.h>
#include <bivouac/model/post.h>
#include <bivouac/model/post_json.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tor/onion_address.h>

using namespace bivouac;

namespace {

constexpr std::string_view kOnion = "s3gm5cfo4smll7fybis27vjmeni734w4y3la4b2p5lbpacykyc3uusqd.onion";

// By hand, not with the code under test: 62 characters of onion right behind the scheme, then a port or the end.
void leads_to_an_onion(std::string_view url)
{
    HOLDS(url.starts_with("http://") && url.size() >= 7 + 62);
    HOLDS(tor::is_valid_onion_host(url.substr(7, 62)));
    std::string_view rest = url.substr(7 + 62);
    if (rest.starts_with(':')) {
        size_t end = std::min(rest.find_first_of("/?#"), rest.size());
        HOLDS(end > 1 && rest.substr(1, end - 1).find_first_not_of("0123456789") == std::string_view::npos);
        rest.remove_prefix(end);
    }
    HOLDS(rest.empty() || rest[0] == '/' || rest[0] == '?' || rest[0] == '#');
    HOLDS(url.find_first_of("\r\n \t") == std::string_view::npos);
    auto split = relay::split_url(std::string(url));
    HOLDS(split.target.starts_with('/') && split.host.find_first_of("/?#@") == std::string::npos);
    HOLDS(url.substr(7).starts_with(split.host));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view text = view(data, size);
    HOLDS(percent_decode(percent_encode(text)) == text);
    auto decoded = percent_decode(text);
    HOLDS(!decoded || decoded->size() <= size);

    if (is_entity_url(text)) {
        HOLDS(text.find_first_of("?# \r\n\"<>") == std::string_view::npos);
        HOLDS(percent_decode(percent_encode(text)) == text);
    }
    if (auto host = tent::peer_host(text))
        leads_to_an_onion("http://" + *host);
    if (tent::is_onion_url(text))
        leads_to_an_onion(text);
    if (auto type = parse_type(text); type.ok())
        HOLDS(text.starts_with(type->base) && type_matches(text, text) && type_matches(type->base, text));

    std::string base = "http://" + std::string(kOnion) + "/a/b?c#d";
    std::string_view reference = text;
    if (size_t line = text.find('\n'); line != std::string_view::npos && tent::is_onion_url(text.substr(0, line))) {
        base = std::string(text.substr(0, line));
        reference = text.substr(line + 1);
    }
    std::string url = relay::resolve_url(base, reference);
    if (!url.empty()) {
        leads_to_an_onion(url);
        HOLDS(url.find('#') == std::string::npos);
        HOLDS(relay::resolve_url(base, url) == url);
    }
    return 0;
}
