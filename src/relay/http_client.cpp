// SPDX-License-Identifier: BSD-3-Clause
// libcurl's multi-socket interface on the loop: curl says which sockets and which timer it wants, the loop
// calls it back. make_handle() is the only place that makes a request handle.
#include <bivouac/relay/http_client.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <bivouac/tor/onion_address.h>
#include <bivouac/tor/socks_reply.h>

namespace bivouac::relay {

namespace {

constexpr size_t kHeaderBytes = 32u << 10;
constexpr size_t kHeaderFields = 100;
constexpr int64_t kConnectMs = 90'000;
constexpr long kStallSeconds = 60;
constexpr long kIdleConnections = 64;
constexpr long kConnectionLifeSeconds = 540;  // below the ten minutes after which Tor takes a new circuit
constexpr uint64_t kErrorBodyBytes = 64u << 10;  // of an answer that is not the file we asked for

struct CurlDone {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Handle = std::unique_ptr<CURL, CurlDone>;
using Url = std::unique_ptr<CURLU, CurlDone>;

struct Proxy {
    std::string url;         // socks5h://...
    std::string unix_path;   // one of these two is what may be opened
    uint16_t port = 0;
};

Result<Proxy> parse_proxy(const std::string& address)
{
    Proxy proxy;
    if (address.starts_with("unix:/")) {
        proxy.unix_path = address.substr(5);
        proxy.url = "socks5h://localhost" + proxy.unix_path;
        return proxy;
    }
    constexpr std::string_view kLoopback = "127.0.0.1:";
    int port = 0;
    if (address.starts_with(kLoopback)) {
        for (char c : address.substr(kLoopback.size())) {
            port = c >= '0' && c <= '9' && port <= 65535 ? port * 10 + (c - '0') : 65536;
        }
    }
    if (port < 1 || port > 65535)
        return fail(ErrorKind::Invalid, "tor's SOCKS address must be 127.0.0.1:PORT or unix:/path");
    proxy.port = static_cast<uint16_t>(port);
    proxy.url = "socks5h://" + address;
    return proxy;
}

// The second lock: whatever a handle was told, a socket goes to Tor's SOCKS port or nowhere.
curl_socket_t open_socks_only(void* argument, curlsocktype, curl_sockaddr* address)
{
    const auto* proxy = static_cast<const Proxy*>(argument);
    bool right = false;
    if (address->family == AF_INET && proxy->port != 0) {
        sockaddr_in to{};
        std::memcpy(&to, &address->addr, std::min<size_t>(sizeof to, address->addrlen));
        right = to.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && to.sin_port == htons(proxy->port);
    } else if (address->family == AF_UNIX && !proxy->unix_path.empty()) {
        right = true;
    }
    return right ? ::socket(address->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : CURL_SOCKET_BAD;
}

// Parsed by curl itself, and handed to it as parsed: checker and fetcher cannot disagree.
Result<Url> check_url(const std::string& text)
{
    Error refused = fail(ErrorKind::Invalid, "not an address that we fetch from: it must be http and a v3 onion");
    Url url(curl_url());
    if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS | CURLU_DISALLOW_USER) != CURLUE_OK)
        return refused;
    auto part = [&](CURLUPart which) {
        char* value = nullptr;
        std::string out;
        if (curl_url_get(url.get(), which, &value, 0) == CURLUE_OK)
            out = value;
        curl_free(value);
        return out;
    };
    if (part(CURLUPART_SCHEME) != "http" || !tor::is_valid_onion_host(part(CURLUPART_HOST)))
        return refused;
    return url;
}

// CURLPX_* back to the number that the SOCKS server sent.
unsigned socks_reply_of(long code)
{
    switch (code) {
    case CURLPX_REPLY_GENERAL_SERVER_FAILURE: return 1;
    case CURLPX_REPLY_NOT_ALLOWED: return 2;
    case CURLPX_REPLY_NETWORK_UNREACHABLE: return 3;
    case CURLPX_REPLY_HOST_UNREACHABLE: return 4;
    case CURLPX_REPLY_CONNECTION_REFUSED: return 5;
    case CURLPX_REPLY_TTL_EXPIRED: return 6;
    case CURLPX_REPLY_COMMAND_NOT_SUPPORTED: return 7;
    case CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED: return 8;
    default: return 0x100;  // Tor's extended codes arrive as "unassigned"
    }
}

std::string_view trim(std::string_view text)
{
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n'))
        text.remove_suffix(1);
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    return text;
}

}  // namespace

struct HttpClient::Impl {
    struct Transfer {
        Impl& client;
        OutRequest request;
        std::shared_ptr<const Proxy> proxy;
        // The handle goes first: it points into the other two.
        Url url;
        std::unique_ptr<curl_slist, CurlDone> header_list;
        Handle handle;
        InResponse response;
        size_t header_bytes = 0;
        uint64_t body_bytes = 0;
        std::optional<Error> problem;  // why we ended it ourselves
        std::function<void(Result<InResponse>)> done;
    };

