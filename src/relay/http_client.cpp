// SPDX-License-Identifier: BSD-3-Clause
// How: one CURLM per proxy address, driven by libevent (CURLMOPT_SOCKETFUNCTION, CURLMOPT_TIMERFUNCTION).
// A coroutine is never resumed inside a callback of curl: what is finished is collected first and resumed
// after curl has returned, since a resumed coroutine starts new requests or takes things down.
#include <bivouac/relay/http_client.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <unordered_map>

#include <curl/curl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <bivouac/base/broker.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/confine.h>
#include <bivouac/base/pace.h>
#include <bivouac/relay/load.h>
#include <bivouac/tor/onion_address.h>
#include <bivouac/tor/socks_reply.h>

namespace bivouac::relay
{

namespace
{

constexpr const char* kNotReachedInTime = "the onion could not be reached in time";
constexpr const char* kNotAnsweredInTime = "the answer did not come in time";

constexpr long kConnectTimeoutMs = 90'000; // a first circuit to an onion
constexpr long kStalledSeconds = 60;
constexpr long kIdleConnections = 64;
constexpr long kConnectionLifeSeconds = 540; // below tor's MaxCircuitDirtiness of 600 s
constexpr size_t kHeaderBytes = 32u << 10;
constexpr size_t kHeaderFields = 100;
constexpr uint64_t kErrorBodyBytes = 64u << 10; // of an answer that is not the file we asked for
// The same for every installation: it tells nothing.
constexpr const char* kUserAgent = "Tent";
constexpr const char* kStopping = "stopping";
constexpr const char* kNoTor = "tor is not ready";

struct Proxy {
    std::string url; // socks5h: names go to tor, nothing is looked up here
    sockaddr_storage address{};
    socklen_t length = 0;

    bool is(const curl_sockaddr& other) const
    {
        return other.addrlen >= sizeof(sa_family_t) && other.family == address.ss_family &&
               same_target(other.addr);
    }

    // As the broker takes it.
    std::string text() const
    {
        if (address.ss_family == AF_UNIX)
            return std::string("unix:") + reinterpret_cast<const sockaddr_un&>(address).sun_path;
        if (address.ss_family == AF_INET6)
            return "[::1]:" + std::to_string(ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port));
        return "127.0.0.1:" + std::to_string(ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port));
    }

private:
    bool same_target(const sockaddr& other) const
    {
        if (address.ss_family == AF_UNIX)
            return std::strcmp(reinterpret_cast<const sockaddr_un&>(other).sun_path,
                               reinterpret_cast<const sockaddr_un&>(address).sun_path) == 0;
        if (address.ss_family == AF_INET6) {
            const auto& a = reinterpret_cast<const sockaddr_in6&>(other);
            const auto& b = reinterpret_cast<const sockaddr_in6&>(address);
            return std::memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0 && a.sin6_port == b.sin6_port;
        }
        const auto& a = reinterpret_cast<const sockaddr_in&>(other);
        const auto& b = reinterpret_cast<const sockaddr_in&>(address);
        return a.sin_addr.s_addr == b.sin_addr.s_addr && a.sin_port == b.sin_port;
    }
};

Result<Proxy> parse_proxy(std::string_view text)
{
    Proxy proxy;
    if (text.starts_with("unix:/")) {
        std::string_view path = text.substr(5);
        auto& to = reinterpret_cast<sockaddr_un&>(proxy.address);
        to.sun_family = AF_UNIX;
        if (path.size() >= sizeof to.sun_path || path.find('\0') != std::string_view::npos)
            return fail(ErrorKind::Invalid, "the path of tor's SOCKS socket is too long");
        std::memcpy(to.sun_path, path.data(), path.size());
        proxy.length = sizeof to;
        proxy.url = "socks5h://localhost";
        for (char c : path)
            proxy.url += c == '/' ? "/" : percent_encode(std::string_view(&c, 1));
        return proxy;
    }
    constexpr std::string_view kLoopback = "127.0.0.1:";
    int port = 0;
    std::string_view digits = text.substr(std::min(kLoopback.size(), text.size()));
    auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (!text.starts_with(kLoopback) || code != std::errc() || end != digits.data() + digits.size() ||
        port < 1 || port > 65535)
        return fail(ErrorKind::Invalid, "tor's SOCKS address must be 127.0.0.1:PORT or unix:/path");
    auto& to = reinterpret_cast<sockaddr_in&>(proxy.address);
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    proxy.length = sizeof to;
    proxy.url = "socks5h://127.0.0.1:" + std::to_string(port);
    return proxy;
}

