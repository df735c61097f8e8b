// SPDX-License-Identifier: BSD-3-Clause
// What an app says about itself, checked beyond its schema (Tent 0.3, sections 6.1 and 6.5).
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tor/onion_address.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

// What a person can look through on one page.
constexpr size_t kNameBytes = 256;
constexpr size_t kDescriptionBytes = 2048;
constexpr size_t kSelectors = 100;
constexpr size_t kScopes = 20;
constexpr size_t kScopeBytes = 128;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text)
{
    std::string out(text);
    for (char& c : out)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    return out;
}

struct Place {
    std::string scheme;
    std::string host;  // lower case; of http and https only
    std::string port;  // with its colon, or empty
};

bool is_plain_host(std::string_view host)
{
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
        return std::all_of(host.begin(), host.end(), [](char c) {
            return is_digit(c) || c == ':' || c == '.' || (c >= 'a' && c <= 'f');
        });
    }
    return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
    });
}

// The scheme, and of http and https also host and port; nullopt when these are not plain.
std::optional<Place> place_of(std::string_view uri)
{
    size_t colon = uri.find(':');
    if (colon == std::string_view::npos || colon == 0)
        return std::nullopt;
    Place place{lower(uri.substr(0, colon)), {}, {}};
    if (place.scheme != "http" && place.scheme != "https")
        return place;
    std::string_view rest = uri.substr(colon + 1);
    if (!rest.starts_with("//"))
        return std::nullopt;
    rest.remove_prefix(2);
    std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    size_t end = authority.find(':', authority.starts_with('[') ? authority.find(']') : 0);
    place.host = lower(authority.substr(0, end));
    if (end != std::string_view::npos)
        place.port = std::string(authority.substr(end));
    std::string_view digits = place.port.empty() ? std::string_view() : std::string_view(place.port).substr(1);
    bool port = place.port.empty() ||
                (!digits.empty() && digits.size() <= 5 && std::all_of(digits.begin(), digits.end(), is_digit));
    if (!is_plain_host(place.host) || !port)
        return std::nullopt;
    return place;
}

// As relay/http_client goes there: a node's sockets are of IPv4 (app/doors.h).
bool is_loopback(std::string_view host)
{
    return host == "localhost" || host == "127.0.0.1";
}

std::vector<std::string> strings_in(const Json& object, const char* name)
{
    std::vector<std::string> out;
    if (auto it = object.find(name); it != object.end() && it->is_array())
        for (const auto& element : *it)
            if (element.is_string() && std::find(out.begin(), out.end(), element.get_ref<const std::string&>()) ==
                                           out.end())
                out.push_back(element.get<std::string>());
    return out;
}

Grant grant_in(const Json& content)
{
    Grant grant;
    if (auto types = content.find("types"); types != content.end() && types->is_object()) {
        grant.read = strings_in(*types, "read");
        grant.write = strings_in(*types, "write");
    }
    grant.scopes = strings_in(content, "scopes");
    return grant;
}

Result<Json> valid_content(const Post& post)
{
    TRY(validate_content(post));
    return content_of(post);
}

}  // namespace

bool is_safe_redirect(std::string_view uri)
{
    bool plain = std::none_of(uri.begin(), uri.end(), [](char c) {
        auto byte = static_cast<unsigned char>(c);
        return byte <= 0x20 || byte >= 0x7f || c == '"' || c == '<' || c == '>' || c == '\\' || c == '#';
    });
    auto place = place_of(uri);
    if (!plain || !place || uri.size() > 2048)
        return false;
    if (!place->host.empty())
        return true;
    bool scheme = is_letter(place->scheme[0]) &&
                  std::all_of(place->scheme.begin(), place->scheme.end(), [](char c) {
                      return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
                  });
    for (const char* refused : {"javascript", "data", "vbscript", "file", "about", "blob", "filesystem", "view-source",
                                "chrome", "resource", "jar", "mailto", "ftp", "ws", "wss"})
        scheme = scheme && place->scheme != refused;
    return scheme && uri.size() > place->scheme.size() + 1;
}

std::string redirect_source(std::string_view uri)
{
    auto place = place_of(uri);
    if (!place)
        return {};
    return place->host.empty() ? place->scheme + ":" : place->scheme + "://" + place->host + place->port;
}

NotificationPlace notification_place(std::string_view notification_url)
{
    if (notification_url.empty())
        return NotificationPlace::None;
    auto place = place_of(notification_url);
    // Tor itself is the transport security of an onion, and nothing on this machine has a certificate.
    if (!place || place->scheme != "http")
        return NotificationPlace::Elsewhere;
    if (is_loopback(place->host))
        return NotificationPlace::ThisMachine;
    return tor::is_valid_onion_host(place->host) ? NotificationPlace::Onion : NotificationPlace::Elsewhere;
}

Result<void> check_grant(const Grant& grant)
{
    for (const auto* list : {&grant.read, &grant.write}) {
        if (list->size() > kSelectors)
            return fail(ErrorKind::Invalid, "/content/types has too many elements");
        for (const auto& selector : *list)
            if (selector != kAllTypes)
                TRY(parse_type(selector));
    }
    if (grant.scopes.size() > kScopes)
        return fail(ErrorKind::Invalid, "/content/scopes has too many elements");
    for (const auto& scope : grant.scopes)
        if (scope.empty() || scope.size() > kScopeBytes)
            return fail(ErrorKind::Invalid, "/content/scopes has an element that is empty or too long");
    return {};
}

Result<AppContent> app_content(const Post& app)
{
    Json content = TRY(valid_content(app));
    AppContent out;
    out.name = TRY(string_member(content, "name"));
    out.description = TRY(string_member(content, "description"));
    out.url = TRY(string_member(content, "url"));
    out.redirect_uri = TRY(string_member(content, "redirect_uri"));
    out.notification_url = TRY(string_member(content, "notification_url"));
    out.notification_types = strings_in(content, "notification_types");
    out.wanted = grant_in(content);
    if (out.name.empty() || out.name.size() > kNameBytes)
        return fail(ErrorKind::Invalid, "/content/name must have 1 to 256 bytes");
    if (out.description.size() > kDescriptionBytes)
        return fail(ErrorKind::Invalid, "/content/description is too long");
    if (!is_safe_redirect(out.redirect_uri))
        return fail(ErrorKind::Invalid, "/content/redirect_uri must be an http or https URL or one of the app's own "
                                        "scheme, without user and fragment");
    TRY(check_grant(out.wanted));
    TRY(check_grant({out.notification_types, {}, {}}));
    return out;
}

Result<Grant> grant_of(const Post& app_auth)
{
    Grant grant = grant_in(TRY(valid_content(app_auth)));
    TRY(check_grant(grant));
    return grant;
}

}  // namespace bivouac::tent