    EventLoop& loop;
    CURLM* multi = nullptr;
    std::shared_ptr<const Proxy> proxy;
    EventLoop::Timer timer;
    std::unordered_map<curl_socket_t, event*> sockets;
    std::map<CURL*, std::unique_ptr<Transfer>> transfers;
    bool stopped = false;

    explicit Impl(EventLoop& l) : loop(l)
    {
        static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
        (void)ready;
        make_multi();
    }

    ~Impl()
    {
        for (auto& [handle, transfer] : transfers)
            curl_multi_remove_handle(multi, handle);
        transfers.clear();
        drop_multi();
    }

    void make_multi()
    {
        multi = curl_multi_init();
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kIdleConnections);
    }

    void drop_multi()
    {
        timer.cancel();
        curl_multi_cleanup(multi);
        for (auto& [fd, ev] : sockets)
            event_free(ev);
        sockets.clear();
    }

    // --- curl asks for sockets and a timer ---

    static int on_socket(CURL*, curl_socket_t fd, int what, void* argument, void*)
    {
        auto* self = static_cast<Impl*>(argument);
        auto it = self->sockets.find(fd);
        if (it != self->sockets.end()) {
            event_free(it->second);
            self->sockets.erase(it);
        }
        if (what == CURL_POLL_REMOVE)
            return 0;
        short flags = static_cast<short>(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
                                         (what & CURL_POLL_OUT ? EV_WRITE : 0));
        event* ev = event_new(self->loop.base(), fd, flags, on_ready, self);
        event_add(ev, nullptr);
        self->sockets[fd] = ev;
        return 0;
    }

    static void on_ready(evutil_socket_t fd, short what, void* argument)
    {
        auto* self = static_cast<Impl*>(argument);
        int flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
        int running = 0;
        curl_multi_socket_action(self->multi, fd, flags, &running);
        self->complete_soon();
    }

    static int on_timer(CURLM*, long timeout_ms, void* argument)
    {
        auto* self = static_cast<Impl*>(argument);
        if (timeout_ms < 0) {
            self->timer.cancel();
            return 0;
        }
        self->timer = self->loop.after(timeout_ms, [self] {
            int running = 0;
            curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
            self->complete_soon();
        });
        return 0;
    }

    // What ended is handed out from the loop and never from inside curl: who is resumed may start new requests.
    void complete_soon()
    {
        CURLMsg* message = nullptr;
        int left = 0;
        std::vector<std::pair<CURL*, CURLcode>> ended;
        while ((message = curl_multi_info_read(multi, &left)))
            if (message->msg == CURLMSG_DONE)
                ended.emplace_back(message->easy_handle, message->data.result);
        for (auto [handle, code] : ended) {
            auto it = transfers.find(handle);
            if (it == transfers.end())
                continue;
            std::shared_ptr<Transfer> transfer = std::move(it->second);
            transfers.erase(it);
            Result<InResponse> result = outcome(*transfer, code);
            curl_multi_remove_handle(multi, handle);
            finish(std::move(transfer), std::move(result));
        }
    }

    void finish(std::shared_ptr<Transfer> transfer, Result<InResponse> result)
    {
        auto kept = std::make_shared<Result<InResponse>>(std::move(result));
        loop.post([transfer, kept] {
            auto done = std::move(transfer->done);
            done(std::move(*kept));
        });
    }

    Result<InResponse> outcome(Transfer& transfer, CURLcode code)
    {
        if (transfer.problem)
            return std::move(*transfer.problem);
        if (code == CURLE_OK) {
            long status = 0;
            curl_easy_getinfo(transfer.handle.get(), CURLINFO_RESPONSE_CODE, &status);
            transfer.response.status = static_cast<int>(status);
            if (transfer.response.spool)
                TRY(transfer.response.spool->finish());
            return std::move(transfer.response);
        }
        return fail(ErrorKind::Unavailable, words_for(transfer, code));
    }

