// SPDX-License-Identifier: BSD-3-Clause
// A line on standard error that grows on a terminal, a new line every five seconds elsewhere. Nothing for what takes no two
// seconds.
#pragma once

#include <chrono>
#include <cstdint>

namespace bivouac::cli {

class ProgressBar {
public:
    void show(const char* what, int64_t done, int64_t all);
    ~ProgressBar();

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point last_{};
    bool open_ = false;
};

}  // namespace bivouac::cli
