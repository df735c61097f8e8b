// SPDX-License-Identifier: BSD-3-Clause
#include "json_path.h"

namespace bivouac {

std::string_view cut_utf8(std::string_view text, size_t bytes)
{
    if (text.size() <= bytes)
        return text;
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80)
        --bytes;
    return text.substr(0, bytes);
}

std::string child_path(const std::string& path, std::string_view key)
{
    std::string out = path + "/";
    for (char c : cut_utf8(key, 64)) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out.push_back(c);
    }
    return out;
}

}  // namespace bivouac
