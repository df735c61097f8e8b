// SPDX-License-Identifier: BSD-3-Clause
#include "nonces.h"

#include <cstring>
#include <string>
#include <utility>

#include <sodium.h>

#include <bivouac/model/limits.h>

namespace bivouac::auth {

bool Nonces::Set::insert(uint64_t value)
{
    if (4 * (count_ + 1) > 3 * places_.size()) {
        std::vector<uint64_t> old = std::exchange(places_, std::vector<uint64_t>(places_.empty() ? 16 : 2 * places_.size()));
        for (uint64_t kept : old)
            if (kept != 0)
                put(kept);
    }
    const bool added = put(value);
    count_ += added;
    return added;
}

bool Nonces::Set::put(uint64_t value)
{
    // Keyed hashes: their low bits are as good as any.
    for (size_t at = value & (places_.size() - 1);; at = (at + 1) & (places_.size() - 1)) {
        if (places_[at] == value)
            return false;
        if (places_[at] == 0) {
            places_[at] = value;
            return true;
        }
    }
}

Nonces::Nonces(size_t limit)
    : limit_(limit)
{
    static_assert(sizeof key_ == crypto_shorthash_KEYBYTES);
    crypto_shorthash_keygen(key_);
}

bool Nonces::first_time(std::string_view id, int64_t ts, std::string_view nonce, int64_t now)
{
    // Neither an id nor a number holds a line end, so no two requests give one text.
    std::string text;
    text.reserve(id.size() + nonce.size() + 1);
    text.append(id).append("\n").append(nonce);
    unsigned char hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, reinterpret_cast<const unsigned char*>(text.data()), text.size(), key_);
    uint64_t value = 0;
    static_assert(sizeof value == sizeof hash);
    std::memcpy(&value, hash, sizeof value);
    if (value == 0)
        value = 1;
    std::lock_guard lock(mutex_);
    while (!by_second_.empty() && by_second_.begin()->first < now - limits::kHawkSkewSeconds) {
        count_ -= by_second_.begin()->second.size();
        by_second_.erase(by_second_.begin());
    }
    if (count_ >= limit_ || !by_second_[ts].insert(value))
        return false;
    ++count_;
    return true;
}

size_t Nonces::size() const
{
    std::lock_guard lock(mutex_);
    return count_;
}

}  // namespace bivouac::auth
