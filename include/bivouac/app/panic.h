// SPDX-License-Identifier: BSD-3-Clause
// Destroying a node without its passphrase: first the key slots, which takes milliseconds and makes everything else
// unreadable; then the processes, hanging or not; then the files. Also finds the processes of a data directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include <bivouac/base/result.h>

namespace bivouac::app {

// Who uses a data directory; zeros: nobody.
struct NodeProcesses {
    pid_t worker = 0;    // holds the keys and the onions
    pid_t guardian = 0;  // its parent (app/guardian.h)
};
// By the control socket, which answers this even when the worker hangs; else by the kernel's list of file locks.
NodeProcesses find_node(const std::string& directory);

struct Panicked {
    int64_t keys_destroyed_us = 0;  // microseconds until the slots were overwritten and synced
    bool node_ended = false;        // there was one, and it was killed
    size_t files = 0;               // removed
    std::vector<std::string> left;  // what could not be removed, with the reason
};
// NotFound: no node here. Goes on whatever fails; what failed is in `left`. Only files of ours are removed, and the
// directory when nothing else is in it.
Result<Panicked> destroy_node(const std::string& directory);
// From within the node: the keys are destroyed when it returns; files and processes go within a second.
void destroy_own_node(const std::string& directory);

}  // namespace bivouac::app
