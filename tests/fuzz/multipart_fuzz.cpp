// SPDX-License-Identifier: BSD-3-Clause
// The first byte says how long the pieces are: a multipart body must read the same in one piece and in many.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <bivouac/net/multipart.h>

using namespace bivouac;
using namespace bivouac::net;

namespace
{

// Everything the events said, in order; the data of a part is joined.
std::string read(std::string_view bytes, size_t piece, bool& ok)
{
    std::string seen;
    bool open = false;
    MultipartReader reader("B", {.part_begin = [&](const PartHead& head) -> Result<void> {
                                     if (open)
                                         std::abort();
                                     open = true;
                                     seen += "[" + head.name + "|" + head.filename + "|" + head.content_type +
                                             "]";
                                     return {};
                                 },
                                 .part_data = [&](std::string_view data) -> Result<void> {
                                     if (!open || data.empty())
                                         std::abort();
                                     seen += data;
                                     return {};
                                 },
                                 .part_end = [&]() -> Result<void> {
                                     if (!open)
                                         std::abort();
                                     open = false;
                                     seen += "[end]";
                                     return {};
                                 }});
    ok = true;
    for (size_t at = 0; at < bytes.size() && ok; at += piece)
        ok = reader.feed(bytes.substr(at, piece)).ok();
    ok = ok && reader.finish().ok();
    if (ok && open)
        std::abort();
    return seen;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size == 0)
        return 0;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    bool whole_ok = false;
    bool cut_ok = false;
    std::string whole = read(bytes, bytes.size() + 1, whole_ok);
    std::string cut = read(bytes, data[0] % 32u + 1, cut_ok);
    // A malformed body may have told more or less before it failed.
    if (whole_ok != cut_ok || (whole_ok && whole != cut))
        std::abort();
    return 0;
}
