// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/auth/hawk.h>
#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace bivouac::auth {

namespace {

Error malformed()
{
    return fail(ErrorKind::Invalid, "malformed Hawk header");
}

std::string lower(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

Result<int64_t> parse_seconds(std::string_view text)
{
    int64_t value = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || code != std::errc() || end != text.data() + text.size() || value < 0)
        return malformed();
    return value;
}

struct Attribute {
    std::string name;
    std::string value;
};

// `Hawk a="b", c="d"`: what all three kinds of header share. Values are printable ASCII without quotes.
Result<std::vector<Attribute>> parse_attributes(std::string_view text)
{
    if (text.size() > 4096 || text.size() < 5 || lower(text.substr(0, 5)) != "hawk ")
        return malformed();
    text.remove_prefix(5);
    std::vector<Attribute> out;
    auto skip_spaces = [&] {
        while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
            text.remove_prefix(1);
    };
    for (;;) {
        skip_spaces();
        size_t equals = text.find("=\"");
        if (equals == std::string_view::npos || equals == 0)
            return malformed();
        std::string name(text.substr(0, equals));
        text.remove_prefix(equals + 2);
        size_t quote = text.find('"');
        if (quote == std::string_view::npos)
            return malformed();
        std::string value(text.substr(0, quote));
        text.remove_prefix(quote + 1);
        for (unsigned char c : value)
            if (c < 0x20 || c > 0x7e)
                return malformed();
        for (const auto& other : out)
            if (other.name == name)
                return malformed();
        out.push_back({std::move(name), std::move(value)});
        skip_spaces();
        if (text.empty())
            return out;
        if (text.front() != ',')
            return malformed();
        text.remove_prefix(1);
    }
}

std::string escape_ext(std::string_view ext)
{
    std::string out;
    for (char c : ext) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out;
}

std::string normalized(std::string_view kind, std::string_view ts, std::string_view nonce, const HawkTarget& target,
                       std::string_view hash, std::string_view ext)
{
    std::string out = "hawk.1.";
    for (std::string_view line : {kind, ts, nonce, std::string_view(target.method), std::string_view(target.target),
                                  std::string_view(target.host)}) {
        out += line;
        out += '\n';
    }
    out += std::to_string(target.port) + "\n";
    out += hash;
    out += '\n';
    out += escape_ext(ext);
    out += '\n';
    return out;
}

}  // namespace

Result<HawkHeader> parse_hawk_header(std::string_view value)
{
    HawkHeader header;
    bool has_ts = false;
    for (auto& attribute : TRY(parse_attributes(value))) {
        if (attribute.name == "id") {
            header.id = attribute.value;
        } else if (attribute.name == "ts") {
            header.ts = TRY(parse_seconds(attribute.value));
            has_ts = true;
        } else if (attribute.name == "nonce") {
            header.nonce = attribute.value;
        } else if (attribute.name == "mac") {
            header.mac = attribute.value;
        } else if (attribute.name == "hash") {
            header.hash = attribute.value;
        } else if (attribute.name == "ext") {
            header.ext = attribute.value;
            header.has_ext = true;
        } else if (attribute.name == "app") {
            header.app = attribute.value;
        } else if (attribute.name == "dlg") {
            header.dlg = attribute.value;
        } else {
            return malformed();
        }
    }
    if (header.id.empty() || !has_ts || header.nonce.empty() || header.mac.empty() ||
        header.nonce.size() > limits::kNonceLength || header.id.size() > limits::kIdLength)
        return malformed();
    return header;
}

std::string write_hawk_header(const HawkHeader& header)
{
    std::string out = "Hawk id=\"" + header.id + "\", ts=\"" + std::to_string(header.ts) + "\", nonce=\"" +
                      header.nonce + "\"";
    auto add = [&](const char* name, const std::string& value) {
        if (!value.empty())
            out += std::string(", ") + name + "=\"" + value + "\"";
    };
    add("hash", header.hash);
    add("ext", header.ext);
    add("mac", header.mac);
    add("app", header.app);
    add("dlg", header.dlg);
    return out;
}

std::string hawk_mac(HawkKind kind, std::string_view key, const HawkHeader& header, const HawkTarget& target)
{
    std::string text = normalized(kind == HawkKind::Header ? "header" : "response", std::to_string(header.ts),
                                  header.nonce, target, header.hash, header.ext);
    if (!header.app.empty())
        text += header.app + "\n" + header.dlg + "\n";
    return to_base64(hmac_sha256(key, text));
}

std::string hawk_payload_prefix(std::string_view content_type)
{
    std::string_view type = content_type.substr(0, content_type.find(';'));
    while (!type.empty() && (type.back() == ' ' || type.back() == '\t'))
        type.remove_suffix(1);
    while (!type.empty() && (type.front() == ' ' || type.front() == '\t'))
        type.remove_prefix(1);
    return "hawk.1.payload\n" + lower(type) + "\n";
}

std::string hawk_payload_hash(std::string_view content_type, std::string_view body)
{
    Sha256 hash;
    hash.update(hawk_payload_prefix(content_type));
    hash.update(body);
    hash.update("\n");
    return to_base64(hash.finish());
}

