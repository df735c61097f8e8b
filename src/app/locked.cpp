// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/locked.h>

#include <bivouac/api/error_response.h>
#include <bivouac/app/config.h>
#include <bivouac/app/guardian.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/event_loop.h>
#include <bivouac/base/log.h>
#include <bivouac/model/json.h>
#include <bivouac/net/front.h>

#include <csignal>
#include <future>
#include <mutex>
#include <thread>

#include <unistd.h>

namespace bivouac::app {

namespace {

net::HttpResponse json_response(const Json& json)
{
    net::HttpResponse response;
    response.body = json.dump();
    response.with("Content-Type", "application/json");
    return response;
}

Result<Secret> passphrase_in(const net::HttpRequest& request)
{
    constexpr size_t kLongest = 32u << 10;
    std::string text = TRY(request.body->text(kLongest));
    auto json = parse_json(text);
    wipe(text);
    auto encoded = json.ok() && json->is_object() ? json->find("passphrase") : Json::iterator();
    if (!json.ok() || !json->is_object() || encoded == json->end() || !encoded->is_string())
        return fail(ErrorKind::Invalid, "a passphrase is needed");
    auto passphrase = from_base64(encoded->get_ref<std::string&>());
    wipe(encoded->get_ref<std::string&>());
    if (!passphrase || passphrase->empty())
        return fail(ErrorKind::Invalid, "a passphrase is needed");
    Secret out{std::string_view(*passphrase)};
    wipe(*passphrase);
    return out;
}

// What the front's workers and the waiting thread share.
struct Waiting {
    explicit Waiting(std::string where)
        : directory(std::move(where))
    {
    }

    const std::string directory;
    std::mutex one_at_a_time;
    std::unique_ptr<store::Store> store;  // once unlocked

    net::HttpResponse handle(const net::HttpRequest& request)
    {
        const std::string route = request.method + " " + request.target;
        if (route == "GET /status")
            return json_response({{"locked", true}});
        if (route == "POST /stop") {
            kill(getpid(), SIGTERM);
            return json_response({{"stopping", true}});
        }
        if (route != "POST /unlock")
            return api::error_response(503, "the node is locked; unlock it with: bivouac unlock");
        auto passphrase = passphrase_in(request);
        if (!passphrase.ok())
            return api::error_response(api::status_of(passphrase.error().kind), passphrase.error().detail);
        std::lock_guard lock(one_at_a_time);
        if (!store) {
            auto opened = open_store(directory, *passphrase);
            if (!opened.ok() && opened.error().kind == ErrorKind::Forbidden)
                kill(getpid(), SIGUSR2);
            if (!opened.ok())
                return api::error_response(api::status_of(opened.error().kind), opened.error().detail);
            store = std::move(*opened);
            kill(getpid(), SIGUSR2);
        }
        return json_response({{"locked", false}});
    }
};

}  // namespace

Result<Waited> wait_for_passphrase(const std::string& directory)
{
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2})
        sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    FileLock lock = TRY(lock_data_directory(directory));
    EventLoop loop;
    auto waiting = std::make_shared<Waiting>(directory);
    net::FrontLimits limits;
    limits.workers = 2;
    net::Front front(
        loop, limits, directory, [](int, const net::RequestHead&) { return net::BodyPolicy{.limit_bytes = 64u << 10}; },
        [waiting](net::HttpRequest request, net::Responder respond) { respond(waiting->handle(request)); });
    auto socket = front.listen({"unix:" + DataPaths::in(directory).socket, true, 0600});
    if (!socket.ok())
        return std::move(socket).error().in("the control socket");
    log::info("locked; unlock with: bivouac unlock");
    std::thread loop_thread([&loop] { loop.run(); });
    int signal = SIGUSR1;
    while (signal == SIGUSR1)  // locked already
        sigwait(&signals, &signal);
    // The answer to whoever unlocked it goes out first.
    constexpr int64_t kGraceMs = 1500;
    std::promise<void> stopped;
    auto done = stopped.get_future();
    loop.post([&] { front.stop(kGraceMs, [&stopped] { stopped.set_value(); }); });
    done.wait();
    loop.stop();
    loop_thread.join();
    if (signal != SIGUSR2)
        return Waited{};
    std::lock_guard all_answered(waiting->one_at_a_time);
    if (!waiting->store)
        return Waited{std::nullopt, kExitLocked};
    log::info("unlocked");
    return Waited{OpenedData{std::move(lock), std::move(waiting->store)}, 0};
}

}  // namespace bivouac::app
