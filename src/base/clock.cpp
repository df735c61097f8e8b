// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/pace.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
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

#ifdef BIVOUAC_SIMULATION
// BIVOUAC_PACE="FACTOR EPOCH": time runs FACTOR times as fast, and was right at EPOCH (ms since 1970). So all nodes of a
// simulation agree on it.
struct Pace {
    int64_t factor = 1;
    int64_t epoch = 0;

    Pace()
    {
        if (const char* text = std::getenv("BIVOUAC_PACE"))
            if (std::sscanf(text, "%" SCNd64 " %" SCNd64, &factor, &epoch) != 2 || factor < 1)
                factor = 1;
    }
};

const Pace& pace()
{
    static const Pace the_pace;
    return the_pace;
}
#endif

class SystemClock : public Clock {
public:
#ifdef BIVOUAC_SIMULATION
    int64_t now_ms() override
    {
        return pace().factor == 1 ? read_ms(CLOCK_REALTIME)
                                  : pace().epoch + our_ms(read_ms(CLOCK_REALTIME) - pace().epoch);
    }
    int64_t monotonic_ms() override { return our_ms(read_ms(CLOCK_BOOTTIME)); }
    int64_t awake_ms() override { return our_ms(read_ms(CLOCK_MONOTONIC)); }
#else
    int64_t now_ms() override { return read_ms(CLOCK_REALTIME); }
    // BOOTTIME goes on while a laptop sleeps: what was due during the sleep is due at once after it.
    int64_t monotonic_ms() override { return read_ms(CLOCK_BOOTTIME); }
    int64_t awake_ms() override { return read_ms(CLOCK_MONOTONIC); }
#endif
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

#ifdef BIVOUAC_SIMULATION
int64_t real_ms(int64_t ours)
{
    return (ours + pace().factor - 1) / pace().factor;
}

int64_t our_ms(int64_t real)
{
    return real * pace().factor;
}
#else
int64_t real_ms(int64_t ours)
{
    return ours;
}

int64_t our_ms(int64_t real)
{
    return real;
}
#endif

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
