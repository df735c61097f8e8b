// SPDX-License-Identifier: BSD-3-Clause
// A backup or an export that the pages hand out: made on a thread of its own, one at a time. A backup is sealed, so it is a
// file beside the database; an export is not, so it goes into a Spool, whose overflow is encrypted and nameless.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <bivouac/base/spool.h>
#include <bivouac/pages/pages.h>

namespace bivouac::app {

class PageJob {
public:
    explicit PageJob(std::string directory);
    ~PageJob();  // ends what is under way

    // Conflict: another one is being made. The thread begins; wrong passphrases show in job().
    Result<void> begin_backup(Secret passphrase, Secret sealing);
    Result<void> begin_export(Secret passphrase, std::string name);
    pages::Job job() const;
    // NotFound: there is none. Whoever reads it keeps it; read in order.
    Result<net::BodySource> file() const;
    void forget();

private:
    Result<void> begin(const char* what, std::function<Result<void>()> work);
    void progress(int64_t done, int64_t all);

    const std::string directory_;
    const std::string path_;  // of the backup
    mutable std::mutex mutex_;
    pages::Job job_;
    std::shared_ptr<Spool> spool_;  // of the export
    std::atomic<bool> ended_{false};
    std::thread thread_;
};

}  // namespace bivouac::app
