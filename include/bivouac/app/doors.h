// SPDX-License-Identifier: BSD-3-Clause
// Who may do what in a running node (docs/architecture.md, "Processes"): the guardian, the worker, and between them the broker, which
// alone opens sockets and starts tor.
#pragma once

#include <string>
#include <vector>

#include <bivouac/app/config.h>
#include <bivouac/base/confine.h>
#include <bivouac/base/result.h>

namespace bivouac::app {

// In the guardian, before anything else: starts the broker for this configuration, then gives up what the guardian does not need.
// The broker connects to 127.0.0.1 and to the unix sockets of the node's tor, listens on 127.0.0.1 and on the unix sockets that
// the configuration names, starts tor where that may be needed, and does nothing else whatever it is asked.
Result<void> open_doors(const RunConfig& config);

// In the worker, before it has threads: it keeps the data directory and what is open.
void confine_worker(const RunConfig& config);
// In the guardian, once the first worker runs.
void confine_guardian(const RunConfig& config);

// What holds in each of them, for `bivouac status`.
struct Confinements {
    Confinement worker;
    Confinement guardian;
    Confinement broker;
    bool with_broker = false;    // false: nobody started one; the process does everything itself
    bool may_start_tor = false;  // programs, in the broker
};
Confinements confinements();

}  // namespace bivouac::app
