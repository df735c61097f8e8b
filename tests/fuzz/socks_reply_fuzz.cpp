// SPDX-License-Identifier: BSD-3-Clause
// Every code that a proxy may answer has a meaning and words.
#include "target.h"

#include <cstring>

#include <bivouac/tor/socks_reply.h>

using namespace bivouac::tor;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    unsigned code = 0;
    std::memcpy(&code, data, size < sizeof code ? size : sizeof code);
    for (unsigned each : {code, code % 256}) {
        ReplyMeaning meaning = meaning_of_socks_reply(each);
        HOLDS(!meaning.words.empty());
        HOLDS((meaning.reach == Reach::Fine) == (each == 0));
    }
    return 0;
}
