// SPDX-License-Identifier: BSD-3-Clause
// What a file is: by signatures at its beginning; by its name only where bytes cannot tell, and among text.
#include <bivouac/media/clean.h>

#include <bivouac/base/bytes.h>

#include <algorithm>
#include <iterator>

namespace bivouac::media {

namespace {

constexpr Type kTypes[] = {
    {"application/octet-stream", "bin", Group::Unknown},
    {"image/jpeg", "jpg", Group::Picture},
    {"image/png", "png", Group::Picture},
    {"image/gif", "gif", Group::Picture},
    {"image/webp", "webp", Group::Picture},
    {"text/plain", "txt", Group::Text},
    {"text/markdown", "md", Group::Text},
    {"text/csv", "csv", Group::Text},
    {"image/heic", "heic", Group::OtherPicture},
    {"image/avif", "avif", Group::OtherPicture},
    {"image/tiff", "tif", Group::OtherPicture},
    {"image/bmp", "bmp", Group::OtherPicture},
    {"image/jxl", "jxl", Group::OtherPicture},
    {"image/vnd.adobe.photoshop", "psd", Group::OtherPicture},
    {"video/mp4", "mp4", Group::Video},
    {"video/quicktime", "mov", Group::Video},
    {"video/3gpp", "3gp", Group::Video},
    {"video/webm", "webm", Group::Video},
    {"video/x-matroska", "mkv", Group::Video},
    {"video/x-msvideo", "avi", Group::Video},
    {"video/ogg", "ogv", Group::Video},
    {"audio/mpeg", "mp3", Group::Sound},
    {"audio/ogg", "ogg", Group::Sound},
    {"audio/flac", "flac", Group::Sound},
    {"audio/wav", "wav", Group::Sound},
    {"audio/mp4", "m4a", Group::Sound},
    {"image/svg+xml", "svg", Group::Markup},
    {"text/html", "html", Group::Markup},
    {"application/xml", "xml", Group::Markup},
    {"application/json", "json", Group::Markup},
    {"application/gpx+xml", "gpx", Group::Markup},
    {"application/vnd.google-earth.kml+xml", "kml", Group::Markup},
    {"text/vcard", "vcf", Group::Document},
    {"text/calendar", "ics", Group::Document},
    {"message/rfc822", "eml", Group::Document},
    {"application/rtf", "rtf", Group::Document},
    {"application/pdf", "pdf", Group::Document},
    {"application/postscript", "ps", Group::Document},
    {"application/epub+zip", "epub", Group::Document},
    {"application/vnd.oasis.opendocument.text", "odt", Group::Document},
    {"application/vnd.oasis.opendocument.spreadsheet", "ods", Group::Document},
    {"application/vnd.oasis.opendocument.presentation", "odp", Group::Document},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx", Group::Document},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", Group::Document},
    {"application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx", Group::Document},
    {"application/msword", "doc", Group::Document},
    {"application/vnd.ms-excel", "xls", Group::Document},
    {"application/vnd.ms-powerpoint", "ppt", Group::Document},
    {"application/zip", "zip", Group::Archive},
    {"application/gzip", "gz", Group::Archive},
    {"application/x-bzip2", "bz2", Group::Archive},
    {"application/x-xz", "xz", Group::Archive},
    {"application/zstd", "zst", Group::Archive},
    {"application/x-7z-compressed", "7z", Group::Archive},
    {"application/vnd.rar", "rar", Group::Archive},
    {"application/x-tar", "tar", Group::Archive},
    {"application/pgp-encrypted", "gpg", Group::Unknown},
};

constexpr TypeId by_extension(std::string_view extension)
{
    for (size_t i = 0; i < std::size(kTypes); ++i)
        if (extension == kTypes[i].extension)
            return static_cast<TypeId>(i);
    return 0;
}

std::string extension_of(std::string_view name)
{
    const size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0)
        return {};
    std::string out(name.substr(dot + 1));
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c); });
    static constexpr std::pair<std::string_view, const char*> kSame[] = {
        {"jpeg", "jpg"}, {"jpe", "jpg"}, {"htm", "html"}, {"xhtml", "html"}, {"markdown", "md"}, {"text", "txt"}, {"log", "txt"},
        {"tiff", "tif"}, {"opus", "ogg"}, {"oga", "ogg"}, {"m4v", "mp4"},   {"heif", "heic"},   {"asc", "gpg"},  {"pgp", "gpg"},
    };
    for (const auto& [from, to] : kSame)
        if (out == from)
            return to;
    return out;
}

