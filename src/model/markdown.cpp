// SPDX-License-Identifier: BSD-3-Clause
// One pass over the bytes. Of each marker at most one is open at a time, so a closing one knows its partner without
// searching, and every span moves into a parent once per level: hostile text costs no more than other text.
#include <bivouac/base/bytes.h>
#include <bivouac/model/markdown.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/tent_uri.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>

namespace bivouac::markdown {

namespace {

using Kind = Span::Kind;

constexpr size_t kNone = std::string_view::npos;
constexpr size_t kUrlBytes = 2048;
constexpr std::string_view kEscapable = "\\`*_[]()~";
constexpr std::string_view kMarkers = "*_~";
constexpr Kind kMarkerKinds[] = {Kind::Bold, Kind::Italic, Kind::Struck};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }
bool ends_url(char c) { return is_space(c) || c == '<' || c == '>' || c == '"' || c == '`' || c == '\\'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool starts_with_any_case(std::string_view text, std::string_view start)
{
    return text.size() >= start.size() &&
           std::equal(start.begin(), start.end(), text.begin(), [](char a, char b) { return a == lower(b); });
}

constexpr std::string_view kSchemesWithHost[] = {"http://", "https://", "tent+http://", "tent+https://"};

// The length of "http://" and its like at the start of the text; 0 when there is none.
size_t scheme_with_host(std::string_view text)
{
    for (auto scheme : kSchemesWithHost)
        if (starts_with_any_case(text, scheme))
            return scheme.size();
    return 0;
}

// Control characters mean nothing in a status, and something to a terminal: C0 but tab and line feed, DEL, C1.
std::string without_controls(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        auto byte = static_cast<unsigned char>(text[i]);
        auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
        if (byte == 0xc2 && next >= 0x80 && next < 0xa0)
            ++i;
        else if ((byte >= 0x20 && byte != 0x7f) || byte == '\n' || byte == '\t')
            out.push_back(text[i]);
    }
    return out;
}

void append_plain(const std::vector<Span>& spans, const std::string& prefix, std::string& out);

std::string plain_text_of(const std::vector<Span>& spans)
{
    std::string out;
    append_plain(spans, "", out);
    return out;
}

void merge_texts(std::vector<Span>& spans)
{
    size_t kept = 0;
    for (size_t i = 0; i < spans.size(); ++i) {
        bool joins = kept > 0 && spans[i].kind == Kind::Text && spans[kept - 1].kind == Kind::Text;
        if (joins)
            spans[kept - 1].text += spans[i].text;
        else if (kept++ != i)
            spans[kept - 1] = std::move(spans[i]);
    }
    spans.resize(kept);
}

// The end of a hashtag that starts at `at`: letters, digits, '_' and what is beyond ASCII but punctuation.
size_t hashtag_end(std::string_view text, size_t at)
{
    size_t end = at;
    while (end < text.size()) {
        auto byte = static_cast<unsigned char>(text[end]);
        bool punctuation = byte == 0xc2 || text.substr(end, 2) == "\xe2\x80" || text.substr(end, 2) == "\xe3\x80" ||
                           text.substr(end, 2) == "\xef\xbc";
        if (punctuation || (byte < 0x80 && !is_alphanumeric(text[end]) && text[end] != '_'))
            break;
        ++end;
    }
    while (end > at && text[end - 1] == '_')
        --end;
    return end;
}

// Without the punctuation that belongs to the sentence around it; a ')' stays when its '(' is in the address.
std::string_view trim_url(std::string_view url)
{
    auto open = std::count(url.begin(), url.end(), '(');
    auto closed = std::count(url.begin(), url.end(), ')');
    while (!url.empty()) {
        char last = url.back();
        bool extra = last == ')' ? closed > open : std::string_view(".,;:!?'*_~]}").find(last) != kNone;
        if (!extra)
            break;
        closed -= last == ')';
        url.remove_suffix(1);
    }
    return url;
}

std::optional<size_t> mention_index(std::string_view text)
{
    size_t index = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), index);
    bool digits = !text.empty() && text.size() <= 6 && std::all_of(text.begin(), text.end(), is_digit);
    if (!digits || code != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return index;
}

// The lines of one block, without their quote marks.
class Inline {
public:
    explicit Inline(std::string_view text) : text_(text) {}

    std::vector<Span> parse()
    {
        while (at_ < text_.size())
            step();
        merge_texts(spans_);
        return std::move(spans_);
    }

private:
    struct Bracket {
        size_t span;   // the index of its own "[" or "^["
        bool mention;
    };

