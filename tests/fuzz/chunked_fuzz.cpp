// SPDX-License-Identifier: BSD-3-Clause
// The first byte says where the input is cut: a chunked body must read the same in one piece and in two.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <bivouac/net/request_head.h>

using namespace bivouac::net;

namespace
{

struct Decoded {
    bool ok = true;
    bool done = false;
    std::string body;
};

Decoded decode(std::string_view bytes, size_t cut)
{
    Decoded out;
    ChunkedDecoder decoder;
    for (std::string_view piece : {bytes.substr(0, cut), bytes.substr(cut)}) {
        if (!decoder.feed(piece, out.body).ok()) {
            out.ok = false;
            return out;
        }
    }
    out.done = decoder.done();
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size == 0)
        return 0;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    Decoded whole = decode(bytes, bytes.size());
    Decoded cut = decode(bytes, bytes.empty() ? 0 : data[0] % bytes.size());
    if (whole.ok != cut.ok || whole.done != cut.done || whole.body != cut.body || whole.body.size() > size)
        std::abort();
    return 0;
}
