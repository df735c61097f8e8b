// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/log.h>

#include <atomic>

#include <unistd.h>

namespace bivouac::log {

namespace {

std::atomic<int> least_level{static_cast<int>(Level::Info)};
std::atomic<bool> names_shown{false};

}  // namespace

void set_level(Level least)
{
    least_level = static_cast<int>(least);
}

void set_names(bool shown)
{
    names_shown = shown;
}

void write(Level level, std::string_view text)
{
    if (static_cast<int>(level) > least_level)
        return;
    static const bool terminal = isatty(STDERR_FILENO) != 0;
    std::string line;
    if (!terminal)
        line = "<" + std::to_string(static_cast<int>(level)) + ">";
    line += "bivouac: ";
    for (char c : text)
        line += (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ? '?' : c;
    line += '\n';
    // One write, so that lines of several threads do not mix. A log nobody can read is no reason to stop.
    [[maybe_unused]] auto ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

std::string name(std::string_view text)
{
    return names_shown ? std::string(text) : "(name)";
}

}  // namespace bivouac::log
