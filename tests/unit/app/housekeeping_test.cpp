// SPDX-License-Identifier: BSD-3-Clause
#include <thread>

#include <bivouac/store/attachments.h>

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
