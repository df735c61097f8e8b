// SPDX-License-Identifier: BSD-3-Clause
// The process that people and systemd know by its pid holds no secret and opens no file: it has a child do the work, and
// waits. What the child knew is gone with its memory when it ends, and that is how the node is locked: the child ends, a
// new one takes its place that knows nothing and waits for a passphrase. So it also works while the child hangs.
#pragma once

#include <functional>

#include <sys/types.h>

namespace bivouac::app {

// How a child ends that is to be followed by a locked one.
constexpr int kExitLocked = 83;

enum class Begin { Open, Locked };

// Before any thread. Calls `serve` in a child, with its result as exit code, and once more as Locked whenever it ends
// with kExitLocked. Gives the exit code of the last; 128 + N when signal N ended it.
//
// SIGTERM and SIGINT are passed on. SIGUSR1 locks: it is passed on as well, and a child that has not ended five seconds
// later is killed. When this process dies the child is killed, too.
//
// `settled` is called here once the first child runs. The broker of this process, if there is one, forgets each child when that
// ends, and ends with the last; should it end before, the node ends.
int guard(const std::function<int(Begin)>& serve, const std::function<void()>& settled = {});

// In a child: whose it is. 0: nobody's.
pid_t guardian_pid();

}  // namespace bivouac::app
