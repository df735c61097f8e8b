// SPDX-License-Identifier: BSD-3-Clause
// Starting a tor of our own, in whatever process may (base/broker.h); and asking a running one, by itself, what the broker has to know.
#pragma once

#include <cstdint>
#include <string>

#include <sys/types.h>

#include <bivouac/base/result.h>
#include <bivouac/base/secret.h>

namespace bivouac::tor {

struct ChildOptions {
    std::string directory;
    std::string extra_torrc_file;
    std::string program;  // empty: found in PATH, /usr/sbin, /usr/bin
};

struct Launched {
    pid_t pid = -1;
    int pidfd = -1;   // readable when it has ended; the caller's
    int output = -1;  // what it says, non-blocking; the caller's
    std::string control_address;
    std::string socks_address;  // of the SOCKS port that we gave it
};

// A child of this process, which ends with it, and with the process `owner`. It starts no programs itself, unless the extra file names a
// transport plugin. NotFound: no tor program. Invalid: the extra file cannot be used.
Result<Launched> launch_tor(const ChildOptions& options, pid_t owner);

// Of the tor at that control address; both wait two seconds at most. Unavailable: none answers, or it says nothing of the kind.
Result<Secret> read_control_cookie(const std::string& control_address);
// As tor itself says; where a filter keeps that back, the port that every tor has.
Result<std::string> ask_socks_address(const std::string& control_address);

// A socket to "127.0.0.1:PORT" or "unix:/path", non-blocking; it may still be connecting. Invalid: another address. Unavailable: refused.
Result<int> connect_on_this_machine(const std::string& address);

}  // namespace bivouac::tor
