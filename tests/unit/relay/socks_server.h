// SPDX-License-Identifier: BSD-3-Clause
// A SOCKS5 server for tests with canned HTTP servers behind its names: what tor is to us, without tor. A
// thread for each connection.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <bivouac/net/http_message.h>

namespace bivouac::relay
{

class SocksServer
{
public:
    struct Request {
        std::string host;
        int port = 0;
        std::string user;
        std::string password;
        int connection = 0;
        std::string head; // as it came, with its last empty line
        std::string body;
    };
    struct Host {
        unsigned char reply = 0; // SOCKS
        std::string response; // as it goes out
        bool close = false; // after the response
        bool stall = false; // nothing more goes out, the connection stays
        bool stall_socks = false; // not even the SOCKS reply
        std::function<void(const Request&)> seen; // on the connection's thread
    };

    explicit SocksServer(const std::string& unix_path = {})
    {
        if (unix_path.empty()) {
            listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            sockaddr_in at{};
            at.sin_family = AF_INET;
            at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            socklen_t length = sizeof at;
            if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), length) != 0)
                std::abort();
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &length);
            address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
        } else {
            listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            sockaddr_un at{};
            at.sun_family = AF_UNIX;
            unix_path.copy(at.sun_path, sizeof at.sun_path - 1);
            if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0)
                std::abort();
            address_ = "unix:" + unix_path;
        }
        if (::listen(listener_, 128) != 0)
            std::abort();
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~SocksServer()
    {
        ::shutdown(listener_, SHUT_RDWR);
        acceptor_.join();
        ::close(listener_);
        {
            std::lock_guard lock(mutex_);
            for (int fd : fds_)
                ::shutdown(fd, SHUT_RDWR);
        }
        for (auto& thread : threads_)
            thread.join();
        for (int fd : fds_)
            ::close(fd);
    }

    const std::string& address() const { return address_; }
    void host(const std::string& name, Host host)
    {
        std::lock_guard lock(mutex_);
        hosts_[name] = std::move(host);
    }
    std::vector<Request> requests()
    {
        std::lock_guard lock(mutex_);
        return requests_;
    }
    int connections()
    {
        std::lock_guard lock(mutex_);
        return static_cast<int>(fds_.size());
    }
    // Names that were asked for, those that were refused too.
    std::vector<std::string> names()
    {
        std::lock_guard lock(mutex_);
        return names_;
    }
    void hang_up_all()
    {
        std::lock_guard lock(mutex_);
        for (int fd : fds_)
            ::shutdown(fd, SHUT_RDWR);
    }

private:
    void accept_all()
    {
        for (;;) {
            int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0)
                return;
            std::lock_guard lock(mutex_);
            fds_.push_back(fd);
            int number = static_cast<int>(fds_.size());
            threads_.emplace_back([this, fd, number] {
                serve(fd, number);
                ::shutdown(fd, SHUT_RDWR);
            });
        }
    }

    static bool read_exactly(int fd, std::string& out, size_t size)
    {
        out.resize(size);
        size_t at = 0;
        while (at < size) {
            ssize_t n = ::recv(fd, out.data() + at, size - at, 0);
            if (n <= 0)
                return false;
            at += static_cast<size_t>(n);
        }
        return true;
    }
    static void send_text(int fd, std::string_view text)
    {
        while (!text.empty()) {
            ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
            if (n <= 0)
                return;
            text.remove_prefix(static_cast<size_t>(n));
        }
    }
    static void wait_for_end(int fd)
    {
        char byte = 0;
        while (::recv(fd, &byte, 1, 0) > 0) {
        }
    }

    void serve(int fd, int number)
    {
        std::string text;
        Request request;
        request.connection = number;
        if (!read_exactly(fd, text, 2) || text[0] != 5 ||
            !read_exactly(fd, text, static_cast<unsigned char>(text[1])))
            return;
        if (text.find('\2') == std::string::npos) {
            send_text(fd, std::string("\5\xff", 2));
            return;
        }
        send_text(fd, std::string("\5\2", 2));
        if (!read_exactly(fd, text, 2) ||
            !read_exactly(fd, request.user, static_cast<unsigned char>(text[1])) ||
            !read_exactly(fd, text, 1) ||
            !read_exactly(fd, request.password, static_cast<unsigned char>(text[0])))
            return;
        send_text(fd, std::string("\1\0", 2));
        if (!read_exactly(fd, text, 5) || text[1] != 1 || text[3] != 3 ||
            !read_exactly(fd, request.host, static_cast<unsigned char>(text[4])) ||
            !read_exactly(fd, text, 2))
            return;
        request.port = static_cast<unsigned char>(text[0]) * 256 + static_cast<unsigned char>(text[1]);
        {
            std::lock_guard lock(mutex_);
            names_.push_back(request.host);
        }
        Host host = look_up(request.host);
        if (host.stall_socks)
            return wait_for_end(fd);
        send_text(fd,
                  std::string("\5", 1) + static_cast<char>(host.reply) + std::string("\0\1\0\0\0\0\0\0", 8));
        if (host.reply != 0)
            return;
        std::string buffer;
        while (read_request(fd, buffer, request)) {
            host = look_up(request.host);
            {
                std::lock_guard lock(mutex_);
                requests_.push_back(request);
            }
            if (host.seen)
                host.seen(request);
            send_text(fd, host.response);
            if (host.stall)
                return wait_for_end(fd);
            if (host.close)
                return;
        }
    }

    Host look_up(const std::string& name)
    {
        std::lock_guard lock(mutex_);
        auto it = hosts_.find(name);
        if (it != hosts_.end())
            return it->second;
        Host unknown;
        unknown.reply = 4;
        return unknown;
    }

    static bool read_request(int fd, std::string& buffer, Request& request)
    {
        auto more = [&] {
            char bytes[4096];
            ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
            if (n <= 0)
                return false;
            buffer.append(bytes, static_cast<size_t>(n));
            return true;
        };
        size_t end = 0;
        while ((end = buffer.find("\r\n\r\n")) == std::string::npos)
            if (!more())
                return false;
        request.head = buffer.substr(0, end + 4);
        buffer.erase(0, end + 4);
        size_t length = 0;
        if (size_t at = request.head.find("Content-Length: "); at != std::string::npos)
            length = std::stoul(request.head.substr(at + 16));
        while (buffer.size() < length)
            if (!more())
                return false;
        request.body = buffer.substr(0, length);
        buffer.erase(0, length);
        return true;
    }

    int listener_ = -1;
    std::string address_;
    std::thread acceptor_;
    std::mutex mutex_;
    std::map<std::string, Host> hosts_;
    std::vector<Request> requests_;
    std::vector<std::string> names_;
    std::vector<int> fds_;
    std::vector<std::thread> threads_;
};

} // namespace bivouac::relay