struct UrlFree {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlFree>;

std::optional<std::string> url_part(CURLU* url, CURLUPart part)
{
    char* text = nullptr;
    if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
        return std::nullopt;
    std::string out = text;
    curl_free(text);
    return out;
}

// What is checked here is the very object that curl fetches, so that the two cannot disagree about the host.
Result<Url> checked_url(const std::string& text, bool direct_loopback)
{
    auto refused = [](const char* why) {
        return fail(ErrorKind::Invalid, std::string("the URL is refused: ") + why);
    };
    if (text.find_first_of(std::string_view("\0#", 2)) != std::string::npos)
        return refused("it has a fragment");
    Url url(curl_url());
    if (!url)
        throw std::bad_alloc();
    if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS | CURLU_DISALLOW_USER) !=
        CURLUE_OK)
        return refused("it has not the form of one");
    if (url_part(url.get(), CURLUPART_SCHEME) != "http")
        return refused("only http is spoken between onions");
    if (url_part(url.get(), CURLUPART_USER) || url_part(url.get(), CURLUPART_PASSWORD) ||
        url_part(url.get(), CURLUPART_OPTIONS))
        return refused("it names a user");
    auto host = url_part(url.get(), CURLUPART_HOST);
    if (direct_loopback && host != "127.0.0.1" && host != "localhost" && host != "[::1]")
        return refused("it does not lead to this machine");
    if (!direct_loopback && (!host || !tor::is_valid_onion_host(*host)))
        return refused("its host is not a version 3 onion address");
    if (url_part(url.get(), CURLUPART_PORT) == "0")
        return refused("its port is 0");
    return url;
}

bool is_token(std::string_view text)
{
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kMarks.find(c) != std::string_view::npos;
    });
}

unsigned socks_reply_of(long code)
{
    switch (code) {
    case CURLPX_REPLY_GENERAL_SERVER_FAILURE: return 0x01;
    case CURLPX_REPLY_NOT_ALLOWED: return 0x02;
    case CURLPX_REPLY_NETWORK_UNREACHABLE: return 0x03;
    case CURLPX_REPLY_HOST_UNREACHABLE: return 0x04;
    case CURLPX_REPLY_CONNECTION_REFUSED: return 0x05;
    case CURLPX_REPLY_TTL_EXPIRED: return 0x06;
    case CURLPX_REPLY_COMMAND_NOT_SUPPORTED: return 0x07;
    case CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED: return 0x08;
    case CURLPX_REPLY_UNASSIGNED: return 0xff; // tor's extended codes; curl does not say which
    default: return 0;
    }
}

Error error_of(CURL* easy, CURLcode code)
{
    std::string words;
    long proxy_code = 0;
    curl_off_t pretransfer_us = 0;
    switch (code) {
    case CURLE_PROXY:
        curl_easy_getinfo(easy, CURLINFO_PROXY_ERROR, &proxy_code);
        if (unsigned reply = socks_reply_of(proxy_code))
            words = tor::meaning_of_socks_reply(reply).words;
        else if (proxy_code == CURLPX_CLOSED)
            words = "tor closed the connection";
        else
            words = "tor's SOCKS port does not answer as it should";
        break;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_PROXY: words = "tor's SOCKS port does not answer"; break;
    case CURLE_OPERATION_TIMEDOUT:
        curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
        words = pretransfer_us == 0 ? kNotReachedInTime : kNotAnsweredInTime;
        break;
    case CURLE_GOT_NOTHING: words = "the other side closed the connection without an answer"; break;
    case CURLE_PARTIAL_FILE: words = "the answer was cut off"; break;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: words = "the connection broke off"; break;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING: words = "what answers there does not speak HTTP"; break;
    case CURLE_FILESIZE_EXCEEDED: return fail(ErrorKind::TooLarge, "the answer is larger than allowed");
    default: words = std::string("the request failed: ") + curl_easy_strerror(code);
    }
    return fail(ErrorKind::Unavailable, std::move(words));
}

