// SPDX-License-Identifier: BSD-3-Clause
// What goes and what stays, format by format; cut, bent and made-up files.
#include <doctest/doctest.h>

#include <bivouac/media/clean.h>

#include <png.h>

#include <random>
#include <set>

#include "pictures.h"

using namespace bivouac::media;
using namespace pictures;

namespace {

Cleaned cleaned(const std::string& bytes, const char* name = "x")
{
    Cleaned out = clean(bytes, name);
    if (out.refusal == Refusal::None) {
        // Twice is as once.
        const Cleaned again = clean(out.bytes, name);
        CHECK(again.refusal == Refusal::None);
        CHECK(again.removed == 0);
        CHECK(again.bytes == out.bytes);
    } else {
        CHECK(out.bytes.empty());
    }
    return out;
}

bool tells(const Cleaned& out)
{
    for (const char* what : {"SECRET", "Cam", "THUMBNAIL"})
        if (out.bytes.find(what) != std::string::npos)
            return true;
    return false;
}

std::string png_pixels(const std::string& bytes)
{
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) != 0);
    image.format = PNG_FORMAT_RGBA;
    std::string out(PNG_IMAGE_SIZE(image), '\0');
    REQUIRE(png_image_finish_read(&image, nullptr, out.data(), 0, nullptr) != 0);
    return out;
}

// Every beginning of it, and single bytes changed: refused or cleaned, never more than that.
void bend(const std::string& whole)
{
    constexpr size_t kSignature = 8;  // shorter ones pass for text
    for (size_t size = kSignature; size < whole.size(); size += 1 + size / 40) {
        const Cleaned out = clean(whole.substr(0, size), "x");
        CHECK(out.refusal != Refusal::None);
    }
    std::mt19937 random(7);
    for (int i = 0; i < 300; ++i) {
        std::string bent = whole;
        bent[random() % bent.size()] = static_cast<char>(random());
        cleaned(bent);
    }
}

}  // namespace

TEST_CASE("a JPEG loses everything that is not the picture, and no pixel")
{
    const std::string plain = jpeg(70, 45);
    const std::string full = with_segments(plain, exif_segment() + xmp_segment() + segment(0xfe, "SECRET comment") +
                                                      segment(0xe2, std::string("ICC_PROFILE\0\x01\x01SECRET", 20)) +
                                                      segment(0xed, std::string("Photoshop 3.0\0SECRET", 20)) + segment(0xe5, "SECRET of the maker")) +
                             "SECRET behind the end";
    const Cleaned out = cleaned(full, "holiday.jpg");
    REQUIRE(out.refusal == Refusal::None);
    CHECK(std::string(find_type(out.type)->content_type) == "image/jpeg");
    CHECK(out.removed == (kExif | kPlace | kThumbnail | kXmp | kComment | kColourProfile | kIptc | kOther | kTrailing));
    CHECK(!tells(out));
    CHECK(decoded(out.bytes) == decoded(plain));
    CHECK(cleaned(plain).removed == 0);
}

TEST_CASE("a JPEG in little-endian EXIF, with a thumbnail of JFIF, grey, progressive, in all samplings")
{
    CHECK(cleaned(with_segments(jpeg(32, 32), exif_segment(1, true))).removed == (kExif | kPlace | kThumbnail));
    CHECK(cleaned(with_segments(jpeg(32, 32), segment(0xe0, std::string("JFXX\0\x13SECRET", 12)))).removed == kThumbnail);
    for (int subsampling : {TJSAMP_444, TJSAMP_422, TJSAMP_420, TJSAMP_GRAY, TJSAMP_440, TJSAMP_411})
        for (int flags : {0, TJFLAG_PROGRESSIVE}) {
            CAPTURE(subsampling);
            CAPTURE(flags);
            const std::string plain = jpeg(37, 51, subsampling, flags);
            const Cleaned out = cleaned(with_segments(plain, exif_segment()));
            REQUIRE(out.refusal == Refusal::None);
            CHECK(decoded(out.bytes) == decoded(plain));
            CHECK(!tells(out));
            CHECK((out.bytes.find("\xff\xc2") != std::string::npos) == (flags != 0));
        }
}

