// SPDX-License-Identifier: BSD-3-Clause
// How: lines are cut first, events are taken apart from replies, then each reply is searched for its words.
#include "control_protocol.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <sodium.h>

#include <bivouac/base/bytes.h>

namespace bivouac::tor
{

namespace
{

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// KEY=value in a line of words; value may be quoted.
std::optional<std::string> keyword(std::string_view line, std::string_view name)
{
    size_t at = 0;
    while ((at = line.find(name, at)) != std::string_view::npos) {
        size_t after = at + name.size();
        if ((at == 0 || line[at - 1] == ' ') && after < line.size() && line[after] == '=') {
            std::string_view rest = line.substr(after + 1);
            return take_string(rest);
        }
        at = after;
    }
    return std::nullopt;
}

std::string safe_cookie_hash(std::string_view key, std::string_view cookie, std::string_view client_nonce,
                             std::string_view server_nonce)
{
    std::string text;
    text.reserve(cookie.size() + client_nonce.size() + server_nonce.size()); // no copy is left behind
    text += cookie;
    text += client_nonce;
    text += server_nonce;
    std::string hash = hmac_sha256(key, text);
    wipe(text);
    return hash;
}

} // namespace

std::optional<std::string> Reply::info(std::string_view key) const
{
    for (const auto& line : lines) {
        if (!line.text.starts_with(key) || line.text.size() <= key.size() || line.text[key.size()] != '=')
            continue;
        std::string value = line.text.substr(key.size() + 1);
        for (const auto& more : line.data)
            value += (value.empty() ? "" : "\n") + more;
        return value;
    }
    return std::nullopt;
}

std::string Reply::words() const
{
    return lines.empty() ? std::string() : lines.back().text;
}

void ReplyReader::reset()
{
    buffer_.clear();
    reply_ = {};
    event_ = {};
    data_of_ = nullptr;
}

Result<void> ReplyReader::count(Partial& partial, std::string_view line)
{
    partial.bytes += line.size() + 64; // what a line costs besides its text
    if (partial.bytes > kLargestReply)
        return fail(ErrorKind::Invalid, "the control port sent too much");
    return {};
}

Result<std::vector<Reply>> ReplyReader::feed(std::string_view bytes)
{
    std::vector<Reply> out;
    buffer_ += bytes;
    size_t at = 0;
    for (;;) {
        size_t end = buffer_.find('\n', at);
        if (end == std::string::npos)
            break;
        std::string_view line = std::string_view(buffer_).substr(at, end - at);
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        at = end + 1;
        if (line.size() > kLongestLine)
            return fail(ErrorKind::Invalid, "the control port sent too much");
        if (data_of_) {
            TRY(count(*data_of_, line));
            if (line == ".") {
                data_of_ = nullptr;
                continue;
            }
            if (line.starts_with('.'))
                line.remove_prefix(1);
            data_of_->reply.lines.back().data.emplace_back(line);
            continue;
        }
        if (line.size() < 4 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]) ||
            (line[3] != ' ' && line[3] != '-' && line[3] != '+'))
            return fail(ErrorKind::Invalid, "this is not tor's control port");
        int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
        Partial& partial = code == kEventCode ? event_ : reply_;
        TRY(count(partial, line));
        if (!partial.reply.lines.empty() && partial.reply.code != code)
            return fail(ErrorKind::Invalid, "the control port mixes its replies");
        partial.reply.code = code;
        partial.reply.lines.push_back({std::string(line.substr(4)), {}});
        if (line[3] == '+')
            data_of_ = &partial;
        if (line[3] == ' ') {
            out.push_back(std::move(partial.reply));
            partial = {};
        }
    }
    buffer_.erase(0, at);
    if (buffer_.size() > kLongestLine + 1) // its carriage return may be here already
        return fail(ErrorKind::Invalid, "the control port sent too much");
    return out;
}

