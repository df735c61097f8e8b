// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/media/clean.h>

#include <bivouac/base/bytes.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "formats.h"

namespace bivouac::media {

namespace {

// Marks what translators get (xgettext -kT), as in the pages.
consteval const char* T(const char* text) { return text; }

// In the order of the bits.
constexpr const char* kRemovedWords[] = {
    T("EXIF (camera, time, settings)"),
    T("the place (GPS)"),
    T("a thumbnail"),
    T("XMP (program, author, history)"),
    T("IPTC (author, title, place)"),
    T("comments"),
    T("the time of the last change"),
    T("a colour profile"),
    T("the resolution"),
    T("other data of a camera or a program"),
    T("bytes after the end of the picture"),
};

// In the order of Refusal.
constexpr const char* kRefusalWords[] = {
    "",
    T("The picture is damaged or cut off. Open it in a picture program and save it anew as JPEG or PNG."),
    T("Pictures of this rare kind (colours for print, say) cannot be cleaned. Open it in a picture program and save it anew as JPEG or PNG."),
    T("Files over 100 MiB are not cleaned, because that would take too much memory. Make it smaller."),
    T("A picture with so many pixels is not cleaned, because that would take too much memory. Make it smaller."),
    T("Pictures of this format can tell place, time and camera, and cannot be cleaned. Save it as JPEG or PNG; phones can be set to take JPEG."),
    T("Videos can tell place, time and camera, and cannot be cleaned. Clean it with another program first (Metadata Cleaner in Tails)."),
    T("Sound files can hold names, places and pictures, and cannot be cleaned. Clean it with another program first (Metadata Cleaner in Tails)."),
    T("Documents can hold names, earlier versions and what their pictures tell, and cannot be cleaned. Post its text instead, or clean it with another program first (Metadata Cleaner in Tails)."),
    T("Files of this kind can hold names, places, comments and programs, and cannot be cleaned. Post it as text or as a picture instead."),
    T("Archives hold names of files and people, and what the files in them tell, and cannot be cleaned. Attach the files themselves."),
    T("It is not known what a file of this kind tells besides what you see in it, so it cannot be cleaned."),
};
static_assert(std::size(kRefusalWords) == kRefusals);

bool is_plain_text(std::string_view bytes)
{
    return is_valid_utf8(bytes) && bytes.find('\0') == std::string_view::npos;
}

Picture clean_picture(std::string_view bytes, const Type& type)
{
    const std::string_view kind = type.extension;
    if (kind == "jpg")
        return clean_jpeg(bytes);
    if (kind == "png")
        return clean_png(bytes);
    return kind == "gif" ? clean_gif(bytes) : clean_webp(bytes);
}

}  // namespace

std::vector<std::string> words_of(uint32_t removed)
{
    std::vector<std::string> out;
    for (size_t i = 0; i < std::size(kRemovedWords); ++i)
        if (removed >> i & 1)
            out.emplace_back(kRemovedWords[i]);
    return out;
}

const char* words_of(Refusal refusal)
{
    return kRefusalWords[std::min<size_t>(static_cast<size_t>(refusal), kRefusals - 1)];
}

Refusal refusal_of(const Type& type)
{
    switch (type.group) {
    case Group::Picture:
    case Group::Text: return Refusal::None;
    case Group::OtherPicture: return Refusal::OtherPicture;
    case Group::Video: return Refusal::Video;
    case Group::Sound: return Refusal::Sound;
    case Group::Markup: return Refusal::Markup;
    case Group::Document: return Refusal::Document;
    case Group::Archive: return Refusal::Archive;
    case Group::Unknown: break;
    }
    return Refusal::Unknown;
}

Cleaned clean(std::string_view bytes, std::string_view name)
{
    Cleaned out;
    out.type = type_of(bytes, name);
    const Type& type = *find_type(out.type);
    out.refusal = refusal_of(type);
    if (out.refusal == Refusal::None && bytes.size() > kMostBytes)
        out.refusal = Refusal::TooLarge;
    if (out.refusal != Refusal::None)
        return out;
    if (type.group == Group::Text) {
        if (is_plain_text(bytes)) {
            out.bytes = bytes;
            return out;
        }
        // It only began like one.
        out.type = 0;
        out.refusal = Refusal::Unknown;
        return out;
    }
    Picture picture = clean_picture(bytes, type);
    out.refusal = picture.refusal;
    if (out.refusal == Refusal::None) {
        out.removed = picture.removed;
        out.bytes = std::move(picture.bytes);
    }
    return out;
}

std::vector<std::string> all_words()
{
    std::vector<std::string> out(std::begin(kRemovedWords), std::end(kRemovedWords));
    out.insert(out.end(), std::begin(kRefusalWords) + 1, std::end(kRefusalWords));
    return out;
}

}  // namespace bivouac::media