TEST_CASE("a turned JPEG is upright afterwards, without loss where its size allows it")
{
    constexpr int kBack[] = {0, 0, TJXOP_HFLIP, TJXOP_ROT180, TJXOP_VFLIP, TJXOP_TRANSPOSE, TJXOP_ROT270, TJXOP_TRANSVERSE, TJXOP_ROT90};
    const std::string plain = jpeg(64, 32);
    for (int orientation = 2; orientation <= 8; ++orientation) {
        CAPTURE(orientation);
        const Cleaned out = cleaned(with_segments(plain, exif_segment(orientation)));
        REQUIRE(out.refusal == Refusal::None);
        CHECK(out.bytes.find("Exif") == std::string::npos);
        CHECK(decoded(out.bytes).width == (orientation >= 5 ? 32 : 64));
        CHECK(decoded(turned(out.bytes, kBack[orientation])) == decoded(plain));
    }
    // 6: the camera was turned to the left, so the left column of what is stored is the top row of what is seen.
    const Pixels stored = decoded(jpeg(64, 32, TJSAMP_GRAY));
    const Pixels seen = decoded(cleaned(with_segments(jpeg(64, 32, TJSAMP_GRAY), exif_segment(6))).bytes);
    for (int i = 0; i < 32; ++i)
        CHECK(std::abs(static_cast<unsigned char>(stored.bytes[static_cast<size_t>(3 * 64 * (31 - i))]) - static_cast<unsigned char>(seen.bytes[static_cast<size_t>(3 * i)])) <= 1);
}

TEST_CASE("a turned JPEG of another size keeps its pixels and the one number")
{
    const std::string plain = jpeg(70, 45);
    const Cleaned out = cleaned(with_segments(plain, exif_segment(6) + xmp_segment()));
    REQUIRE(out.refusal == Refusal::None);
    CHECK(!tells(out));
    CHECK(out.removed == (kExif | kPlace | kThumbnail | kXmp));
    CHECK(decoded(out.bytes) == decoded(plain));
    const std::string kept = std::string("Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0", 32);
    CHECK(out.bytes.find(segment(0xe1, kept)) == 20);
}

TEST_CASE("how many pixels an inch has goes, what shape they have stays")
{
    std::string dense = jpeg(32, 32);
    REQUIRE(dense.substr(6, 4) == "JFIF");
    dense.replace(13, 5, std::string("\x01\x01\x2c\x01\x2c", 5));
    const Cleaned out = cleaned(dense);
    CHECK(out.removed == kResolution);
    CHECK(out.bytes.substr(13, 5) == std::string("\0\0\x01\0\x01", 5));
    dense.replace(13, 5, std::string("\x01\0\x48\0\x48", 5));  // what stands where nobody knows
    CHECK(cleaned(dense).removed == 0);
    dense.replace(13, 5, std::string("\x01\0\x48\0\x90", 5));
    CHECK(cleaned(dense).bytes.substr(13, 5) == std::string("\0\0\x48\0\x90", 5));
}

TEST_CASE("a JPEG that is damaged, for print, or a bomb")
{
    const std::string plain = jpeg(70, 45);
    CHECK(cleaned(plain.substr(0, plain.size() - 2)).refusal == Refusal::Damaged);
    CHECK(cleaned(plain.substr(0, plain.size() / 2) + "\xff\xd9").refusal == Refusal::Damaged);
    CHECK(cleaned("\xff\xd8\xff\xd9").refusal == Refusal::Damaged);
    std::vector<unsigned char> cmyk(16 * 16 * 4, 100);
    unsigned char* bytes = nullptr;
    unsigned long size = 0;
    tjhandle handle = tjInitCompress();
    REQUIRE(tjCompress2(handle, cmyk.data(), 16, 0, 16, TJPF_CMYK, &bytes, &size, TJSAMP_444, 90, 0) == 0);
    tjDestroy(handle);
    CHECK(cleaned(std::string(reinterpret_cast<char*>(bytes), size)).refusal == Refusal::Unusual);
    tjFree(bytes);
    // 65,500 by 65,500 pixels in a few bytes.
    std::string bomb = plain;
    const size_t frame = bomb.find("\xff\xc0");
    REQUIRE(frame != std::string::npos);
    bomb.replace(frame + 5, 4, std::string("\xff\xdc\xff\xdc", 4));
    CHECK(cleaned(bomb).refusal == Refusal::TooManyPixels);
    bend(with_segments(jpeg(24, 24), exif_segment(6)));
}

