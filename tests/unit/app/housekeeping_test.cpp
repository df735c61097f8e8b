// SPDX-License-Identifier: BSD-3-Clause
#include <thread>

#include <bivouac/store/attachments.h>
#include <bivouac/store/search.h>

#include "../tent_fixture.h"
#include "housekeeping.h"

using namespace bivouac;

TEST_CASE("attachments that no post refers to go after an hour, while the node runs")
{
    Home test;
    auto add = [&](const std::string& bytes) {
        store::BlobWriter writer(*test.store, test.self.id);
        REQUIRE(writer.append(bytes).ok());
        REQUIRE(writer.finish().ok());
    };
    auto blobs = [&] {
        auto count = test.store->read([](store::ReadTx& tx) -> Result<int64_t> {
            auto select = tx.prepare("SELECT count(*) FROM blobs");
            TRY(select.step());
            return select.integer(0);
        });
        return *count;
    };
    add("old");
    test.clock.now += app::Housekeeping::kEveryMs + 1;
    add("young");
    EventLoop loop;
    app::Housekeeping housekeeping(loop, *test.store, 5);
    std::thread thread([&] { loop.run(); });
    for (int tries = 0; tries < 1000 && blobs() == 2; ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(blobs() == 1);
    test.clock.now += app::Housekeeping::kEveryMs + 1;
    for (int tries = 0; tries < 1000 && blobs() == 1; ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(blobs() == 0);
    loop.post([&] {
        housekeeping.stop();
        loop.stop();
    });
    thread.join();
}

TEST_CASE("new posts are indexed for searching when nobody writes, and only then")
{
    Home test;
    int made = 0;
    auto add = [&](int count) {
        test.write([&](store::WriteTx& tx) -> Result<bool> {
            for (int i = 0; i < count; ++i) {
                Post post = test.remote(test.self.entity, "p" + std::to_string(++made), type::kStatus);
                post.content = R"({"text":"words"})";
                post.version.id = version_id_of(post);
                TRY(store::insert_version(tx, test.self.id, post));
            }
            return true;
        });
    };
    auto waiting = [&] {
        auto count = test.store->read([](store::ReadTx& tx) { return store::count_waiting(tx); });
        REQUIRE(count.ok());
        return *count;
    };
    add(230);
    REQUIRE(waiting() >= 230);
    EventLoop loop;
    app::Housekeeping housekeeping(loop, *test.store, app::Housekeeping::kEveryMs, 1000);
    std::thread thread([&] { loop.run(); });
    // Somebody writes all the time.
    for (const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500); std::chrono::steady_clock::now() < until;) {
        add(1);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK(waiting() >= made);
    for (int tries = 0; tries < 2000 && waiting() > 0; ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(waiting() == 0);
    auto found = test.store->read([&](store::ReadTx& tx) {
        store::SearchPage page;
        page.limit = 1000;
        return store::search_posts(tx, test.self.id, store::parse_wanted("words"), page);
    });
    REQUIRE(found.ok());
    CHECK(static_cast<int>(found->posts.size()) == made);
    loop.post([&] {
        housekeeping.stop();
        loop.stop();
    });
    thread.join();
}
