// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/config.h>

#include <cstdlib>

namespace bivouac::app {

std::string default_data_directory()
{
    // The base directory specification: a value that is not absolute does not count.
    if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg && xdg[0] == '/')
        return std::string(xdg) + "/bivouac";
    const char* home = std::getenv("HOME");
    return std::string(home && home[0] == '/' ? home : ".") + "/.local/share/bivouac";
}

}  // namespace bivouac::app
