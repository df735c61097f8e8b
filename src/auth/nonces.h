// SPDX-License-Identifier: BSD-3-Clause
// Which signed requests were seen already (Hawk 1.0; Tent 0.3, section 5.6): one keyed 64-bit hash a request, kept
// by the second that the request names. Nobody without the key, which dies with the process, can make two requests
// that collide; two honest ones do so once in 2^64. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

namespace bivouac::auth {

class Nonces {
public:
    explicit Nonces(size_t limit);

    // False for a replay, and when full: a request is then refused, never forgotten. `ts` is what the request names,
    // in seconds, already found to be within the skew of `now`.
    bool first_time(std::string_view id, int64_t ts, std::string_view nonce, int64_t now);
    size_t size() const;

private:
    // Open addressing, at most three quarters full; 0 is an empty place.
    class Set {
    public:
        bool insert(uint64_t value);
        size_t size() const { return count_; }

    private:
        bool put(uint64_t value);
        std::vector<uint64_t> places_;
        size_t count_ = 0;
    };

    const size_t limit_;
    unsigned char key_[16];
    mutable std::mutex mutex_;
    std::map<int64_t, Set> by_second_;
    size_t count_ = 0;
};

}  // namespace bivouac::auth
