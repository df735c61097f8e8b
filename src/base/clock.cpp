// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>

#include <cstring>
#include <ctime>

#include <sodium.h>

namespace bivouac {

namespace {

int64_t read_ms(clockid_t which)
{
    timespec t{};
    clock_gettime(which, &t);
    return static_cast<int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

class SystemClock : public Clock {
public:
    int64_t now_ms() override { return read_ms(CLOCK_REALTIME); }
    // BOOTTIME goes on while a laptop sleeps: what was due during the sleep is due at once after it.
    int64_t monotonic_ms() override { return read_ms(CLOCK_BOOTTIME); }
};

class SystemRandom : public Random {
public:
    std::string bytes(size_t count) override
    {
        std::string out(count, '\0');
        randombytes_buf(out.data(), out.size());
        return out;
    }
};

}  // namespace

Clock& system_clock()
{
    static SystemClock clock;
    return clock;
}

Random& system_random()
{
    static SystemRandom random;
    return random;
}

std::string Random::id()
{
    std::string id;
    do
        id = to_base64url(bytes(16));
    while (id.front() == '-');
    return id;
}

uint64_t Random::below(uint64_t bound)
{
    // 64 random bits modulo a small bound: the bias is below 2^-32 for every bound we use.
    std::string raw = bytes(8);
    uint64_t value = 0;
    std::memcpy(&value, raw.data(), sizeof value);
    return value % bound;
}

}  // namespace bivouac
