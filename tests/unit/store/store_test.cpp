// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include <sys/resource.h>

#include <bivouac/base/files.h>

#include "store_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

Result<void> put(WriteTx& tx, const std::string& entity)
{
    TRY(name_id(tx, entity));
    return {};
}

int64_t count_names(Store& store)
{
    auto count = store.read([](ReadTx& tx) -> Result<int64_t> {
        auto select = tx.prepare("SELECT count(*) FROM names");
        TRY(select.step());
        return select.integer(0);
    });
    REQUIRE(count.ok());
    return *count;
}

}  // namespace

TEST_CASE("what was written is there after opening again, and only with the key")
{
    TestStore test;
    test.write([](WriteTx& tx) { return put(tx, "http://a.onion"); });
    test.open(false);
    CHECK(count_names(*test.store) == 1);
    test.store.reset();
    DataKeys other = make_data_keys(system_random());
    auto wrong = Store::open(test.path(), other, false);
    REQUIRE_FALSE(wrong.ok());
    CHECK(wrong.error().kind == ErrorKind::Forbidden);
    test.open(false);
}

TEST_CASE("a function that fails leaves nothing, and its neighbours in the same commit stay")
{
    TestStore test;
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int i = 0; i < 50; ++i)
        threads.emplace_back([&, i] {
            auto result = test.store->write([&](WriteTx& tx) -> Result<void> {
                TRY(put(tx, "http://" + std::to_string(i) + ".onion"));
                if (i % 2)
                    return fail(ErrorKind::Invalid, "odd");
                return {};
            });
            if (result.ok())
                ++good;
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(good == 25);
    CHECK(count_names(*test.store) == 25);
}

TEST_CASE("an exception in a write rolls it back and the store goes on")
{
    TestStore test;
    auto result = test.store->write([](WriteTx& tx) -> Result<void> {
        TRY(put(tx, "http://a.onion"));
        throw std::runtime_error("boom");
    });
    CHECK_FALSE(result.ok());
    CHECK(count_names(*test.store) == 0);
    test.write([](WriteTx& tx) { return put(tx, "http://b.onion"); });
    CHECK(count_names(*test.store) == 1);
}

TEST_CASE("actions after the commit run only when it succeeded")
{
    TestStore test;
    int ran = 0;
    test.write([&](WriteTx& tx) -> Result<void> {
        tx.after_commit([&] { ++ran; });
        return put(tx, "http://a.onion");
    });
    (void)test.store->write([&](WriteTx& tx) -> Result<void> {
        tx.after_commit([&] { ran += 100; });
        return fail(ErrorKind::Invalid, "no");
    }).ok();
    CHECK(ran == 1);
}

TEST_CASE("nothing readable is in the file or its journal")
{
    TestStore test;
    const std::string secret = "http://findmeifyoucan.onion";
    test.write([&](WriteTx& tx) { return put(tx, secret); });
    for (const char* suffix : {"", "-wal"}) {
        auto bytes = read_file(test.path() + suffix, 64u << 20);
        REQUIRE(bytes.ok());
        CHECK(bytes->find("findmeifyoucan") == std::string::npos);
        CHECK(bytes->find("CREATE TABLE") == std::string::npos);
        CHECK(bytes->substr(0, 15) != "SQLite format 3");
    }
}

TEST_CASE("a database of a newer version, or of another program, is refused and left as it is")
{
    TestStore test;
    test.write([](WriteTx& tx) -> Result<void> { return tx.prepare("PRAGMA user_version=99").run(); });
    test.store.reset();
    auto newer = Store::open(test.path(), test.keys, false);
    REQUIRE_FALSE(newer.ok());
    CHECK(newer.error().detail.find("newer version") != std::string::npos);

    TestStore other;
    other.write([](WriteTx& tx) -> Result<void> { return tx.prepare("PRAGMA application_id=7").run(); });
    other.store.reset();
    auto foreign = Store::open(other.path(), other.keys, false);
    REQUIRE_FALSE(foreign.ok());
    CHECK(foreign.error().detail.find("another program") != std::string::npos);
}

TEST_CASE("a full disk fails the write with clear words, loses nothing and is over when there is room")
{
    TestStore test;
    test.write([](WriteTx& tx) { return put(tx, "http://kept.onion"); });
    auto big = [](WriteTx& tx) -> Result<void> {
        auto insert = tx.prepare("INSERT INTO blobs (digest, size, stored_at) VALUES (NULL, 0, 0)");
        TRY(insert.run());
        auto chunk = tx.prepare("INSERT INTO blob_chunks VALUES (:blob, 0, :data)");
        return chunk.bind(":blob", tx.last_insert_id()).bind_blob(":data", std::string(4 << 20, 'x')).run();
    };
    // SQLite's own bound on the file stands in for the disk's: the same error, at the same place.
    test.write([](WriteTx& tx) -> Result<void> { return tx.prepare("PRAGMA max_page_count=120").run(); });
    auto full = test.store->write(big);
    REQUIRE_FALSE(full.ok());
    CHECK(full.error().kind == ErrorKind::NoSpace);
    CHECK(count_names(*test.store) == 1);
    test.write([](WriteTx& tx) -> Result<void> { return tx.prepare("PRAGMA max_page_count=1000000").run(); });
    CHECK(test.store->write(big).ok());
}

TEST_CASE("what a log has no room for has room in the file")
{
    // A limit on the size of files stands in for the disk's: the log can grow to it, and the file is not near.
    ::signal(SIGXFSZ, SIG_IGN);
    TestStore test;
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    rlimit small = before;
    small.rlim_cur = 1 << 20;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    int failed = 0, in_a_row = 0, most = 0;
    for (int i = 0; i < 600; ++i) {
        auto put_one = test.store->write([&](WriteTx& tx) { return put(tx, "http://" + std::to_string(i) + ".onion"); });
        if (!put_one.ok())
            CHECK(put_one.error().kind == ErrorKind::NoSpace);
        failed += !put_one.ok();
        in_a_row = put_one.ok() ? 0 : in_a_row + 1;
        most = std::max(most, in_a_row);
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    CHECK(failed > 0);  // otherwise the limit was never reached
    CHECK(most == 1);
    CHECK(count_names(*test.store) == 600 - failed);
}

TEST_CASE("the file of a log that grew becomes small again")
{
    TestStore test;
    auto log_size = [&] { return std::filesystem::file_size(test.path() + "-wal"); };
    test.write([](WriteTx& tx) -> Result<void> {
        TRY(tx.prepare("INSERT INTO blobs (digest, size, stored_at) VALUES (NULL, 0, 0)").run());
        const int64_t blob = tx.last_insert_id();
        for (int64_t i = 0; i < 12; ++i) {
            auto chunk = tx.prepare("INSERT INTO blob_chunks VALUES (:blob, :at, :data)");
            TRY(chunk.bind(":blob", blob).bind(":at", i).bind_blob(":data", std::string(2 << 20, 'x')).run());
        }
        return {};
    });
    CHECK(log_size() > 20u << 20);
    for (int i = 0; i < 1000 && log_size() > 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(log_size() == 0);
    test.write([](WriteTx& tx) { return put(tx, "http://later.onion"); });
    CHECK(log_size() > 0);
    CHECK(count_names(*test.store) == 1);
}

TEST_CASE("many threads write and read at once and every acknowledged write is there")
{
    TestStore test;
    std::vector<std::thread> threads;
    std::atomic<int> written{0};
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50; ++i) {
                auto result = test.store->write([&](WriteTx& tx) {
                    return put(tx, "http://" + std::to_string(t * 1000 + i) + ".onion");
                });
                if (result.ok())
                    ++written;
                (void)count_names(*test.store);
            }
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(written == 400);
    CHECK(count_names(*test.store) == 400);
}

TEST_CASE("the log does not grow while writes never pause, and is brought to the file when they do")
{
    TestStore test;
    const std::string bytes(300'000, 'b');
    auto add = [&](int number) {
        test.write([&](WriteTx& tx) -> Result<void> {
            auto insert = tx.prepare("INSERT INTO names (entity) VALUES (:entity)");
            return insert.bind(":entity", std::to_string(number) + bytes).run();
        });
    };
    auto log_bytes = [&] { return std::filesystem::file_size(test.path() + "-wal"); };
    auto file_bytes = [&] { return std::filesystem::file_size(test.path()); };
    constexpr int kMany = 300;  // 90 MB and as much for the index: almost three times what the log may hold
    for (int i = 0; i < kMany; ++i)
        add(i);
    CHECK(log_bytes() < 70'000'000);
    CHECK(file_bytes() > 90'000'000);
    // More than is worth a checkpoint, less than forces one: it comes as soon as nobody writes.
    for (int i = kMany; i < kMany + 20; ++i)
        add(i);
    for (int tries = 0; tries < 500 && file_bytes() < (kMany + 20) * bytes.size(); ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(file_bytes() > (kMany + 20) * bytes.size());
    CHECK(count_names(*test.store) == kMany + 20);
}

TEST_CASE("a statement stays usable while many others push their way into the cache")
{
    TestStore test;
    test.write([](WriteTx& tx) { return put(tx, "http://a.onion"); });
    auto found = test.store->read([](ReadTx& tx) -> Result<std::string> {
        auto select = tx.prepare("SELECT entity FROM names WHERE id = :id");
        for (int i = 0; i < 1200; ++i) {
            auto other = tx.prepare("SELECT " + std::to_string(i));
            TRY(other.step());
            if (other.integer(0) != i)
                return fail(ErrorKind::Internal, "another statement's row");
        }
        for (int round = 0; round < 2; ++round) {
            select.bind(":id", 1);
            TRY(select.step());
            if (round == 0)
                select.reset();
        }
        return select.text(0);
    });
    REQUIRE(found.ok());
    CHECK(*found == "http://a.onion");
}
