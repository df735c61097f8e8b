// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/accept.h>

#include <algorithm>

namespace bivouac {

namespace {

constexpr size_t kHeaderBytes = 4u << 10;
constexpr size_t kRanges = 50;
constexpr size_t kParameters = 10;

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
    return out;
}

std::string_view trim(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

bool is_token(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

// Up to the separator, which is taken as well; one inside quotes does not separate.
std::string_view take_until(std::string_view& text, char separator)
{
    bool quoted = false;
    size_t end = 0;
    for (; end < text.size() && (quoted || text[end] != separator); ++end) {
        if (quoted && text[end] == '\\' && end + 1 < text.size())
            ++end;
        else if (text[end] == '"')
            quoted = !quoted;
    }
    std::string_view out = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return trim(out);
}

std::optional<std::string> value_of(std::string_view text)
{
    if (is_token(text))
        return std::string(text);
    if (text.size() < 2 || text.front() != '"' || text.back() != '"')
        return std::nullopt;
    text = text.substr(1, text.size() - 2);
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && ++i == text.size())
            return std::nullopt;
        out += text[i];
    }
    return out;
}

// "0.25" -> 250
std::optional<int> thousandths(std::string_view text)
{
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') || (text.size() > 1 && text[1] != '.'))
        return std::nullopt;
    int out = (text[0] - '0') * 1000;
    int weight = 100;
    for (char c : text.substr(std::min<size_t>(text.size(), 2))) {
        if (c < '0' || c > '9')
            return std::nullopt;
        out += (c - '0') * weight;
        weight /= 10;
    }
    return out <= 1000 ? std::optional(out) : std::nullopt;
}

std::optional<MediaRange> parse_range(std::string_view text)
{
    std::string_view name = take_until(text, ';');
    size_t slash = name.find('/');
    if (slash == std::string_view::npos || !is_token(name.substr(0, slash)) || !is_token(name.substr(slash + 1)))
        return std::nullopt;
    MediaRange out;
    out.type = lower(name.substr(0, slash));
    out.subtype = lower(name.substr(slash + 1));
    if (out.type == "*" && out.subtype != "*")
        return std::nullopt;
    while (!text.empty()) {
        std::string_view parameter = take_until(text, ';');
        if (parameter.empty())
            continue;
        size_t equals = parameter.find('=');
        if (equals == std::string_view::npos || !is_token(parameter.substr(0, equals)))
            return std::nullopt;
        std::string key = lower(parameter.substr(0, equals));
        auto value = value_of(parameter.substr(equals + 1));
        if (!value || out.parameters.size() == kParameters)
            return std::nullopt;
        if (key == "q") {
            auto q = thousandths(*value);
            if (!q)
                return std::nullopt;
            out.q = *q;
            return out;  // what follows is no parameter of the media type
        }
        out.parameters.emplace_back(std::move(key), std::move(*value));
    }
    return out;
}

size_t specificity(const MediaRange& range)
{
    if (range.type == "*")
        return 0;
    return range.subtype == "*" ? 1 : 2 + range.parameters.size();
}

bool covers(const MediaRange& range, const MediaRange& media)
{
    if ((range.type != "*" && range.type != media.type) || (range.subtype != "*" && range.subtype != media.subtype))
        return false;
    return std::all_of(range.parameters.begin(), range.parameters.end(), [&](const auto& wanted) {
        return std::any_of(media.parameters.begin(), media.parameters.end(), [&](const auto& given) {
            return given.first == wanted.first && lower(given.second) == lower(wanted.second);
        });
    });
}

// The items of the list, one after another, while there are any to look at.
template <typename Visit>
void for_each_range(std::string_view header, const Visit& visit)
{
    const bool cut = header.size() > kHeaderBytes;
    header = header.substr(0, kHeaderBytes);
    for (size_t count = 0; !header.empty() && count < kRanges; ++count) {
        std::string_view item = take_until(header, ',');
        // The last one of a header that was cut may be half of what was sent.
        if (item.empty() || (cut && header.empty()))
            continue;
        if (auto range = parse_range(item))
            visit(std::move(*range));
    }
}

}  // namespace

std::vector<MediaRange> parse_accept(std::string_view header)
{
    std::vector<MediaRange> out;
    for_each_range(header, [&](MediaRange range) { out.push_back(std::move(range)); });
    std::stable_sort(out.begin(), out.end(), [](const MediaRange& a, const MediaRange& b) {
        return a.q != b.q ? a.q > b.q : specificity(a) > specificity(b);
    });
    return out;
}

std::optional<size_t> best_match(const std::vector<MediaRange>& accept, const std::vector<std::string>& media_types)
{
    if (accept.empty())
        return media_types.empty() ? std::nullopt : std::optional<size_t>(0);
    std::optional<size_t> best;
    std::pair<int, size_t> best_rank;
    for (size_t i = 0; i < media_types.size(); ++i) {
        // A file of a type that cannot be read as one is still a file, but nothing that could be asked for by name.
        MediaRange media = parse_range(media_types[i]).value_or(MediaRange{});
        // The most specific range that covers it decides, even when another gives it more.
        const MediaRange* deciding = nullptr;
        for (const auto& range : accept)
            if (covers(range, media) && (!deciding || specificity(range) > specificity(*deciding)))
                deciding = &range;
        if (!deciding || deciding->q == 0)
            continue;
        std::pair rank(deciding->q, specificity(*deciding));
        if (!best || rank > best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    return best;
}

bool wants(std::string_view header, std::string_view media_type)
{
    bool found = false;
    for_each_range(header, [&](const MediaRange& range) {
        found = found || range.type + "/" + range.subtype == media_type;
    });
    return found;
}

}  // namespace bivouac
