// SPDX-License-Identifier: BSD-3-Clause
// JSON pointers for error texts, made of keys from outside.
#pragma once

#include <string>
#include <string_view>

namespace bivouac {

// path + "/" + key; a long key is cut, never inside a character: the text goes out as JSON, which must be UTF-8.
std::string child_path(const std::string& path, std::string_view key);

// The first `bytes` of valid UTF-8, or a little less.
std::string_view cut_utf8(std::string_view text, size_t bytes);

}  // namespace bivouac
