// SPDX-License-Identifier: BSD-3-Clause
// For tests that look for a key where it must not be, or that open a key file many times.
//   key_tool show DIR    the data key in hexadecimal; the passphrase comes from standard input
//   key_tool cheap DIR   the same key and passphrase in a key file that costs nothing to open
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/base/files.h>
#include <bivouac/store/key_file.h>

using namespace bivouac;

int main(int count, char** values)
{
    if (count != 3 || !harden_process())
        return 2;
    const std::string what = values[1], path = std::string(values[2]) + "/bivouac.keys";
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    const Secret passphrase{std::string_view(text)};
    auto file = read_file(path, 1 << 16);
    if (!file.ok())
        return 1;
    auto keys = store::open_key_file(*file, passphrase);
    if (!keys.ok()) {
        std::fprintf(stderr, "%s\n", keys.error().detail.c_str());
        return 1;
    }
    if (what == "show") {
        for (char c : keys->key.view())
            std::printf("%02x", static_cast<unsigned char>(c));
        std::printf("\n");
        return 0;
    }
    auto cheap = store::create_key_file(*keys, passphrase, store::PassphraseCost{1, 8}, system_random());
    return cheap.ok() && write_file_atomically(path, *cheap).ok() ? 0 : 1;
}
