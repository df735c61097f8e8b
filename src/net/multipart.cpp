// SPDX-License-Identifier: BSD-3-Clause
// The buffer holds at most one slice of the input and the unfinished end of the one before. Searching for the
// delimiter is linear whatever the data looks like: the delimiter begins with CR and holds no second CR, so a
// failed comparison never has to look at the same bytes again from another start.
#include <bivouac/net/multipart.h>

#include <algorithm>
#include <optional>

namespace bivouac::net
{

namespace
{

constexpr size_t kBoundaryLimitBytes = 70; // RFC 2046 section 5.1.1
constexpr size_t kFormPartsLimit = 64;
constexpr size_t kMixedPartsLimit = 1000;
constexpr size_t kPartHeadLimitBytes = 8u << 10;
constexpr size_t kPaddingLimitBytes = 64; // blanks after a boundary
constexpr size_t kSliceBytes = 64u << 10;
constexpr size_t kParametersLimit = 32;

Error invalid(std::string detail)
{
    return fail(ErrorKind::Invalid, std::move(detail));
}

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

bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

std::string_view trim(std::string_view text)
{
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

std::string_view take_token(std::string_view& text)
{
    size_t end = 0;
    while (end < text.size() && is_token_char(text[end]))
        ++end;
    std::string_view token = text.substr(0, end);
    text.remove_prefix(end);
    return token;
}

enum class Quotes { Double, Either };

// After the opening quote: up to the closing one, which is taken too. Only \" and \\ (and \' where ' quotes)
// are escapes; any other backslash stands for itself, as in the paths some browsers send.
Result<std::string> take_quoted(std::string_view& text, char quote)
{
    std::string out;
    while (!text.empty()) {
        char c = text.front();
        text.remove_prefix(1);
        if (c == quote)
            return out;
        if (c == '\\' && !text.empty() && (text.front() == quote || text.front() == '\\')) {
            c = text.front();
            text.remove_prefix(1);
        }
        out += c;
    }
    return invalid("a quoted value is not closed");
}

Result<std::string> take_value(std::string_view& text, Quotes quotes)
{
    if (!text.empty() && (text.front() == '"' || (quotes == Quotes::Either && text.front() == '\''))) {
        char quote = text.front();
        text.remove_prefix(1);
        return take_quoted(text, quote);
    }
    size_t end = 0;
    while (end < text.size() && text[end] != ';' && text[end] != '"' && !is_blank(text[end]))
        ++end;
    if (end == 0)
        return invalid("a parameter without a value");
    std::string value(text.substr(0, end));
    text.remove_prefix(end);
    return value;
}

// `; name=value` as often as it comes.
Result<std::vector<std::pair<std::string, std::string>>> parse_parameters(std::string_view text,
                                                                          Quotes quotes)
{
    std::vector<std::pair<std::string, std::string>> out;
    text = trim(text);
    while (!text.empty()) {
        if (text.front() != ';')
            return invalid("parameters are not set apart by semicolons");
        text = trim(text.substr(1));
        if (text.empty() || text.front() == ';')
            continue;
        std::string name = lower(take_token(text));
        if (name.empty() || text.empty() || text.front() != '=')
            return invalid("a parameter is not name=value");
        text.remove_prefix(1);
        std::string value = TRY(take_value(text, quotes));
        // Which of two boundaries or names holds is a question two readers answer differently.
        for (const auto& known : out) {
            if (known.first == name)
                return invalid("a parameter comes twice");
        }
        if (out.size() == kParametersLimit)
            return invalid("too many parameters");
        out.emplace_back(std::move(name), std::move(value));
        text = trim(text);
    }
    return out;
}

bool has_control(std::string_view text)
{
    return std::any_of(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f;
    });
}

bool is_boundary(std::string_view text)
{
    return !text.empty() && text.size() <= kBoundaryLimitBytes && text.back() != ' ' &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

Result<void> parse_disposition(std::string_view value, PartHead& head)
{
    std::string_view rest = value;
    if (lower(take_token(rest)) != "form-data")
        return invalid("a part is not form-data");
    auto parameters = TRY(parse_parameters(rest, Quotes::Double));
    bool has_name = false;
    for (auto& [name, text] : parameters) {
        if (name == "name") {
            head.name = std::move(text);
            has_name = true;
        } else if (name == "filename") {
            head.filename = std::move(text);
            head.has_filename = true;
        }
        // filename* is not for form-data (RFC 7578 section 4.2).
    }
    if (!has_name)
        return invalid("a part without a name");
    return {};
}

} // namespace

MultipartReader::MultipartReader(std::string boundary, Events events, MultipartKind kind)
    : delimiter_(is_boundary(boundary) ? "\r\n--" + boundary : std::string())
    , events_(std::move(events))
    , kind_(kind)
    // So the first boundary, which may stand at the very start, is found like the others.
    , buffer_("\r\n")
{
}

Result<void> MultipartReader::feed(std::string_view bytes)
{
    if (state_ == State::Failed)
        return invalid("the multipart body was malformed before");
    while (!bytes.empty()) {
        std::string_view slice = bytes.substr(0, kSliceBytes);
        bytes.remove_prefix(slice.size());
        if (auto taken = take(slice); !taken) {
            state_ = State::Failed;
            return taken;
        }
    }
    return {};
}

Result<void> MultipartReader::take(std::string_view bytes)
{
    if (delimiter_.empty())
        return invalid("the boundary is missing or malformed");
    buffer_.append(bytes);
    for (bool progress = true; progress;) {
        progress = false;
        TRY(step(progress));
    }
    buffer_.erase(0, at_);
    at_ = 0;
    return {};
}

Result<void> MultipartReader::step(bool& progress)
{
    switch (state_) {
    case State::Preamble: {
        size_t found = rest().find(delimiter_);
        if (found == std::string_view::npos) {
            at_ = std::max(at_, buffer_.size() - std::min(buffer_.size(), delimiter_.size() - 1));
            return {};
        }
        at_ += found + delimiter_.size();
        state_ = State::BoundaryEnd;
        progress = true;
        return {};
    }
    case State::BoundaryEnd: return step_boundary_end(progress);
    case State::Headers: return step_headers(progress);
    case State::Data: return step_data(progress);
    case State::Epilogue: at_ = buffer_.size(); return {};
    case State::Failed: return {};
    }
    return {};
}

Result<void> MultipartReader::step_boundary_end(bool& progress)
{
    std::string_view text = rest();
    if (text.size() >= 2 && text.starts_with("--")) {
        at_ += 2;
        state_ = State::Epilogue;
        progress = true;
        return {};
    }
    size_t blanks = 0;
    while (blanks < text.size() && is_blank(text[blanks]))
        ++blanks;
    if (blanks > kPaddingLimitBytes)
        return invalid("a boundary line is too long");
    text.remove_prefix(blanks);
    if (text.empty() || (text.size() == 1 && (text[0] == '\r' || (text[0] == '-' && blanks == 0))))
        return {}; // more is needed
    if (!text.starts_with("\r\n"))
        return invalid("a boundary is followed by something else than a line end");
    if (++parts_ > (kind_ == MultipartKind::FormData ? kFormPartsLimit : kMixedPartsLimit))
        return fail(ErrorKind::TooLarge, "too many parts");
    at_ += blanks + 2;
    scanned_ = 0;
    state_ = State::Headers;
    progress = true;
    return {};
}

Result<void> MultipartReader::step_headers(bool& progress)
{
    size_t found = buffer_.find("\r\n\r\n", at_ + scanned_);
    size_t head_bytes = (found == std::string::npos ? buffer_.size() : found) - at_;
    if (head_bytes > kPartHeadLimitBytes)
        return fail(ErrorKind::TooLarge, "the headers of a part are over 8 KiB");
    if (found == std::string::npos) {
        scanned_ = head_bytes - std::min<size_t>(head_bytes, 3);
        return {};
    }
    // A part without a body may go from its last header line to the delimiter directly: the CR LF of the
    // empty line is then the delimiter's (RFC 2046 section 5.1.1). Either way as many bytes still follow.
    size_t after = found + 2;
    if (buffer_.size() - after < delimiter_.size()) {
        scanned_ = found - at_;
        return {};
    }
    TRY(parse_headers(std::string_view(buffer_).substr(at_, found - at_)));
    at_ = std::string_view(buffer_).substr(after).starts_with(delimiter_) ? after : after + 2;
    state_ = State::Data;
    progress = true;
    return {};
}

Result<void> MultipartReader::step_data(bool& progress)
{
    std::string_view text = rest();
    size_t found = text.find(delimiter_);
    size_t ready =
        found != std::string_view::npos ? found : text.size() - std::min(text.size(), delimiter_.size() - 1);
    if (ready > 0) {
        TRY(events_.part_data(text.substr(0, ready)));
        at_ += ready;
    }
    if (found == std::string_view::npos)
        return {};
    TRY(events_.part_end());
    at_ += delimiter_.size();
    state_ = State::BoundaryEnd;
    progress = true;
    return {};
}

Result<void> MultipartReader::parse_headers(std::string_view text)
{
    PartHead head;
    bool has_disposition = false;
    bool has_type = false;
    while (!text.empty()) {
        size_t end = std::min(text.find("\r\n"), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 2, text.size()));
        if (has_control(line))
            return invalid("a control character in a part's headers");
        std::string name = lower(take_token(line));
        if (name.empty() || line.empty() || line.front() != ':')
            return invalid("a part's header line is not name: value");
        std::string_view value = trim(line.substr(1));
        if (name == "content-disposition") {
            if (has_disposition)
                return invalid("a part with two dispositions");
            has_disposition = true;
            if (kind_ == MultipartKind::FormData)
                TRY(parse_disposition(value, head));
        } else if (name == "content-type") {
            if (has_type)
                return invalid("a part with two content types");
            has_type = true;
            head.content_type = value;
        } else if (name == "content-id") {
            if (!head.content_id.empty())
                return invalid("a part with two ids");
            head.content_id = value;
        } else if (name == "content-transfer-encoding") {
            std::string encoding = lower(value);
            if (encoding != "binary" && encoding != "8bit" && encoding != "7bit")
                return fail(ErrorKind::Unsupported, "parts must not be encoded");
        }
    }
    if (!has_disposition && kind_ == MultipartKind::FormData)
        return invalid("a part without a disposition");
    return events_.part_begin(head);
}

Result<void> MultipartReader::finish()
{
    if (state_ != State::Epilogue)
        return invalid("the multipart body ends too early");
    return {};
}

std::string MediaType::parameter(std::string_view name) const
{
    std::string wanted = lower(name);
    for (const auto& [known, value] : parameters) {
        if (known == wanted)
            return value;
    }
    return {};
}

Result<MediaType> parse_media_type(std::string_view text)
{
    if (has_control(text))
        return invalid("a control character in a media type");
    text = trim(text);
    MediaType out;
    std::string type = lower(take_token(text));
    if (type.empty() || text.empty() || text.front() != '/')
        return invalid("a media type is not type/subtype");
    text.remove_prefix(1);
    std::string subtype = lower(take_token(text));
    if (subtype.empty())
        return invalid("a media type is not type/subtype");
    out.type = type + "/" + subtype;
    out.parameters = TRY(parse_parameters(text, Quotes::Either));
    return out;
}

} // namespace bivouac::net
