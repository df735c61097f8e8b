// SPDX-License-Identifier: BSD-3-Clause
// A control port for tests, on a thread of its own: answers as tor does, or as badly as the test asks for.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/event_loop.h>

#include "control_protocol.h"

namespace bivouac::tor
{

class FakeControlPort
{
public:
    struct Behaviour {
        std::string methods = "NULL";
        std::string cookie_file;
        std::string cookie;
        bool wrong_hash = false;
        bool stalled = false; // reads and says nothing
        bool close_at_once = false;
        bool event_before_reply = false;
        bool upload_events = true;
        int bootstrap = 100;
        std::string socks = "\"127.0.0.1:9050\"";
        std::set<std::string> filtered; // words that a command may not begin with
        int collisions = 0; // so many ADD_ONION are refused
        std::string no_pow; // the answer to an ADD_ONION with the words of the defence; empty: it knows them
    };

    FakeControlPort()
    {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof at;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), length) != 0 || ::listen(listener_, 16) != 0)
            std::abort();
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &length);
        address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
        thread_ = std::thread([this] { run(); });
    }
    ~FakeControlPort()
    {
        ending_ = true;
        thread_.join();
        ::close(listener_);
    }

    const std::string& address() const { return address_; }

    template <typename F> auto with(F function)
    {
        std::lock_guard lock(mutex_);
        return function(*this);
    }
    void set(std::function<void(Behaviour&)> change)
    {
        std::lock_guard lock(mutex_);
        change(behaviour_);
    }
    std::vector<std::string> lines()
    {
        std::lock_guard lock(mutex_);
        return lines_;
    }
    int count(std::string_view beginning)
    {
        int n = 0;
        for (const auto& line : lines())
            n += line.starts_with(beginning);
        return n;
    }
    int connections()
    {
        std::lock_guard lock(mutex_);
        return connections_;
    }
    void drop_all() { drop_ = true; }
    void forget_onions()
    {
        std::lock_guard lock(mutex_);
        for (auto& [fd, client] : clients_)
            client.onions.clear();
    }
    void say(const std::string& text)
    {
        std::lock_guard lock(mutex_);
        for (auto& [fd, client] : clients_)
            send_text(fd, text + "\r\n");
    }