void init_curl_once()
{
    static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (done != CURLE_OK)
        throw std::bad_alloc();
}

// Where a direct request may connect to; takes the SOCKS port's place in the second lock.
Proxy loopback_target(CURLU* url)
{
    Proxy target;
    const auto port = static_cast<uint16_t>(std::stoul(url_part(url, CURLUPART_PORT).value_or("80")));
    if (url_part(url, CURLUPART_HOST) == "[::1]") {
        auto& to = reinterpret_cast<sockaddr_in6&>(target.address);
        to.sin6_family = AF_INET6;
        to.sin6_port = htons(port);
        to.sin6_addr = in6addr_loopback;
        target.length = sizeof to;
        return target;
    }
    auto& to = reinterpret_cast<sockaddr_in&>(target.address);
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    target.length = sizeof to;
    return target;
}

// One request on its way. The callbacks of curl get its address, so it does not move.
struct Transfer {
    OutRequest request;
    InResponse response;
    std::function<void(Result<InResponse>)> done;
    Proxy proxy;
    Url url;
    CURL* easy = nullptr;
    curl_slist* fields = nullptr;
    curl_slist* addresses = nullptr; // of localhost, so that nobody looks it up
    size_t header_bytes = 0;
    bool headers_ended = false; // of one block; more may come after a 1xx
    bool answer_began = false; // the block of the answer itself has ended
    uint64_t body_bytes = 0;
    std::optional<Error> error; // ours, in front of curl's "write error"

    ~Transfer()
    {
        if (easy)
            curl_easy_cleanup(easy);
        curl_slist_free_all(fields);
        curl_slist_free_all(addresses);
    }

    Result<void> prepare();
    Result<void> prepare_fields();
    long status() const;
    // Only the file itself goes into the spool; what an error says is small and stays in memory.
    bool into_spool() const { return !request.spool_directory.empty() && status() == 200; }
    void header_line(std::string_view line);
    bool body(std::string_view piece);
    Result<InResponse> result(CURLcode code);
};

size_t on_header(char* bytes, size_t size, size_t count, void* argument)
{
    auto* transfer = static_cast<Transfer*>(argument);
    transfer->header_line({bytes, size * count});
    return transfer->error ? 0 : size * count;
}

size_t on_body(char* bytes, size_t size, size_t count, void* argument)
{
    return static_cast<Transfer*>(argument)->body({bytes, size * count}) ? size * count : 0;
}

// The second lock: whatever else is wrong, no socket goes anywhere but to the SOCKS port.
curl_socket_t on_open_socket(void* argument, curlsocktype purpose, curl_sockaddr* address)
{
    const auto* transfer = static_cast<const Transfer*>(argument);
    if (purpose != CURLSOCKTYPE_IPCXN || !transfer->proxy.is(*address))
        return CURL_SOCKET_BAD;
    // Where nothing is confined curl connects by itself, as it insists on doing (base/confine.cpp).
    Broker* broker = confinement().seccomp ? Broker::current() : nullptr;
    if (!broker)
        return ::socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto connected = broker->ask(BrokerTask::Connect, transfer->proxy.text());
    return connected.ok() ? connected->release(0) : CURL_SOCKET_BAD;
}