    void step()
    {
        char c = text_[at_];
        if (c == '\n')
            line_break();
        else if (c == '\\' && kEscapable.find(next()) != kNone && at_ + 1 < text_.size())
            add_text(text_.substr(at_ + 1, 1), 2);
        else if (c == '`')
            code();
        else if (size_t marker = kMarkers.find(c); marker != kNone)
            emphasis(marker);
        else if (c == '[' || (c == '^' && next() == '['))
            open_bracket(c == '^');
        else if (c == ']')
            close_bracket();
        else if (c == '#' && starts_word())
            hashtag();
        else if (starts_word() && at_ >= no_url_before_ && scheme_with_host(text_.substr(at_)))
            bare_url();
        else
            add_text(text_.substr(at_, 1), 1);
    }

    char next() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\n'; }
    char before() const { return at_ > 0 ? text_[at_ - 1] : '\n'; }
    bool starts_word() const { return !is_alphanumeric(before()); }

    void add_text(std::string_view text, size_t eaten)
    {
        if (fresh_ || spans_.empty() || spans_.back().kind != Kind::Text)
            spans_.push_back({});
        fresh_ = false;
        spans_.back().text += text;
        at_ += eaten;
    }

    // A span by itself, so that it can become something else later.
    size_t add_marker(std::string_view text)
    {
        fresh_ = true;
        add_text(text, text.size());
        fresh_ = true;
        return spans_.size() - 1;
    }

    void add(Kind kind, std::string_view text, size_t eaten, std::string_view url = {})
    {
        Span span;
        span.kind = kind;
        span.text = text;
        span.url = url;
        spans_.push_back(std::move(span));
        at_ += eaten;
    }

    void line_break()
    {
        brackets_.clear();
        if (before() == '\n')  // a paragraph ends
            open_.fill(kNone);
        add(Kind::LineBreak, "", 1);
    }

    void code()
    {
        size_t end = text_.find_first_of("`\n", at_ + 1);
        if (end == kNone || text_[end] == '\n' || end == at_ + 1)
            add_text(text_.substr(at_, end == at_ + 1 ? 2 : 1), end == at_ + 1 ? 2 : 1);
        else
            add(Kind::Code, text_.substr(at_ + 1, end - at_ - 1), end + 1 - at_);
    }

    void emphasis(size_t marker)
    {
        const bool closes = open_[marker] != kNone && open_[marker] + 1 < spans_.size() && !is_space(before()) &&
                            !is_alphanumeric(next());
        if (closes) {
            collapse(open_[marker], kMarkerKinds[marker]);
            ++at_;
            return;
        }
        const bool opens = starts_word() && !is_space(next()) && next() != text_[at_];
        size_t span = add_marker(text_.substr(at_, 1));
        if (opens)
            open_[marker] = span;
    }

    // The spans after `first` become children of one in its place.
    void collapse(size_t first, Kind kind)
    {
        Span span;
        span.kind = kind;
        auto begin = spans_.begin() + static_cast<ptrdiff_t>(first) + 1;
        span.children.assign(std::make_move_iterator(begin), std::make_move_iterator(spans_.end()));
        merge_texts(span.children);
        replace_from(first, std::move(span));
    }

    void replace_from(size_t first, Span span)
    {
        spans_.resize(first);
        spans_.push_back(std::move(span));
        for (size_t& open : open_)
            if (open != kNone && open >= first)
                open = kNone;
        while (!brackets_.empty() && brackets_.back().span >= first)
            brackets_.pop_back();
    }

    void open_bracket(bool mention)
    {
        size_t span = add_marker(text_.substr(at_, mention ? 2 : 1));
        brackets_.push_back({span, mention});
    }

    void close_bracket()
    {
        if (brackets_.empty()) {
            add_text("]", 1);
            return;
        }
        Bracket bracket = brackets_.back();
        brackets_.pop_back();
        size_t end = next() == '(' ? destination_end(at_ + 2) : kNone;
        std::string target = end == kNone ? "" : unescaped(text_.substr(at_ + 2, end - at_ - 2));
        auto mention = bracket.mention ? mention_index(target) : std::nullopt;
        const bool empty = bracket.span + 1 == spans_.size();
        if (empty || (!mention && !is_link_target(target))) {
            add_text("]", 1);
            return;
        }
        Span span;
        auto begin = spans_.begin() + static_cast<ptrdiff_t>(bracket.span) + 1;
        span.text = plain_text_of({std::make_move_iterator(begin), std::make_move_iterator(spans_.end())});
        span.kind = mention ? Kind::Mention : Kind::Link;
        span.mention = mention.value_or(0);
        span.url = mention ? "" : target;
        const bool caret = bracket.mention && !mention;
        replace_from(bracket.span, std::move(span));
        if (caret)
            spans_.insert(spans_.end() - 1, Span{Kind::Text, "^", "", 0, {}});
        brackets_.clear();  // no link within a link
        at_ = end + 1;
    }

