// SPDX-License-Identifier: BSD-3-Clause
// Where files are cleaned (media/clean.h): each in a sandboxed child of its own, which has that one file and its answer and
// nothing else (base/sandbox.h).
//
// The node has threads and keys, so these children are no copies of it. A process of few lines is started before there are
// either, and does nothing but start and end them when it is told to; it never sees a file. What the child says is a
// number for the type, a set of what it took out, and bytes; it is believed as little as a stranger.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <bivouac/base/result.h>
#include <bivouac/base/sandbox.h>
#include <bivouac/media/clean.h>

namespace bivouac::media {

struct CleanerLimits {
    // A file and its copy of kMostBytes each, the coefficients, and the growing of the copy.
    SandboxLimits child = {1280u << 20, 20};
    int64_t file_ms = 40'000;  // for one file, by the clock, without what source and sink take
    int64_t turn_ms = 60'000;  // of waiting until others are done
};

struct Outcome {
    TypeId type = 0;
    Refusal refusal = Refusal::None;  // otherwise: nothing came out
    std::vector<std::string> removed;
    uint64_t size = 0;

    const Type& what() const { return *find_type(type); }
};

class Cleaner {
public:
    // Piece by piece, at most 64 KiB each; empty: the end.
    using Source = std::function<Result<std::string>()>;
    using Sink = std::function<Result<void>(std::string_view)>;

    // Before any thread, and before any secret is in memory. `work` is for tests of what a child must not do.
    static Result<std::unique_ptr<Cleaner>> start(CleanerLimits limits = {}, std::function<int(int in, int out)> work = clean_one);
    ~Cleaner();  // its processes end
    Cleaner(const Cleaner&) = delete;
    Cleaner& operator=(const Cleaner&) = delete;

    // From any thread; one file at a time, the others wait. `size`: of the file, which the source must give exactly. `name`: as
    // type_of() has it. When an Error comes back, what the sink got is to be dropped. Invalid: the child was stopped by its
    // limits or for what it tried. Unavailable: others take too long, or the cleaner has ended. Errors of source and sink as
    // they are.
    Result<Outcome> clean(uint64_t size, std::string_view name, const Source& source, const Sink& sink);

    // While it is set what is under way ends soon, and so does whatever is begun: the node is stopping. From any thread.
    void interrupt(bool on) { interrupted_ = on; }

    pid_t process() const { return process_; }

    // The work of a child.
    static int clean_one(int in, int out);

private:
    struct Turn;
    Cleaner(pid_t process, int descriptor, int control, int data, CleanerLimits limits)
        : process_(process)
        , descriptor_(descriptor)
        , control_(control)
        , data_(data)
        , limits_(limits)
    {
    }

    const pid_t process_;
    const int descriptor_;  // of the process; -1: the kernel gave none
    const int control_;
    const int data_;
    const CleanerLimits limits_;
    std::timed_mutex turn_;
    uint32_t number_ = 0;
    bool gone_ = false;
    std::atomic<bool> interrupted_{false};
};

// The fixed texts of errors, for those who translate.
std::vector<std::string> cleaner_words();

}  // namespace bivouac::media
