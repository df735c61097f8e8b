// SPDX-License-Identifier: BSD-3-Clause
// A body that may be large: up to a threshold it stays in memory, beyond it goes to a temporary file that has
// no name, lies in the data directory and is encrypted with a key that only this object knows. So a body of
// 100 MiB costs a few hundred KiB of memory, and nothing readable touches the disk.
// One thread at a time. Write with append(), then finish(), then read as often as wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <bivouac/base/result.h>

namespace bivouac {

class Spool {
public:
    // `directory` is where the nameless file would go.
    explicit Spool(std::string directory, size_t memory_limit_bytes = 1u << 20);
    static std::shared_ptr<Spool> of_text(std::string_view text);  // finished, in memory
    ~Spool();
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    // NoSpace when the disk is full, Unavailable when it fails otherwise. After a failure only destroy it.
    Result<void> append(std::string_view bytes);
    Result<void> finish();

    uint64_t size() const { return size_; }

    // Reads from the start, piece by piece (at most 64 KiB each); an empty piece is the end.
    // Several readers may exist one after another; Internal when the file was tampered with.
    class Reader {
    public:
        explicit Reader(const Spool& spool);
        ~Reader();
        Reader(const Reader&) = delete;
        Reader& operator=(const Reader&) = delete;
        Result<std::string> next();

    private:
        struct State;
        std::unique_ptr<State> state_;
    };

    // The whole body as text; TooLarge over `limit_bytes`.
    Result<std::string> text(size_t limit_bytes) const;

private:
    struct File;
    Result<void> spill();
    Result<void> write_piece(std::string_view piece, bool last);

    std::string directory_;
    size_t memory_limit_;
    uint64_t size_ = 0;
    std::string memory_;  // all of it, or what waits to fill a piece of the file
    std::unique_ptr<File> file_;
    bool finished_ = false;
};

}  // namespace bivouac
