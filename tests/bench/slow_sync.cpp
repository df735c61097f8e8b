// SPDX-License-Identifier: BSD-3-Clause
// Preloaded: every sync of a file takes SLOW_SYNC_MS milliseconds longer, as on a slow card or an old disk.
#include <cstdlib>

#include <dlfcn.h>
#include <time.h>

namespace {

int slowly(const char* name, int fd)
{
    static const long milliseconds = [] {
        const char* text = std::getenv("SLOW_SYNC_MS");
        return text ? std::atol(text) : 10L;
    }();
    timespec wait{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
    nanosleep(&wait, nullptr);
    return reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name))(fd);
}

}  // namespace

extern "C" int fsync(int fd)
{
    return slowly("fsync", fd);
}

extern "C" int fdatasync(int fd)
{
    return slowly("fdatasync", fd);
}
