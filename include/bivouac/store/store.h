// SPDX-License-Identifier: BSD-3-Clause
// Front door of the encrypted file. One thread owns the only connection that writes; functions given to
// write() run on it, each inside a savepoint, as many as are waiting in one transaction (group commit), and are
// answered when that transaction is on disk (synchronous=FULL). Readers are a few read-only connections; a
// read() is one snapshot. Functions must not call back into the Store.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include <bivouac/base/clock.h>
#include <bivouac/base/result.h>
#include <bivouac/store/key_file.h>
#include <bivouac/store/transaction.h>

namespace bivouac::store {

struct StoreOptions {
    int readers = 4;
    int cache_kib_writer = 8 << 10;
    int cache_kib_reader = 4 << 10;
    size_t queue = 1024;  // writes waiting; beyond: the caller waits
};

class Store {
public:
    // `create`: the file must not exist yet; otherwise it must. Forbidden: the key does not fit.
    // Invalid: not ours, damaged, or of a newer version. Brings an older file up to date.
    static Result<std::unique_ptr<Store>> open(const std::string& path, const DataKeys& keys, bool create,
                                               StoreOptions options = {}, Clock& clock = system_clock());
    ~Store();  // waits for what was accepted, then closes

    // The function's Result, or the commit's failure. From any thread but the writer's.
    template <typename F, typename R = std::invoke_result_t<F, WriteTx&>>
    R write(F function)
    {
        std::optional<R> out;
        Result<void> committed = write_blocking([&](WriteTx& tx) -> Result<void> {
            out.emplace(function(tx));
            if (!out->ok())
                return out->error();
            return {};
        });
        if (!committed.ok())
            return std::move(committed).error();
        return std::move(*out);
    }

    // The same without waiting: `done` is called after the commit, on the writer thread or on one that only does this:
    // it must not wait for a write.
    void write_async(std::function<Result<void>(WriteTx&)> function, std::function<void(Result<void>)> done);

    template <typename F, typename R = std::invoke_result_t<F, ReadTx&>>
    R read(F function)
    {
        std::optional<R> out;
        Result<void> opened = read_blocking([&](ReadTx& tx) { out.emplace(function(tx)); });
        if (!opened.ok())
            return std::move(opened).error();
        return std::move(*out);
    }

    Clock& clock();

private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    Result<void> write_blocking(std::function<Result<void>(WriteTx&)> function);
    Result<void> read_blocking(const std::function<void(ReadTx&)>& function);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bivouac::store
