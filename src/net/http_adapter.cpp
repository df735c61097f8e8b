// SPDX-License-Identifier: BSD-3-Clause
// The only file that includes httplib. What the packaged library does wrong with input from outside is kept
// away from it: it reads a head of our own making with a constant path and no body, so that its routing never
// runs an expression over foreign bytes, and its percent-decoding, range, compression and multipart code find
// nothing to work on. Its process_request() is protected and changed its signature; run() takes either form.
#include "http_adapter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>

#include <httplib.h>

#include <bivouac/base/log.h>
#include <bivouac/net/response_text.h>

namespace bivouac::net
{

namespace
{

constexpr std::string_view kErrorType = "application/vnd.tent.error.v0+json";
constexpr std::array<std::string_view, 7> kMethods = {"GET",    "HEAD",    "POST", "PUT",
                                                      "DELETE", "OPTIONS", "PATCH"};

// Framing is done by the front, and a range or a coding would make the library rewrite our answer.
constexpr std::array<std::string_view, 10> kHiddenFromLibrary = {
    "transfer-encoding", "content-encoding", "content-length", "expect",         "connection", "te",
    "trailer",           "upgrade",          "range",          "accept-encoding"};

// The front's own business, or telling more about this machine than an onion service should.
constexpr std::array<std::string_view, 8> kNeverSent = {
    "content-length", "transfer-encoding", "connection",    "keep-alive", "server",
    "date",           "last-modified",     "exception_what"};

bool equal_nocase(std::string_view a, std::string_view b)
{
    return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

template <size_t N> bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name)
{
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view known) { return equal_nocase(known, name); });
}

// A handler's header with a line end in it would be a second header, or a second answer.
bool can_be_sent(const Header& header)
{
    auto name_char = [](char c) { return c > ' ' && c < 0x7f && c != ':'; };
    auto value_char = [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f); };
    return !header.name.empty() && std::all_of(header.name.begin(), header.name.end(), name_char) &&
           std::all_of(header.value.begin(), header.value.end(), value_char);
}

bool is_number(std::string_view text)
{
    return !text.empty() && text.size() <= 19 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

class MemStream : public httplib::Stream
{
public:
    explicit MemStream(std::string_view input)
        : input_(input)
    {
    }

    // Without `override`: which of these are virtual, and which are there at all, depends on the version.
    bool is_readable() const { return true; }
    bool wait_readable() const { return true; }
    bool is_writable() const { return true; }
    bool wait_writable() const { return true; }
    ssize_t read(char* to, size_t size)
    {
        size_t take = std::min(size, input_.size());
        std::memcpy(to, input_.data(), take);
        input_.remove_prefix(take);
        return static_cast<ssize_t>(take);
    }
    ssize_t write(const char* from, size_t size)
    {
        output_.append(from, size);
        return static_cast<ssize_t>(size);
    }
    void get_remote_ip_and_port(std::string&, int&) const {}
    void get_local_ip_and_port(std::string&, int&) const {}
    int socket() const { return -1; }
    time_t duration() const { return 0; }

    std::string take_output() { return std::move(output_); }

private:
    std::string_view input_;
    std::string output_;
};

// One run through the library. The library's handlers get no argument of ours, so it goes by thread.
struct Run {
    Persistence persistence;
    const HttpAdapter::Answer& answer;
    bool answered = false; // the handler was reached
    std::optional<HttpResponse> response;
};

thread_local Run* current_run = nullptr;

// Nested: a handler may answer another request, whose answer is serialised on the same thread.
class RunScope
{
public:
    explicit RunScope(Run& run)
        : before_(current_run)
    {
        current_run = &run;
    }
    ~RunScope() { current_run = before_; }
    RunScope(const RunScope&) = delete;
    RunScope& operator=(const RunScope&) = delete;

private:
    Run* before_;
};

bool has_body(int status)
{
    return status != 204 && status != 304;
}

std::optional<std::string> content_length(std::string_view method, const HttpResponse& response)
{
    if (response.status == 204)
        return std::nullopt;
    uint64_t size = response.large ? response.large->size : response.body.size();
    if (method == "HEAD" || response.status == 304) {
        auto given = response.header("Content-Length");
        if (given && is_number(*given))
            return std::string(*given);
        // Rather none than one that GET would not give.
        if (size == 0)
            return std::nullopt;
    }
    return std::to_string(size);
}

void write_headers(std::string_view method, const HttpResponse& response, Persistence persistence,
                   httplib::Headers& out)
{
    out.clear();
    for (const Header& header : response.headers) {
        if (is_one_of(kNeverSent, header.name))
            continue;
        if (can_be_sent(header))
            out.emplace(header.name, header.value);
        else
            log::warning("a handler's header held a control character and was left out");
    }
    if (auto length = content_length(method, response))
        out.emplace("Content-Length", *length);
    if (persistence == Persistence::Close)
        out.emplace("Connection", "close");
}

std::string canonical_head(std::string_view method)
{
    std::string head(method);
    head += " / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    return head;
}

void inject_headers(const std::vector<Header>& from, httplib::Headers& to)
{
    to.clear();
    for (const Header& header : from) {
        if (is_one_of(kHiddenFromLibrary, header.name))
            continue;
        // The library would look for the parts of a body that it was not given.
        if (equal_nocase(header.name, "content-type"))
            continue;
        to.emplace(header.name, header.value);
    }
    to.emplace("Content-Length", "0");
}

} // namespace

