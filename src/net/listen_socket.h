// SPDX-License-Identifier: BSD-3-Clause
// Opens a listening socket on 127.0.0.1 or on a unix path; there is no code here that could listen elsewhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

#include <bivouac/base/result.h>
#include <bivouac/net/listen.h>

namespace bivouac
{
class Broker;
}

namespace bivouac::net
{

class ListenSocket
{
public:
    // "127.0.0.1:PORT" or "unix:/path". Conflict when it is taken, Invalid when it is anything else. By the broker, where
    // there is one.
    static Result<ListenSocket> open(std::string_view address, mode_t unix_mode);
    static Result<ListenSocket> open_here(std::string_view address, mode_t unix_mode);
    ListenSocket(ListenSocket&& other) noexcept
        : fd_(std::exchange(other.fd_, -1))
        , address_(std::move(other.address_))
        , path_(std::move(other.path_))
        , inode_(other.inode_)
        , device_(other.device_)
    {
    }
    ListenSocket& operator=(ListenSocket&&) = delete;
    ~ListenSocket() { close(); }

    int fd() const { return fd_; }
    Listener release(); // the socket and its file stay
    bool is_unix() const { return !path_.empty(); }
    const std::string& address() const { return address_; } // with the real port
    void close(); // and removes the socket file, if it is still ours

private:
    ListenSocket() = default;
    static Result<ListenSocket> open_by(Broker& broker, std::string_view address, mode_t unix_mode);
    void remember(std::string path);
    static Result<ListenSocket> open_tcp(std::string_view port);
    static Result<ListenSocket> open_unix(std::string path, mode_t mode);

    int fd_ = -1;
    std::string address_;
    std::string path_;
    ino_t inode_ = 0;
    dev_t device_ = 0;
};

// The peer of a unix socket has our effective uid.
bool is_same_user(int fd);

// Raises the soft limit of open files as far as `wanted` and the hard limit allow; what it then is.
size_t raise_file_limit(size_t wanted);

} // namespace bivouac::net
