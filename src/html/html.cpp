// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/html/html.h>

#include <array>
#include <list>
#include <unordered_map>

namespace bivouac {

namespace {

// Bytes that stand for themselves wherever they are.
constexpr std::array<bool, 256> plain_bytes()
{
    std::array<bool, 256> plain{};
    for (size_t i = 0; i < plain.size(); ++i)
        plain[i] = (i >= 0x20 && i != 0x7f && i != 0xc2 && i != 0xd8 && i != 0xe2) || i == '\n';
    for (char c : {'&', '<', '>', '"', '\''})
        plain[static_cast<unsigned char>(c)] = false;
    return plain;
}
constexpr auto kPlain = plain_bytes();

}  // namespace

Html& Html::text(std::string_view text)
{
    for (size_t i = 0; i < text.size(); ++i) {
        size_t end = i;
        while (end < text.size() && kPlain[static_cast<unsigned char>(text[end])])
            ++end;
        out_.append(text, i, end - i);
        i = end;
        if (i == text.size())
            break;
        auto byte = static_cast<unsigned char>(text[i]);
        auto at = [&](size_t ahead) {
            return i + ahead < text.size() ? static_cast<unsigned char>(text[i + ahead]) : 0u;
        };
        // U+061C, U+200E, U+200F, U+202A..U+202E, U+2066..U+2069; U+0080..U+009F.
        bool turns = (byte == 0xd8 && at(1) == 0x9c) || (byte == 0xc2 && at(1) < 0xa0 && at(1) >= 0x80);
        bool turns3 = byte == 0xe2 && ((at(1) == 0x80 && (at(2) == 0x8e || at(2) == 0x8f ||
                                                          (at(2) >= 0xaa && at(2) <= 0xae))) ||
                                       (at(1) == 0x81 && at(2) >= 0xa6 && at(2) <= 0xa9));
        if (turns || turns3) {
            out_ += "\xef\xbf\xbd";
            i += turns3 ? 2 : 1;
            continue;
        }
        switch (byte) {
        case '&': out_ += "&amp;"; break;
        case '<': out_ += "&lt;"; break;
        case '>': out_ += "&gt;"; break;
        case '"': out_ += "&quot;"; break;
        case '\'': out_ += "&#39;"; break;
        default:
            if (byte == 0x7f || byte < 0x20)
                out_ += "\xef\xbf\xbd";
            else
                out_ += static_cast<char>(byte);
        }
    }
    return *this;
}

// Embeddings, overrides and isolates change what a reader takes the text around them for; the marks of single letters
// (U+200E, U+200F), which people use, cannot.
static std::string without_controls(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        auto byte = static_cast<unsigned char>(text[i]);
        if (byte == 0xe2 && i + 2 < text.size()) {
            auto second = static_cast<unsigned char>(text[i + 1]);
            auto third = static_cast<unsigned char>(text[i + 2]);
            if ((second == 0x80 && third >= 0xaa && third <= 0xae) || (second == 0x81 && third >= 0xa6 && third <= 0xa9)) {
                out += "\xef\xbf\xbd";
                i += 2;
                continue;
            }
        }
        if (byte == 0x7f || (byte < 0x20 && byte != '\n' && byte != '\t' && byte != '\r'))
            out += "\xef\xbf\xbd";
        else if (byte != '\r')
            out += text[i];
    }
    return out;
}

namespace {

// What this thread has made of texts lately, the newest first: a page of posts is looked at again, and Markdown is half of
// what its posts cost. The key holds everything that the result depends on, so nothing is ever out of date.
class Made {
public:
    const std::string* find(const std::string& key)
    {
        auto found = by_key_.find(key);
        if (found == by_key_.end())
            return nullptr;
        kept_.splice(kept_.begin(), kept_, found->second);
        return &found->second->second;
    }

    void keep(std::string key, const std::string& html)
    {
        if (key.size() + html.size() > kLargest)
            return;
        bytes_ += key.size() + html.size();
        kept_.emplace_front(std::move(key), html);
        by_key_.emplace(kept_.front().first, kept_.begin());
        while (bytes_ > kBytes) {
            bytes_ -= kept_.back().first.size() + kept_.back().second.size();
            by_key_.erase(kept_.back().first);
            kept_.pop_back();
        }
    }

private:
    static constexpr size_t kLargest = 16u << 10;
    static constexpr size_t kBytes = 128u << 10;

    using Kept = std::list<std::pair<const std::string, std::string>>;
    Kept kept_;
    std::unordered_map<std::string_view, Kept::iterator> by_key_;
    size_t bytes_ = 0;
};

std::string key_of(std::string_view markdown, const std::vector<markdown::Mention>& mentions, const markdown::HtmlOptions& options)
{
    std::string key;
    // With its length before it, no part can be taken for another.
    auto add = [&](std::string_view part) {
        const size_t size = part.size();
        key.append(reinterpret_cast<const char*>(&size), sizeof size);
        key += part;
    };
    add(markdown);
    add(options.hashtag_path);
    add(options.mention_path);
    for (const auto& mention : mentions) {
        add(mention.entity);
        add(mention.post);
        key += mention.hidden ? '1' : '0';
    }
    return key;
}

}  // namespace

Html& Html::post_text(std::string_view markdown, const std::vector<markdown::Mention>& mentions,
                      const markdown::HtmlOptions& options)
{
    thread_local Made lately;
    std::string key = key_of(markdown, mentions, options);
    if (const std::string* html = lately.find(key)) {
        out_ += *html;
        return *this;
    }
    const std::string html = markdown::to_html(markdown::parse(without_controls(markdown)), mentions, options);
    out_ += html;
    lately.keep(std::move(key), html);
    return *this;
}

}  // namespace bivouac
