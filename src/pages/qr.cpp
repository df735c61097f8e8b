// SPDX-License-Identifier: BSD-3-Clause
#include "qr.h"

#include <bivouac/base/bytes.h>
#include <bivouac/qr/qr.h>

namespace bivouac::pages {

void show_qr(Page& page, std::string_view text, Msg alternative)
{
    auto code = make_qr(text);
    auto png = code.ok() ? qr_as_png(*code) : Result<std::string>(code.error());
    if (png.ok())
        page.m("<p><img class=\"qr\" alt=\"").t(alternative).m("\" src=\"data:image/png;base64,").x(to_base64(*png)).m("\"></p>\n");
}

}  // namespace bivouac::pages
