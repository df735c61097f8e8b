// SPDX-License-Identifier: BSD-3-Clause
// A file sealed piece by piece under one key (libsodium's secretstream, XChaCha20-Poly1305): any size in constant memory.
// What is cut off, altered, repeated or out of order is noticed, and a file that lacks its end, too.
//
//   24  header of the stream
//   n   pieces: 1 to 65,536 bytes each and 17 more; all but the last have 65,536. The last is marked as such.
//
// `bound` is what else must be unaltered, a file's head for example. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <bivouac/base/result.h>
#include <bivouac/base/secret.h>

namespace bivouac {

constexpr size_t kSealedPieceBytes = 64u << 10;

class SealedWriter {
public:
    // Writes to the descriptor from where it stands; does not close it. `key`: 32 bytes.
    static Result<SealedWriter> begin(int fd, const Secret& key, std::string_view bound);
    Result<void> write(std::string_view bytes);
    Result<void> finish();

private:
    SealedWriter() = default;
    Result<void> push(std::string_view piece, unsigned char tag);

    int fd_ = -1;
    Secret state_;  // libsodium's, with the key in it
    std::string bound_;
    std::string waiting_;
};

class SealedReader {
public:
    // Reads from the descriptor from where it stands. Invalid: cut off already.
    static Result<SealedReader> begin(int fd, const Secret& key, std::string_view bound);
    // The next piece; empty after the last one. Forbidden: the first piece does not open, so the key is wrong or the
    // file was altered. Invalid: cut off or altered, or there is something behind the end.
    Result<std::string> read();

private:
    SealedReader() = default;

    int fd_ = -1;
    Secret state_;  // libsodium's, with the key in it
    std::string bound_;
    uint64_t pieces_ = 0;
    bool ended_ = false;
};

}  // namespace bivouac
