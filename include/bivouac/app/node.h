// SPDX-License-Identifier: BSD-3-Clause
// The running node: builds the parts in order, wires their few callbacks, stops them in reverse order.
// docs/architecture.md has the picture.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>
#include <utility>

#include <bivouac/app/config.h>
#include <bivouac/app/data_directory.h>
#include <bivouac/media/cleaner.h>

namespace bivouac::app {

enum class End { Stopped, Locked, Anew };

class Node {
public:
    // Everything that can fail for a reason a person can act on fails here. The cleaner outlives the node; it was started
    // before there were threads or secrets.
    static Result<std::unique_ptr<Node>> start(RunConfig config, OpenedData data, media::Cleaner& cleaner);
    ~Node();

    // Blocks until SIGTERM, SIGINT or `bivouac stop`, then stops within five seconds; or until SIGUSR1 or when the owner
    // was idle for long enough, then it stops at once and is to be locked (app/guardian.h). The signals must be
    // blocked in all threads (block_stop_signals, before any thread starts).
    // Anew: the store holds other entities or addresses now (SIGUSR2, which only the process itself sends); take() and start.
    End run_until_stopped();
    std::pair<RunConfig, OpenedData> take();
    std::vector<std::string> addresses() const;  // the entity URLs of those who live here, in their order

private:
    struct Impl;
    explicit Node(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

void block_stop_signals();

// The header of the control socket that names whose node is meant: the name of an entity. Absent: the first.
constexpr const char* kAsHeader = "Bivouac-As";
// The passphrase of her owner, where she has one: base64.
constexpr const char* kOwnerHeader = "Bivouac-Owner";

}  // namespace bivouac::app