Result<void> Transfer::prepare_fields()
{
    auto add = [this](const std::string& line) {
        curl_slist* longer = curl_slist_append(fields, line.c_str());
        if (!longer)
            throw std::bad_alloc();
        fields = longer;
    };
    // curl's own additions would tell curl from others; a name without a value takes one away.
    add("Expect:");
    for (const char* name : {"Accept", "Content-Type"})
        if (!net::find_header(request.headers, name))
            add(std::string(name) + ":");
    for (const auto& [name, value] : request.headers) {
        if (!is_token(name) || value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
            return fail(ErrorKind::Invalid, "a header of the request is not valid");
        add(value.empty() ? name + ";" : name + ": " + value);
    }
    return {};
}

// The one place that makes a request handle.
Result<void> Transfer::prepare()
{
    if (!request.direct_loopback && (proxy.url.empty() || proxy.length == 0))
        return fail(ErrorKind::Unavailable, kNoTor);
    if (request.direct_loopback)
        request.isolation = {};
    else if (request.isolation.user.empty() || request.isolation.user.starts_with("<torS0X>") ||
        request.isolation.user.size() > 255 || request.isolation.password.size() > 255)
        return fail(ErrorKind::Internal, "a request without its own circuit");
    if (!is_token(request.method) || request.method.size() > 32)
        return fail(ErrorKind::Invalid, "the method of the request is not valid");
    url = TRY(checked_url(request.url, request.direct_loopback));
    TRY(prepare_fields());
    easy = curl_easy_init();
    if (!easy)
        throw std::bad_alloc();

    CURLcode worst = CURLE_OK;
    auto set = [&](CURLoption option, auto value) {
        CURLcode code = curl_easy_setopt(easy, option, value);
        if (code != CURLE_OK)
            worst = code;
    };
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_CURLU, url.get());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));

    set(CURLOPT_PRE_PROXY, "");
    if (request.direct_loopback) {
        proxy = loopback_target(url.get());
        const std::string port = std::to_string(ntohs(reinterpret_cast<const sockaddr_in&>(proxy.address).sin_port));
        addresses = curl_slist_append(nullptr, ("localhost:" + port + ":127.0.0.1").c_str());
        set(CURLOPT_RESOLVE, addresses);
        set(CURLOPT_PROXY, ""); // none, whatever the environment says
    } else {
        set(CURLOPT_PROXY, proxy.url.c_str());
        set(CURLOPT_NOPROXY, ""); // without it a no_proxy variable makes curl go direct
        set(CURLOPT_PROXYUSERNAME, request.isolation.user.c_str());
        set(CURLOPT_PROXYPASSWORD, request.isolation.password.c_str());
        set(CURLOPT_SOCKS5_AUTH, static_cast<long>(CURLAUTH_BASIC));
    }
    set(CURLOPT_OPENSOCKETFUNCTION, &on_open_socket);
    set(CURLOPT_OPENSOCKETDATA, this);

    const int64_t timeout_ms = real_ms(std::max<int64_t>(request.timeout_ms, 1));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
    set(CURLOPT_CONNECTTIMEOUT_MS, std::min(static_cast<long>(real_ms(kConnectTimeoutMs)), static_cast<long>(timeout_ms)));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(std::max<int64_t>(real_ms(kStalledSeconds * 1000) / 1000, 1)));
    set(CURLOPT_MAXLIFETIME_CONN, kConnectionLifeSeconds);

    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_USERAGENT, kUserAgent);
    set(CURLOPT_HTTPHEADER, fields);

    if (request.method == "HEAD") {
        // Content-Length of a HEAD speaks of a body that does not come: no MAXFILESIZE here.
        set(CURLOPT_NOBODY, 1L);
    } else {
        // Looks at the announced size only; the write callback counts what comes.
        uint64_t announced = request.limit_bytes;
        if (!request.spool_directory.empty())
            announced = std::max(announced, kErrorBodyBytes);
        if (announced > 0)
            set(CURLOPT_MAXFILESIZE_LARGE,
                static_cast<curl_off_t>(std::min<uint64_t>(announced, 1ull << 62)));
        bool with_body = !request.body.empty() || request.method == "POST" || request.method == "PUT";
        if (with_body) {
            set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
            set(CURLOPT_POSTFIELDS, request.body.data());
        }
        set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    if (worst != CURLE_OK)
        return fail(ErrorKind::Internal,
                    std::string("a request cannot be made: ") + curl_easy_strerror(worst));
    return {};
}

