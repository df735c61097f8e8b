// SPDX-License-Identifier: BSD-3-Clause
// A load client: one thread, keep-alive connections, one request at a time on each. Hawk headers are made before the
// clock starts, each with a nonce of its own. Prints one line of JSON; anything but the expected status ends it.
//
//   --address HOST:PORT --target /x [--method GET] [--connections 16] [--milliseconds 2000] [--most 50000]
//   [--header "Name: value"]... [--body FILE] [--stamp OFFSET] [--id I --key K --app A --hash TYPE] [--status 200]
//
// --target: several take turns, unless they are signed. --stamp: sixteen bytes of the body from that offset are different
// in every request. --hash: sign the body, too.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <bivouac/auth/hawk.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/files.h>
#include <bivouac/model/json.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arguments.h"

using namespace bivouac;

namespace {

using Time = std::chrono::steady_clock::time_point;

Time now()
{
    return std::chrono::steady_clock::now();
}

struct Plan {
    std::string address;
    std::vector<std::string> heads;  // without Authorization and the empty line; they take turns
    std::string body;
    size_t stamp = std::string::npos;
    std::vector<std::string> authorizations;  // used from the back; empty: unsigned
    bool is_signed = false;
    bool head_only = false;
    int status = 200;
};

struct Connection {
    int fd = -1;
    std::string head;
    std::string body;  // a copy of its own, when it is stamped
    size_t sent = 0;
    size_t size = 0;
    std::string answer_head;
    size_t body_left = 0;
    bool in_body = false;
    bool busy = false;
    bool wants_to_write = false;
    Time began;
};

class Load {
public:
    Load(Plan plan, size_t connections)
        : plan_(std::move(plan))
        , epoll_(epoll_create1(EPOLL_CLOEXEC))
    {
        for (size_t i = 0; i < connections; ++i) {
            auto connection = std::make_unique<Connection>();
            connection->fd = connect_to(plan_.address);
            connection->body = plan_.body;
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.ptr = connection.get();
            epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event);
            connections_.push_back(std::move(connection));
        }
    }

    Json run(std::chrono::milliseconds duration)
    {
        const Time begin = now();
        deadline_ = begin + duration;
        for (auto& connection : connections_)
            next(*connection);
        std::array<epoll_event, 64> events{};
        Time last = begin;
        while (busy_ > 0) {
            int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 30'000);
            if (ready <= 0)
                die("load: no answer within 30 s");
            for (int i = 0; i < ready; ++i) {
                auto& connection = *static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
                if (events[static_cast<size_t>(i)].events & EPOLLOUT)
                    write_more(connection);
                if (events[static_cast<size_t>(i)].events & ~static_cast<uint32_t>(EPOLLOUT))
                    read_more(connection);
            }
            last = now();
        }
        const double seconds = std::chrono::duration<double>(last - begin).count();
        std::sort(latencies_.begin(), latencies_.end());
        auto at = [&](double part) {
            return latencies_.empty() ? 0.0 : latencies_[static_cast<size_t>(part * static_cast<double>(latencies_.size() - 1))];
        };
        const auto done = static_cast<double>(latencies_.size());
        return {{"requests", latencies_.size()}, {"seconds", seconds}, {"rate", done / seconds},
                {"bytes", bytes_}, {"p50_us", at(0.5)}, {"p99_us", at(0.99)}};
    }

private:
    static int connect_to(const std::string& address)
    {
        const size_t colon = address.rfind(':');
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
        inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
            die("load: cannot connect to " + address);
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        return fd;
    }

    void next(Connection& c)
    {
        if (now() >= deadline_ || (plan_.is_signed && plan_.authorizations.empty()))
            return;
        c.head = plan_.heads[turn_++ % plan_.heads.size()];
        if (plan_.is_signed) {
            c.head += "Authorization: " + plan_.authorizations.back() + "\r\n";
            plan_.authorizations.pop_back();
        }
        c.head += "\r\n";
        if (plan_.stamp != std::string::npos) {
            char digits[17];
            std::snprintf(digits, sizeof digits, "%08x%08llx", static_cast<unsigned>(getpid()),
                          static_cast<unsigned long long>(++stamps_));
            std::memcpy(c.body.data() + plan_.stamp, digits, 16);
        }
        c.sent = 0;
        c.size = c.head.size() + c.body.size();
        c.answer_head.clear();
        c.in_body = false;
        c.busy = true;
        c.began = now();
        ++busy_;
        write_more(c);
    }

