// SPDX-License-Identifier: BSD-3-Clause
// Tor's control protocol as text (control-spec): lines into replies and events, and the commands we send.
// Pure, fuzzed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/base/secret.h>

namespace bivouac::tor
{

constexpr int kEventCode = 650;

struct ReplyLine {
    std::string text;
    std::vector<std::string> data; // of a '+' line, dots undone
};

struct Reply {
    int code = 0;
    std::vector<ReplyLine> lines;

    bool ok() const { return code >= 200 && code < 300; }
    bool is_event() const { return code == kEventCode; }
    // "key=" of a GETINFO answer: inline, or its data lines joined by line feeds.
    std::optional<std::string> info(std::string_view key) const;
    std::string words() const; // the last line's text
};

// Bytes in, whole replies out. Invalid when a limit is passed or the form is wrong: then close.
class ReplyReader
{
public:
    ReplyReader() = default;
    ReplyReader(const ReplyReader&) = delete;
    ReplyReader& operator=(const ReplyReader&) = delete;

    void reset();
    Result<std::vector<Reply>> feed(std::string_view bytes);

private:
    static constexpr size_t kLongestLine = 64u << 10;
    static constexpr size_t kLargestReply = 1u << 20;
    struct Partial {
        Reply reply;
        size_t bytes = 0;
    };
    static Result<void> count(Partial& partial, std::string_view line);

    // Events are taken apart first: a filter in front of tor may send one between two lines of a reply.
    Partial reply_;
    Partial event_;
    Partial* data_of_ = nullptr; // whose data block is being read
    std::string buffer_;
};

// A quoted string with C escapes, or the text up to the next space. Advances `text`.
std::optional<std::string> take_string(std::string_view& text);

struct ProtocolInfo {
    bool null_method = false;
    bool cookie = false;
    bool safe_cookie = false;
    std::string cookie_file;
    std::string version;
};
ProtocolInfo parse_protocol_info(const Reply& reply);

// SAFECOOKIE (control-spec 3.24): what the server must prove and what we prove, as bytes.
std::string safe_cookie_server_hash(std::string_view cookie, std::string_view client_nonce,
                                    std::string_view server_nonce);
std::string safe_cookie_client_hash(std::string_view cookie, std::string_view client_nonce,
                                    std::string_view server_nonce);
struct AuthChallenge {
    std::string server_hash; // bytes
    std::string server_nonce;
};
std::optional<AuthChallenge> parse_auth_challenge(const Reply& reply);

struct Bootstrap {
    int progress = 0;
    std::string summary;
};
std::optional<Bootstrap> parse_bootstrap(std::string_view text);

// "127.0.0.1:9050" "unix:/run/tor/socks" -> the first address we may use, TCP on 127.0.0.1 before unix.
std::string choose_socks_listener(std::string_view listeners);

// Words of `GETINFO onions/current`.
std::vector<std::string> parse_onions(std::string_view text);

struct HsDesc {
    std::string action; // CREATED, UPLOAD, UPLOADED, FAILED ...
    std::string address; // 56 characters, or UNKNOWN
    std::string reason;
};
std::optional<HsDesc> parse_hs_desc(std::string_view event);
// What looking up somebody's onion came to, for a person; nothing for events about other things.
std::optional<std::string> words_for_lookup(const HsDesc& event);

// "ADD_ONION ED25519-V3:<key> Flags=DiscardPK MaxStreams=64 Port=80,<target>": exactly in the order that our profile for
// Tails' filter allows. The key is in it: keep the Secret only as long as needed.
// Without `pow` in the one order of words that Tails' filter lets through.
enum class Pow { Off, On };
Secret add_onion_command(const Secret& expanded_key, std::string_view target, Pow pow = Pow::Off);

} // namespace bivouac::tor