long Transfer::status() const
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

void Transfer::header_line(std::string_view line)
{
    constexpr const char* kTooLarge = "the header of the answer is larger than allowed";
    header_bytes += line.size();
    if (header_bytes > kHeaderBytes) {
        error = fail(ErrorKind::TooLarge, kTooLarge);
        return;
    }
    if (answer_began)
        return; // trailers tell us nothing
    while (line.ends_with('\n') || line.ends_with('\r'))
        line.remove_suffix(1);
    if (line.starts_with("HTTP/") && (headers_ended || response.headers.empty())) {
        // A new block: what came before was "100 Continue" or the like.
        response.headers.clear();
        headers_ended = false;
        return;
    }
    if (line.empty()) {
        headers_ended = true;
        answer_began = status() >= 200;
        return;
    }
    auto trimmed = [](std::string_view text) {
        size_t first = text.find_first_not_of(" \t");
        if (first == std::string_view::npos)
            return std::string_view();
        return text.substr(first, text.find_last_not_of(" \t") - first + 1);
    };
    if (line.front() == ' ' || line.front() == '\t') {
        // Obsolete (RFC 9112, section 5.2), and two readers may disagree about it.
        error = fail(ErrorKind::Unavailable, "what answers there does not speak HTTP");
        return;
    }
    size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
        return;
    if (response.headers.size() == kHeaderFields) {
        error = fail(ErrorKind::TooLarge, kTooLarge);
        return;
    }
    response.headers.push_back(
        {std::string(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1)))});
}

bool Transfer::body(std::string_view piece)
{
    const bool spooled = into_spool();
    const bool error_body = !request.spool_directory.empty() && !spooled;
    const uint64_t limit = error_body ? kErrorBodyBytes : request.limit_bytes;
    if (piece.size() > limit - body_bytes) {
        error = fail(ErrorKind::TooLarge, "the answer is larger than allowed");
        return false;
    }
    body_bytes += piece.size();
    if (!spooled) {
        response.body += piece;
        return true;
    }
    if (!response.spool)
        response.spool = std::make_unique<Spool>(request.spool_directory);
    auto written = response.spool->append(piece);
    if (!written.ok())
        error = std::move(written).error();
    return !error;
}

Result<InResponse> Transfer::result(CURLcode code)
{
    if (error)
        return std::move(*error);
    if (code != CURLE_OK)
        return error_of(easy, code);
    const long code_of_answer = status();
    if (code_of_answer < 100 || code_of_answer > 999)
        return fail(ErrorKind::Unavailable, "what answers there does not speak HTTP");
    response.status = static_cast<int>(code_of_answer);
    // curl takes an end in the middle of the header for the end of the header.
    if (!headers_ended)
        return fail(ErrorKind::Unavailable, "the answer was cut off");
    if (into_spool()) {
        if (!response.spool) // an empty file
            response.spool = std::make_unique<Spool>(request.spool_directory);
        TRY(response.spool->finish());
    }
    return std::move(response);
}

struct Finished {
    std::function<void(Result<InResponse>)> done;
    Result<InResponse> result;
};

