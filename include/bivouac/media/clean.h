// SPDX-License-Identifier: BSD-3-Clause
// What files tell besides what one sees in them: camera, place and time of a photo, its thumbnail from before it was cut,
// comments, whatever stands behind the end. Pure functions over bytes that take it out of JPEG, PNG, WebP and GIF and leave
// the pixels as they are, and that say of everything else why it cannot be cleaned. Where they are run: media/cleaner.h.
//
// What a file is its bytes decide. Its name can only make the judgement stricter, never milder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bivouac::media {

// Bounds of what is cleaned: a file is in memory as a whole, twice, and a JPEG with its coefficients besides.
constexpr uint64_t kMostBytes = 100u << 20;
constexpr uint64_t kMostCoefficientBytes = 512u << 20;  // about 170 million pixels as cameras store them
// Enough of the beginning of a file to tell what it is.
constexpr size_t kBeginning = 4096;

enum class Group : uint8_t { Picture, OtherPicture, Video, Sound, Text, Markup, Document, Archive, Unknown };

struct Type {
    const char* content_type;
    const char* extension;  // of its neutral name, without the dot
    Group group;
};

// A number for each type that is known: what the child says of a file is this and no text.
using TypeId = uint16_t;
const Type* find_type(unsigned id);  // nullptr: there is none

// By the beginning of a file (kBeginning bytes, or all of it), and by its name where bytes do not tell.
// application/octet-stream when neither does.
TypeId type_of(std::string_view beginning, std::string_view name);

// "picture-1.jpg", "file-2.pdf": what a file is called instead of by its own name.
std::string neutral_name(const Type& type, size_t number);

// What was taken out, as a set.
enum Removed : uint32_t {
    kExif = 1u << 0,
    kPlace = 1u << 1,
    kThumbnail = 1u << 2,
    kXmp = 1u << 3,
    kIptc = 1u << 4,
    kComment = 1u << 5,
    kTime = 1u << 6,
    kColourProfile = 1u << 7,
    kResolution = 1u << 8,
    kOther = 1u << 9,
    kTrailing = 1u << 10,
};
// In words: fixed texts, which pages translate as a whole.
std::vector<std::string> words_of(uint32_t removed);

// Why a file cannot be cleaned, and what to do instead.
enum class Refusal : uint8_t {
    None,
    Damaged,
    Unusual,
    TooLarge,
    TooManyPixels,
    OtherPicture,
    Video,
    Sound,
    Document,
    Markup,
    Archive,
    Unknown,
};
constexpr unsigned kRefusals = 12;
const char* words_of(Refusal refusal);

// None where files of this type can be cleaned, if they are whole.
Refusal refusal_of(const Type& type);

struct Cleaned {
    TypeId type = 0;
    Refusal refusal = Refusal::None;
    uint32_t removed = 0;
    std::string bytes;  // empty when it was refused
};

// Plain text passes as it is. At most kMostBytes are looked at. Cleaning what was cleaned changes nothing.
//
// A JPEG or PNG loses its colour profile, too: profiles name devices and programs, and that of a calibrated screen is as
// good as a serial number. Colours of a wide gamut become paler; nothing else changes.
// How a picture is turned stays: a JPEG is turned without loss where its size allows that, else the one number that says
// how it is to be shown stays, alone.
Cleaned clean(std::string_view bytes, std::string_view name);

// Every fixed text above, for those who translate and for tests.
std::vector<std::string> all_words();

}  // namespace bivouac::media
