// SPDX-License-Identifier: BSD-3-Clause
// One pass to refuse bytes that have no business in a head, then line by line. No field is repaired, joined
// or guessed: the sender of a head that is not plain gets an error and the connection ends.
#include <bivouac/net/request_head.h>

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace bivouac::net
{

namespace
{

constexpr std::string_view kUnknownTransferCoding = "this transfer coding is not known here";
constexpr size_t kMethodLimitBytes = 32;
// Enough for 1 EB; more digits would only be a way to overflow somebody's arithmetic.
constexpr size_t kLengthLimitDigits = 18;
// Nobody sends chunk extensions; a few are let pass, a stream of them is an attack.
constexpr int kExtensionLimitBytes = 1024;
constexpr int kChunkSizeLimitDigits = 12;

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_nocase(std::string_view a, std::string_view b)
{
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text)
{
    static constexpr auto allowed = [] {
        std::array<bool, 256> table{};
        for (unsigned char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
            table[c] = true;
        return table;
    }();
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char c) { return allowed[static_cast<unsigned char>(c)]; });
}

std::string_view trim(std::string_view text)
{
    auto blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && blank(text.back()))
        text.remove_suffix(1);
    return text;
}

Error invalid(std::string detail)
{
    return fail(ErrorKind::Invalid, std::move(detail));
}

// NUL, lone CR and lone LF: the bytes that make two parsers see different lines.
Result<void> check_line_ends(std::string_view bytes)
{
    for (size_t i = 0; i < bytes.size(); ++i) {
        char c = bytes[i];
        if (c == '\0')
            return invalid("a NUL byte in the request head");
        if (c == '\r' && (i + 1 == bytes.size() || bytes[i + 1] != '\n'))
            return invalid("a carriage return without line feed in the request head");
        if (c == '\n' && (i == 0 || bytes[i - 1] != '\r'))
            return invalid("a line feed without carriage return in the request head");
    }
    return {};
}

Result<void> parse_request_line(std::string_view line, RequestHead& head)
{
    size_t first = line.find(' ');
    size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        return invalid("the request line is not \"method target version\"");
    std::string_view method = line.substr(0, first);
    std::string_view target = line.substr(first + 1, last - first - 1);
    std::string_view version = line.substr(last + 1);
    if (!is_token(method) || method.size() > kMethodLimitBytes)
        return invalid("the method is not a token");
    if (version == "HTTP/1.1")
        head.minor_version = 1;
    else if (version == "HTTP/1.0")
        head.minor_version = 0;
    else
        return invalid("the version is neither HTTP/1.1 nor HTTP/1.0");
    // Only the origin form, and the asterisk form for OPTIONS: with the absolute form there would be two
    // hosts.
    bool asterisk = target == "*" && method == "OPTIONS";
    if (!asterisk && (target.empty() || target.front() != '/'))
        return invalid("the target does not begin with a slash");
    auto allowed = [](char c) { return c > ' ' && c < 0x7f && c != '#'; };
    if (!std::all_of(target.begin(), target.end(), allowed))
        return invalid("the target holds a character that must be percent-encoded");
    head.method = method;
    head.target = target;
    return {};
}

Result<Header> parse_field(std::string_view line)
{
    if (line.front() == ' ' || line.front() == '\t')
        return invalid("a folded header line");
    size_t colon = line.find(':');
    if (colon == std::string_view::npos)
        return invalid("a header line without a colon");
    std::string_view name = line.substr(0, colon);
    if (!is_token(name))
        return invalid("a header name is not a token");
    std::string_view value = trim(line.substr(colon + 1));
    auto allowed = [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f); };
    if (!std::all_of(value.begin(), value.end(), allowed))
        return invalid("a control character in a header value");
    return Header{std::string(name), std::string(value)};
}

// The fields that decide where the body ends and who is meant. Each may come once.
struct Framing {
    int hosts = 0;
    int lengths = 0;
    int codings = 0;
    bool unknown_coding = false;
    bool content_encoding = false;
};

Result<void> take_host(std::string_view value, RequestHead& head)
{
    auto allowed = [](char c) {
        c = lower(c);
        return is_digit(c) || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_' || c == ':' ||
               c == '[' || c == ']';
    };
    if (value.empty() || !std::all_of(value.begin(), value.end(), allowed))
        return invalid("the Host header is not a host");
    head.host.resize(value.size());
    std::transform(value.begin(), value.end(), head.host.begin(), lower);
    return {};
}