TEST_CASE("a PNG loses everything that is not the picture, and no pixel")
{
    const std::string full = png(chunk("eXIf", exif()) + chunk("tEXt", std::string("Author\0SECRET", 13)) + chunk("gAMA", big(45455, 4)) +
                                     chunk("iCCP", std::string("SECRET\0\0x", 9)) + chunk("pHYs", big(5000, 4) + big(5000, 4) + "\x01") +
                                     chunk("prVt", "SECRET") + chunk("iTXt", std::string("XML:com.adobe.xmp\0\0\0\0\0SECRET", 28)),
                                 chunk("tIME", std::string("\x07\xea\x0b\x1c\x15\0\0", 7)) + chunk("zTXt", std::string("Comment\0\0SECRET", 15))) +
                             "SECRET behind the end";
    const Cleaned out = cleaned(full, "a.png");
    REQUIRE(out.refusal == Refusal::None);
    CHECK(out.removed == (kExif | kPlace | kThumbnail | kComment | kColourProfile | kResolution | kOther | kXmp | kTime | kTrailing));
    CHECK(out.bytes == png(chunk("gAMA", big(45455, 4))));
    CHECK(png_pixels(out.bytes) == png_pixels(png(chunk("gAMA", big(45455, 4)))));
    CHECK(cleaned(png()).bytes == png());
    CHECK(cleaned(png()).removed == 0);
}

TEST_CASE("a PNG: animation, turned pictures, pixels that are not square")
{
    const std::string moving = png(chunk("acTL", big(1, 4) + big(0, 4)) + chunk("fcTL", std::string(26, '\x01')), chunk("fdAT", big(1, 4) + "data"));
    CHECK(cleaned(moving).bytes == moving);
    const Cleaned turned_one = cleaned(png(chunk("eXIf", exif(6))));
    CHECK(!tells(turned_one));
    CHECK(turned_one.removed == (kExif | kPlace | kThumbnail));
    CHECK(turned_one.bytes == png(chunk("eXIf", std::string("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0", 26))));
    CHECK(cleaned(png(chunk("pHYs", big(100, 4) + big(200, 4) + "\x01"))).bytes == png(chunk("pHYs", big(100, 4) + big(200, 4) + std::string(1, '\0'))));
    CHECK(cleaned(png(chunk("gAMA", "too long SECRET"))).bytes == png());
}

TEST_CASE("a PNG that is damaged or hostile")
{
    const std::string plain = png();
    std::string wrong_sum = plain;
    wrong_sum[plain.size() - 14] ^= 1;
    CHECK(cleaned(wrong_sum).refusal == Refusal::Damaged);
    CHECK(cleaned(plain.substr(0, 8) + plain.substr(33)).refusal == Refusal::Damaged);  // no head
    CHECK(cleaned(png(chunk("CgBI", "1234"))).refusal == Refusal::Unusual);
    std::string longer = plain;
    longer.replace(33, 4, "\xff\xff\xff\xff");
    CHECK(cleaned(longer).refusal == Refusal::Damaged);
    longer.replace(33, 4, "\x7f\xff\xff\xff");
    CHECK(cleaned(longer).refusal == Refusal::Damaged);
    bend(png(chunk("eXIf", exif(6)) + chunk("tEXt", "SECRET")));
}

TEST_CASE("a GIF keeps frames, times and loop, and nothing else")
{
    const std::string clean_one = gif_head() + gif_loop() + gif_control(10) + gif_frame() + gif_control(20) + gif_frame() + ";";
    const std::string full = gif_head() + gif_comment() + gif_loop() + gif_control(10) + gif_comment() + gif_frame() + gif_control(99) + gif_text() +
                             gif_application("XMP DataXMP") + gif_application("ICCRGBG1012") + gif_application("SECRET-1234") + gif_control(20) + gif_frame() + ";SECRET";
    const Cleaned out = cleaned(full);
    REQUIRE(out.refusal == Refusal::None);
    CHECK(out.bytes == clean_one);
    CHECK(out.removed == (kComment | kXmp | kColourProfile | kOther | kTrailing));
    CHECK(cleaned(clean_one).removed == 0);
    // What hides behind the loop count.
    const std::string loop("\x21\xff\x0bNETSCAPE2.0\x03\x01\x05\0\x06SECRET\0", 26);
    CHECK(cleaned(gif_head() + loop + gif_frame() + ";").bytes == gif_head() + std::string("\x21\xff\x0bNETSCAPE2.0\x03\x01\x05\0\0", 19) + gif_frame() + ";");
    CHECK(cleaned(gif_head() + ";").refusal == Refusal::Damaged);
    CHECK(cleaned(gif_head() + gif_frame()).refusal == Refusal::Damaged);
    CHECK(cleaned(gif_head() + gif_frame() + "\x99;").refusal == Refusal::Damaged);
    bend(full.substr(0, full.size() - 6));
}