    // Where the ')' of a link is. Parentheses within the address are in pairs, one deep.
    size_t destination_end(size_t at) const
    {
        bool inner = false;
        for (size_t i = at; i < text_.size() && i - at <= kUrlBytes; ++i) {
            if (text_[i] == '\\' && i + 1 < text_.size() && kEscapable.find(text_[i + 1]) != kNone) {
                ++i;
            } else if (is_space(text_[i]) || (text_[i] == '(' && inner)) {
                return kNone;
            } else if (text_[i] == '(') {
                inner = true;
            } else if (text_[i] == ')') {
                if (!inner)
                    return i;
                inner = false;
            }
        }
        return kNone;
    }

    static std::string unescaped(std::string_view text)
    {
        std::string out;
        for (size_t i = 0; i < text.size(); ++i) {
            bool escape = text[i] == '\\' && i + 1 < text.size() && kEscapable.find(text[i + 1]) != kNone;
            out.push_back(text[escape ? ++i : i]);
        }
        return out;
    }

    void hashtag()
    {
        size_t end = hashtag_end(text_, at_ + 1);
        std::string_view tag = text_.substr(at_ + 1, end - at_ - 1);
        bool number = std::all_of(tag.begin(), tag.end(), is_digit);
        if (number || before() == '&' || before() == '/' || before() == '#')
            add_text(text_.substr(at_, 1), 1);
        else
            add(Kind::Hashtag, tag, end - at_);
    }

    void bare_url()
    {
        std::string_view rest = text_.substr(at_);
        const bool bracketed = !brackets_.empty();  // then the address ends where they do
        const auto* stop = std::find_if(rest.begin(), rest.end(),
                                        [&](char c) { return ends_url(c) || (c == ']' && bracketed); });
        size_t end = static_cast<size_t>(stop - rest.begin());
        std::string_view url = trim_url(rest.substr(0, end));
        if (is_link_target(url)) {
            add(Kind::Link, url, url.size(), url);
        } else {
            no_url_before_ = at_ + end;  // or an endless address would be looked at again and again
            add_text(text_.substr(at_, 1), 1);
        }
    }

    std::string_view text_;
    size_t at_ = 0;
    std::vector<Span> spans_;
    bool fresh_ = false;
    std::array<size_t, kMarkers.size()> open_{kNone, kNone, kNone};  // indices of spans
    std::vector<Bracket> brackets_;
    size_t no_url_before_ = 0;
};

// Takes the quote marks off a line; no more than kQuoteDepth.
size_t take_quotes(std::string_view& line)
{
    size_t depth = 0;
    while (depth < kQuoteDepth) {
        size_t skip = line.starts_with(" >") ? 1 : 0;
        if (!line.substr(skip).starts_with('>') || (skip == 1 && depth == 0))
            break;
        line.remove_prefix(skip + 1);
        ++depth;
    }
    if (depth > 0 && line.starts_with(' '))
        line.remove_prefix(1);
    return depth;
}

// Blocks of equal depth are read at once; quotes are opened and closed between them.
class Blocks {
public:
    std::vector<Span> parse(std::string_view text)
    {
        if (text.empty())
            return {};
        levels_.emplace_back();
        while (true) {
            size_t end = text.find('\n');
            take_line(text.substr(0, end));
            if (end == kNone)
                break;
            text.remove_prefix(end + 1);
        }
        finish_block();
        to_depth(0);
        return std::move(levels_[0]);
    }

private:
    void take_line(std::string_view line)
    {
        size_t depth = take_quotes(line);
        if (!started_ || depth != levels_.size() - 1) {
            finish_block();
            to_depth(depth);
            block_ = line;
        } else {
            block_ += '\n';
            block_ += line;
        }
        started_ = true;
    }

    void finish_block()
    {
        if (!started_)
            return;
        // An empty line between quotes is a line, too.
        if (block_.empty())
            levels_.back().emplace_back();
        for (auto& span : Inline(block_).parse())
            levels_.back().push_back(std::move(span));
        block_.clear();
    }

    void to_depth(size_t depth)
    {
        while (levels_.size() - 1 > depth) {
            Span quote;
            quote.kind = Kind::Quote;
            quote.children = std::move(levels_.back());
            levels_.pop_back();
            levels_.back().push_back(std::move(quote));
        }
        while (levels_.size() - 1 < depth)
            levels_.emplace_back();
    }