bool has_at(std::string_view bytes, size_t at, std::string_view what)
{
    return bytes.size() >= at + what.size() && bytes.substr(at, what.size()) == what;
}

std::string_view of_iso_media(std::string_view bytes)
{
    const std::string_view brand = bytes.substr(8, std::min<size_t>(4, bytes.size() - 8));
    for (std::string_view heic : {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"})
        if (brand == heic)
            return "heic";
    if (brand == "avif" || brand == "avis")
        return "avif";
    if (brand == "qt  ")
        return "mov";
    if (brand.starts_with("M4A"))
        return "m4a";
    return brand.starts_with("3g") ? "3gp" : "mp4";
}

// Formats that hold others: the name says which one it is, if it is of these.
std::string_view one_of(std::string_view extension, std::initializer_list<std::string_view> which, std::string_view otherwise)
{
    return std::find(which.begin(), which.end(), extension) != which.end() ? extension : otherwise;
}

struct Signature {
    size_t at;
    std::string_view bytes;
    std::string_view extension;
};
constexpr Signature kSignatures[] = {
    {0, "\xff\xd8\xff", "jpg"},
    {0, "\x89PNG\r\n\x1a\n", "png"},
    {0, "GIF87a", "gif"},
    {0, "GIF89a", "gif"},
    {0, std::string_view("II*\0", 4), "tif"},
    {0, std::string_view("MM\0*", 4), "tif"},
    {0, "8BPS", "psd"},
    {0, "\xff\x0a", "jxl"},
    {0, std::string_view("\0\0\0\x0cJXL ", 8), "jxl"},
    {0, "ID3", "mp3"},
    {0, "\xff\xfb", "mp3"},
    {0, "\xff\xfa", "mp3"},
    {0, "\xff\xf3", "mp3"},
    {0, "\xff\xf2", "mp3"},
    {0, "fLaC", "flac"},
    {0, "{\\rtf", "rtf"},
    {0, "%!PS", "ps"},
    {0, "\x1f\x8b", "gz"},
    {0, "BZh", "bz2"},
    {0, std::string_view("\xfd"
                         "7zXZ\0",
                         6),
     "xz"},
    {0, "\x28\xb5\x2f\xfd", "zst"},
    {0, "7z\xbc\xaf\x27\x1c", "7z"},
    {0, "Rar!\x1a\x07", "rar"},
    {257, "ustar", "tar"},
    {0, "-----BEGIN PGP", "gpg"},
    {0, "BEGIN:VCARD", "vcf"},
    {0, "BEGIN:VCALENDAR", "ics"},
};

// Empty: no signature.
std::string_view by_bytes(std::string_view bytes, std::string_view extension)
{
    for (const auto& signature : kSignatures)
        if (has_at(bytes, signature.at, signature.bytes))
            return signature.extension;
    if (has_at(bytes, 0, "RIFF")) {
        if (has_at(bytes, 8, "WEBP"))
            return "webp";
        if (has_at(bytes, 8, "WAVE"))
            return "wav";
        if (has_at(bytes, 8, "AVI "))
            return "avi";
    }
    if (has_at(bytes, 4, "ftyp"))
        return of_iso_media(bytes);
    if (has_at(bytes, 0, "OggS"))
        return one_of(extension, {"ogv"}, "ogg");
    if (has_at(bytes, 0, "\x1a\x45\xdf\xa3"))
        return bytes.substr(0, 64).find("webm") != std::string_view::npos ? "webm" : "mkv";
    if (bytes.substr(0, 1024).find("%PDF-") != std::string_view::npos)
        return "pdf";
    if (has_at(bytes, 0, "PK\x03\x04") || has_at(bytes, 0, "PK\x05\x06"))
        return one_of(extension, {"epub", "odt", "ods", "odp", "docx", "xlsx", "pptx"}, "zip");
    if (has_at(bytes, 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
        return one_of(extension, {"doc", "xls", "ppt"}, "doc");
    if (has_at(bytes, 0, "BM") && has_at(bytes, 6, std::string_view("\0\0\0\0", 4)))
        return "bmp";
    return {};
}

bool is_text(std::string_view bytes, bool is_cut)
{
    if (is_cut)  // perhaps inside of a character
        for (int i = 0; i < 4 && !bytes.empty() && !is_valid_utf8(bytes); ++i)
            bytes.remove_suffix(1);
    return is_valid_utf8(bytes) && std::none_of(bytes.begin(), bytes.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') || byte == 0x7f;
    });
}

// Empty: no markup.
std::string_view by_markup(std::string_view text, std::string_view extension)
{
    if (text.starts_with("\xef\xbb\xbf"))
        text.remove_prefix(3);
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n\f"), text.size()));
    if (text.size() < 2 || text[0] != '<')
        return {};
    const char c = text[1];
    if (c != '!' && c != '?' && c != '/' && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
        return {};
    const std::string_view beginning = text.substr(0, 1024);
    if (beginning.find("<svg") != std::string_view::npos)
        return "svg";
    return text.starts_with("<?xml") ? one_of(extension, {"svg", "html", "gpx", "kml"}, "xml") : one_of(extension, {"svg", "gpx", "kml"}, "html");
}

// Among text the name may say something stricter.
TypeId of_text(std::string_view bytes, const std::string& extension)
{
    if (const auto markup = by_markup(bytes, extension); !markup.empty())
        return by_extension(markup);
    if (extension.empty())
        return by_extension("txt");
    const TypeId id = by_extension(extension);
    const Group group = kTypes[id].group;
    return group == Group::Text || group == Group::Markup || group == Group::Document ? id : TypeId(0);
}

}  // namespace

const Type* find_type(unsigned id)
{
    return id < std::size(kTypes) ? &kTypes[id] : nullptr;
}

TypeId type_of(std::string_view beginning, std::string_view name)
{
    const bool is_cut = beginning.size() >= kBeginning;
    beginning = beginning.substr(0, kBeginning);
    const std::string extension = extension_of(name);
    if (const auto known = by_bytes(beginning, extension); !known.empty())
        return by_extension(known);
    if (is_text(beginning, is_cut))
        return of_text(beginning, extension);
    // What has a signature and does not show it is not what it is called. Some have none, or not at their beginning.
    const TypeId id = by_extension(extension);
    static constexpr std::string_view kWithoutSignature[] = {"mp3", "gpg", "eml", "vcf", "ics", "mp4", "mov"};
    return std::find(std::begin(kWithoutSignature), std::end(kWithoutSignature), kTypes[id].extension) != std::end(kWithoutSignature) ? id : TypeId(0);
}

std::string neutral_name(const Type& type, size_t number)
{
    const char* kind = "file";
    switch (type.group) {
    case Group::Picture:
    case Group::OtherPicture: kind = "picture"; break;
    case Group::Video: kind = "video"; break;
    case Group::Sound: kind = "sound"; break;
    case Group::Text: kind = "text"; break;
    case Group::Markup:
    case Group::Document:
    case Group::Archive:
    case Group::Unknown: break;
    }
    return std::string(kind) + "-" + std::to_string(number) + "." + type.extension;
}

}  // namespace bivouac::media
