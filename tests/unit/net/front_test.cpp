// SPDX-License-Identifier: BSD-3-Clause
// The front on real sockets: the loop on its own thread, the client blocking on the test's.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <bivouac/net/front.h>

using namespace bivouac;
using namespace bivouac::net;

namespace
{

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start)
{
    return std::chrono::duration<double>(Clock::now() - start).count();
}

struct TempDirectory {
    std::string path;
    TempDirectory()
    {
        char name[] = "/tmp/front-test-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    ~TempDirectory() { [[maybe_unused]] int ignored = std::system(("rm -rf " + path).c_str()); }
};

HttpResponse text_response(std::string text, int status = 200)
{
    HttpResponse out;
    out.status = status;
    out.body = std::move(text);
    return out;
}

HttpResponse echo(const HttpRequest& request)
{
    return text_response(request.method + " " + request.target + " " + request.host + " " +
                         std::to_string(request.body->size()));
}

Handler echo_handler()
{
    return [](HttpRequest request, Responder respond) { respond(echo(request)); };
}

struct Running {
    TempDirectory directory;
    EventLoop loop;
    std::unique_ptr<Front> front;
    std::thread thread;
    bool stopped = false;
    Front::Listening tcp;

    Running(Handler handler, FrontLimits limits, uint64_t body_limit, bool circuit_ids = false)
        : Running(std::move(handler), limits, BodyPolicy{.limit_bytes = body_limit, .drop_bytes = 0, .too_large = {}}, circuit_ids)
    {
    }
    explicit Running(Handler handler, FrontLimits limits = {}, BodyPolicy policy = {}, bool circuit_ids = false)
    {
        limits.workers = std::min<size_t>(limits.workers, 2);
        front = std::make_unique<Front>(
            loop, limits, directory.path,
            [policy](int, const RequestHead&) { return policy; },
            std::move(handler));
        auto listening = front->listen({.address = "127.0.0.1:0", .circuit_ids = circuit_ids});
        REQUIRE(listening.ok());
        tcp = *listening;
        thread = std::thread([this] { loop.run(); });
    }
    ~Running()
    {
        if (!stopped)
            stop(0);
        loop.stop();
        thread.join();
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    template <typename F> auto on_loop(F job)
    {
        std::packaged_task<decltype(job())()> task(job);
        auto result = task.get_future();
        loop.post([&] { task(); });
        return result.get();
    }
    void stop(int64_t grace_ms)
    {
        auto done = start_stop(grace_ms);
        REQUIRE(done.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    }
    std::future<void> start_stop(int64_t grace_ms)
    {
        stopped = true;
        auto done = std::make_shared<std::promise<void>>();
        loop.post([this, grace_ms, done] { front->stop(grace_ms, [done] { done->set_value(); }); });
        return done->get_future();
    }
    Front::Stats stats()
    {
        return on_loop([this] { return front->stats(); });
    }
    template <typename Condition> bool eventually(Condition condition)
    {
        for (auto start = Clock::now(); since(start) < 10;) {
            if (condition(stats()))
                return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return false;
    }
};

struct Answer {
    int status = 0;
    std::string head;
    std::string body;
};

class Client
{
public:
    explicit Client(const std::string& address, int receive_buffer = 0)
    {
        if (address.starts_with("unix:")) {
            fd_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
            sockaddr_un name{};
            name.sun_family = AF_UNIX;
            std::string path = address.substr(5);
            REQUIRE(path.size() < sizeof name.sun_path);
            std::memcpy(name.sun_path, path.c_str(), path.size());
            connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
        } else {
            fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
            if (receive_buffer)
                ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
            sockaddr_in name{};
            name.sin_family = AF_INET;
            name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            name.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
            connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
        }
        timeval limit{.tv_sec = 15, .tv_usec = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    ~Client() { hang_up(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    bool connected() const { return connected_; }
    void hang_up()
    {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }
    void half_close() { ::shutdown(fd_, SHUT_WR); }
    bool send(std::string_view bytes)
    {
        while (!bytes.empty()) {
            ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count <= 0)
                return false;
            bytes.remove_prefix(static_cast<size_t>(count));
        }
        return true;
    }
    // False at the end of the stream.
    bool receive(size_t limit = 65536)
    {
        std::string piece(limit, '\0');
        ssize_t count = ::recv(fd_, piece.data(), piece.size(), 0);
        if (count <= 0)
            return false;
        buffer_.append(piece, 0, static_cast<size_t>(count));
        return true;
    }
    std::string until(std::string_view end)
    {
        size_t found = 0;
        while ((found = buffer_.find(end)) == std::string::npos) {
            if (!receive())
                return {};
        }
        std::string out = buffer_.substr(0, found + end.size());
        buffer_.erase(0, out.size());
        return out;
    }
    // What there is, at most `limit`; nothing at the end of the stream.
    std::string take(uint64_t limit)
    {
        if (buffer_.empty())
            receive();
        std::string out = buffer_.substr(0, static_cast<size_t>(std::min<uint64_t>(limit, buffer_.size())));
        buffer_.erase(0, out.size());
        return out;
    }
    Answer answer()
    {
        Answer out;
        out.head = until("\r\n\r\n");
        if (out.head.size() < 12)
            return out;
        out.status = std::stoi(out.head.substr(9, 3));
        size_t at = out.head.find("Content-Length: ");
        size_t length = at == std::string::npos ? 0 : std::stoul(out.head.substr(at + 16));
        while (buffer_.size() < length) {
            if (!receive())
                break;
        }
        out.body = buffer_.substr(0, length);
        buffer_.erase(0, out.body.size());
        return out;
    }
    Answer ask(std::string_view bytes)
    {
        send(bytes);
        return answer();
    }
    bool closed() { return buffer_.empty() && !receive(); }

private:
    int fd_ = -1;
    bool connected_ = false;
    std::string buffer_;
};

std::string get(const std::string& target, const std::string& more = "")
{
    return "GET " + target + " HTTP/1.1\r\nHost: A.Onion\r\n" + more + "\r\n";
}

std::string post(const std::string& body)
{
    return "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
}

// Holds handlers back until it is opened.
class Gate
{
public:
    void open()
    {
        std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void wait()
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
};

} // namespace

TEST_CASE("one connection serves requests one after another")
{
    Running server(echo_handler());
    Client client(server.tcp.address);
    for (int i = 0; i < 50; ++i) {
        Answer answer = client.ask(get("/" + std::to_string(i)));
        CHECK(answer.status == 200);
        CHECK(answer.body == "GET /" + std::to_string(i) + " a.onion 0");
    }
    Answer last = client.ask(get("/last", "Connection: close\r\n"));
    CHECK(last.head.find("Connection: close\r\n") != std::string::npos);
    CHECK(client.closed());
    CHECK(server.stats().served == 51);
}

TEST_CASE("a request in pieces of one byte is the same request")
{
    Running server(echo_handler());
    Client client(server.tcp.address);
    for (char c : post("hello") + get("/next"))
        client.send({&c, 1});
    CHECK(client.answer().body == "POST /p a 5");
    CHECK(client.answer().body == "GET /next a.onion 0");
}

TEST_CASE("pipelined requests with and without bodies are answered in order")
{
    Running server(echo_handler());
    Client client(server.tcp.address);
    std::string all;
    for (int i = 0; i < 300; ++i)
        all += get("/" + std::to_string(i)) + post(std::string(static_cast<size_t>(i), 'x')) +
               "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    std::thread sender([&] { client.send(all); });
    for (int i = 0; i < 300; ++i) {
        CHECK(client.answer().body == "GET /" + std::to_string(i) + " a.onion 0");
        CHECK(client.answer().body == "POST /p a " + std::to_string(i));
        CHECK(client.answer().body == "POST /c a 3");
    }
    sender.join();
}

TEST_CASE("a client that closes its sending side still gets its answer")
{
    Running server(echo_handler());
    Client client(server.tcp.address);
    client.send(get("/half"));
    client.half_close();
    CHECK(client.answer().body == "GET /half a.onion 0");
    CHECK(client.closed());
}

TEST_CASE("a body arrives whole, from memory or from the encrypted file")
{
    Running server(
        [](HttpRequest request, Responder respond) {
            auto text = request.body->text(8u << 20);
            respond(text_response(text ? *text : "no"));
        },
        {}, 4u << 20);
    Client client(server.tcp.address);
    for (size_t size : {0u, 1u, 65'536u, 300'000u, 3'000'000u}) {
        std::string body(size, '\0');
        for (size_t i = 0; i < size; ++i)
            body[i] = static_cast<char>('a' + i % 23);
        std::thread sender([&] { client.send(post(body)); });
        Answer answer = client.answer();
        sender.join();
        CHECK(answer.status == 200);
        CHECK((answer.body == body));
    }
}

TEST_CASE("malformed requests get 400 and the connection ends")
{
    Running server(echo_handler());
    struct Case {
        std::string text;
        int status;
    };
    const Case cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: a\n\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n", 501},
        {"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415},
        {"GET /" + std::string(20'000, 'a'), 431},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text.substr(0, 100));
        Client client(server.tcp.address);
        Answer answer = client.ask(c.text + get("/smuggled"));
        CHECK(answer.status == c.status);
        CHECK(answer.head.find("Content-Type: application/vnd.tent.error.v0+json\r\n") != std::string::npos);
        CHECK(answer.head.find("Connection: close\r\n") != std::string::npos);
        CHECK(answer.body.starts_with("{\"error\":\""));
        CHECK(client.closed());
    }
    CHECK(server.stats().refused == std::size(cases));
    CHECK(server.stats().served == 0);
}

TEST_CASE("a body over the limit is 413 whichever way it comes")
{
    Running server(echo_handler(), {}, 1000);
    {
        Client client(server.tcp.address);
        CHECK(client.ask(post(std::string(1000, 'x'))).status == 200);
        CHECK(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n").status == 413);
        CHECK(client.closed());
    }
    Client client(server.tcp.address);
    Answer answer = client.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                               std::string(1001, 'x') + "\r\n");
    CHECK(answer.status == 413);
    CHECK(client.closed());
}

TEST_CASE("a body over the limit is dropped as far as the policy goes, and the answer waits behind it")
{
    Running server(echo_handler(), {}, BodyPolicy{1000, 5'000'000, [] {
                       HttpResponse page;
                       page.status = 413;
                       page.body = "in words";
                       return page;
                   }});
    Client client(server.tcp.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n");
    const std::string piece(100'000, 'x');
    for (int n = 0; n < 40; ++n)
        client.send(piece);
    const Answer answer = client.ask("");
    CHECK(answer.status == 413);
    CHECK(answer.body == "in words");
    CHECK(client.closed());

    Client more(server.tcp.address);
    CHECK(more.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6000000\r\n\r\n").body == "in words");
    CHECK(more.closed());
}

TEST_CASE("100-continue is answered before the body, and not when the body is refused")
{
    Running server(echo_handler(), {}, 1000);
    {
        Client client(server.tcp.address);
        client.send("POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        CHECK(client.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
        CHECK(client.ask("abc").body == "POST /p a 3");
    }
    Client client(server.tcp.address);
    CHECK(client.ask("POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3000\r\n\r\n")
              .status == 413);
}

TEST_CASE("an answer may come later from another thread, and only the first one counts")
{
    std::vector<std::thread> threads;
    std::mutex mutex;
    Running server([&](HttpRequest request, Responder respond) {
        std::lock_guard lock(mutex);
        threads.emplace_back([respond, text = echo(request)] {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            respond(text);
            respond(text_response("second"));
        });
    });
    Client client(server.tcp.address);
    for (int i = 0; i < 5; ++i)
        CHECK(client.ask(get("/later")).body == "GET /later a.onion 0");
    for (auto& thread : threads)
        thread.join();
    CHECK(server.stats().waiting == 0);
}

TEST_CASE("an answer may come from the loop thread")
{
    EventLoop* loop = nullptr;
    std::vector<EventLoop::Timer> timers;
    Running server([&](HttpRequest request, Responder respond) {
        loop->post([&, respond, text = echo(request)] {
            timers.push_back(loop->after(20, [respond, text] { respond(text); }));
        });
    });
    loop = &server.loop;
    Client client(server.tcp.address);
    CHECK(client.ask(get("/later")).body == "GET /later a.onion 0");
    CHECK(client.ask(get("/again")).body == "GET /again a.onion 0");
    server.on_loop([&] {
        timers.clear();
        return 0;
    });
}

TEST_CASE("a dropped responder and a handler that throws are both 500")
{
    Running server([](HttpRequest request, Responder) {
        if (request.target == "/throw")
            throw std::runtime_error("secret");
    });
    Client client(server.tcp.address);
    CHECK(client.ask(get("/drop")).status == 500);
    Answer thrown = client.ask(get("/throw"));
    CHECK(thrown.status == 500);
    CHECK(thrown.body == "{\"error\":\"internal error\"}");
    CHECK(client.ask(get("/drop")).status == 500);
    CHECK(server.stats().waiting == 0);
}

TEST_CASE("a full queue is 503")
{
    Gate gate;
    FrontLimits limits;
    limits.workers = 1;
    limits.queue = 2;
    Running server(
        [&](HttpRequest request, Responder respond) {
            gate.wait();
            respond(echo(request));
        },
        limits);
    std::vector<std::unique_ptr<Client>> clients;
    for (size_t i = 1; i <= 3; ++i) {
        clients.push_back(std::make_unique<Client>(server.tcp.address));
        clients.back()->send(get("/wait"));
        CHECK(server.eventually([&](const Front::Stats& stats) { return stats.waiting == i; }));
        if (i == 1)
            std::this_thread::sleep_for(std::chrono::milliseconds(50)); // until the worker has taken it
    }
    Client late(server.tcp.address);
    CHECK(late.ask(get("/late")).status == 503);
    gate.open();
    for (auto& client : clients)
        CHECK(client->answer().status == 200);
}

TEST_CASE("too many deferred requests and too many bytes of bodies are 503")
{
    std::mutex mutex;
    std::vector<Responder> held;
    std::vector<std::shared_ptr<const Spool>> bodies;
    FrontLimits limits;
    limits.deferred = 1;
    limits.bytes_in_flight = 1000;
    Running server(
        [&](HttpRequest request, Responder respond) {
            std::lock_guard lock(mutex);
            if (request.target == "/p") {
                bodies.push_back(request.body);
                respond(text_response("kept"));
            } else {
                held.push_back(respond);
            }
        },
        limits);
    {
        Client keeper(server.tcp.address);
        CHECK(keeper.ask(post(std::string(900, 'x'))).status == 200);
        CHECK(keeper.ask(post(std::string(101, 'x'))).status == 503);
        std::lock_guard lock(mutex);
        bodies.clear();
    }
    {
        Client keeper(server.tcp.address);
        CHECK(keeper.ask(post(std::string(101, 'x'))).status == 200);
    }
    Client first(server.tcp.address);
    first.send(get("/hold"));
    CHECK(server.eventually([&](const Front::Stats&) {
        std::lock_guard lock(mutex);
        return held.size() == 1;
    }));
    std::this_thread::sleep_for(std::chrono::milliseconds(50)); // until the handler has returned
    Client second(server.tcp.address);
    CHECK(second.ask(get("/hold")).status == 503);
    {
        std::lock_guard lock(mutex);
        held.front()(text_response("at last"));
    }
    CHECK(first.answer().body == "at last");
    std::lock_guard lock(mutex);
    held.clear();
}

TEST_CASE("a slow reader of a large body holds no worker and gets every byte")
{
    constexpr uint64_t kSize = 40u << 20;
    std::atomic<int> reads{0};
    auto byte_at = [](uint64_t at) { return static_cast<char>('a' + at % 26); };
    FrontLimits limits;
    limits.workers = 1;
    Running server(
        [&](HttpRequest request, Responder respond) {
            HttpResponse response;
            if (request.target == "/large") {
                response.large = BodySource{
                    .size = kSize, .read = [&](uint64_t offset, size_t limit) {
                        ++reads;
                        std::string piece(limit > 7 ? limit - 7 : limit, '\0'); // fewer than asked is allowed
                        piece.resize(static_cast<size_t>(std::min<uint64_t>(piece.size(), kSize - offset)));
                        for (size_t i = 0; i < piece.size(); ++i)
                            piece[i] = byte_at(offset + i);
                        return Result<std::string>(std::move(piece));
                    }};
            } else {
                response.body = "quick";
            }
            respond(std::move(response));
        },
        limits);
    Client slow(server.tcp.address, 4096);
    slow.send(get("/large") + get("/after"));
    std::string head = slow.until("\r\n\r\n");
    CHECK(head.find("Content-Length: " + std::to_string(kSize)) != std::string::npos);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    int before = reads;
    Client quick(server.tcp.address);
    auto start = Clock::now();
    for (int i = 0; i < 20; ++i)
        CHECK(quick.ask(get("/quick")).body == "quick");
    CHECK(since(start) < 2);
    // What the kernel's buffers and ours take, not the whole body.
    CHECK(before < 200);
    CHECK(reads == before);

    uint64_t seen = 0;
    bool right = true;
    while (seen < kSize) {
        std::string bytes = slow.take(kSize - seen);
        if (bytes.empty())
            break;
        for (size_t i = 0; i < bytes.size(); ++i)
            right = right && bytes[i] == byte_at(seen + i);
        seen += bytes.size();
    }
    CHECK(seen == kSize);
    CHECK(right);
    CHECK(slow.answer().body == "quick");
}

TEST_CASE("a large body that ends early cuts the connection")
{
    Running server([](HttpRequest request, Responder respond) {
        HttpResponse response;
        int kind = request.target == "/error" ? 0 : request.target == "/throw" ? 1 : 2;
        response.large =
            BodySource{.size = 1000, .read = [kind](uint64_t offset, size_t) -> Result<std::string> {
                           if (offset < 100)
                               return std::string(100, 'x');
                           if (kind == 0)
                               return fail(ErrorKind::Internal, "broken");
                           if (kind == 1)
                               throw std::runtime_error("broken");
                           return kind == 2 ? std::string() : std::string(5000, 'x');
                       }};
        respond(std::move(response));
    });
    for (const char* target : {"/error", "/throw", "/empty"}) {
        Client client(server.tcp.address);
        Answer answer = client.ask(get(target));
        CHECK(answer.body.size() == 100);
        CHECK(client.closed());
    }
    Client head(server.tcp.address);
    head.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(head.until("\r\n\r\n").find("Content-Length: 1000") != std::string::npos);
}

TEST_CASE("a client that vanishes while its request is worked on does no harm")
{
    Gate gate;
    std::mutex mutex;
    std::vector<Responder> held;
    Running server([&](HttpRequest request, Responder respond) {
        if (request.target == "/worker") {
            gate.wait();
            respond(echo(request));
        } else if (request.target == "/large") {
            HttpResponse response;
            response.large = BodySource{.size = 1u << 30, .read = [](uint64_t, size_t limit) {
                                            return Result<std::string>(std::string(limit, 'x'));
                                        }};
            respond(std::move(response));
        } else {
            std::lock_guard lock(mutex);
            held.push_back(respond);
        }
    });
    for (int i = 0; i < 2; ++i) {
        Client client(server.tcp.address);
        client.send(get("/worker"));
    }
    for (int i = 0; i < 10; ++i) {
        Client client(server.tcp.address);
        client.send(get("/deferred"));
    }
    gate.open();
    CHECK(server.eventually([&](const Front::Stats&) {
        std::lock_guard lock(mutex);
        return held.size() == 10;
    }));
    for (int i = 0; i < 10; ++i) {
        Client client(server.tcp.address);
        client.send(get("/large"));
        client.until("\r\n\r\n");
    }
    {
        std::lock_guard lock(mutex);
        for (auto& respond : held)
            respond(text_response(std::string(100'000, 'x')));
        held.clear();
    }
    CHECK(server.eventually([](const Front::Stats& s) { return s.connections == 0 && s.waiting == 0; }));
}

TEST_CASE("deadlines are absolute for heads and bodies, and for the handler")
{
    std::mutex mutex;
    std::vector<Responder> held;
    FrontLimits limits;
    limits.head_ms = 300;
    limits.body_ms = 300;
    limits.idle_ms = 200;
    limits.answer_ms = 200;
    Running server(
        [&](HttpRequest, Responder respond) {
            std::lock_guard lock(mutex);
            held.push_back(respond);
        },
        limits);
    auto trickle = [&](Client& client, std::string_view start) {
        client.send(start);
        auto began = Clock::now();
        std::thread sender([&] {
            while (since(began) < 20 && client.send("x"))
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
        });
        Answer answer = client.answer();
        double took = since(began);
        sender.join();
        CHECK(answer.status == 408);
        CHECK(took > 0.2);
        CHECK(took < 15);
    };
    {
        Client client(server.tcp.address);
        trickle(client, "GET /");
    }
    {
        Client client(server.tcp.address);
        trickle(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    }
    {
        Client client(server.tcp.address);
        auto began = Clock::now();
        CHECK(client.closed());
        CHECK(since(began) < 1.5);
    }
    Client client(server.tcp.address);
    CHECK(client.ask(get("/never")).status == 503);
    CHECK(client.closed());
    std::lock_guard lock(mutex);
    for (auto& respond : held)
        respond(text_response("too late"));
    held.clear();
}

TEST_CASE("a client that takes nothing is cut off")
{
    FrontLimits limits;
    limits.write_stall_ms = 300;
    Running server(
        [](HttpRequest, Responder respond) { respond(text_response(std::string(20u << 20, 'x'))); }, limits);
    Client client(server.tcp.address, 4096);
    client.send(get("/"));
    CHECK(server.eventually([](const Front::Stats& s) { return s.connections == 1; }));
    CHECK(server.eventually([](const Front::Stats& s) { return s.connections == 0; }));
}

TEST_CASE("connections over the limit are closed at once")
{
    FrontLimits limits;
    limits.connections = 2;
    Running server(echo_handler(), limits);
    Client first(server.tcp.address);
    CHECK(first.ask(get("/")).status == 200);
    Client second(server.tcp.address);
    CHECK(second.ask(get("/")).status == 200);
    Client third(server.tcp.address);
    CHECK(third.closed());
    first.hang_up();
    CHECK(server.eventually([](const Front::Stats& s) { return s.connections == 1; }));
    Client fourth(server.tcp.address);
    CHECK(fourth.ask(get("/")).status == 200);
}

TEST_CASE("where tor names circuits, each has its share of connections, and handlers learn which it is")
{
    FrontLimits limits;
    limits.connections_per_circuit = 2;
    Running server(
        [](HttpRequest request, Responder respond) {
            respond(text_response(request.circuit ? std::to_string(*request.circuit) : "none"));
        },
        limits, 1u << 20, true);
    const std::string first_circuit = "PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80\r\n";
    Client first(server.tcp.address);
    first.send(first_circuit);
    CHECK(first.ask(get("/")).body == "24");
    CHECK(first.ask(get("/")).body == "24");  // once for the connection
    Client slow(server.tcp.address);
    for (char c : first_circuit)
        slow.send(std::string_view(&c, 1));
    CHECK(slow.ask(get("/")).body == "24");
    Client third(server.tcp.address);
    third.send(first_circuit + get("/"));
    CHECK(third.closed());
    Client other(server.tcp.address);
    other.send("PROXY TCP6 fc00:dead:beef:4dad:1:2:ffff:ffff ::1 24 80\r\n" + get("/"));
    CHECK(other.answer().body == "4294967295");
    first.hang_up();
    CHECK(server.eventually([](const Front::Stats& s) { return s.connections == 2; }));
    Client again(server.tcp.address);
    again.send(first_circuit + get("/"));
    CHECK(again.answer().body == "24");
    // What does not come from such a tor is not served.
    for (const std::string& wrong : {get("/"), std::string(300, 'x'), std::string("PROXY UNKNOWN\r\n"),
                                     std::string("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n")}) {
        Client liar(server.tcp.address);
        liar.send(wrong);
        CHECK(liar.closed());
    }
}

TEST_CASE("running out of file descriptors neither spins nor loses the connection")
{
    Running server(echo_handler());
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit low = before;
    low.rlim_cur = 100;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    std::vector<int> taken;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0))
        taken.push_back(fd);
    REQUIRE_FALSE(taken.empty());
    ::close(taken.back());
    taken.pop_back();
    Client client(server.tcp.address); // takes the last one
    CHECK(client.connected());
    client.send(get("/patient"));
    std::clock_t start = std::clock();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < 0.2);
    for (int fd : taken)
        ::close(fd);
    CHECK(client.answer().body == "GET /patient a.onion 0");
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("only loopback and unix addresses are listened on, and a taken one is a conflict")
{
    Running server(echo_handler());
    auto listen = [&](const std::string& address) {
        return server.on_loop([&] {
            auto result = server.front->listen({.address = address});
            return result.ok() ? std::optional<ErrorKind>() : std::optional(result.error().kind);
        });
    };
    for (const char* address : {"0.0.0.0:0", "127.0.0.2:0", "[::1]:0", "localhost:0", "unix:x",
                                "unix:", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
                                "127.0.0.1:0 ", "", "unix:/tmp/"}) {
        CAPTURE(address);
        CHECK(listen(address) == ErrorKind::Invalid);
    }
    CHECK(listen(server.tcp.address) == ErrorKind::Conflict);
    CHECK(listen("127.0.0.1:0") == std::nullopt);
}

TEST_CASE("a unix socket has its mode, checks the user, and is gone afterwards")
{
    Running server([](HttpRequest request, Responder respond) {
        respond(text_response(std::to_string(request.listener)));
    });
    std::string path = server.directory.path + "/s";
    auto listening = server.on_loop([&] {
        return server.front->listen({.address = "unix:" + path, .same_user_only = true, .unix_mode = 0660});
    });
    REQUIRE(listening.ok());
    CHECK(listening->address == "unix:" + path);
    struct stat info {
    };
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0660);
    Client client(listening->address);
    CHECK(client.ask(get("/")).body == std::to_string(listening->id));
    Client other(server.tcp.address);
    CHECK(other.ask(get("/")).body == std::to_string(server.tcp.id));
    server.on_loop([&] {
        server.front->close_listener(listening->id);
        return 0;
    });
    CHECK(client.closed());
    CHECK(other.ask(get("/")).status == 200);
    CHECK(::stat(path.c_str(), &info) != 0);
}

TEST_CASE("a unix path may be longer than an address, and a stale socket is replaced")
{
    Running server(echo_handler());
    std::string folder = server.directory.path + "/" + std::string(150, 'd');
    REQUIRE(::mkdir(folder.c_str(), 0700) == 0);
    std::string path = folder + "/socket";
    auto listen = [&](const std::string& where) {
        return server.on_loop([&] { return server.front->listen({.address = "unix:" + where}); });
    };
    auto first = listen(path);
    REQUIRE(first.ok());
    auto second = listen(path);
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().kind == ErrorKind::Conflict);

    int fd = ::open(folder.c_str(), O_PATH | O_DIRECTORY);
    {
        Client client("unix:/proc/self/fd/" + std::to_string(fd) + "/socket");
        CHECK(client.ask(get("/")).status == 200);
    }
    ::close(fd);

    std::string stale = server.directory.path + "/stale";
    {
        int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::memcpy(name.sun_path, stale.c_str(), stale.size());
        REQUIRE(::bind(left, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
        ::close(left);
    }
    CHECK(listen(stale).ok());

    std::string file = server.directory.path + "/file";
    std::fclose(std::fopen(file.c_str(), "w"));
    auto taken = listen(file);
    REQUIRE_FALSE(taken.ok());
    CHECK(taken.error().kind == ErrorKind::Conflict);
    struct stat info {
    };
    CHECK(::stat(file.c_str(), &info) == 0);
}

TEST_CASE("stop lets the requests in hand finish and ends the idle connections")
{
    Gate gate;
    Running server([&](HttpRequest request, Responder respond) {
        gate.wait();
        respond(echo(request));
    });
    Client idle(server.tcp.address);
    Client busy(server.tcp.address);
    busy.send(get("/busy"));
    CHECK(server.eventually([](const Front::Stats& s) { return s.waiting == 1 && s.connections == 2; }));
    auto done = server.start_stop(10'000);
    CHECK(idle.closed());
    CHECK(done.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
    gate.open();
    CHECK(busy.answer().body == "GET /busy a.onion 0");
    CHECK(busy.closed());
    busy.hang_up();
    CHECK(done.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    Client late(server.tcp.address);
    CHECK_FALSE(late.connected());
}

TEST_CASE("stop does not wait longer than its grace for an answer that does not come")
{
    std::mutex mutex;
    std::vector<Responder> held;
    auto start = Clock::now();
    {
        Running server([&](HttpRequest, Responder respond) {
            std::lock_guard lock(mutex);
            held.push_back(respond);
        });
        Client client(server.tcp.address);
        client.send(get("/never"));
        CHECK(server.eventually([](const Front::Stats& s) { return s.waiting == 1; }));
        start = Clock::now();
        server.stop(200);
        CHECK(since(start) > 0.15);
        CHECK(since(start) < 3);
        CHECK(client.closed());
    }
    // The front and the loop are gone; the responder may still be called.
    std::lock_guard lock(mutex);
    for (auto& respond : held)
        respond(text_response("too late"));
    held.clear();
}

TEST_CASE("a front can be destroyed without having run or stopped")
{
    EventLoop loop;
    Front front(
        loop, {}, "/tmp", [](int, const RequestHead&) { return BodyPolicy{}; }, echo_handler());
    CHECK(front.listen({.address = "127.0.0.1:0"}).ok());
}

TEST_CASE("many clients at once get their own answers")
{
    Running server(echo_handler());
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            Client client(server.tcp.address);
            for (int i = 0; i < 200; ++i) {
                std::string target = "/" + std::to_string(t) + "/" + std::to_string(i);
                if (client.ask(get(target)).body != "GET " + target + " a.onion 0")
                    ++wrong;
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    CHECK(wrong == 0);
}
