// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bounded_queue.h>
#include <bivouac/base/files.h>
#include <bivouac/base/log.h>
#include <bivouac/store/store.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "database.h"
#include "migrations.h"
#include "search_words.h"

namespace bivouac::store {

namespace {

// What one commit takes at most: enough that a slow disk (10 ms a sync) still gives thousands of writes a second.
constexpr size_t kBatch = 64;

// Those who wrote last time write again as soon as they are answered. A commit waits for as many as there were, but
// not longer than this part of the time that a transaction takes: together they are done earlier than one by one.
constexpr int kGatherPart = 4;
constexpr auto kGatherLongest = std::chrono::milliseconds(5);

// A checkpoint costs two or three syncs, so it waits for a moment when nobody writes, but not for ever: 64 MiB of log. The
// longer it waits, the more of the pages are in the log several times and written to the file once. A file that is there is
// written to faster than one that grows, so it stays while writes come; after a burst it goes.
constexpr int kCheckpointPages = 1000;
constexpr int kWalPagesAtMost = 16000;
constexpr int kWalPagesKept = 4000;
constexpr auto kNobodyWrites = std::chrono::milliseconds(20);
constexpr auto kQuiet = std::chrono::seconds(2);

struct Job {
    std::function<Result<void>(WriteTx&)> function;
    std::function<void(Result<void>)> done;
};

// Tells the jobs of one commit what became of them, while the next is being written: making answers takes a tenth of the time
// that writing takes. In the order of the commits; a single job is told at once where nobody waits.
class Answers {
public:
    Answers() : thread_([this] { run(); }) {}
    ~Answers()
    {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }

    void give(std::vector<Job> jobs, std::vector<Result<void>> results)
    {
        if (jobs.size() > 1 || busy_.load(std::memory_order_acquire) != 0) {
            busy_.fetch_add(1, std::memory_order_relaxed);
            {
                std::lock_guard lock(mutex_);
                waiting_.push_back({std::move(jobs), std::move(results)});
            }
            wake_.notify_one();
            return;
        }
        tell({std::move(jobs), std::move(results)});
    }

private:
    struct Batch {
        std::vector<Job> jobs;
        std::vector<Result<void>> results;
    };

    static void tell(Batch batch)
    {
        for (size_t i = 0; i < batch.jobs.size(); ++i)
            batch.jobs[i].done(std::move(batch.results[i]));
    }

    void run()
    {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
            if (waiting_.empty())
                return;
            Batch batch = std::move(waiting_.front());
            waiting_.pop_front();
            lock.unlock();
            tell(std::move(batch));
            busy_.fetch_sub(1, std::memory_order_release);
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Batch> waiting_;
    bool closed_ = false;
    std::atomic<size_t> busy_{0};
    std::thread thread_;
};

using Steady = std::chrono::steady_clock;

}  // namespace

struct Store::Impl {
    Clock& clock;
    std::unique_ptr<Database> writer;
    BoundedQueue<Job> queue;
    std::unique_ptr<Answers> answers = std::make_unique<Answers>();
    std::thread thread;
    // Writer thread only.
    size_t last_batch = 1;
    size_t expected = 1;
    Steady::duration commit_took{};
    int longest_log = 0;  // in pages, since its file was empty

    std::mutex readers_mutex;
    std::condition_variable reader_free;
    std::vector<std::unique_ptr<Database>> readers;  // the idle ones

    Impl(Clock& c, size_t limit) : clock(c), queue(limit) {}

    void run()
    {
        while (auto first = next())
            transact(std::move(*first));
    }

    // The next job; what is to be done between jobs is done here.
    std::optional<Job> next()
    {
        // The log begins anew after a checkpoint, so the next commit may find the room that this one did not.
        const bool no_room = writer->found_no_room() && writer->wal_pages() > 0;
        longest_log = std::max(longest_log, writer->wal_pages());
        if (no_room || writer->wal_pages() >= kCheckpointPages) {
            if (!no_room && writer->wal_pages() < kWalPagesAtMost)
                if (auto job = queue.pop_until(Steady::now() + kNobodyWrites))
                    return job;
            // A full disk, say: what is in the log is safe there, and the next commit's log asks again.
            if (auto done = writer->checkpoint(); !done.ok())
                log::warning(done.error().detail);
        }
        if (longest_log > kWalPagesKept) {
            if (auto job = queue.pop_until(Steady::now() + kQuiet))
                return job;
            if (writer->truncate_log().ok())
                longest_log = 0;
        }
        return queue.pop();
    }

    // One more for the transaction that has so many, as long as it is worth waiting.
    std::optional<Job> more(size_t so_far, Steady::duration& waited)
    {
        if (so_far >= kBatch)
            return std::nullopt;
        const auto patience = std::min<Steady::duration>(commit_took / kGatherPart, kGatherLongest) - waited;
        if (so_far >= expected || patience <= Steady::duration::zero())
            return queue.try_pop();
        const auto since = Steady::now();
        auto job = queue.pop_until(since + patience);
        waited += Steady::now() - since;
        return job;
    }

