// SPDX-License-Identifier: BSD-3-Clause
// What the answers of others say about where their servers are (Tent 0.3, sections 1.2 to 1.5). Pure, fuzzed.
#include <bivouac/base/bytes.h>
#include <bivouac/model/post_json.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tor/reach.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

constexpr size_t kMostServers = 20;
constexpr size_t kMostLinks = 20;
constexpr size_t kUrlBytes = 2048;

std::string_view trim(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

// `; rel="a"; x=y` -> does a rel parameter name it?
bool has_rel(std::string_view parameters, std::string_view rel)
{
    size_t at = 0;
    while ((at = parameters.find("rel=", at)) != std::string_view::npos) {
        std::string_view value = parameters.substr(at + 4);
        char quote = !value.empty() && (value[0] == '"' || value[0] == '\'') ? value[0] : '\0';
        if (quote)
            value.remove_prefix(1);
        value = value.substr(0, quote ? value.find(quote) : value.find_first_of("; ,"));
        if (value == rel)
            return true;
        at += 4;
    }
    return false;
}

std::string attribute(std::string_view tag, std::string_view name)
{
    size_t at = 0;
    while ((at = tag.find(name, at)) != std::string_view::npos) {
        bool starts = at > 0 && (tag[at - 1] == ' ' || tag[at - 1] == '\n' || tag[at - 1] == '\t');
        size_t after = at + name.size();
        at = after;
        if (!starts || after + 1 >= tag.size() || tag[after] != '=' || (tag[after + 1] != '"' && tag[after + 1] != '\''))
            continue;
        std::string_view value = tag.substr(after + 2);
        return std::string(value.substr(0, value.find(tag[after + 1])));
    }
    return {};
}

}  // namespace

// Strict: what follows the first ':' could also be a password in front of another host.
bool is_onion_url(std::string_view url)
{
    if (!url.starts_with("http://") || url.size() > kUrlBytes)
        return false;
    bool plain = std::all_of(url.begin(), url.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
    std::string_view rest = url.substr(7);
    std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    return plain && tor::way_to(authority) != tor::Way::Nowhere;
}

std::vector<std::string> links_with_rel(const std::vector<std::string_view>& header_values, std::string_view rel)
{
    std::vector<std::string> out;
    for (std::string_view value : header_values) {
        while (!value.empty() && out.size() < kMostLinks) {
            size_t open = value.find('<');
            size_t close = open == std::string_view::npos ? open : value.find('>', open);
            if (close == std::string_view::npos)
                break;
            std::string_view url = value.substr(open + 1, close - open - 1);
            value.remove_prefix(close + 1);
            size_t next = value.find(",");
            // A comma inside quotes belongs to a parameter.
            size_t quote = value.find('"');
            while (quote != std::string_view::npos && next != std::string_view::npos && quote < next) {
                size_t end = value.find('"', quote + 1);
                if (end == std::string_view::npos)
                    break;
                if (next < end)
                    next = value.find(',', end);
                quote = value.find('"', end + 1);
            }
            if (has_rel(value.substr(0, next), rel))
                out.emplace_back(trim(url));
            if (next == std::string_view::npos)
                break;
            value.remove_prefix(next + 1);
        }
    }
    return out;
}

std::vector<std::string> html_links_with_rel(std::string_view html, std::string_view rel)
{
    std::vector<std::string> out;
    size_t at = 0;
    while ((at = html.find("<link", at)) != std::string_view::npos && out.size() < kMostLinks) {
        size_t end = html.find('>', at);
        if (end == std::string_view::npos)
            break;
        std::string_view tag = html.substr(at, end - at);
        std::string href = attribute(tag, "href");
        if (!href.empty() && attribute(tag, "rel") == rel)
            out.push_back(std::move(href));
        at = end;
    }
    return out;
}

std::vector<ServerUrls> usable_servers(const Json& servers)
{
    struct Ranked {
        int64_t preference;
        ServerUrls urls;
    };
    std::vector<Ranked> ranked;
    if (!servers.is_array())
        return {};
    for (const auto& server : servers) {
        if (ranked.size() == kMostServers)
            break;
        if (!server.is_object() || !server.contains("urls") || !server["urls"].is_object())
            continue;
        auto url = [&](const char* name) {
            auto it = server["urls"].find(name);
            return it != server["urls"].end() && it->is_string() ? it->get<std::string>() : std::string();
        };
        ServerUrls urls{url("post"), url("attachment"), url("posts_feed"), url("post_attachment")};
        if (!is_onion_url(urls.post))
            continue;
        auto preference = server.find("preference");
        ranked.push_back({preference != server.end() && preference->is_number_integer()
                              ? preference->get<int64_t>()
                              : 0,
                          std::move(urls)});
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const Ranked& a, const Ranked& b) { return a.preference < b.preference; });
    std::vector<ServerUrls> out;
    for (auto& r : ranked)
        out.push_back(std::move(r.urls));
    for (size_t i = 0; i < out.size(); ++i)
        out[i].preference = ranked[i].preference;
    return out;
}

std::string expand_template(std::string_view url_template,
                            const std::vector<std::pair<std::string_view, std::string_view>>& values)
{
    std::string out;
    while (!url_template.empty()) {
        size_t open = url_template.find('{');
        size_t close = open == std::string_view::npos ? open : url_template.find('}', open);
        if (close == std::string_view::npos)
            return out += url_template;
        out += url_template.substr(0, open);
        std::string_view name = url_template.substr(open + 1, close - open - 1);
        for (const auto& [known, value] : values)
            if (known == name)
                out += percent_encode(value);
        url_template.remove_prefix(close + 1);
    }
    return out;
}

std::optional<std::string> peer_host(std::string_view entity)
{
    // Plain http: Tor itself authenticates and encrypts an onion (section 15).
    constexpr std::string_view kScheme = "http://";
    if (!entity.starts_with(kScheme) || !is_entity_url(entity))
        return std::nullopt;
    std::string_view rest = entity.substr(kScheme.size());
    std::string host(rest.substr(0, rest.find('/')));
    if (tor::way_to(host) == tor::Way::Nowhere)
        return std::nullopt;
    return host;
}

}  // namespace bivouac::tent
