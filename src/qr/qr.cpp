// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/qr/qr.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include <png.h>
#include <qrencode.h>

namespace bivouac {

namespace {

constexpr size_t kQuiet = 4;        // modules around the code (ISO/IEC 18004)
constexpr size_t kModulePixels = 8;

// Light outside the code.
bool is_dark(const QrCode& code, size_t row, size_t column)
{
    return row >= kQuiet && column >= kQuiet && row < kQuiet + code.width && column < kQuiet + code.width &&
           code.at(row - kQuiet, column - kQuiet);
}

}  // namespace

Result<QrCode> make_qr(std::string_view text)
{
    // M: readable with a seventh of it dirty, and still small enough for a terminal.
    std::unique_ptr<QRcode, void (*)(QRcode*)> made(
        QRcode_encodeData(static_cast<int>(text.size()), reinterpret_cast<const unsigned char*>(text.data()), 0, QR_ECLEVEL_M),
        QRcode_free);
    if (!made)
        return fail(errno == ERANGE ? ErrorKind::TooLarge : ErrorKind::Internal, "no QR code can be made of this");
    QrCode out;
    out.width = static_cast<size_t>(made->width);
    for (size_t i = 0; i < out.width * out.width; ++i)
        out.dark.push_back((made->data[i] & 1) != 0);
    return out;
}

std::string qr_for_terminal(const QrCode& code, QrColours colours)
{
    const size_t side = code.width + 2 * kQuiet;
    std::string out;
    for (size_t row = 0; row < side; row += 2) {
        // Colours of the fixed palette: those with names are the terminal's to choose.
        if (colours == QrColours::Yes)
            out += "\x1b[38;5;16;48;5;231m";
        for (size_t column = 0; column < side; ++column) {
            const bool upper = is_dark(code, row, column), lower = is_dark(code, row + 1, column);
            out += upper && lower ? "\u2588" : upper ? "\u2580" : lower ? "\u2584" : " ";
        }
        if (colours == QrColours::Yes)
            out += "\x1b[0m";
        out += '\n';
    }
    return out;
}

Result<std::string> qr_as_png(const QrCode& code)
{
    const size_t side = (code.width + 2 * kQuiet) * kModulePixels;
    std::string pixels(side * side, '\xff');
    for (size_t y = 0; y < side; ++y)
        for (size_t x = 0; x < side; ++x)
            if (is_dark(code, y / kModulePixels, x / kModulePixels))
                pixels[y * side + x] = '\0';
    png_image image;
    std::memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = image.height = static_cast<png_uint_32>(side);
    image.format = PNG_FORMAT_GRAY;
    png_alloc_size_t size = 0;
    if (!png_image_write_get_memory_size(image, size, 0, pixels.data(), 0, nullptr))
        return fail(ErrorKind::Internal, std::string("the picture cannot be made: ") + image.message);
    std::string out(size, '\0');
    if (!png_image_write_to_memory(&image, out.data(), &size, 0, pixels.data(), 0, nullptr))
        return fail(ErrorKind::Internal, std::string("the picture cannot be made: ") + image.message);
    out.resize(size);
    return out;
}

}  // namespace bivouac