Result<void> take_length(std::string_view value, RequestHead& head)
{
    if (value.empty() || value.size() > kLengthLimitDigits ||
        !std::all_of(value.begin(), value.end(), is_digit))
        return invalid("Content-Length is not a plain number");
    uint64_t length = 0;
    for (char c : value)
        length = length * 10 + static_cast<uint64_t>(c - '0');
    head.content_length = length;
    return {};
}

void take_connection(std::string_view value, RequestHead& head)
{
    while (!value.empty()) {
        size_t comma = std::min(value.find(','), value.size());
        if (equal_nocase(trim(value.substr(0, comma)), "close"))
            head.close = true;
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
}

Result<void> take_field(const Header& field, RequestHead& head, Framing& framing)
{
    if (equal_nocase(field.name, "host")) {
        ++framing.hosts;
        return take_host(field.value, head);
    }
    if (equal_nocase(field.name, "content-length")) {
        ++framing.lengths;
        return take_length(field.value, head);
    }
    if (equal_nocase(field.name, "transfer-encoding")) {
        ++framing.codings;
        if (equal_nocase(field.value, "chunked"))
            head.chunked = true;
        else
            framing.unknown_coding = true;
    } else if (equal_nocase(field.name, "content-encoding")) {
        framing.content_encoding = true;
    } else if (equal_nocase(field.name, "connection")) {
        take_connection(field.value, head);
    } else if (equal_nocase(field.name, "expect")) {
        if (!equal_nocase(field.value, "100-continue"))
            return invalid("only 100-continue can be expected");
        head.expects_continue = head.minor_version >= 1;
    }
    return {};
}

Result<void> check_framing(const RequestHead& head, const Framing& framing, HostField host)
{
    if (framing.hosts > 1 || (framing.hosts == 0 && host == HostField::Needed))
        return invalid("exactly one Host header is needed");
    if (framing.lengths > 1)
        return invalid("more than one Content-Length");
    if (framing.codings > 1)
        return invalid("more than one Transfer-Encoding");
    if (framing.codings && framing.lengths)
        return invalid("Transfer-Encoding together with Content-Length");
    if (framing.codings && head.minor_version == 0)
        return invalid("Transfer-Encoding in HTTP/1.0");
    if (framing.unknown_coding)
        return fail(ErrorKind::Unsupported, std::string(kUnknownTransferCoding));
    // No compressed bodies: a limit on their length says nothing about what they unfold to.
    if (framing.content_encoding)
        return fail(ErrorKind::Unsupported, "bodies with a Content-Encoding are not taken");
    return {};
}

int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

} // namespace

std::optional<std::string_view> find_header(const std::vector<Header>& headers, std::string_view name)
{
    for (const Header& header : headers) {
        if (equal_nocase(header.name, name))
            return header.value;
    }
    return std::nullopt;
}

std::string_view find_cookie(const std::vector<Header>& headers, std::string_view name)
{
    constexpr size_t kMost = 8192;
    for (const auto& header : headers) {
        if (header.name.size() != 6 || header.value.size() > kMost || !find_header({header}, "Cookie"))
            continue;
        std::string_view rest = header.value;
        while (!rest.empty()) {
            const size_t end = std::min(rest.find(';'), rest.size());
            std::string_view pair = rest.substr(0, end);
            rest.remove_prefix(std::min(end + 1, rest.size()));
            while (!pair.empty() && pair.front() == ' ')
                pair.remove_prefix(1);
            const size_t equals = pair.find('=');
            if (equals != std::string_view::npos && pair.substr(0, equals) == name)
                return pair.substr(equals + 1);
        }
    }
    return {};
}

Result<uint32_t> parse_circuit_line(std::string_view line)
{
    std::vector<std::string> words;
    for (size_t at = 0; at <= line.size();) {
        const size_t end = std::min(line.find(' ', at), line.size());
        words.emplace_back(line.substr(at, end - at));
        at = end + 1;
    }
    in6_addr address{};
    if (line.size() + 2 > kCircuitLineBytes || words.size() != 6 || words[0] != "PROXY" || words[1] != "TCP6" ||
        line.find('\0') != std::string_view::npos || ::inet_pton(AF_INET6, words[2].c_str(), &address) != 1)
        return fail(ErrorKind::Invalid, "this is not what tor says before a connection");
    uint32_t circuit = 0;
    for (int i = 12; i < 16; ++i)
        circuit = circuit << 8 | address.s6_addr[i];
    return circuit;
}

