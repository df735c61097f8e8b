// SPDX-License-Identifier: BSD-3-Clause
// Each thing that a reader of hostile files must not do, tried from inside.
#include <doctest/doctest.h>

#include <bivouac/base/sandbox.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace bivouac;

namespace {

struct File {
    int fd;
    explicit File(const std::string& text)
    {
        char name[] = "/tmp/bivouac-sandbox-XXXXXX";
        fd = mkstemp(name);
        unlink(name);
        REQUIRE(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        lseek(fd, 0, SEEK_SET);
    }
    ~File() { close(fd); }
};

std::string said(Sandbox& sandbox)
{
    std::string out(100, '\0');
    const ssize_t n = read(sandbox.output(), out.data(), out.size());
    out.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return out;
}

// How it ends when the child does this.
Result<void> when(const std::function<void()>& deed, SandboxLimits limits = {})
{
    File file("x");
    auto sandbox = Sandbox::start(file.fd, [&](int, int) {
        deed();
        return 0;
    }, limits);
    REQUIRE(sandbox.ok());
    return sandbox->finish();
}

}  // namespace

TEST_CASE("a sandboxed child reads its file and writes its pipe")
{
    File file("what is in it");
    auto sandbox = Sandbox::start(file.fd, [](int in, int out) {
        char buffer[100];
        const ssize_t n = read(in, buffer, sizeof buffer);
        std::string upper(buffer, static_cast<size_t>(n));
        for (char& c : upper)
            c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        std::string memory(10u << 20, 'x');
        return write(out, upper.data(), upper.size()) == n && memory.size() > 5 ? 0 : 1;
    });
    REQUIRE(sandbox.ok());
    CHECK(said(*sandbox) == "WHAT IS IN IT");
    CHECK(sandbox->finish().ok());
}

TEST_CASE("everything else ends it")
{
    auto stopped = [](const std::function<void()>& deed) {
        auto end = when(deed);
        REQUIRE_FALSE(end.ok());
        CHECK(end.error().kind == ErrorKind::Invalid);
        CHECK(end.error().detail.find("break into") != std::string::npos);
    };
    stopped([] { (void)open("/etc/hostname", O_RDONLY); });
    stopped([] { (void)open("/tmp/bivouac-sandbox-was-here", O_WRONLY | O_CREAT, 0600); });
    stopped([] { (void)socket(AF_INET, SOCK_STREAM, 0); });
    stopped([] { (void)socket(AF_UNIX, SOCK_STREAM, 0); });
    stopped([] { (void)fork(); });
    stopped([] { execl("/bin/true", "true", nullptr); });
    stopped([] { (void)kill(getppid(), SIGTERM); });
    stopped([] { (void)unlink("/tmp/nothing"); });
    stopped([] { (void)syscall(SYS_ptrace, 0, 0, 0, 0); });
    stopped([] { (void)mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); });
    stopped([] {
        char c = 0;
        (void)(read(0, &c, 1) == 1);  // another descriptor than its own
    });
    stopped([] { (void)(write(2, "x", 1) == 1); });
}

TEST_CASE("its memory and its time are bounded, and how it ends is said")
{
    auto much = when([] {
        for (int i = 0; i < 100; ++i)
            if (auto* p = static_cast<char*>(std::malloc(10u << 20)))
                std::memset(p, 1, 10u << 20);
            else
                _exit(3);
    }, {200u << 20, 60});
    REQUIRE_FALSE(much.ok());
    CHECK(much.error().detail == "it cannot be read");
    auto endless = when([] {
        for (volatile int i = 0;; i = i + 1) {
        }
    }, {200u << 20, 1});
    REQUIRE_FALSE(endless.ok());
    CHECK(endless.error().detail.find("too much memory or time") != std::string::npos);
}

TEST_CASE("one that nobody waits for is ended")
{
    File file("x");
    {
        auto sandbox = Sandbox::start(file.fd, [](int, int out) {
            for (;;)
                if (write(out, "x", 1) != 1)
                    return 1;
        });
        REQUIRE(sandbox.ok());
    }
    CHECK(waitpid(-1, nullptr, WNOHANG) == -1);  // no child is left
}
