// SPDX-License-Identifier: BSD-3-Clause
// The processes: what the child must not do, what happens when one of them dies or hangs, and that all of them go.
#include <doctest/doctest.h>

#include <bivouac/media/cleaner.h>

#include <csignal>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pictures.h"

using namespace bivouac;
using namespace bivouac::media;

namespace {

struct Answer {
    Result<Outcome> outcome;
    std::string bytes;
};

Answer send(Cleaner& cleaner, const std::string& file, const char* name = "x")
{
    std::string bytes;
    size_t at = 0;
    auto outcome = cleaner.clean(
        file.size(), name,
        [&]() -> Result<std::string> {
            std::string piece = file.substr(at, 64u << 10);
            at += piece.size();
            return piece;
        },
        [&](std::string_view piece) -> Result<void> {
            bytes += piece;
            return {};
        });
    return {std::move(outcome), std::move(bytes)};
}

std::unique_ptr<Cleaner> started(std::function<int(int, int)> work = Cleaner::clean_one, CleanerLimits limits = {})
{
    auto cleaner = Cleaner::start(limits, std::move(work));
    REQUIRE(cleaner.ok());
    return std::move(*cleaner);
}

std::vector<pid_t> below(pid_t parent)
{
    std::ifstream file("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
    std::vector<pid_t> out;
    for (pid_t child = 0; file >> child;)
        out.push_back(child);
    return out;
}

bool is_there(pid_t process)
{
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string text;
    std::getline(file, text);
    const size_t after = text.rfind(')');
    return after != std::string::npos && text.size() > after + 2 && text[after + 2] != 'Z';
}

bool soon(const std::function<bool()>& what)
{
    for (int i = 0; i < 500; ++i) {
        if (what())
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

}  // namespace

TEST_CASE("files are cleaned in a child, one after the other, of any size")
{
    auto cleaner = started();
    const std::string plain = pictures::jpeg(640, 480);
    for (int i = 0; i < 5; ++i) {
        const auto answer = send(*cleaner, pictures::with_segments(plain, pictures::exif_segment()), "a.jpg");
        REQUIRE(answer.outcome.ok());
        CHECK(std::string(answer.outcome->what().content_type) == "image/jpeg");
        CHECK(answer.outcome->removed == std::vector<std::string>{"EXIF (camera, time, settings)", "the place (GPS)", "a thumbnail"});
        CHECK(answer.outcome->size == answer.bytes.size());
        CHECK(pictures::decoded(answer.bytes) == pictures::decoded(plain));
    }
    std::string large;
    while (large.size() < (9u << 20))
        large += "a line of text that ends with r\n";
    large += 'r';
    const auto text = send(*cleaner, large, "a.txt");
    REQUIRE(text.outcome.ok());
    CHECK(text.bytes == large);
    const auto one = send(*cleaner, "r", "a.txt");
    REQUIRE(one.outcome.ok());
    CHECK(one.bytes == "r");
    const auto empty = send(*cleaner, "", "a.txt");
    REQUIRE(empty.outcome.ok());
    CHECK(empty.bytes.empty());
    CHECK(empty.outcome->refusal == Refusal::None);
}

TEST_CASE("what cannot be cleaned is refused early, whatever its size")
{
    auto cleaner = started();
    const auto pdf = send(*cleaner, "%PDF-1.7\n" + std::string(5u << 20, 'x'), "a.pdf");
    REQUIRE(pdf.outcome.ok());
    CHECK(pdf.outcome->refusal == Refusal::Document);
    CHECK(pdf.bytes.empty());
    CHECK(send(*cleaner, pictures::png().substr(0, 40)).outcome->refusal == Refusal::Damaged);
    // More than there is memory for: it ends after the first piece.
    int pieces = 0;
    std::string piece = pictures::png();
    piece.resize(64u << 10);
    auto huge = cleaner->clean(
        kMostBytes + 1, "a.png", [&]() -> Result<std::string> { return ++pieces, piece; }, [](std::string_view) -> Result<void> { return {}; });
    REQUIRE(huge.ok());
    CHECK(huge->refusal == Refusal::TooLarge);
    CHECK(pieces < 200);
    CHECK(send(*cleaner, "words", "a.txt").bytes == "words");
}

TEST_CASE("a child that tries what it must not is ended, and the next one works")
{
    struct Row {
        const char* what;
        std::function<void()> deed;
    };
    const Row rows[] = {
        {"open", [] { (void)open("/etc/hostname", O_RDONLY); }},
        {"socket", [] { (void)socket(AF_UNIX, SOCK_STREAM, 0); }},
        {"fork", [] { (void)fork(); }},
        {"exec", [] { execl("/bin/true", "true", nullptr); }},
        {"kill", [] { (void)kill(getppid(), SIGKILL); }},
        {"crash", [] { raise(SIGSEGV); }},
        {"leave", [] { _exit(0); }},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        auto cleaner = started([deed = row.deed](int, int) {
            deed();
            return 0;
        });
        for (int i = 0; i < 2; ++i) {
            const auto answer = send(*cleaner, "words", "a.txt");
            REQUIRE(!answer.outcome.ok());
            CHECK(answer.outcome.error().kind == ErrorKind::Invalid);
            CHECK(answer.outcome.error().detail.starts_with("It could not be cleaned: looking into it was stopped."));
            CHECK(answer.bytes.empty());
        }
    }
}

TEST_CASE("a child that takes too much memory or processor time is ended")
{
    auto greedy = started([](int in, int out) {
        std::string much;
        for (size_t i = 0; i < 40; ++i)
            much += std::string(10u << 20, 'x');
        return Cleaner::clean_one(in, out);
    }, {{200u << 20, 20}, 20'000, 1'000});
    CHECK(!send(*greedy, "words", "a.txt").outcome.ok());
    auto busy = started([](int, int) {
        for (volatile bool on = true; on;) {
        }
        return 0;
    }, {{200u << 20, 1}, 20'000, 1'000});
    const auto answer = send(*busy, "words", "a.txt");
    REQUIRE(!answer.outcome.ok());
    CHECK(answer.outcome.error().kind == ErrorKind::Invalid);
}

TEST_CASE("a child that hangs is ended when its time is over; who waits behind it is told to come again")
{
    auto cleaner = started([](int in, int) {
        char c = 0;
        while (read(in, &c, 1) > 0) {
        }
        return 0;
    }, {{200u << 20, 20}, 1'500, 300});
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        const auto answer = send(*cleaner, "words", "a.txt");
        CHECK(!answer.outcome.ok());
        CHECK(answer.outcome.error().detail.starts_with("It could not be cleaned yet"));
    });
    const auto begin = std::chrono::steady_clock::now();
    const auto answer = send(*cleaner, "words", "a.txt");
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    other.join();
    REQUIRE(!answer.outcome.ok());
    CHECK(answer.outcome.error().detail == "It could not be cleaned: it took too long.");
    cleaner->interrupt(true);
    const auto stopped = std::chrono::steady_clock::now();
    CHECK(!send(*cleaner, "words", "a.txt").outcome.ok());
    CHECK(std::chrono::steady_clock::now() - stopped < std::chrono::milliseconds(1'200));
}

TEST_CASE("what a broken child says is not believed")
{
    auto answering = [](std::vector<std::string> messages) {
        auto cleaner = started([messages](int in, int out) {
            char head[200];
            (void)(read(in, head, sizeof head) > 0);
            for (const auto& message : messages)
                if (write(out, message.data(), message.size()) < 0)
                    return 1;
            return 0;
        });
        const auto answer = send(*cleaner, "", "a.txt");
        if (!answer.outcome.ok())
            CHECK(answer.outcome.error().kind == ErrorKind::Invalid);
        return answer.outcome.ok();
    };
    const std::string text = pictures::little(type_of("words", "a.txt"), 2), pdf = pictures::little(type_of("%PDF-", "a"), 2);
    CHECK(answering({"K" + text + pictures::little(0, 4) + pictures::little(5, 4) + pictures::little(0, 4), "words"}));
    CHECK(!answering({"Z"}));
    CHECK(!answering({""}));
    CHECK(!answering({"K"}));
    CHECK(!answering({"X"}));
    CHECK(!answering({"X" + text + std::string(1, '\0')}));
    CHECK(!answering({"X" + text + "\x63"}));
    CHECK(!answering({"X\xff\xff\x01"}));
    CHECK(!answering({"K\xff\xff" + pictures::little(0, 4) + pictures::little(5, 4) + pictures::little(0, 4), "words"}));
    CHECK(!answering({"K" + pdf + pictures::little(0, 4) + pictures::little(5, 4) + pictures::little(0, 4), "%PDF-"}));
    CHECK(!answering({"K" + text + pictures::little(0, 4) + pictures::little(5, 4) + pictures::little(0, 4), "words and more"}));
    CHECK(!answering({"K" + text + pictures::little(0, 4) + pictures::little(5, 4) + pictures::little(0, 4), "wor"}));
    CHECK(!answering({"K" + text + pictures::little(0, 4) + pictures::little(5, 4) + pictures::little(0x7fffffff, 4), "words"}));
}

TEST_CASE("an ended starter or keeper is an error for one file, or for all, and no waiting")
{
    auto cleaner = started();
    REQUIRE(send(*cleaner, "words", "a.txt").outcome.ok());
    const auto starters = below(cleaner->process());
    REQUIRE(starters.size() == 1);
    REQUIRE(kill(starters[0], SIGKILL) == 0);
    // Another one takes its place.
    CHECK(soon([&] { return send(*cleaner, "words", "a.txt").outcome.ok(); }));
    CHECK(send(*cleaner, "words", "a.txt").bytes == "words");
    REQUIRE(kill(cleaner->process(), SIGKILL) == 0);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(soon([&] { return !send(*cleaner, "words", "a.txt").outcome.ok(); }));
    for (int i = 0; i < 3; ++i) {
        const auto answer = send(*cleaner, "words", "a.txt");
        REQUIRE(!answer.outcome.ok());
        CHECK(answer.outcome.error().kind == ErrorKind::Unavailable);
    }
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(6));
}

TEST_CASE("a child that is ended from outside while it works is an error for its file alone")
{
    auto waiting = started();
    size_t pieces = 0;
    auto outcome = waiting->clean(
        10u << 20, "a.txt",
        [&]() -> Result<std::string> {
            if (++pieces == 20) {
                const auto starters = below(waiting->process());
                REQUIRE(starters.size() == 1);
                const auto children = below(starters[0]);
                REQUIRE(children.size() == 1);
                REQUIRE(kill(children[0], SIGKILL) == 0);
            }
            return std::string(64u << 10, 'x');
        },
        [](std::string_view) -> Result<void> { return {}; });
    CHECK(!outcome.ok());
    CHECK(send(*waiting, "words", "a.txt").bytes == "words");
}

TEST_CASE("errors of source and sink come back as they are, and a source that gives less or more")
{
    auto cleaner = started();
    auto nothing = [](std::string_view) -> Result<void> { return {}; };
    auto source = cleaner->clean(100, "a.txt", []() -> Result<std::string> { return fail(ErrorKind::NoSpace, "of the source"); }, nothing);
    REQUIRE(!source.ok());
    CHECK(source.error().detail == "of the source");
    auto sink = cleaner->clean(5, "a.txt", []() -> Result<std::string> { return std::string("words"); },
                               [](std::string_view) -> Result<void> { return fail(ErrorKind::NoSpace, "of the sink"); });
    REQUIRE(!sink.ok());
    CHECK(sink.error().detail == "of the sink");
    CHECK(!cleaner->clean(10, "a.txt", []() -> Result<std::string> { return std::string(); }, nothing).ok());
    CHECK(!cleaner->clean(3, "a.txt", []() -> Result<std::string> { return std::string("words"); }, nothing).ok());
    CHECK(send(*cleaner, "words", "a.txt").bytes == "words");
}

TEST_CASE("its processes have no descriptor but their own, and end with it")
{
    const int open_before = open("/dev/null", O_RDONLY);
    auto cleaner = started();
    REQUIRE(send(*cleaner, "words", "a.txt").outcome.ok());
    const pid_t keeper = cleaner->process();
    const auto starters = below(keeper);
    REQUIRE(starters.size() == 1);
    for (pid_t process : {keeper, starters[0]}) {
        std::set<std::string> found;
        std::error_code closed;
        for (std::filesystem::directory_iterator at("/proc/" + std::to_string(process) + "/fd", closed), end; !closed && at != end; at.increment(closed))
            found.insert(at->path().filename());
        // Only root sees into processes that are closed to others.
        CHECK((closed == std::errc::permission_denied || found == std::set<std::string>{"3", "4"}));
    }
    close(open_before);
    cleaner.reset();
    CHECK(soon([&] { return !is_there(keeper) && !is_there(starters[0]); }));
}