size_t find_head_end(std::string_view bytes)
{
    // Every kind of line end counts here, so that a head with bare line feeds is refused at once and not
    // waited for.
    size_t line = 0;
    while (line < bytes.size()) {
        size_t end = bytes.find('\n', line);
        if (end == std::string_view::npos)
            return 0;
        if (end == line || (end == line + 1 && bytes[line] == '\r'))
            return end + 1;
        line = end + 1;
    }
    return 0;
}

Result<RequestHead> parse_request_head(std::string_view bytes, HostField host)
{
    if (bytes.size() > kHeadLimitBytes)
        return fail(ErrorKind::TooLarge, "the request head is over 16 KiB");
    TRY(check_line_ends(bytes));
    if (!bytes.ends_with("\r\n\r\n"))
        return invalid("the request head does not end in an empty line");
    bytes.remove_suffix(2);

    RequestHead head;
    Framing framing;
    size_t end = bytes.find("\r\n");
    TRY(parse_request_line(bytes.substr(0, end), head));
    bytes.remove_prefix(end + 2);
    while (!bytes.empty()) {
        end = bytes.find("\r\n");
        if (end == 0)
            return invalid("bytes after the empty line");
        if (head.headers.size() == kHeadLimitFields)
            return fail(ErrorKind::TooLarge, "more than 100 header lines");
        Header field = TRY(parse_field(bytes.substr(0, end)));
        TRY(take_field(field, head, framing));
        head.headers.push_back(std::move(field));
        bytes.remove_prefix(end + 2);
    }
    TRY(check_framing(head, framing, host));
    if (head.minor_version == 0)
        head.close = true;
    return head;
}

int head_error_status(const Error& error)
{
    switch (error.kind) {
    case ErrorKind::TooLarge: return 431;
    case ErrorKind::Unsupported: return error.detail == kUnknownTransferCoding ? 501 : 415;
    default: return 400;
    }
}

Result<void> ChunkedDecoder::feed(std::string_view& input, std::string& out)
{
    while (!input.empty() && state_ != State::Done) {
        if (state_ == State::Data) {
            size_t take = static_cast<size_t>(std::min<uint64_t>(left_, input.size()));
            out.append(input.substr(0, take));
            input.remove_prefix(take);
            left_ -= take;
            if (left_ == 0)
                state_ = State::DataCr;
            continue;
        }
        char c = input.front();
        input.remove_prefix(1);
        switch (state_) {
        case State::Size:
            if (int value = hex_value(c); value >= 0) {
                if (++digits_ > kChunkSizeLimitDigits)
                    return invalid("a chunk size has too many digits");
                left_ = left_ * 16 + static_cast<uint64_t>(value);
                break;
            }
            if (digits_ == 0)
                return invalid("a chunk without a size");
            if (c == ';')
                state_ = State::Extension;
            else if (c == '\r')
                state_ = State::SizeEnd;
            else
                return invalid("a chunk size is not a hexadecimal number");
            break;
        case State::Extension:
            if (c == '\r') {
                state_ = State::SizeEnd;
                break;
            }
            if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) >= 0x7f || c == '"')
                return invalid("a chunk extension holds a character that is not taken");
            if (++extension_bytes_ > kExtensionLimitBytes)
                return invalid("too many chunk extensions");
            break;
        case State::SizeEnd:
            if (c != '\n')
                return invalid("a chunk size line does not end in CR LF");
            digits_ = 0;
            state_ = left_ > 0 ? State::Data : State::LastCr;
            break;
        case State::DataCr:
            if (c != '\r')
                return invalid("a chunk is longer than its size says");
            state_ = State::DataLf;
            break;
        case State::DataLf:
            if (c != '\n')
                return invalid("a chunk does not end in CR LF");
            state_ = State::Size;
            break;
        case State::LastCr:
            if (c != '\r')
                return invalid("trailer fields are not taken");
            state_ = State::LastLf;
            break;
        case State::LastLf:
            if (c != '\n')
                return invalid("the last chunk does not end in CR LF");
            state_ = State::Done;
            break;
        case State::Data:
        case State::Done: break;
        }
    }
    return {};
}

} // namespace bivouac::net
