// SPDX-License-Identifier: BSD-3-Clause
// A real encrypted store in a temporary folder, with clocks that tests set.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <bivouac/base/clock.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/store.h>

struct TestClock : bivouac::Clock {
    std::atomic<int64_t> now{1'700'000'000'000};
    int64_t now_ms() override { return now; }
    int64_t monotonic_ms() override { return now; }
    int64_t awake_ms() override { return now; }
};

struct TestStore {
    std::string folder;
    TestClock clock;
    bivouac::store::DataKeys keys = bivouac::store::make_data_keys(bivouac::system_random());
    std::unique_ptr<bivouac::store::Store> store;

    TestStore()
    {
        char name[] = "/tmp/bivouac-store-XXXXXX";
        folder = mkdtemp(name);
        open(true);
    }
    ~TestStore()
    {
        store.reset();
        std::filesystem::remove_all(folder);
    }
    std::string path() const { return folder + "/bivouac.db"; }
    void open(bool create)
    {
        store.reset();
        bivouac::store::StoreOptions options;
        options.readers = 2;
        auto opened = bivouac::store::Store::open(path(), keys, create, options, clock);
        if (!opened.ok())
            FAIL(opened.error().detail);
        store = std::move(*opened);
    }
    template <typename F>
    auto read(F function)
    {
        auto result = store->read(function);
        if (!result.ok())
            FAIL(result.error().detail);
        return std::move(result).value();
    }
    // The value; fails the test with the words of the error.
    template <typename F>
    auto write(F function)
    {
        auto result = store->write(function);
        if (!result.ok())
            FAIL(result.error().detail);
        return std::move(result).value();
    }
};
