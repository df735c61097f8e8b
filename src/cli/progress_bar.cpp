// SPDX-License-Identifier: BSD-3-Clause
#include "progress_bar.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include <unistd.h>

namespace bivouac::cli {

void ProgressBar::show(const char* what, int64_t done, int64_t all)
{
    using namespace std::chrono;
    const auto now = steady_clock::now();
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    if (now - begin_ < seconds(2) || now - last_ < (terminal ? milliseconds(200) : milliseconds(5000)))
        return;
    last_ = now;
    const int percent = all > 0 ? static_cast<int>(std::clamp<int64_t>(done * 100 / all, 0, 100)) : 0;
    constexpr int kWidth = 30;
    const int filled = percent * kWidth / 100;
    const std::string bar =
        std::string(static_cast<size_t>(filled), '#') + std::string(static_cast<size_t>(kWidth - filled), '.');
    std::fprintf(stderr, "%s%s [%s] %d %%%s", terminal ? "\r\033[K" : "", what, bar.c_str(), percent, terminal ? "" : "\n");
    open_ = terminal;
}

ProgressBar::~ProgressBar()
{
    if (open_)
        std::fputs("\r\033[K", stderr);
}

}  // namespace bivouac::cli