// Everything that goes through one SOCKS address. A new address gets a new one, so that no connection of the
// old is used again; the old one ends with its last request.
class Channel
{
public:
    Channel(EventLoop& loop, Proxy proxy, std::function<void()> idle)
        : loop_(loop)
        , proxy_(std::move(proxy))
        , idle_(std::move(idle))
        , multi_(curl_multi_init())
    {
        if (!multi_)
            throw std::bad_alloc();
        curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Channel::on_socket);
        curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Channel::on_timer);
        curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
        curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnections);
        curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
    }

    ~Channel()
    {
        for (auto& [easy, transfer] : transfers_)
            curl_multi_remove_handle(multi_, easy);
        transfers_.clear();
        curl_multi_cleanup(multi_);
        for (auto& [fd, watch] : watches_)
            event_free(watch);
    }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    void add(OutRequest request, std::function<void(Result<InResponse>)> done)
    {
        auto transfer = std::make_unique<Transfer>();
        transfer->request = std::move(request);
        transfer->proxy = proxy_;
        auto prepared = transfer->prepare();
        if (!prepared.ok())
            return done(std::move(prepared).error());
        CURL* easy = transfer->easy;
        transfer->done = std::move(done);
        // Starts nothing yet: it asks for a timer that fires at once.
        if (curl_multi_add_handle(multi_, easy) != CURLM_OK) {
            done = std::move(transfer->done);
            return done(fail(ErrorKind::Internal, "a request cannot be started"));
        }
        transfers_.emplace(easy, std::move(transfer));
    }

    size_t count() const { return transfers_.size(); }
    const std::string& proxy_url() const { return proxy_.url; }

    // Those that the function names are taken out and fail with the words.
    std::vector<Finished> abort_if(const std::function<bool(const OutRequest&)>& chosen,
                                   const std::string& words)
    {
        std::vector<Finished> out;
        for (auto it = transfers_.begin(); it != transfers_.end();) {
            if (!chosen(it->second->request)) {
                ++it;
                continue;
            }
            curl_multi_remove_handle(multi_, it->first);
            out.push_back({std::move(it->second->done), fail(ErrorKind::Unavailable, words)});
            it = transfers_.erase(it);
        }
        return out;
    }

private:
    static int on_socket(CURL*, curl_socket_t fd, int what, void* argument, void*)
    {
        auto* self = static_cast<Channel*>(argument);
        auto& watches = self->watches_;
        if (auto it = watches.find(fd); it != watches.end()) {
            event_free(it->second);
            watches.erase(it);
        }
        if (what == CURL_POLL_REMOVE)
            return 0;
        auto kind = static_cast<short>(EV_PERSIST | ((what & CURL_POLL_IN) ? EV_READ : 0) |
                                       ((what & CURL_POLL_OUT) ? EV_WRITE : 0));
        event* watch = event_new(self->loop_.base(), fd, kind, &Channel::on_ready, self);
        if (!watch)
            return -1;
        event_add(watch, nullptr);
        watches.emplace(fd, watch);
        return 0;
    }

    static int on_timer(CURLM*, long timeout_ms, void* argument)
    {
        auto* self = static_cast<Channel*>(argument);
        if (timeout_ms < 0)
            self->timer_.cancel();
        else
            self->timer_ = self->loop_.after(our_ms(timeout_ms), [self] { self->act(CURL_SOCKET_TIMEOUT, 0); });
        return 0;
    }

    static void on_ready(evutil_socket_t fd, short what, void* argument)
    {
        int mask = ((what & EV_READ) ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0);
        static_cast<Channel*>(argument)->act(fd, mask);
    }

    void act(curl_socket_t fd, int mask)
    {
        int running = 0;
        curl_multi_socket_action(multi_, fd, mask, &running);
        std::vector<Finished> finished;
        int left = 0;
        while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
            if (message->msg != CURLMSG_DONE)
                continue;
            // The message does not outlive the removal of its handle.
            CURL* easy = message->easy_handle;
            CURLcode code = message->data.result;
            auto it = transfers_.find(easy);
            if (it == transfers_.end())
                continue;
            finished.push_back({std::move(it->second->done), it->second->result(code)});
            curl_multi_remove_handle(multi_, easy);
            transfers_.erase(it);
        }
        // What is called now may destroy this object.
        auto idle = transfers_.empty() && !finished.empty() ? idle_ : nullptr;
        for (auto& one : finished)
            one.done(std::move(one.result));
        if (idle)
            idle();
    }

    EventLoop& loop_;
    Proxy proxy_;
    std::function<void()> idle_;
    CURLM* multi_;
    EventLoop::Timer timer_;
    std::unordered_map<curl_socket_t, event*> watches_;
    std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers_;
};

} // namespace

