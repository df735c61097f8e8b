// SPDX-License-Identifier: BSD-3-Clause
// Listening on behalf of another process (base/broker.h).
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

#include <bivouac/base/result.h>

namespace bivouac::net {

struct Listener {
    int fd = -1;          // the caller's
    std::string address;  // with the real port
    dev_t device = 0;     // of the file of a unix socket
    ino_t inode = 0;
};

// "127.0.0.1:PORT" or "unix:/path", opened by this process. Conflict when it is taken, Invalid when it is anything else.
Result<Listener> open_listener(std::string_view address, mode_t unix_mode);

}  // namespace bivouac::net
