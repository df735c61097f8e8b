// SPDX-License-Identifier: BSD-3-Clause
// The few things we do with files directly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <bivouac/base/result.h>

namespace bivouac {

// The whole file; NotFound, TooLarge over the limit, else Unavailable.
Result<std::string> read_file(const std::string& path, size_t limit_bytes);

// Writes beside, syncs, renames over, syncs the directory: after a crash there is the old file or the new one.
Result<void> write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode = 0600);

bool file_exists(const std::string& path);

// Makes the directory 0700 if it is missing. Conflict when it belongs to somebody else or is open to others; what
// is there already is not changed.
Result<void> ensure_private_directory(const std::string& path);

// An exclusive flock held for the life of the object. Conflict when another process holds it.
class FileLock {
public:
    static Result<FileLock> acquire(const std::string& path);
    // Whether somebody has it now. Makes no file, and takes nothing for longer than a moment.
    static bool is_held(const std::string& path);
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

private:
    explicit FileLock(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace bivouac