struct HttpClient::Impl {
    explicit Impl(EventLoop& l)
        : loop(l)
    {
    }

    EventLoop& loop;
    bool stopping = false;
    std::unique_ptr<Channel> current;
    std::unique_ptr<Channel> direct; // to this machine; made with the first such request
    std::vector<std::unique_ptr<Channel>> old;
    // Outlives this object in callbacks that come late.
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);

    void drop_old()
    {
        std::erase_if(old, [](const auto& channel) { return channel->count() == 0; });
    }

    void abort_if(const std::function<bool(const OutRequest&)>& chosen, const std::string& words)
    {
        std::vector<Finished> finished;
        auto abort = [&](Channel& channel) {
            for (auto& one : channel.abort_if(chosen, words))
                finished.push_back(std::move(one));
        };
        if (current)
            abort(*current);
        if (direct)
            abort(*direct);
        for (auto& channel : old)
            abort(*channel);
        drop_old();
        for (auto& one : finished)
            one.done(std::move(one.result));
    }

    void replace(std::unique_ptr<Channel> next)
    {
        if (current && current->count() > 0)
            old.push_back(std::move(current));
        current = std::move(next);
    }
};

void load_http_client()
{
    init_curl_once();
}

HttpClient::HttpClient(EventLoop& loop)
{
    init_curl_once();
    impl_ = std::make_unique<Impl>(loop);
}

HttpClient::~HttpClient()
{
    stop();
    *impl_->alive = false;
}

Result<void> HttpClient::set_proxy(const std::string& socks_address)
{
    if (socks_address.empty()) {
        impl_->replace(nullptr);
        return {};
    }
    Proxy proxy = TRY(parse_proxy(socks_address));
    if (impl_->current && impl_->current->proxy_url() == proxy.url)
        return {};
    impl_->replace(
        std::make_unique<Channel>(impl_->loop, std::move(proxy), [raw = impl_.get(), alive = impl_->alive] {
            if (*alive)
                raw->drop_old();
        }));
    return {};
}

Task<Result<InResponse>> HttpClient::fetch(OutRequest request)
{
    if (impl_->stopping)
        co_return fail(ErrorKind::Unavailable, kStopping);
    if (auto url = checked_url(request.url, request.direct_loopback); !url.ok())
        co_return std::move(url).error();
    if (request.direct_loopback && !impl_->direct)
        impl_->direct = std::make_unique<Channel>(impl_->loop, Proxy(), [] {});
    Channel* channel = request.direct_loopback ? impl_->direct.get() : impl_->current.get();
    if (!channel)
        co_return fail(ErrorKind::Unavailable, kNoTor);
    co_return co_await suspend<Result<InResponse>>(
        [channel, &request](auto done) { channel->add(std::move(request), std::move(done)); });
}

void HttpClient::interrupt(const tor::Isolation& isolation)
{
    impl_->abort_if([&](const OutRequest& request) { return request.isolation.user == isolation.user; },
                    "interrupted: the peer showed up by itself");
}

void HttpClient::stop()
{
    impl_->stopping = true;
    impl_->abort_if([](const OutRequest&) { return true; }, kStopping);
}

size_t HttpClient::in_flight() const
{
    size_t count = impl_->current ? impl_->current->count() : 0;
    count += impl_->direct ? impl_->direct->count() : 0;
    for (const auto& channel : impl_->old)
        count += channel->count();
    return count;
}

Error too_late()
{
    return fail(ErrorKind::Unavailable, kNotAnsweredInTime);
}

bool is_too_late(const Error& error)
{
    return error.kind == ErrorKind::Unavailable &&
           (error.detail == kNotReachedInTime || error.detail == kNotAnsweredInTime);
}

} // namespace bivouac::relay
