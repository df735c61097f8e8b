// SPDX-License-Identifier: BSD-3-Clause
#include "page_job.h"

#include <bivouac/app/backup.h>
#include <bivouac/app/config.h>
#include <bivouac/app/export.h>
#include <bivouac/base/files.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bivouac::app {

namespace {

// Thrown by progress(), the one place that a backup passes again and again: the node stops.
struct Ended : std::exception {};

struct Descriptor {
    int fd = -1;
    ~Descriptor()
    {
        if (fd >= 0)
            ::close(fd);
    }
};

}  // namespace

PageJob::PageJob(std::string directory)
    : directory_(std::move(directory))
    , path_(DataPaths::in(directory_).database + ".download")
{
    std::remove(path_.c_str());
}

PageJob::~PageJob()
{
    ended_ = true;
    if (thread_.joinable())
        thread_.join();
    std::remove(path_.c_str());
}

void PageJob::progress(int64_t done, int64_t all)
{
    if (ended_)
        throw Ended();
    std::lock_guard lock(mutex_);
    job_.done = done;
    job_.all = all;
}

Result<void> PageJob::begin(const char* what, std::function<Result<void>()> work)
{
    std::lock_guard lock(mutex_);
    if (job_.state == pages::Job::State::Running)
        return fail(ErrorKind::Conflict, "a backup or an export of this node is being made already");
    if (thread_.joinable())
        thread_.join();  // it has said so, and ends
    spool_.reset();
    std::remove(path_.c_str());
    job_ = {pages::Job::State::Running, what, 0, 0, 0, {}};
    thread_ = std::thread([this, work = std::move(work)] {
        Result<void> done = fail(ErrorKind::Internal, "");
        try {
            done = work();
        } catch (const std::exception&) {
            // what is left of it goes with the objects that held it
        }
        std::lock_guard hold(mutex_);
        job_.state = done.ok() ? pages::Job::State::Ready : pages::Job::State::Failed;
        if (!done.ok())
            job_.problem = done.error().detail;
    });
    return {};
}

Result<void> PageJob::begin_backup(Secret passphrase, Secret sealing)
{
    auto secrets = std::make_shared<std::pair<Secret, BackupSecret>>();
    secrets->first = std::move(passphrase);
    secrets->second.passphrase = std::move(sealing);
    return begin("backup", [this, secrets]() -> Result<void> {
        TRY(make_backup(directory_, secrets->first, secrets->second, path_,
                        [this](const char*, int64_t done, int64_t all) { progress(done, all); }));
        struct stat info{};
        if (::stat(path_.c_str(), &info) != 0)
            return fail(ErrorKind::Unavailable, std::strerror(errno));
        std::lock_guard lock(mutex_);
        job_.size = info.st_size;
        return {};
    });
}

Result<void> PageJob::begin_export(Secret passphrase, std::string name)
{
    auto secret = std::make_shared<Secret>(std::move(passphrase));
    return begin("export", [this, secret, name = std::move(name)]() -> Result<void> {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0)
            return fail(ErrorKind::Unavailable, std::strerror(errno));
        Descriptor out{ends[0]};
        auto spool = std::make_shared<Spool>(directory_);
        Result<void> taken;
        std::thread taker([&] {
            std::string piece(64u << 10, '\0');
            for (ssize_t count; (count = ::read(out.fd, piece.data(), piece.size())) != 0;) {
                if (count < 0 && errno == EINTR)
                    continue;
                if (count < 0)
                    taken = fail(ErrorKind::Unavailable, std::strerror(errno));
                else if (taken.ok())  // after a failure the rest is read and dropped, or the other side would wait for ever
                    taken = spool->append({piece.data(), static_cast<size_t>(count)});
                if (count < 0)
                    break;
            }
        });
        Result<void> written = fail(ErrorKind::Internal, "");
        try {
            Descriptor in{ends[1]};
            auto facts = export_node_to(in.fd, directory_, *secret, name, Secret(), {},
                                        [this](const char*, int64_t done, int64_t all) { progress(done, all); });
            written = facts.ok() ? Result<void>() : Result<void>(facts.error());
        } catch (...) {
            taker.join();
            throw;
        }
        taker.join();
        TRY(written);
        TRY(taken);
        TRY(spool->finish());
        std::lock_guard lock(mutex_);
        job_.size = static_cast<int64_t>(spool->size());
        spool_ = std::move(spool);
        return {};
    });
}

pages::Job PageJob::job() const
{
    std::lock_guard lock(mutex_);
    return job_;
}

Result<net::BodySource> PageJob::file() const
{
    std::lock_guard lock(mutex_);
    if (job_.state != pages::Job::State::Ready)
        return fail(ErrorKind::NotFound, "there is nothing to download");
    net::BodySource out;
    out.size = static_cast<uint64_t>(job_.size);
    if (spool_) {
        struct Reading {
            std::shared_ptr<Spool> spool;
            Spool::Reader reader;
            std::string piece;
            explicit Reading(std::shared_ptr<Spool> s)
                : spool(std::move(s))
                , reader(*spool)
            {
            }
        };
        auto reading = std::make_shared<Reading>(spool_);
        out.read = [reading](uint64_t, size_t limit) -> Result<std::string> {
            if (reading->piece.empty())
                reading->piece = TRY(reading->reader.next());
            std::string now = reading->piece.substr(0, limit);
            reading->piece.erase(0, now.size());
            return now;
        };
        return out;
    }
    auto file = std::make_shared<Descriptor>();
    file->fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file->fd < 0)
        return fail(ErrorKind::Unavailable, std::strerror(errno));
    out.read = [file](uint64_t offset, size_t limit) -> Result<std::string> {
        std::string piece(limit, '\0');
        const ssize_t count = ::pread(file->fd, piece.data(), limit, static_cast<off_t>(offset));
        if (count < 0)
            return fail(ErrorKind::Unavailable, std::strerror(errno));
        piece.resize(static_cast<size_t>(count));
        return piece;
    };
    return out;
}

void PageJob::forget()
{
    std::lock_guard lock(mutex_);
    if (job_.state == pages::Job::State::Running)
        return;
    job_ = {};
    spool_.reset();
    std::remove(path_.c_str());
}

}  // namespace bivouac::app