class HttpAdapter::App : public httplib::Server
{
public:
    App()
    {
        auto handler = [](const httplib::Request&, httplib::Response& res) { handle(res); };
        Get("/", handler); // HEAD comes here too
        Post("/", handler);
        Put("/", handler);
        Delete("/", handler);
        Options("/", handler);
        Patch("/", handler);
        // The last word before the head is written: whatever the library added is replaced by our headers.
        set_post_routing_handler([](const httplib::Request& req, httplib::Response& res) {
            if (current_run->response)
                write_headers(req.method, *current_run->response, current_run->persistence, res.headers);
        });
        set_exception_handler(
            [](const httplib::Request&, httplib::Response& res, std::exception_ptr) { res.status = 500; });
    }

    std::string process(Run& run, std::string_view method, const std::string* target,
                        const std::vector<Header>* headers)
    {
        std::string head = canonical_head(method);
        MemStream stream(head);
        RunScope scope(run);
        auto setup = [&](httplib::Request& req) {
            req.path = "/";
            if (target)
                req.target = *target;
            if (headers)
                inject_headers(*headers, req.headers);
        };
        call(*this, stream, setup);
        return stream.take_output();
    }

private:
    static void handle(httplib::Response& res)
    {
        Run& run = *current_run;
        run.answered = true;
        try {
            run.response = run.answer();
        } catch (const std::exception& e) {
            log::error(std::string("a request handler threw: ") + log::name(e.what()));
            run.response = error_response(500, "internal error");
        } catch (...) {
            log::error("a request handler threw");
            run.response = error_response(500, "internal error");
        }
        // A status that is none, or an interim one, would leave the connection out of step.
        if (run.response && (run.response->status < 200 || run.response->status > 599))
            run.response = error_response(500, "internal error");
        res.status = run.response ? run.response->status : 500;
    }

    // A template, so that the form the library does not have is not compiled.
    template <typename Self, typename Setup>
    static void call(Self& self, MemStream& stream, const Setup& setup)
    {
        bool closed = false;
        std::function<void(httplib::Request&)> setup_request = setup;
        if constexpr (requires { self.process_request(stream, true, closed, setup_request); })
            self.process_request(stream, true, closed, setup_request);
        else
            self.process_request(stream, std::string(), 0, std::string(), 0, true, closed, setup_request);
    }
};

HttpAdapter::HttpAdapter()
    : app_(std::make_unique<App>())
{
}

HttpAdapter::~HttpAdapter() = default;

bool HttpAdapter::knows_method(std::string_view method)
{
    return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

namespace
{

WireAnswer finish(std::string_view method, std::string head, HttpResponse response)
{
    WireAnswer wire;
    wire.status = response.status;
    wire.bytes = std::move(head);
    if (method == "HEAD" || !has_body(response.status))
        return wire;
    if (response.large)
        wire.large = std::move(response.large);
    else
        wire.bytes += response.body;
    return wire;
}

} // namespace

std::optional<WireAnswer> HttpAdapter::process(const HttpRequest& request, Persistence persistence,
                                               const Answer& answer)
{
    std::string method = request.method;
    Run run{.persistence = persistence, .answer = answer, .response = std::nullopt};
    std::string head = app_->process(run, method, &request.target, &request.headers);
    if (!run.answered) {
        log::error("the HTTP library did not pass a request on");
        return serialise(method, persistence, error_response(500, "internal error"));
    }
    if (!run.response)
        return std::nullopt;
    return finish(method, std::move(head), std::move(*run.response));
}

WireAnswer HttpAdapter::serialise(std::string_view method, Persistence persistence, HttpResponse response)
{
    if (!knows_method(method))
        method = "GET";
    Answer answer = [&]() -> std::optional<HttpResponse> { return std::move(response); };
    Run run{.persistence = persistence, .answer = answer, .response = std::nullopt};
    std::string head = app_->process(run, method, nullptr, nullptr);
    return finish(method, std::move(head), std::move(run.response).value_or(HttpResponse{}));
}

std::string response_text(std::string_view method, HttpResponse response)
{
    static HttpAdapter adapter;
    return adapter.serialise(method, Persistence::KeepAlive, std::move(response)).bytes;
}

HttpResponse error_response(int status, std::string_view text)
{
    HttpResponse response;
    response.status = status;
    response.body = "{\"error\":\"";
    for (char c : text) {
        if (c == '"' || c == '\\')
            response.body += '\\';
        response.body += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    response.body += "\"}";
    response.with("Content-Type", std::string(kErrorType));
    return response;
}

} // namespace bivouac::net