    std::vector<std::vector<Span>> levels_;
    std::string block_;
    bool started_ = false;
};

std::string escaped(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (char c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        default: out.push_back(c);
        }
    }
    return out;
}

class HtmlWriter {
public:
    HtmlWriter(const std::vector<Mention>& mentions, const HtmlOptions& options)
        : mentions_(mentions)
        , options_(options)
    {
    }

    void write(const std::vector<Span>& spans)
    {
        for (const auto& span : spans)
            write(span);
    }

    std::string html;

private:
    void write(const Span& span)
    {
        switch (span.kind) {
        case Kind::Text: html += escaped(span.text); break;
        case Kind::Code: html += "<code>" + escaped(span.text) + "</code>"; break;
        case Kind::Mention: link(mention_target(span.mention), span.text); break;
        case Kind::Link: link(is_link_target(span.url) ? span.url : "", span.text); break;
        case Kind::Hashtag:
            link(options_.hashtag_path.empty() ? "" : options_.hashtag_path + percent_encode(span.text),
                 "#" + span.text);
            break;
        case Kind::LineBreak: html += "<br>"; break;
        case Kind::Bold: element("strong", span); break;
        case Kind::Italic: element("em", span); break;
        case Kind::Struck: element("del", span); break;
        case Kind::Quote: element("blockquote", span); break;
        }
    }

    void element(const char* name, const Span& span)
    {
        html += std::string("<") + name + ">";
        write(span.children);
        html += std::string("</") + name + ">";
    }

    // Without a target it is plain text.
    void link(const std::string& target, const std::string& text)
    {
        if (target.empty())
            html += escaped(text);
        else
            html += "<a href=\"" + escaped(target) + "\" rel=\"nofollow noreferrer\">" + escaped(text) + "</a>";
    }

    std::string mention_target(size_t index) const
    {
        if (index >= mentions_.size() || mentions_[index].hidden || !is_entity_url(mentions_[index].entity))
            return {};
        const Mention& mention = mentions_[index];
        if (!options_.mention_path.empty())
            return options_.mention_path + percent_encode(mention.entity) +
                   (mention.post.empty() ? "" : "&post=" + percent_encode(mention.post));
        if (mention.post.empty())
            return mention.entity;
        TentUri uri;
        uri.entity = mention.entity;
        uri.post = mention.post;
        return write_tent_uri(uri);
    }

    const std::vector<Mention>& mentions_;
    const HtmlOptions& options_;
};

bool is_quote(const Span& span)
{
    return span.kind == Kind::Quote;
}

void append_plain(const std::vector<Span>& spans, const std::string& prefix, std::string& out)
{
    for (size_t i = 0; i < spans.size(); ++i) {
        const Span& span = spans[i];
        if (i > 0 && (is_quote(span) || is_quote(spans[i - 1])))
            out += "\n" + prefix;
        switch (span.kind) {
        case Kind::Text:
        case Kind::Code:
        case Kind::Mention: out += span.text; break;
        case Kind::Link: out += span.text == span.url ? span.url : span.text + " (" + span.url + ")"; break;
        case Kind::Hashtag: out += "#" + span.text; break;
        case Kind::LineBreak: out += "\n" + prefix; break;
        case Kind::Bold:
        case Kind::Italic:
        case Kind::Struck: append_plain(span.children, prefix, out); break;
        case Kind::Quote:
            out += "> ";
            append_plain(span.children, prefix + "> ", out);
            break;
        }
    }
}

}  // namespace

bool is_link_target(std::string_view url)
{
    size_t start = scheme_with_host(url);
    if (start == 0 && starts_with_any_case(url, "mailto:"))
        start = 7;
    return start > 0 && url.size() > start && url.size() <= kUrlBytes && url[start] != '/' &&
           std::none_of(url.begin(), url.end(), [](char c) {
               auto byte = static_cast<unsigned char>(c);
               return byte <= 0x20 || byte == 0x7f || ends_url(c);
           });
}

std::vector<Span> parse(std::string_view text)
{
    return Blocks().parse(without_controls(text));
}

std::string to_html(const std::vector<Span>& spans, const std::vector<Mention>& mentions, const HtmlOptions& options)
{
    HtmlWriter writer(mentions, options);
    writer.write(spans);
    return std::move(writer.html);
}

std::string to_plain_text(const std::vector<Span>& spans)
{
    return plain_text_of(spans);
}

std::string render(std::string_view text, const std::vector<Mention>& mentions)
{
    return to_html(parse(text), mentions);
}

}  // namespace bivouac::markdown
