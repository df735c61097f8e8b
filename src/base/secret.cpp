// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/secret.h>

#include <csignal>
#include <cstring>
#include <new>
#include <string>

#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace bivouac {

Secret::Secret(size_t size_bytes)
    : size_(size_bytes)
{
    if (size_ == 0)
        return;
    data_ = static_cast<unsigned char*>(sodium_malloc(size_));
    if (!data_)
        throw std::bad_alloc();
    std::memset(data_, 0, size_);
}

Secret::Secret(std::string_view to_copy)
    : Secret(to_copy.size())
{
    if (size_ > 0)
        std::memcpy(data_, to_copy.data(), size_);
}

Secret::~Secret()
{
    sodium_free(data_);
}

void Secret::shorten(size_t size_bytes)
{
    if (size_bytes >= size_)
        return;
    sodium_memzero(data_ + size_bytes, size_ - size_bytes);
    size_ = size_bytes;
}

void wipe(std::string& text)
{
    sodium_memzero(text.data(), text.size());
    text.clear();
}

bool harden_process()
{
    rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    // A limit on file sizes is a full disk to us: an error where it happens, not the end of the process.
    std::signal(SIGXFSZ, SIG_IGN);
    return sodium_init() >= 0;
}

}  // namespace bivouac