std::optional<std::string> take_string(std::string_view& text)
{
    std::string out;
    if (!text.starts_with('"')) {
        size_t end = std::min(text.find(' '), text.size());
        out = std::string(text.substr(0, end));
        text.remove_prefix(end);
        return out;
    }
    for (size_t i = 1; i < text.size(); ++i) {
        char c = text[i];
        if (c == '"') {
            text.remove_prefix(i + 1);
            return out;
        }
        if (c != '\\') {
            out += c;
            continue;
        }
        if (++i == text.size())
            return std::nullopt;
        c = text[i];
        if (c >= '0' && c <= '7') {
            unsigned value = 0;
            size_t digits = 0;
            while (digits < 3 && i < text.size() && text[i] >= '0' && text[i] <= '7') {
                value = value * 8 + static_cast<unsigned>(text[i] - '0');
                ++i;
                ++digits;
            }
            --i;
            if (value > 255)
                return std::nullopt;
            out += static_cast<char>(value);
        } else {
            out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
    }
    return std::nullopt;
}

ProtocolInfo parse_protocol_info(const Reply& reply)
{
    ProtocolInfo info;
    for (const auto& line : reply.lines) {
        std::string_view text = line.text;
        if (text.starts_with("AUTH ")) {
            std::string methods = "," + keyword(text, "METHODS").value_or("") + ",";
            info.null_method = methods.find(",NULL,") != std::string::npos;
            info.cookie = methods.find(",COOKIE,") != std::string::npos;
            info.safe_cookie = methods.find(",SAFECOOKIE,") != std::string::npos;
            info.cookie_file = keyword(text, "COOKIEFILE").value_or("");
        } else if (text.starts_with("VERSION ")) {
            info.version = keyword(text, "Tor").value_or("");
        }
    }
    return info;
}

std::string safe_cookie_server_hash(std::string_view cookie, std::string_view client_nonce,
                                    std::string_view server_nonce)
{
    return safe_cookie_hash("Tor safe cookie authentication server-to-controller hash", cookie, client_nonce,
                            server_nonce);
}

std::string safe_cookie_client_hash(std::string_view cookie, std::string_view client_nonce,
                                    std::string_view server_nonce)
{
    return safe_cookie_hash("Tor safe cookie authentication controller-to-server hash", cookie, client_nonce,
                            server_nonce);
}

std::optional<AuthChallenge> parse_auth_challenge(const Reply& reply)
{
    if (!reply.ok() || reply.lines.empty() || !reply.lines[0].text.starts_with("AUTHCHALLENGE "))
        return std::nullopt;
    auto hash = from_hex(keyword(reply.lines[0].text, "SERVERHASH").value_or(""));
    auto nonce = from_hex(keyword(reply.lines[0].text, "SERVERNONCE").value_or(""));
    if (!hash || hash->size() != 32 || !nonce || nonce->size() != 32)
        return std::nullopt;
    return AuthChallenge{*hash, *nonce};
}

std::optional<Bootstrap> parse_bootstrap(std::string_view text)
{
    if (text.find("BOOTSTRAP ") == std::string_view::npos)
        return std::nullopt;
    std::string progress = keyword(text, "PROGRESS").value_or("");
    Bootstrap out;
    auto [end, code] = std::from_chars(progress.data(), progress.data() + progress.size(), out.progress);
    if (code != std::errc() || end != progress.data() + progress.size() || out.progress < 0 ||
        out.progress > 100)
        return std::nullopt;
    out.summary = keyword(text, "SUMMARY").value_or("");
    return out;
}

std::string choose_socks_listener(std::string_view listeners)
{
    std::string unix_socket;
    while (!listeners.empty()) {
        if (listeners.front() == ' ') {
            listeners.remove_prefix(1);
            continue;
        }
        auto address = take_string(listeners);
        if (!address)
            break;
        if (address->starts_with("127.0.0.1:"))
            return *address;
        if (address->starts_with("unix:/") && unix_socket.empty())
            unix_socket = *address;
    }
    return unix_socket;
}

std::vector<std::string> parse_onions(std::string_view text)
{
    std::vector<std::string> out;
    while (!text.empty()) {
        size_t end = text.find_first_of(" \r\n,");
        if (end != 0)
            out.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos)
            break;
        text.remove_prefix(end + 1);
    }
    return out;
}

std::optional<HsDesc> parse_hs_desc(std::string_view event)
{
    // HS_DESC Action Address AuthType HsDir [DescriptorID] [REASON=...]
    if (!event.starts_with("HS_DESC "))
        return std::nullopt;
    std::vector<std::string> words = parse_onions(event);
    if (words.size() < 3)
        return std::nullopt;
    return HsDesc{words[1], words[2], keyword(event, "REASON").value_or("")};
}

std::optional<std::string> words_for_lookup(const HsDesc& event)
{
    if (event.action == "RECEIVED")
        return "its whereabouts are known to tor, so it was there within the last hours";
    if (event.action != "FAILED")
        return std::nullopt;
    // control-spec, HS_DESC.
    constexpr std::pair<std::string_view, const char*> kReasons[] = {
        {"NOT_FOUND", "tor's directories know nothing of it: it has not been there for some hours"},
        {"BAD_DESC", "what it has published cannot be read"},
        {"QUERY_REJECTED", "a directory of tor refused to say where it is"},
        {"QUERY_NO_HSDIR", "tor found no directory that it could ask"},
        {"QUERY_RATE_LIMITED", "tor has asked for it too often lately and waits"},
        {"UNEXPECTED", "a directory of tor gave an answer that makes no sense"},
    };
    for (const auto& [reason, words] : kReasons)
        if (event.reason == reason)
            return words;
    return std::nullopt;  // UPLOAD_REJECTED is about our own
}

Secret add_onion_command(const Secret& expanded_key, std::string_view target, Pow pow)
{
    constexpr std::string_view kBefore = "ADD_ONION ED25519-V3:";
    // Tor's own defaults: a low rate makes those wait who come when nobody attacks.
    const std::string defence = pow == Pow::On ? " PoWDefensesEnabled=1 PoWQueueRate=250 PoWQueueBurst=2500" : "";
    // What one circuit may open at a time; the rest of it finds the port closed.
    const std::string after = " Flags=DiscardPK MaxStreams=64" + defence + " Port=80," + std::string(target);
    constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;
    const size_t key_length = sodium_base64_encoded_len(expanded_key.size(), kVariant) - 1;
    // The end mark that libsodium writes falls on the first byte of what follows.
    Secret command(kBefore.size() + key_length + after.size());
    char* out = reinterpret_cast<char*>(command.data());
    std::memcpy(out, kBefore.data(), kBefore.size());
    sodium_bin2base64(out + kBefore.size(), key_length + 1, expanded_key.data(), expanded_key.size(),
                      kVariant);
    std::memcpy(out + kBefore.size() + key_length, after.data(), after.size());
    return command;
}

} // namespace bivouac::tor
