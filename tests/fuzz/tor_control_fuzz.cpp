// SPDX-License-Identifier: BSD-3-Clause
// A control port may say anything (it may not be tor at all). The first byte says in which pieces it comes;
// the replies must be the same in one piece.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "../../src/tor/control_protocol.h"

using namespace bivouac::tor;

namespace
{

struct Outcome {
    bool failed = false;
    std::vector<Reply> replies;
};

Outcome read_in_pieces(std::string_view text, size_t piece)
{
    Outcome out;
    ReplyReader reader;
    for (size_t at = 0; at < text.size(); at += piece) {
        auto more = reader.feed(text.substr(at, piece));
        if (!more.ok()) {
            out.failed = true;
            return out;
        }
        for (auto& reply : *more)
            out.replies.push_back(std::move(reply));
    }
    return out;
}

void use(const Reply& reply)
{
    if (reply.lines.empty() || reply.code < 0 || reply.code > 999)
        std::abort();
    (void)reply.words();
    (void)parse_protocol_info(reply);
    (void)parse_auth_challenge(reply);
    for (const char* key : {"onions/current", "net/listeners/socks", "status/bootstrap-phase", "version"}) {
        auto value = reply.info(key);
        if (!value)
            continue;
        (void)parse_onions(*value);
        std::string socks = choose_socks_listener(*value);
        if (!socks.empty() && !socks.starts_with("127.0.0.1:") && !socks.starts_with("unix:/"))
            std::abort();
        if (auto bootstrap = parse_bootstrap(*value);
            bootstrap && (bootstrap->progress < 0 || bootstrap->progress > 100))
            std::abort();
    }
    for (const auto& line : reply.lines) {
        (void)parse_hs_desc(line.text);
        (void)parse_bootstrap(line.text);
        std::string_view rest = line.text;
        (void)take_string(rest);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size == 0)
        return 0;
    std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    Outcome whole = read_in_pieces(text, text.size() + 1);
    Outcome pieces = read_in_pieces(text, 1 + data[0] % 64);
    for (const auto& reply : pieces.replies)
        use(reply);
    if (whole.failed)
        return 0; // what came in front of the nonsense is not given out then
    if (pieces.failed || whole.replies.size() != pieces.replies.size())
        std::abort();
    for (size_t i = 0; i < whole.replies.size(); ++i)
        if (whole.replies[i].code != pieces.replies[i].code ||
            whole.replies[i].lines.size() != pieces.replies[i].lines.size())
            std::abort();
    return 0;
}
