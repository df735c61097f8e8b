// SPDX-License-Identifier: BSD-3-Clause
// A Range header, and what stands in Content-Type and Content-Disposition of a file whose type and name somebody else
// chose: a part lies within the file, and nothing of them ends a header line or runs in a browser.
#include "target.h"

#include "src/api/disposition.h"
#include "src/api/range.h"

using namespace bivouac::api;

namespace {

void check_range(std::string_view header, uint64_t size)
{
    const ByteRange range = parse_byte_range(header, size);
    if (range.kind == ByteRange::Kind::Part)
        HOLDS(range.length > 0 && range.offset < size && range.length <= size - range.offset);
    else
        HOLDS(range.offset == 0 && range.length == 0);
}

bool is_header_text(std::string_view text)
{
    for (char c : text)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f)
            return false;
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const std::string_view text = view(data, size);
    for (uint64_t bytes : {uint64_t(0), uint64_t(1), uint64_t(100), uint64_t(1) << 40, ~uint64_t(0)})
        check_range(text, bytes);
    const std::string type = safe_content_type(std::string(text));
    HOLDS(is_header_text(type) && type.find('/') != std::string::npos);
    for (const std::string& as : {std::string("image/png"), type, std::string("text/html"), std::string("image/svg+xml")}) {
        const std::string disposition = content_disposition(as, text);
        HOLDS(is_header_text(disposition));
        HOLDS(disposition.starts_with("inline") || disposition.starts_with("attachment"));
    }
    for (const char* runs : {"text/html", "image/svg+xml", "application/xhtml+xml", "application/pdf", "text/javascript"})
        HOLDS(content_disposition(runs, text).starts_with("attachment"));
    return 0;
}
