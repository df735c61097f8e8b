// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tor/onion_address.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

constexpr size_t kMostServers = 20;
constexpr size_t kMostLinks = 20;

// The host of "http://host[:port]/..." when we may talk to it.
bool is_reachable_url(std::string_view url)
{
    if (!url.starts_with("http://") || url.size() > 2048)
        return false;
    std::string_view rest = url.substr(7);
    std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    return tor::is_valid_onion_host(authority.substr(0, authority.find(':')));
}

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

std::string meta_path(const Self& self)
{
    return "/posts/" + percent_encode(self.entity) + "/" + kMetaPostId;
}

Result<void> publish_first_meta(store::WriteTx& tx, const Self& self)
{
    const std::string& base = self.entity;
    Json urls = {
        {"oauth_auth", base + "/oauth/authorize"},
        {"oauth_token", base + "/oauth/token"},
        {"posts_feed", base + "/posts"},
        {"new_post", base + "/posts"},
        {"post", base + "/posts/{entity}/{post}"},
        {"post_attachment", base + "/posts/{entity}/{post}/attachments/{name}"},
        {"attachment", base + "/attachments/{entity}/{digest}"},
        {"batch", base + "/batch"},
        {"server_info", base + "/server"},
        {"discover", base + "/discover?entity={entity}"},
    };
    Post draft;
    draft.id = kMetaPostId;
    draft.type = type::kMeta;
    draft.content = Json({{"entity", self.entity},
                          {"previous_entities", Json::array()},
                          {"profile", Json::object()},
                          {"servers", Json::array({{{"version", "0.3"}, {"preference", 0}, {"urls", urls}}})}})
                        .dump();
    TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    return {};
}

std::string discovery_html(const Self& self)
{
    return "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Tent</title>\n<link href=\"" + self.entity +
           meta_path(self) + "\" rel=\"" + rel::kMetaPost + "\" />\n</head><body></body></html>\n";
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
        ServerUrls urls{url("post"), url("attachment"), url("posts_feed")};
        if (!is_reachable_url(urls.post))
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

}  // namespace bivouac::tent