    static std::string words_for(Transfer& transfer, CURLcode code)
    {
        switch (code) {
        case CURLE_PROXY: {
            long reply = 0;
            curl_easy_getinfo(transfer.handle.get(), CURLINFO_PROXY_ERROR, &reply);
            return std::string(tor::meaning_of_socks_reply(socks_reply_of(reply)).words);
        }
        case CURLE_COULDNT_CONNECT:
        case CURLE_COULDNT_RESOLVE_PROXY: return "tor's SOCKS port does not answer";
        case CURLE_OPERATION_TIMEDOUT: return "no answer in time";
        case CURLE_GOT_NOTHING: return "the other side closed the connection without an answer";
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR: return "the answer was cut off";
        case CURLE_SEND_ERROR: return "the connection broke while sending";
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL: return "the answer is not HTTP";
        default: return std::string("the request failed: ") + curl_easy_strerror(code);
        }
    }

    // --- one request ---

    static size_t on_header(char* bytes, size_t, size_t count, void* argument)
    {
        auto& transfer = *static_cast<Transfer*>(argument);
        std::string_view line(bytes, count);
        transfer.header_bytes += count;
        auto refuse = [&](const char* why) {
            transfer.problem = fail(ErrorKind::Unavailable, why);
            return size_t(0);
        };
        if (transfer.header_bytes > kHeaderBytes || transfer.response.headers.size() > kHeaderFields)
            return refuse("the answer's headers are too large");
        if (line.starts_with("HTTP/")) {
            // A new block: what came before was an interim answer.
            transfer.response.headers.clear();
            return count;
        }
        if (trim(line).empty())
            return count;
        if (line.front() == ' ' || line.front() == '\t')
            return refuse("the answer's headers are malformed");
        size_t colon = line.find(':');
        if (colon == std::string_view::npos)
            return refuse("the answer's headers are malformed");
        transfer.response.headers.push_back(
            {std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
        return count;
    }

    static size_t on_body(char* bytes, size_t, size_t count, void* argument)
    {
        auto& transfer = *static_cast<Transfer*>(argument);
        InResponse& response = transfer.response;
        if (transfer.body_bytes == 0 && !transfer.request.spool_directory.empty()) {
            long status = 0;
            curl_easy_getinfo(transfer.handle.get(), CURLINFO_RESPONSE_CODE, &status);
            if (status == 200)
                response.spool = std::make_unique<Spool>(transfer.request.spool_directory, 64u << 10);
        }
        transfer.body_bytes += count;
        const bool error_body = !transfer.request.spool_directory.empty() && !response.spool;
        if (transfer.body_bytes > (error_body ? kErrorBodyBytes : transfer.request.limit_bytes)) {
            transfer.problem = fail(ErrorKind::TooLarge, "the answer is larger than it may be");
            return 0;
        }
        if (!response.spool) {
            response.body.append(bytes, count);
            return count;
        }
        auto kept = response.spool->append({bytes, count});
        if (!kept.ok()) {
            transfer.problem = kept.error();
            return 0;
        }
        return count;
    }

    Result<void> make_handle(Transfer& transfer)
    {
        if (!proxy || proxy->url.empty())
            return fail(ErrorKind::Unavailable, "tor is not ready");
        transfer.proxy = proxy;
        transfer.url = TRY(check_url(transfer.request.url));
        transfer.handle.reset(curl_easy_init());
        CURL* handle = transfer.handle.get();
        const OutRequest& request = transfer.request;
        if (!handle || request.isolation.user.empty())
            return fail(ErrorKind::Internal, "a request cannot be made");
        auto set = [handle](CURLoption option, auto value) { curl_easy_setopt(handle, option, value); };
        // Where it goes: through the proxy, whatever the environment says, and by no other way.
        if (curl_easy_setopt(handle, CURLOPT_PROXY, proxy->url.c_str()) != CURLE_OK ||
            curl_easy_setopt(handle, CURLOPT_NOPROXY, "") != CURLE_OK ||
            curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socks_only) != CURLE_OK)
            return fail(ErrorKind::Internal, "a request cannot be made");
        set(CURLOPT_OPENSOCKETDATA, transfer.proxy.get());
        set(CURLOPT_PROXYUSERNAME, request.isolation.user.c_str());
        set(CURLOPT_PROXYPASSWORD, request.isolation.password.c_str());
        set(CURLOPT_CURLU, transfer.url.get());
        set(CURLOPT_PROTOCOLS_STR, "http");
        set(CURLOPT_PATH_AS_IS, 1L);
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
        set(CURLOPT_MAXLIFETIME_CONN, kConnectionLifeSeconds);
        // How long it may take.
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(request.timeout_ms, kConnectMs)));
        set(CURLOPT_LOW_SPEED_LIMIT, 1L);
        set(CURLOPT_LOW_SPEED_TIME, kStallSeconds);
        set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request.limit_bytes));
        // What is said: the same from every bivouac.
        set(CURLOPT_USERAGENT, "Tent");
        bool has_accept = false;
        auto add = [&](const std::string& line) {
            transfer.header_list.reset(curl_slist_append(transfer.header_list.release(), line.c_str()));
        };
        for (const auto& header : request.headers) {
            has_accept = has_accept || net::find_header({header}, "Accept").has_value();
            add(header.name + ": " + header.value);
        }
        if (!has_accept)
            add("Accept:");
        add("Expect:");
        if (request.method == "HEAD") {
            set(CURLOPT_NOBODY, 1L);
        } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
            set(CURLOPT_POST, 1L);
            set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
            set(CURLOPT_POSTFIELDS, request.body.data());
            if (!net::find_header(request.headers, "Content-Type"))
                add("Content-Type:");
        }
        if (request.method != "HEAD")
            set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
        set(CURLOPT_HTTPHEADER, transfer.header_list.get());
        set(CURLOPT_HEADERFUNCTION, on_header);
        set(CURLOPT_HEADERDATA, &transfer);
        set(CURLOPT_WRITEFUNCTION, on_body);
        set(CURLOPT_WRITEDATA, &transfer);
        return {};
    }

    void start(OutRequest request, std::function<void(Result<InResponse>)> done)
    {
        if (stopped)
            return done(fail(ErrorKind::Unavailable, "the node is stopping"));
        auto transfer = std::make_unique<Transfer>(
            Transfer{*this, std::move(request), {}, {}, {}, {}, {}, 0, 0, {}, std::move(done)});
        if (auto made = make_handle(*transfer); !made.ok())
            return std::exchange(transfer->done, nullptr)(std::move(made).error());
        CURL* handle = transfer->handle.get();
        transfers[handle] = std::move(transfer);
        curl_multi_add_handle(multi, handle);
    }
};

