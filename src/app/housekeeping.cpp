// SPDX-License-Identifier: BSD-3-Clause
#include "housekeeping.h"

#include <bivouac/base/log.h>
#include <bivouac/store/attachments.h>

namespace bivouac::app {

Housekeeping::Housekeeping(EventLoop& loop, store::Store& store, int64_t every_ms)
    : timer_(loop.every(every_ms, [&store] {
        store.write_async(
            [](store::WriteTx& tx) { return store::remove_orphans(tx, store::Orphans::OlderThanAnHour); },
            [](Result<void> removed) {
                if (!removed.ok())
                    log::warning("attachments without a post stay for another hour: " + removed.error().detail);
            });
    }))
{
}

}  // namespace bivouac::app