TEST_CASE("a WebP keeps its picture, and its flags say so")
{
    constexpr int kIcc = 0x20, kAlpha = 0x10, kExifFlag = 0x08, kXmpFlag = 0x04, kAnimation = 0x02;
    CHECK(cleaned(webp(vp8l())).bytes == webp(vp8l()));
    const Cleaned out = cleaned(webp(vp8x(kIcc | kAlpha | kExifFlag | kXmpFlag) + riff_chunk("ICCP", "SECRET") + vp8l() + riff_chunk("EXIF", exif()) +
                                     riff_chunk("XMP ", "SECRET") + riff_chunk("WHAT", "SECRE")) +
                                "SECRET");
    REQUIRE(out.refusal == Refusal::None);
    CHECK(out.bytes == webp(vp8x(kAlpha) + vp8l()));
    CHECK(out.removed == (kExif | kPlace | kThumbnail | kColourProfile | kXmp | kOther | kTrailing));
    const std::string frame = anmf(vp8l()), moving = vp8x(kAlpha | kAnimation) + riff_chunk("ANIM", std::string(6, '\x01')) + frame + frame;
    CHECK(cleaned(webp(moving)).bytes == webp(moving));
    CHECK(cleaned(webp(moving)).removed == 0);
    CHECK(cleaned(webp(vp8x(kAnimation) + riff_chunk("ANIM", std::string(6, '\x01')) + anmf(vp8l() + riff_chunk("WHAT", "SECRET")) + riff_chunk("XMP ", "SECRET"))).bytes ==
          webp(vp8x(kAnimation) + riff_chunk("ANIM", std::string(6, '\x01')) + frame));
    const Cleaned turned_one = cleaned(webp(vp8x(kExifFlag) + vp8l() + riff_chunk("EXIF", std::string("Exif\0\0", 6) + exif(8))));
    CHECK(turned_one.bytes == webp(vp8x(kExifFlag) + vp8l() + riff_chunk("EXIF", std::string("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0", 26))));
    CHECK(cleaned(webp(vp8x(0))).refusal == Refusal::Damaged);
    CHECK(cleaned(webp(vp8l()).substr(0, 25)).refusal == Refusal::Damaged);
    std::string reserved = webp(vp8x(0) + vp8l());
    reserved[21] = 'S';
    CHECK(cleaned(reserved).bytes == webp(vp8x(0) + vp8l()));
    bend(webp(vp8x(kExifFlag) + vp8l() + riff_chunk("EXIF", exif(8))));
}