    void want_to_write(Connection& c, bool wanted)
    {
        if (c.wants_to_write == wanted)
            return;
        c.wants_to_write = wanted;
        epoll_event event{};
        event.events = EPOLLIN | (wanted ? uint32_t(EPOLLOUT) : 0);
        event.data.ptr = &c;
        epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &event);
    }

    void write_more(Connection& c)
    {
        while (c.sent < c.size) {
            iovec parts[2];
            int count = 0;
            if (c.sent < c.head.size())
                parts[count++] = {c.head.data() + c.sent, c.head.size() - c.sent};
            const size_t from = c.sent < c.head.size() ? 0 : c.sent - c.head.size();
            if (from < c.body.size())
                parts[count++] = {c.body.data() + from, c.body.size() - from};
            msghdr message{};
            message.msg_iov = parts;
            message.msg_iovlen = static_cast<size_t>(count);
            ssize_t sent = sendmsg(c.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && errno == EAGAIN)
                return want_to_write(c, true);
            if (sent < 0)
                die("load: the server closed the connection");
            c.sent += static_cast<size_t>(sent);
        }
        want_to_write(c, false);
    }

    void read_more(Connection& c)
    {
        ssize_t got = recv(c.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            die("load: the server closed the connection");
        bytes_ += static_cast<uint64_t>(got);
        std::string_view piece(buffer_.data(), static_cast<size_t>(got));
        if (!c.in_body) {
            c.answer_head += piece;
            size_t end = c.answer_head.find("\r\n\r\n");
            if (end == std::string::npos)
                return;
            const size_t body = c.answer_head.size() - end - 4;
            read_head(c);
            piece = piece.substr(piece.size() - body);
        }
        if (piece.size() > c.body_left)
            die("load: more than the announced body");
        c.body_left -= piece.size();
        if (c.body_left > 0)
            return;
        latencies_.push_back(std::chrono::duration<double, std::micro>(now() - c.began).count());
        c.busy = false;
        --busy_;
        next(c);
    }

    void read_head(Connection& c)
    {
        const int status = std::atoi(c.answer_head.c_str() + 9);
        if (status != plan_.status)
            die("load: expected " + std::to_string(plan_.status) + ", got: " + c.answer_head);
        size_t at = c.answer_head.find("Content-Length: ");
        if (at == std::string::npos)
            die("load: no Content-Length: " + c.answer_head);
        c.body_left = plan_.head_only ? 0 : std::strtoull(c.answer_head.c_str() + at + 16, nullptr, 10);
        c.in_body = true;
    }

    Plan plan_;
    int epoll_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::array<char, 256 << 10> buffer_{};
    std::vector<double> latencies_;
    Time deadline_;
    size_t busy_ = 0;
    uint64_t bytes_ = 0;
    uint64_t stamps_ = 0;
    size_t turn_ = 0;
};

void sign(Plan& plan, const Arguments& arguments, const std::string& method, const std::string& target, long most)
{
    const std::string key = arguments.text("--key");
    auto to = auth::hawk_target(method, target, plan.address);
    if (!to)
        die(to.error().detail);
    auth::HawkHeader header;
    header.id = arguments.text("--id");
    header.app = arguments.text("--app");
    header.ts = system_clock().now_ms() / 1000;
    if (std::string type = arguments.text("--hash"); !type.empty())
        header.hash = auth::hawk_payload_hash(type, plan.body);
    const std::string prefix = to_hex(system_random().bytes(4));
    for (long i = 0; i < most; ++i) {
        header.nonce = prefix + std::to_string(i);
        header.mac = auth::hawk_mac(auth::HawkKind::Header, key, header, *to);
        plan.authorizations.push_back(auth::write_hawk_header(header));
    }
}

}  // namespace

int main(int count, char** values)
{
    if (sodium_init() < 0)
        return 1;
    Arguments arguments(count, values);
    const std::string method = arguments.text("--method", "GET");
    const std::vector<std::string> targets = arguments.all("--target");
    Plan plan;
    plan.address = arguments.text("--address");
    plan.status = static_cast<int>(arguments.number("--status", 200));
    plan.head_only = method == "HEAD";
    std::string headers = " HTTP/1.1\r\nHost: " + plan.address + "\r\n";
    for (const auto& header : arguments.all("--header"))
        headers += header + "\r\n";
    if (std::string path = arguments.text("--body"); !path.empty()) {
        auto body = read_file(path, 64u << 20);
        if (!body)
            die(body.error().detail);
        plan.body = std::move(*body);
        headers += "Content-Length: " + std::to_string(plan.body.size()) + "\r\n";
    }
    for (const auto& target : targets)
        plan.heads.push_back(method + " " + target + headers);
    if (long stamp = arguments.number("--stamp", -1); stamp >= 0)
        plan.stamp = static_cast<size_t>(stamp);
    if (!arguments.text("--id").empty()) {
        plan.is_signed = true;
        sign(plan, arguments, method, targets.at(0), arguments.number("--most", 50'000));
    }
    Load load(std::move(plan), static_cast<size_t>(arguments.number("--connections", 16)));
    std::cout << load.run(std::chrono::milliseconds(arguments.number("--milliseconds", 2000))) << std::endl;
}
