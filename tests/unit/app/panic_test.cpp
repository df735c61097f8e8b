// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/app/panic.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <unistd.h>

using namespace bivouac;
namespace fs = std::filesystem;

TEST_CASE("panic: a tor that is just ending removes and writes its files meanwhile")
{
    for (int round = 0; round < 20; ++round) {
        std::string name = "/tmp/bivouac-panic-XXXXXX";
        REQUIRE(::mkdtemp(name.data()));
        const fs::path directory = name, tor = directory / "tor";
        std::ofstream(directory / "bivouac.db") << "x";
        fs::create_directories(tor / "keys");
        for (int i = 0; i < 300; ++i)
            std::ofstream(tor / std::to_string(i)) << "x";
        std::atomic<bool> begun{false};
        std::thread ending([&] {
            const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
            std::error_code ignored;
            for (int i = 0; std::chrono::steady_clock::now() < end; ++i) {
                std::ofstream(tor / ("state" + std::to_string(i))) << "x";  // where there still is a directory
                fs::remove(tor / std::to_string(i % 300), ignored);
                fs::remove(tor / "keys", ignored);
                begun = true;
            }
        });
        while (!begun)
            std::this_thread::yield();
        auto done = app::destroy_node(name);
        ending.join();
        REQUIRE(done.ok());
        CHECK(done->left.empty());
        for (const auto& left : done->left)
            MESSAGE(left);
        CHECK_FALSE(fs::exists(directory));
        fs::remove_all(directory);
    }
}
