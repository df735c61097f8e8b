// SPDX-License-Identifier: BSD-3-Clause
// Link headers (one a line), HTML and URL templates of others: few links, and only what stands in the text.
#include "target.h"

#include <vector>

#include <bivouac/model/protocol.h>
#include <bivouac/tent/meta.h>

using namespace bivouac;
using namespace bivouac::tent;

namespace {

std::vector<std::string_view> lines_of(std::string_view text)
{
    std::vector<std::string_view> out;
    while (true) {
        size_t end = text.find('\n');
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return out;
        text.remove_prefix(end + 1);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view text = view(data, size);
    auto links = links_with_rel(lines_of(text), rel::kMetaPost);
    HOLDS(links.size() <= 20);
    for (const auto& link : links)
        HOLDS(text.find(link) != std::string_view::npos && link.find('>') == std::string::npos);
    auto html = html_links_with_rel(text, rel::kMetaPost);
    HOLDS(html.size() <= 20);
    for (const auto& link : html)
        HOLDS(!link.empty() && text.find(link) != std::string_view::npos);

    std::string filled = expand_template(text, {{"entity", "http://b.onion"}, {"post", "{name}"}});
    HOLDS(filled.size() <= 4 * size);
    size_t open = filled.find('{');
    HOLDS(open == std::string::npos || filled.find('}', open) == std::string::npos);
    return 0;
}
