// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/post_json.h>
#include <bivouac/tent/succession.h>
#include <bivouac/tor/onion_address.h>

#include <algorithm>

#include <sodium.h>

namespace bivouac::tent {

namespace {

constexpr std::string_view kMarker = "successions: ";
constexpr size_t kMostSuccessions = 64;
constexpr int64_t kClocksDifferMs = 24 * 3'600'000;

std::string url_of(const std::string& onion)
{
    return "http://" + onion + ".onion";
}

// "<56>" of an entity that is nothing but its onion; empty for everything else.
std::string onion_of(const std::string& entity)
{
    constexpr std::string_view kScheme = "http://", kSuffix = ".onion";
    if (!entity.starts_with(kScheme) || !entity.ends_with(kSuffix) || entity.size() <= kScheme.size() + kSuffix.size())
        return {};
    const std::string onion = entity.substr(kScheme.size(), entity.size() - kScheme.size() - kSuffix.size());
    return tor::is_valid_onion_address(onion) ? onion : std::string();
}

std::string signed_text(const Succession& s)
{
    return "bivouac succession 1\n" + s.from + "\n" + s.to + "\n" + std::to_string(s.at) + "\n" + std::to_string(s.until) + "\n";
}

std::string sign(const Secret& seed, const std::string& text)
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    Secret secret_key(crypto_sign_SECRETKEYBYTES);
    crypto_sign_seed_keypair(public_key, secret_key.data(), seed.data());
    std::string out(crypto_sign_BYTES, '\0');
    crypto_sign_detached(reinterpret_cast<unsigned char*>(out.data()), nullptr,
                         reinterpret_cast<const unsigned char*>(text.data()), text.size(), secret_key.data());
    return out;
}

bool is_signed(const std::string& entity, const std::string& text, const std::string& signature)
{
    const std::string onion = onion_of(entity);
    const auto key = onion.empty() ? std::nullopt : tor::public_key_of(onion);
    return key && signature.size() == crypto_sign_BYTES &&
           crypto_sign_verify_detached(reinterpret_cast<const unsigned char*>(signature.data()),
                                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                                       reinterpret_cast<const unsigned char*>(key->data())) == 0;
}

std::optional<Succession> read(const Json& json)
{
    if (!json.is_object())
        return std::nullopt;
    Succession out;
    for (auto [name, text] : {std::pair("from", &out.from), std::pair("to", &out.to), std::pair("signature", &out.signature),
                              std::pair("signature_of_new", &out.signature_of_new)}) {
        auto found = json.find(name);
        if (found == json.end() || !found->is_string())
            return std::nullopt;
        *text = found->get<std::string>();
    }
    for (auto [name, time] : {std::pair("at", &out.at), std::pair("until", &out.until)}) {
        auto found = json.find(name);
        if (found == json.end() || !found->is_number_integer())
            return std::nullopt;
        *time = found->get<int64_t>();
    }
    for (std::string* signature : {&out.signature, &out.signature_of_new}) {
        auto bytes = from_base64url(*signature);
        if (!bytes)
            return std::nullopt;
        *signature = *bytes;
    }
    return out;
}

bool holds(const Succession& s, int64_t now_ms)
{
    const std::string text = signed_text(s);
    return s.from != s.to && s.at <= s.until && s.at <= now_ms + kClocksDifferMs && s.until >= now_ms &&
           is_signed(s.from, text, s.signature) && is_signed(s.to, text, s.signature_of_new);
}

bool lists(const Post& meta, const std::string& entity)
{
    const Json content = content_of(meta);
    auto previous = content.find("previous_entities");
    return previous != content.end() && previous->is_array() &&
           std::find(previous->begin(), previous->end(), Json(entity)) != previous->end();
}

// Where the last line with the successions begins; npos: there is none.
size_t place_in(const std::string& message)
{
    const size_t line = message.rfind('\n');
    const size_t at = line == std::string::npos ? 0 : line + 1;
    return message.compare(at, kMarker.size(), kMarker) == 0 ? at : std::string::npos;
}

}  // namespace

Succession make_succession(const Secret& old_seed, const Secret& new_seed, int64_t at, int64_t until)
{
    Succession out{url_of(tor::onion_address_of_seed(old_seed)), url_of(tor::onion_address_of_seed(new_seed)), at, until, {}, {}};
    const std::string text = signed_text(out);
    out.signature = sign(old_seed, text);
    out.signature_of_new = sign(new_seed, text);
    return out;
}

Json succession_to_json(const Succession& s)
{
    return {{"from", s.from},
            {"to", s.to},
            {"at", s.at},
            {"until", s.until},
            {"signature", to_base64url(s.signature)},
            {"signature_of_new", to_base64url(s.signature_of_new)}};
}

Json successions_in(const std::string& message)
{
    const size_t at = place_in(message);
    if (at == std::string::npos)
        return Json::array();
    auto list = parse_json(std::string_view(message).substr(at + kMarker.size()));
    return list.ok() && list->is_array() && list->size() <= kMostSuccessions ? std::move(*list) : Json::array();
}

std::string with_successions(const std::string& message, const Json& successions)
{
    std::string out = message.substr(0, place_in(message));
    if (successions.empty())
        return out;
    if (!out.empty() && out.back() != '\n')
        out += '\n';
    return out + std::string(kMarker) + successions.dump();
}

std::optional<std::vector<Succession>> way_from(const Post& meta, const std::string& from, const std::string& to, int64_t now_ms)
{
    if (from == to)
        return std::nullopt;
    std::vector<Succession> way;
    std::string at = from;
    // In their order, so there is no going round in circles.
    for (const auto& json : successions_in(meta.version.message)) {
        auto step = read(json);
        if (!step || step->from != at)
            continue;
        if (!lists(meta, step->from) || !holds(*step, now_ms))
            return std::nullopt;
        at = step->to;
        way.push_back(std::move(*step));
        if (at == to)
            return way;
    }
    return std::nullopt;
}

}  // namespace bivouac::tent