    // The first job and those that come meanwhile, in one commit. Each is done as soon as it is here: while others wait
    // for theirs to be read and checked, on another processor, the writer is not idle.
    void transact(Job first)
    {
        const auto begin = Steady::now();
        Steady::duration waited{};
        std::vector<Job> batch;
        std::vector<Result<void>> results;
        std::vector<std::function<void()>> actions;
        Result<void> began = writer->run("BEGIN IMMEDIATE");
        for (std::optional<Job> job = std::move(first); job; job = more(batch.size(), waited)) {
            results.push_back(began.ok() ? run_one(*job, actions) : began);
            batch.push_back(std::move(*job));
            if (!began.ok() || !writer->in_autocommit())
                continue;
            // A full disk makes SQLite roll back the whole transaction by itself: what was done before in
            // this batch is gone and must not be acknowledged.
            for (auto& result : results)
                if (result.ok())
                    result = results.back();
            actions.clear();
            began = writer->run("BEGIN IMMEDIATE");
        }
        if (began.ok()) {
            Result<void> committed = writer->run("COMMIT");
            if (!committed.ok()) {
                (void)writer->run("ROLLBACK").ok();
                actions.clear();
                for (auto& result : results)
                    if (result.ok())
                        result = committed;
            }
        }
        for (auto& action : actions)
            action();
        commit_took = Steady::now() - begin - waited;
        expected = std::max(batch.size(), last_batch);
        last_batch = batch.size();
        answers->give(std::move(batch), std::move(results));
    }

    Result<void> run_one(Job& job, std::vector<std::function<void()>>& actions)
    {
        TRY(writer->run("SAVEPOINT job"));
        WriteTx tx(*writer, clock.now_ms());
        Result<void> result = fail(ErrorKind::Internal, "a write failed");
        try {
            result = job.function(tx);
        } catch (const std::exception&) {
            // The text of an exception may hold what was being written.
            log::error("an exception reached the writer; the write was rolled back");
        }
        if (!result.ok()) {
            if (!writer->in_autocommit()) {
                (void)writer->run("ROLLBACK TO job").ok();
                (void)writer->run("RELEASE job").ok();
            }
            return result;
        }
        TRY(writer->run("RELEASE job"));
        for (auto& action : tx.actions_)
            actions.push_back(std::move(action));
        return result;
    }
};

Store::Store(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl))
{
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path, const DataKeys& keys, bool create,
                                           StoreOptions options, Clock& clock)
{
    if (create && file_exists(path))
        return fail(ErrorKind::Conflict, "there is a database already");
    if (!create && !file_exists(path))
        return fail(ErrorKind::NotFound, "there is no database");
    auto impl = std::make_unique<Impl>(clock, options.queue);
    // One after another: two connections that open a WAL at the same time can find it locked.
    impl->writer = TRY(Database::open(path, keys, create ? Database::Access::Create : Database::Access::ReadWrite,
                                      options.cache_kib_writer));
    TRY(migrate(*impl->writer));
    TRY(check_words_version(*impl->writer));
    for (int i = 0; i < options.readers; ++i)
        impl->readers.push_back(
            TRY(Database::open(path, keys, Database::Access::ReadOnly, options.cache_kib_reader)));
    impl->thread = std::thread([raw = impl.get()] { raw->run(); });
    return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Store::~Store()
{
    impl_->queue.close();
    if (impl_->thread.joinable())
        impl_->thread.join();
    impl_->answers.reset();
    impl_->readers.clear();  // before the writer, which checkpoints when it is the last
}

Result<void> Store::write_blocking(std::function<Result<void>(WriteTx&)> function)
{
    std::promise<Result<void>> promise;
    auto future = promise.get_future();
    Job job{std::move(function), [&](Result<void> result) { promise.set_value(std::move(result)); }};
    if (!impl_->queue.push(std::move(job)))
        return fail(ErrorKind::Unavailable, "the node is stopping");
    return future.get();
}

void Store::write_async(std::function<Result<void>(WriteTx&)> function, std::function<void(Result<void>)> done)
{
    auto shared = std::make_shared<std::function<void(Result<void>)>>(std::move(done));
    Job job{std::move(function), [shared](Result<void> result) { (*shared)(std::move(result)); }};
    if (!impl_->queue.push(std::move(job)))
        (*shared)(fail(ErrorKind::Unavailable, "the node is stopping"));
}

Result<void> Store::read_blocking(const std::function<void(ReadTx&)>& function)
{
    std::unique_ptr<Database> reader;
    {
        std::unique_lock lock(impl_->readers_mutex);
        impl_->reader_free.wait(lock, [this] { return !impl_->readers.empty(); });
        reader = std::move(impl_->readers.back());
        impl_->readers.pop_back();
    }
    Result<void> result = reader->run("BEGIN");
    if (result.ok()) {
        try {
            ReadTx tx(*reader, impl_->clock.now_ms());
            function(tx);
        } catch (const std::exception&) {
            log::error("an exception reached a reader");
            result = fail(ErrorKind::Internal, "a read failed");
        }
        (void)reader->run("COMMIT").ok();
    }
    {
        std::lock_guard lock(impl_->readers_mutex);
        impl_->readers.push_back(std::move(reader));
    }
    impl_->reader_free.notify_one();
    return result;
}

Clock& Store::clock()
{
    return impl_->clock;
}

}  // namespace bivouac::store
