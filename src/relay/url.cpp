// SPDX-License-Identifier: BSD-3-Clause
#include "url.h"

#include <bivouac/tent/meta.h>

#include <algorithm>

namespace bivouac::relay {

SplitUrl split_url(const std::string& url)
{
    size_t start = url.find("://") + 3;
    size_t end = std::min(url.find_first_of("/?#", start), url.size());
    std::string target = url.substr(end);
    return {url.substr(start, end - start), target.starts_with('/') ? target : "/" + target};
}

std::string resolve_url(std::string_view base, std::string_view reference)
{
    std::string out;
    if (reference.starts_with("http://")) {
        out = std::string(reference);
    } else if (reference.starts_with("//") || reference.find("://") != std::string_view::npos) {
        return {};
    } else {
        SplitUrl split = split_url(std::string(base));
        std::string origin = "http://" + split.host;
        std::string path = split.target.substr(0, split.target.find_first_of("?#"));
        if (reference.starts_with("/"))
            out = origin + std::string(reference);
        else
            out = origin + path.substr(0, path.rfind('/') + 1) + std::string(reference);
    }
    out = out.substr(0, out.find('#'));
    return tent::is_onion_url(out) ? out : std::string();
}

}  // namespace bivouac::relay
