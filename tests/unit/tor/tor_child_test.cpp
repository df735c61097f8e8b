// SPDX-License-Identifier: BSD-3-Clause
// TorControl with a real tor of its own, which never goes near a network (DisableNetwork 1).
#include <doctest/doctest.h>

#include <fcntl.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <sys/stat.h>
#include <unistd.h>

#include <bivouac/base/clock.h>
#include <bivouac/base/files.h>
#include <bivouac/tor/onion_address.h>
#include <bivouac/tor/tor_control.h>

#include "run_until.h"

using namespace bivouac;
using namespace bivouac::tor;

namespace
{

struct Fixture {
    std::string directory;
    EventLoop loop;
    TorOptions options;
    std::optional<TorControl> control;

    explicit Fixture(const std::string& extra = "DisableNetwork 1\n")
    {
        char name[] = "/tmp/bivouac-tor-XXXXXX";
        REQUIRE(::mkdtemp(name));
        directory = name;
        options.mode = TorOptions::Mode::Child;
        options.child_directory = directory + "/tor";
        options.extra_torrc_file = directory + "/extra";
        REQUIRE(write_file_atomically(options.extra_torrc_file, extra).ok());
    }
    ~Fixture()
    {
        control.reset();
        std::filesystem::remove_all(directory);
    }
    void start(TorControl::Events events = {})
    {
        control.emplace(loop, options, std::move(events));
        control->start();
    }
    bool until(std::function<bool()> condition, int64_t limit_ms = 20'000)
    {
        return run_until(loop, std::move(condition), limit_ms);
    }
    void stop()
    {
        bool done = false;
        control->stop([&] { done = true; });
        CHECK(until([&] { return done; }, 5'000));
    }

    // Only processes that were started with our torrc, so only our own children.
    std::vector<pid_t> processes() const
    {
        std::vector<pid_t> out;
        for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
            std::string name = entry.path().filename();
            if (name.find_first_not_of("0123456789") != std::string::npos)
                continue;
            auto text = read_file(entry.path().string() + "/cmdline", 1u << 16);
            if (text.ok() && text->find(options.child_directory + "/torrc") != std::string::npos)
                out.push_back(static_cast<pid_t>(std::stol(name)));
        }
        return out;
    }
};

std::string environment_of(pid_t pid)
{
    return read_file("/proc/" + std::to_string(pid) + "/environ", 1u << 16).value();
}

} // namespace

TEST_CASE("our own tor: starts, takes an onion, ends without a trace")
{
    Fixture f;
    f.options.socks_address = "127.0.0.1:9"; // with DisableNetwork tor opens no SOCKS port
    std::string socks;
    TorControl::Events events;
    events.socks = [&](const std::string& address) { socks = address; };
    ::setenv("BIVOUAC_TEST_SECRET", "must-not-be-inherited", 1);
    // A file that tor must not inherit.
    std::string kept = f.directory + "/inherited";
    int leak = ::open(kept.c_str(), O_RDWR | O_CREAT, 0600);
    f.start(std::move(events));
    Secret seed(32);
    seed.data()[0] = 42;
    const std::string address = onion_address_of_seed(seed);
    f.control->add_onion({address, std::move(seed), "127.0.0.1:17600"});
    REQUIRE(f.until([&] { return f.control->state().connected && !socks.empty(); }));
    CHECK(f.control->state().version.starts_with("0.4."));
    CHECK(socks == "127.0.0.1:9");
    run_for(f.loop, 300);
    CHECK(f.control->state().problem.empty()); // ADD_ONION was taken at 0 %
    CHECK(f.control->state().bootstrap == 0);
    CHECK(!f.control->is_published(address));

    auto processes = f.processes();
    REQUIRE(processes.size() == 1);
    const std::string proc = "/proc/" + std::to_string(processes[0]);
    CHECK(environment_of(processes[0]).find("BIVOUAC_TEST_SECRET") == std::string::npos);
    CHECK(environment_of(processes[0]).find("HOME=" + f.options.child_directory) != std::string::npos);
    for (const auto& fd : std::filesystem::directory_iterator(proc + "/fd"))
        CHECK(std::filesystem::read_symlink(fd.path()).string() != kept);
    CHECK(::getsid(processes[0]) == processes[0]);
    CHECK(std::filesystem::read_symlink(proc + "/fd/0") == "/dev/null");
    struct stat info {
    };
    REQUIRE(::stat(f.options.child_directory.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
    REQUIRE(::stat((f.options.child_directory + "/torrc").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    ::close(leak);
    ::unsetenv("BIVOUAC_TEST_SECRET");

    const int64_t before = system_clock().monotonic_ms();
    f.stop();
    CHECK(system_clock().monotonic_ms() - before < 3'500);
    CHECK(f.processes().empty());
    CHECK(::kill(processes[0], 0) != 0); // reaped, too
}

TEST_CASE("our own tor is started again when it is killed")
{
    Fixture f;
    f.start();
    Secret seed(32);
    const std::string address = onion_address_of_seed(seed);
    f.control->add_onion({address, std::move(seed), "127.0.0.1:17600"});
    REQUIRE(f.until([&] { return f.control->state().connected; }));
    for (int round = 1; round <= 2; ++round) {
        auto processes = f.processes();
        REQUIRE(processes.size() == 1);
        REQUIRE(::kill(processes[0], SIGKILL) == 0);
        REQUIRE(f.until([&] { return !f.control->state().connected; }));
        CHECK(!f.control->state().problem.empty());
        REQUIRE(f.until([&] { return f.control->state().restarts == round; }));
        CHECK(f.control->state().connected);
        CHECK(f.control->state().problem.empty());
        CHECK(f.processes() != processes);
    }
    f.stop();
    CHECK(f.processes().empty());
}

TEST_CASE("a tor that is stopped, not dead, is ended with SIGKILL")
{
    Fixture f;
    f.start();
    REQUIRE(f.until([&] { return f.control->state().connected; }));
    auto processes = f.processes();
    REQUIRE(processes.size() == 1);
    ::kill(processes[0], SIGSTOP);
    f.stop();
    CHECK(f.processes().empty());
}

TEST_CASE("destroyed without stop(): no process is left")
{
    Fixture f;
    f.start();
    SUBCASE("logged in")
    {
        REQUIRE(f.until([&] { return f.control->state().connected; }));
    }
    SUBCASE("just started")
    {
        REQUIRE(f.until([&] { return !f.processes().empty(); }));
    }
    f.control.reset();
    CHECK(f.processes().empty());
}

TEST_CASE("what tor says about a bad line of the person reaches the person")
{
    Fixture f("DisableNetwork 1\nNoSuchOptionAtAll 1\n");
    f.start();
    REQUIRE(f.until([&] { return !f.control->state().problem.empty(); }));
    CAPTURE(f.control->state().problem);
    CHECK(f.control->state().problem.find("NoSuchOptionAtAll") != std::string::npos);
    // Mended: it goes on by itself.
    REQUIRE(write_file_atomically(f.options.extra_torrc_file, "DisableNetwork 1\n").ok());
    REQUIRE(f.until([&] { return f.control->state().connected; }));
    CHECK(f.control->state().problem.empty());
    f.stop();
}

TEST_CASE("no tor program, no extra file: words")
{
    Fixture f;
    std::string expected;
    SUBCASE("no program")
    {
        f.options.tor_program = "/nonexistent/tor";
        expected = "apt install tor";
    }
    SUBCASE("no extra file")
    {
        f.options.extra_torrc_file = f.directory + "/missing";
        expected = "--tor-extra";
    }
    SUBCASE("a very long extra file")
    {
        REQUIRE(write_file_atomically(f.options.extra_torrc_file, std::string(70'000, '#')).ok());
        expected = "--tor-extra";
    }
    SUBCASE("a program that ends at once")
    {
        f.options.tor_program = "/bin/false";
        expected = "ended at its start";
    }
    f.start();
    REQUIRE(f.until([&] { return !f.control->state().problem.empty(); }));
    CAPTURE(f.control->state().problem);
    CHECK(f.control->state().problem.find(expected) != std::string::npos);
    f.stop();
}
