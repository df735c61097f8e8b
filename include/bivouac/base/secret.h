// SPDX-License-Identifier: BSD-3-Clause
// Bytes that must not leak: kept in guarded, locked memory that libsodium wipes when it is freed. Cannot be
// copied or printed. Moving leaves an empty secret behind.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace bivouac {

class Secret {
public:
    Secret() = default;
    explicit Secret(size_t size_bytes);          // zeroed
    explicit Secret(std::string_view to_copy);   // the caller wipes its own copy
    Secret(Secret&& other) noexcept
        : data_(std::exchange(other.data_, nullptr))
        , size_(std::exchange(other.size_, 0))
    {
    }
    Secret& operator=(Secret&& other) noexcept
    {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret();

    Secret clone() const { return Secret(view()); }
    unsigned char* data() { return data_; }
    const unsigned char* data() const { return data_; }
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }
    void shorten(size_t size_bytes);  // keeps the first bytes, wipes the rest

private:
    unsigned char* data_ = nullptr;
    size_t size_ = 0;
};

// Overwrites the bytes of an ordinary string in a way the compiler does not remove.
void wipe(std::string& text);

// Once, first thing in main: starts libsodium, forbids core dumps and attaching debuggers,
// makes a limit on file sizes an ordinary error.
// False when libsodium cannot start.
bool harden_process();

}  // namespace bivouac
