// SPDX-License-Identifier: BSD-3-Clause
// What a process of ours gives up for good once it has started: system calls (seccomp) and files (Landlock). Neither can be taken
// back, both are inherited. Where the kernel offers one of them not, the other holds, and confinement() says so.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <bivouac/base/result.h>

namespace bivouac {

enum class Role {
    // Does the work. Only what is listed passes: files, memory that cannot be run, threads, what is open. No socket but
    // pairs of unix ones, no connect(), no bind(), no program, no process, no signal to others than itself and `guardian`.
    Worker,
    // Waits for the worker and starts the next: no program, no socket but unix ones, none of the calls that reach into other
    // processes, name spaces, mounts, keys or the kernel.
    Guardian,
    // Opens sockets for the worker: as the guardian, and besides stream sockets of IPv4.
    Broker,
    // The same while it may still start tor, which inherits this: programs and tor's families of sockets are let through.
    BrokerWithTor,
};

// Of this process and its other threads, from now on. Unavailable: the kernel has no seccomp, and nothing changed.
Result<void> filter_system_calls(Role role, pid_t guardian = 0);

// From now on only these directories can be used, with all that is beneath: files and directories read, written, made, renamed and
// removed; no devices, no running of programs. Of TCP nothing is left where the kernel can say so. Before any thread, and not in a
// process that is to start tor. Gives the ABI of Landlock that holds. Unavailable: the kernel has none, and nothing changed.
Result<int> restrict_files(const std::vector<std::string>& directories);

// Less: everything can be read as before, but files and directories are written, made, renamed and removed only beneath these
// directories, no program is run, and in `emptied` directories are removed once they are empty. TCP stays.
Result<int> restrict_changes(const std::vector<std::string>& directories, const std::string& emptied);

// The newest ABI of Landlock here; 0: there is none.
int landlock_abi();

// What holds in this process.
struct Confinement {
    bool seccomp = false;
    int landlock = 0;     // its ABI; 0: files are not restricted
    bool tcp = false;     // Landlock keeps TCP, too (ABI 4 and newer)
    std::vector<std::string> missing;  // what does not hold, and why, for a person
};
const Confinement& confinement();

}  // namespace bivouac
