// SPDX-License-Identifier: BSD-3-Clause
// QR codes of short texts, for a terminal or as a picture.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>

namespace bivouac {

struct QrCode {
    size_t width = 0;        // modules on a side, without the quiet zone
    std::vector<bool> dark;  // row by row

    bool at(size_t row, size_t column) const { return dark[row * width + column]; }
};

Result<QrCode> make_qr(std::string_view text);

// Two rows of modules in each line of half blocks, with a quiet zone of four. Colours: black on white whatever the
// terminal's colours are. Without them dark modules are what is printed, which suits paper and bright terminals.
enum class QrColours { No, Yes };
std::string qr_for_terminal(const QrCode& code, QrColours colours);

Result<std::string> qr_as_png(const QrCode& code);

}  // namespace bivouac
