// SPDX-License-Identifier: BSD-3-Clause
// Time and chance as interfaces, so that tests can stand in for them.
#pragma once

#include <cstdint>
#include <string>

namespace bivouac {

class Clock {
public:
    virtual ~Clock() = default;
    virtual int64_t now_ms() = 0;        // UTC, milliseconds since 1970; may jump when the clock is set
    virtual int64_t monotonic_ms() = 0;  // never goes back; for deadlines and waits; goes on while the machine sleeps
    virtual int64_t awake_ms() = 0;      // as monotonic_ms, but stands still while the machine sleeps
};

Clock& system_clock();

class Random {
public:
    virtual ~Random() = default;
    virtual std::string bytes(size_t count) = 0;

    // 16 random bytes in base64url: the form of a post id (Tent 0.3, section 2.2). Never with a '-' in front, which
    // a command line would take for an option.
    std::string id();
    // Evenly from 0 up to and without the bound (bound at least 1).
    uint64_t below(uint64_t bound);
};

Random& system_random();  // libsodium's generator; thread-safe

}  // namespace bivouac
