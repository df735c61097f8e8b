// SPDX-License-Identifier: BSD-3-Clause
// Accept-Language (RFC 9110, section 12.5.4).
#include <bivouac/words/words.h>

#include <algorithm>

namespace bivouac {

namespace {

constexpr size_t kHeaderBytes = 1024;
constexpr size_t kRanges = 32;

struct Range {
    std::string tag;  // in small letters
    int thousandths;  // of the weight
};

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

std::string lower(std::string_view text)
{
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c + 32);
    return out;
}

// "*", or up to eight letters or digits with hyphens between such (RFC 4647, section 2.1).
bool is_range(std::string_view text)
{
    if (text == "*")
        return true;
    size_t run = 0;
    for (char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c == '-' ? run == 0 : !letter || run == 8)
            return false;
        run = c == '-' ? 0 : run + 1;
    }
    return run > 0;
}

// "0", "0.5", "1.000": in thousandths; -1 for anything else.
int weight_of(std::string_view text)
{
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') || (text.size() > 1 && text[1] != '.'))
        return -1;
    int out = (text[0] - '0') * 1000;
    for (size_t i = 2, worth = 100; i < text.size(); ++i, worth /= 10) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        out += (text[i] - '0') * static_cast<int>(worth);
    }
    return out <= 1000 ? out : -1;
}

std::vector<Range> ranges_of(std::string_view header)
{
    std::vector<Range> out;
    header = header.substr(0, kHeaderBytes);
    while (!header.empty() && out.size() < kRanges) {
        const size_t end = std::min(header.find(','), header.size());
        const std::string_view part = header.substr(0, end);
        header.remove_prefix(std::min(end + 1, header.size()));
        const size_t semicolon = part.find(';');
        const std::string_view tag = trimmed(part.substr(0, semicolon));
        int weight = 1000;
        if (semicolon != std::string_view::npos) {
            const std::string_view parameter = trimmed(part.substr(semicolon + 1));
            weight = parameter.starts_with("q=") || parameter.starts_with("Q=") ? weight_of(parameter.substr(2)) : -1;
        }
        if (is_range(tag) && weight >= 0)
            out.push_back({lower(tag), weight});
    }
    std::stable_sort(out.begin(), out.end(), [](const Range& a, const Range& b) { return a.thousandths > b.thousandths; });
    return out;
}

}  // namespace

size_t preferred_language(std::string_view accept_language, const std::vector<std::string_view>& offered)
{
    const auto ranges = ranges_of(accept_language);
    std::vector<std::string> tags;
    for (auto tag : offered)
        tags.push_back(lower(tag));
    auto refused = [&](const std::string& tag) {
        return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) { return range.thousandths == 0 && range.tag == tag; });
    };
    for (const auto& range : ranges) {
        if (range.thousandths == 0)
            break;
        std::string wanted = range.tag;
        if (wanted == "*") {
            // Whatever comes next; the first that was not refused.
            for (size_t i = 0; i < tags.size(); ++i)
                if (!refused(tags[i]))
                    return i;
            continue;
        }
        while (!wanted.empty()) {
            auto found = std::find(tags.begin(), tags.end(), wanted);
            if (found != tags.end() && !refused(wanted))
                return static_cast<size_t>(found - tags.begin());
            const size_t hyphen = wanted.rfind('-');
            wanted.resize(hyphen == std::string::npos ? 0 : hyphen);
            // A single letter or digit says what kind of subtag followed, and goes with it.
            if (wanted.size() >= 2 && wanted[wanted.size() - 2] == '-')
                wanted.resize(wanted.size() - 2);
        }
    }
    return 0;
}

}  // namespace bivouac