TEST_CASE("plain text passes as it is, all else is refused with a reason")
{
    const Cleaned text = cleaned("We meet at the bridge.\n\xc3\xa9\n", "secret plan.txt");
    CHECK(text.refusal == Refusal::None);
    CHECK(text.bytes == "We meet at the bridge.\n\xc3\xa9\n");
    CHECK(text.removed == 0);
    CHECK(cleaned("", "a.txt").refusal == Refusal::None);
    CHECK(cleaned(std::string(kBeginning + 10, 'x') + '\0', "a.txt").refusal == Refusal::Unknown);
    CHECK(cleaned(std::string(kBeginning + 10, 'x') + "\xff", "a.txt").refusal == Refusal::Unknown);
    CHECK(cleaned(std::string(kBeginning - 1, 'x') + "\xc3\xa9", "a.txt").refusal == Refusal::None);
    struct Row {
        std::string bytes;
        const char* name;
        Refusal refusal;
    };
    const Row rows[] = {
        {"%PDF-1.7\n\x80", "a.pdf", Refusal::Document},
        {"%PDF-1.7 in text only", "a.txt", Refusal::Document},
        {"<svg xmlns='x'>", "a.txt", Refusal::Markup},
        {"\xef\xbb\xbf <!DOCTYPE html>", "a.txt", Refusal::Markup},
        {"just words", "a.html", Refusal::Markup},
        {"{}", "a.json", Refusal::Markup},
        {"just words", "a.xyz", Refusal::Unknown},
        {"just words", "a.png", Refusal::Unknown},
        {"BEGIN:VCARD\nN:SECRET", "a.txt", Refusal::Document},
        {std::string("PK\x03\x04\0", 5), "a.zip", Refusal::Archive},
        {std::string("PK\x03\x04\0", 5), "a.docx", Refusal::Document},
        {std::string("PK\x03\x04\0", 5), "a.jpg", Refusal::Archive},
        {std::string("\0\0\0\x18" "ftypheic\0\0\0\0", 16), "a.jpg", Refusal::OtherPicture},
        {std::string("\0\0\0\x18" "ftypisom\0\0\0\0", 16), "a.txt", Refusal::Video},
        {std::string("ID3\x04\0", 5), "a.mp3", Refusal::Sound},
        {std::string("II*\0\x08\0\0\0", 8), "a.jpg", Refusal::OtherPicture},
        {std::string("\x7f""ELF\x02\x01\0", 7), "a", Refusal::Unknown},
        {std::string("\0\x01\x02", 3), "a.png", Refusal::Unknown},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        CAPTURE(row.bytes);
        CHECK(cleaned(row.bytes, row.name).refusal == row.refusal);
    }
}

TEST_CASE("the type is that of the bytes, whatever the name says")
{
    auto type = [](const std::string& bytes, const char* name) { return std::string(find_type(type_of(bytes, name))->content_type); };
    CHECK(type(jpeg(16, 16), "a.png") == "image/jpeg");
    CHECK(type(png(), "a.txt") == "image/png");
    CHECK(type(gif_head(), "a.html") == "image/gif");
    CHECK(type(webp(vp8l()), "") == "image/webp");
    CHECK(type("words", "A.MARKDOWN") == "text/markdown");
    CHECK(type("words", "no extension") == "text/plain");
    CHECK(type(std::string("\0\x01", 2), "a.jpg") == "application/octet-stream");
    CHECK(type(std::string("\0\x01", 2), "a.mp4") == "video/mp4");
    CHECK(type(std::string("RIFF\x10\0\0\0WAVE", 12), "x") == "audio/wav");
    CHECK(type(std::string("\x1a\x45\xdf\xa3webm", 8), "x") == "video/webm");
}

TEST_CASE("neutral names say the kind and the number, and no type without an extension")
{
    auto name = [](const std::string& bytes, const char* given) { return neutral_name(*find_type(type_of(bytes, given)), 3); };
    CHECK(name(jpeg(16, 16), "IMG_20261128_alice.JPG") == "picture-3.jpg");
    CHECK(name("%PDF-1.4", "minutes.pdf") == "file-3.pdf");
    CHECK(name("words", "diary") == "text-3.txt");
    CHECK(name(std::string("ID3\x04", 4), "interview.mp3") == "sound-3.mp3");
    CHECK(name(std::string("\0\x01", 2), "x.alice-and-bob") == "file-3.bin");
    std::set<std::string> extensions;
    for (unsigned id = 0; const Type* type = find_type(id); ++id)
        CHECK(extensions.insert(type->extension).second);
    CHECK(extensions.size() > 50);
}

TEST_CASE("everything that is said has words of its own")
{
    const auto words = all_words();
    CHECK(words.size() == 11 + kRefusals - 1);
    CHECK(std::set<std::string>(words.begin(), words.end()).size() == words.size());
    CHECK(words_of(uint32_t(kExif | kTrailing)) == std::vector<std::string>{"EXIF (camera, time, settings)", "bytes after the end of the picture"});
    for (unsigned id = 0; const Type* type = find_type(id); ++id)
        CHECK((refusal_of(*type) == Refusal::None || *words_of(refusal_of(*type)) != '\0'));
}