private:
    struct Client {
        std::string buffer;
        std::string nonces;
        std::string proof;
        bool logged_in = false;
        std::string events;
        std::vector<std::string> onions;
    };

    static void send_text(int fd, const std::string& text)
    {
        [[maybe_unused]] auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    }

    void run()
    {
        while (!ending_) {
            std::vector<pollfd> fds{{listener_, POLLIN, 0}};
            {
                std::lock_guard lock(mutex_);
                if (drop_.exchange(false)) {
                    for (auto& [fd, client] : clients_)
                        ::close(fd);
                    clients_.clear();
                }
                for (auto& [fd, client] : clients_)
                    fds.push_back({fd, POLLIN, 0});
            }
            if (::poll(fds.data(), fds.size(), 5) <= 0)
                continue;
            std::lock_guard lock(mutex_);
            for (auto& one : fds) {
                if (!one.revents)
                    continue;
                if (one.fd == listener_) {
                    int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
                    ++connections_;
                    if (behaviour_.close_at_once)
                        ::close(fd);
                    else
                        clients_[fd] = {};
                    continue;
                }
                char buffer[4096];
                ssize_t n = ::recv(one.fd, buffer, sizeof buffer, 0);
                if (n <= 0 || !take(one.fd, {buffer, static_cast<size_t>(n)})) {
                    ::close(one.fd);
                    clients_.erase(one.fd);
                }
            }
        }
        std::lock_guard lock(mutex_);
        for (auto& [fd, client] : clients_)
            ::close(fd);
    }

    bool take(int fd, std::string_view bytes)
    {
        Client& client = clients_[fd];
        client.buffer += bytes;
        for (size_t end; (end = client.buffer.find("\r\n")) != std::string::npos;) {
            std::string line = client.buffer.substr(0, end);
            client.buffer.erase(0, end + 2);
            lines_.push_back(line);
            if (behaviour_.stalled)
                continue;
            std::string after;
            std::string reply = answer(client, line, after);
            if (behaviour_.event_before_reply && client.logged_in)
                reply = "650 STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED\r\n" + reply;
            send_text(fd, reply + after);
            if (reply.starts_with("514") || reply.starts_with("515"))
                return false;
        }
        return true;
    }

    std::string answer(Client& client, const std::string& line, std::string& after)
    {
        for (const auto& word : behaviour_.filtered)
            if (line.starts_with(word))
                return "510 Command filtered\r\n";
        std::string word = line.substr(0, line.find(' '));
        std::string rest = line.size() > word.size() ? line.substr(word.size() + 1) : "";
        if (word == "PROTOCOLINFO")
            return "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=" + behaviour_.methods +
                   (behaviour_.cookie_file.empty() ? "" : " COOKIEFILE=\"" + behaviour_.cookie_file + "\"") +
                   "\r\n250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n";
        if (word == "AUTHCHALLENGE") {
            std::string client_nonce = *from_hex(rest.substr(rest.find(' ') + 1));
            std::string nonce = system_random().bytes(32);
            std::string hash = safe_cookie_server_hash(behaviour_.cookie, client_nonce, nonce);
            client.proof = to_hex(safe_cookie_client_hash(behaviour_.cookie, client_nonce, nonce));
            if (behaviour_.wrong_hash)
                hash[0] = static_cast<char>(hash[0] ^ 1);
            return "250 AUTHCHALLENGE SERVERHASH=" + to_hex(hash) + " SERVERNONCE=" + to_hex(nonce) + "\r\n";
        }
        if (word == "AUTHENTICATE") {
            bool null = behaviour_.methods == "NULL";
            bool safe = !client.proof.empty() && rest == client.proof;
            bool plain = behaviour_.methods == "COOKIE" && rest == to_hex(behaviour_.cookie);
            client.logged_in = null || safe || plain;
            return client.logged_in ? "250 OK\r\n" : "515 Authentication failed\r\n";
        }
        if (!client.logged_in)
            return "514 Authentication required.\r\n";
        if (word == "SETEVENTS") {
            client.events = rest;
            return "250 OK\r\n";
        }
        if (line == "GETINFO version")
            return "250-version=0.4.9.11\r\n250 OK\r\n";
        if (line == "GETINFO status/bootstrap-phase")
            return "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=" +
                   std::to_string(behaviour_.bootstrap) + " TAG=x SUMMARY=\"a summary\"\r\n250 OK\r\n";
        if (line == "GETINFO net/listeners/socks")
            return "250-net/listeners/socks=" + behaviour_.socks + "\r\n250 OK\r\n";
        if (line == "GETINFO onions/current") {
            if (client.onions.size() < 2)
                return "250-onions/current=" + (client.onions.empty() ? "" : client.onions[0]) +
                       "\r\n250 OK\r\n";
            std::string out = "250+onions/current=\r\n";
            for (const auto& onion : client.onions)
                out += onion + "\r\n";
            return out + ".\r\n250 OK\r\n";
        }
        if (word == "ADD_ONION") {
            if (!behaviour_.no_pow.empty() && rest.find("PoW") != std::string::npos)
                return behaviour_.no_pow + "\r\n";
            if (behaviour_.collisions > 0) {
                --behaviour_.collisions;
                return "550 Onion address collision\r\n";
            }
            auto key = from_base64(rest.substr(11, 88));
            std::string address = key ? addresses_[*key] : "";
            client.onions.push_back(address);
            if (behaviour_.upload_events && client.events.find("HS_DESC") != std::string::npos)
                for (int i = 0; i < 3; ++i)
                    after += "650 HS_DESC UPLOADED " + address + " UNKNOWN $00\r\n";
            return "250-ServiceID=" + address + "\r\n250 OK\r\n";
        }
        if (word == "DEL_ONION")
            return std::erase(client.onions, rest) ? "250 OK\r\n" : "552 Unknown Onion Service id\r\n";
        if (word == "TAKEOWNERSHIP")
            return "250 OK\r\n";
        return "510 Unrecognized command \"" + word + "\"\r\n";
    }

    int listener_ = -1;
    std::string address_;
    std::thread thread_;
    std::atomic<bool> ending_ = false;
    std::atomic<bool> drop_ = false;
    std::mutex mutex_;
    Behaviour behaviour_;
    std::map<int, Client> clients_;
    std::vector<std::string> lines_;
    int connections_ = 0;

public:
    std::map<std::string, std::string> addresses_; // of expanded keys; set before use
};

} // namespace bivouac::tor