std::string write_server_authorization(std::string_view key, const HawkHeader& request, const HawkTarget& target,
                                       std::string_view response_hash)
{
    HawkHeader response = request;
    response.hash = std::string(response_hash);
    response.ext.clear();
    std::string out = "Hawk mac=\"" + hawk_mac(HawkKind::Response, key, response, target) + "\"";
    if (!response_hash.empty())
        out += ", hash=\"" + response.hash + "\"";
    return out;
}

bool verify_server_authorization(std::string_view value, std::string_view key, const HawkHeader& request,
                                 const HawkTarget& target, std::string_view response_hash)
{
    auto attributes = parse_attributes(value);
    if (!attributes.ok())
        return false;
    HawkHeader response = request;
    response.hash.clear();
    response.ext.clear();
    std::string mac;
    for (const auto& attribute : *attributes) {
        if (attribute.name == "mac")
            mac = attribute.value;
        else if (attribute.name == "hash")
            response.hash = attribute.value;
        else if (attribute.name == "ext")
            response.ext = attribute.value;
        else
            return false;
    }
    if (!equal_constant_time(hawk_mac(HawkKind::Response, key, response, target), mac))
        return false;
    return response.hash.empty() || equal_constant_time(response.hash, response_hash);
}

std::string hawk_tsm(std::string_view key, int64_t ts)
{
    return to_base64(hmac_sha256(key, "hawk.1.ts\n" + std::to_string(ts) + "\n"));
}

std::string write_stale_challenge(std::string_view key, int64_t ts)
{
    // Exactly these three: Hawk clients refuse others (section 5.5).
    return "Hawk ts=\"" + std::to_string(ts) + "\", tsm=\"" + hawk_tsm(key, ts) + "\", error=\"Stale timestamp\"";
}

std::optional<int64_t> read_stale_challenge(std::string_view value, std::string_view key)
{
    auto attributes = parse_attributes(value);
    if (!attributes.ok())
        return std::nullopt;
    std::string ts;
    std::string tsm;
    for (const auto& attribute : *attributes) {
        if (attribute.name == "ts")
            ts = attribute.value;
        else if (attribute.name == "tsm")
            tsm = attribute.value;
    }
    auto seconds = parse_seconds(ts);
    if (!seconds.ok() || !equal_constant_time(hawk_tsm(key, *seconds), tsm))
        return std::nullopt;
    return *seconds;
}

std::string bewit_mac(std::string_view key, int64_t exp, std::string_view ext, const HawkTarget& target)
{
    HawkTarget get = target;
    get.method = "GET";
    return to_base64(hmac_sha256(key, normalized("bewit", std::to_string(exp), "", get, "", ext)));
}

std::string write_bewit(const Bewit& bewit)
{
    return to_base64url(bewit.id + "\\" + std::to_string(bewit.exp) + "\\" + bewit.mac + "\\" + bewit.ext);
}

Result<Bewit> parse_bewit(std::string_view text)
{
    Error wrong = fail(ErrorKind::Invalid, "malformed bewit");
    if (text.size() > 1024)
        return wrong;
    auto decoded = from_base64url(text);
    if (!decoded)
        return wrong;
    std::string_view rest = *decoded;
    std::string parts[4];
    for (int i = 0; i < 4; ++i) {
        size_t slash = rest.find('\\');
        if ((slash == std::string_view::npos) != (i == 3))
            return wrong;
        parts[i] = std::string(rest.substr(0, slash));
        rest = i == 3 ? std::string_view() : rest.substr(slash + 1);
    }
    auto exp = parse_seconds(parts[1]);
    if (!exp.ok() || parts[0].empty() || parts[2].empty())
        return wrong;
    return Bewit{parts[0], *exp, parts[2], parts[3]};
}

SplitTarget split_bewit(std::string_view target)
{
    SplitTarget out;
    size_t question = target.find('?');
    if (question == std::string_view::npos) {
        out.target = std::string(target);
        return out;
    }
    out.target = std::string(target.substr(0, question));
    std::string_view query = target.substr(question + 1);
    char separator = '?';
    for (;;) {
        size_t end = query.find('&');
        std::string_view pair = query.substr(0, end);
        if (pair.starts_with("bewit=") && out.bewit.empty()) {
            out.bewit = std::string(pair.substr(6));
        } else {
            out.target += separator;
            out.target += pair;
            separator = '&';
        }
        if (end == std::string_view::npos)
            return out;
        query.remove_prefix(end + 1);
    }
}

Result<HawkTarget> hawk_target(std::string_view method, std::string_view target, std::string_view host_header)
{
    HawkTarget out{std::string(method), std::string(target), lower(host_header), 80};
    size_t colon = out.host.rfind(':');
    if (colon == std::string::npos)
        return out;
    int port = 0;
    std::string_view digits = std::string_view(out.host).substr(colon + 1);
    auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || code != std::errc() || end != digits.data() + digits.size() || port < 1 || port > 65535)
        return fail(ErrorKind::Invalid, "malformed Host");
    out.port = static_cast<uint16_t>(port);
    out.host.resize(colon);
    return out;
}

}  // namespace bivouac::auth
