// SPDX-License-Identifier: BSD-3-Clause
// A child process that reads what is not trusted: it has one file to read, one pipe to write, and nothing else. No other
// descriptor, no file, socket, program or process; bounded memory and time. What it tries beyond that ends it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <sys/types.h>

#include <bivouac/base/result.h>

namespace bivouac {

struct SandboxLimits {
    uint64_t memory_bytes = 512u << 20;  // address space
    uint64_t seconds = 3600;             // of processor time
};

class Sandbox {
public:
    // Before any thread, and before any secret is in memory: the child is a copy of this process. `work` runs there, with the
    // descriptor that it may read and the one that it may write; its value is the exit code. `input` stays with the caller.
    // Unavailable: no child, or no filter for it (then nothing ran).
    static Result<Sandbox> start(int input, std::function<int(int in, int out)> work, SandboxLimits limits = {});
    Sandbox(Sandbox&& other) noexcept;
    Sandbox& operator=(Sandbox&&) = delete;
    ~Sandbox();  // ends it

    // In a child that was forked for it, without threads: keeps only the two descriptors, says one byte (kReady) to `output`
    // when nothing else can be reached any more, does the work and ends with its value. Ends with 1 when there is no filter,
    // and then nothing ran. The child dies with the thread that forked it.
    [[noreturn]] static void enter(int input, int output, const std::function<int(int in, int out)>& work, const SandboxLimits& limits);
    static constexpr char kReady = 'r';

    int output() const { return output_; }
    // Waits for its end. Invalid: it was ended for something that it must not do, or by its limits; or by itself with
    // another code than 0.
    Result<void> finish();

private:
    Sandbox(pid_t child, int output) : child_(child), output_(output) {}
    pid_t child_;
    int output_;
};

}  // namespace bivouac
