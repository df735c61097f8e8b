// SPDX-License-Identifier: BSD-3-Clause
// A front on 127.0.0.1 that answers every request with what it understood. For tests/e2e/front_attacks.py;
// the deadlines come from the environment so that the script need not wait for the real ones.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <bivouac/base/bytes.h>
#include <bivouac/base/event_loop.h>
#include <bivouac/net/front.h>

#include <sodium.h>

using namespace bivouac;
using namespace bivouac::net;

namespace
{

void override_from(const char* name, int64_t& value)
{
    if (const char* text = std::getenv(name))
        value = std::atoll(text);
}

HttpResponse describe(const HttpRequest& request)
{
    Sha256 digest;
    Spool::Reader reader(*request.body);
    for (;;) {
        auto piece = reader.next();
        if (!piece || piece->empty())
            break;
        digest.update(*piece);
    }
    HttpResponse response;
    response.body = "{\"method\":\"" + request.method + "\",\"target\":\"" + to_hex(request.target) +
                    "\",\"size\":" + std::to_string(request.body->size()) + ",\"sha256\":\"" +
                    to_hex(digest.finish()) + "\",\"headers\":" + std::to_string(request.headers.size()) +
                    "}\n";
    response.with("Content-Type", "application/json");
    // Comes back as the client sent it, so that a decoded line end would show.
    if (auto echo = request.header("X-Echo"))
        response.with("X-Echo", std::string(*echo));
    return response;
}

} // namespace

int main()
{
    if (sodium_init() < 0)
        return 1;
    FrontLimits limits;
    override_from("FRONT_HEAD_MS", limits.head_ms);
    override_from("FRONT_IDLE_MS", limits.idle_ms);
    override_from("FRONT_BODY_MS", limits.body_ms);
    override_from("FRONT_BODY_MS_PER_MIB", limits.body_ms_per_mib);
    override_from("FRONT_STALL_MS", limits.write_stall_ms);
    EventLoop loop;
    Front front(
        loop, limits, "/tmp", [](int, const RequestHead&) { return BodyPolicy{}; },
        [](HttpRequest request, Responder respond) { respond(describe(request)); });
    auto listening = front.listen({.address = "127.0.0.1:0"});
    if (!listening) {
        std::fprintf(stderr, "%s\n", listening.error().detail.c_str());
        return 1;
    }
    std::printf("%s\n", listening->address.c_str());
    std::fflush(stdout);
    loop.run();
}
