// SPDX-License-Identifier: BSD-3-Clause
// cpp-httplib as a request processor over memory. The front has parsed and limited the request; the library
// runs the handler behind its routing and writes the answer's head. It never sees a socket or a body.
// Every thread may call it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <bivouac/net/http_message.h>

namespace bivouac::net
{

enum class Persistence { KeepAlive, Close };

struct WireAnswer {
    std::string bytes; // head, and the body unless it is large
    std::optional<BodySource> large; // what follows the head
    int status = 0;
};

class HttpAdapter
{
public:
    // nullopt: the answer comes later, through serialise().
    using Answer = std::function<std::optional<HttpResponse>()>;

    HttpAdapter();
    ~HttpAdapter();
    HttpAdapter(const HttpAdapter&) = delete;
    HttpAdapter& operator=(const HttpAdapter&) = delete;

    static bool knows_method(std::string_view method);

    // Calls `answer` once, from inside the library's handler; what it throws becomes a 500. `request` is not
    // used any more when `answer` is called, so that it may move out of it.
    std::optional<WireAnswer> process(const HttpRequest& request, Persistence persistence,
                                      const Answer& answer);
    WireAnswer serialise(std::string_view method, Persistence persistence, HttpResponse response);

private:
    class App;
    std::unique_ptr<App> app_;
};

// {"error":"<text>"} with Tent's media type of errors.
HttpResponse error_response(int status, std::string_view text);

} // namespace bivouac::net
