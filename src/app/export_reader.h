// SPDX-License-Identifier: BSD-3-Clause
// The members of an export, as a sandboxed child takes them out of the archive. What the child says is checked here as if it
// came from a stranger.
#pragma once

#include <cstdint>
#include <string>

#include <bivouac/base/result.h>
#include <bivouac/base/sandbox.h>

namespace bivouac::app {

// What the child does: members of the tar file at `in`, framed, to `out`. An exit code.
int write_members(int in, int out);

struct Member {
    std::string name;  // without the folder: "export.json", "posts/000001.jsonl", "attachments/<digest>", "relationships.jsonl"
    int64_t size = 0;
};

// The other end. Errors: Invalid with words about the file.
class ExportReader {
public:
    // Before any thread: base/sandbox.h.
    static Result<ExportReader> start(int input);

    Result<bool> next(Member& member);   // skips what is left of the one before; false: the end
    Result<bool> read(std::string& piece);  // of the member, at most 64 KiB; false: its end

private:
    explicit ExportReader(Sandbox sandbox) : sandbox_(std::move(sandbox)) {}
    struct Frame {
        char kind = 0;
        std::string bytes;
    };
    Result<Frame> frame();

    Sandbox sandbox_;
    bool in_member_ = false;
    bool ended_ = false;
    int64_t left_ = 0;
};

// The names that an export has.
bool is_member_name(const std::string& name);

}  // namespace bivouac::app