HttpClient::HttpClient(EventLoop& loop)
    : impl_(std::make_unique<Impl>(loop))
{
}

HttpClient::~HttpClient() = default;

Result<void> HttpClient::set_proxy(const std::string& socks_address)
{
    auto proxy = std::make_shared<Proxy>();
    if (!socks_address.empty()) {
        auto parsed = parse_proxy(socks_address);
        if (!parsed.ok()) {
            impl_->proxy = nullptr;
            return std::move(parsed).error();
        }
        *proxy = std::move(*parsed);
    }
    if (impl_->proxy && impl_->proxy->url == proxy->url)
        return {};
    impl_->proxy = std::move(proxy);
    // Idle connections lead through the old tor. curl takes none of them for another proxy; with nothing in
    // flight they are closed as well.
    if (impl_->transfers.empty()) {
        impl_->drop_multi();
        impl_->make_multi();
    }
    return {};
}

Task<Result<InResponse>> HttpClient::fetch(OutRequest request)
{
    co_return co_await suspend<Result<InResponse>>([this, &request](auto done) {
        impl_->start(std::move(request), std::move(done));
    });
}

void HttpClient::stop()
{
    impl_->stopped = true;
    auto transfers = std::move(impl_->transfers);
    impl_->transfers.clear();
    for (auto& [handle, transfer] : transfers) {
        curl_multi_remove_handle(impl_->multi, handle);
        impl_->finish(std::move(transfer), fail(ErrorKind::Unavailable, "the node is stopping"));
    }
}

size_t HttpClient::in_flight() const
{
    return impl_->transfers.size();
}

}  // namespace bivouac::relay
