// SPDX-License-Identifier: BSD-3-Clause
// WebP (RFC 9649): the chunks of the picture and its frames stay, all others go, and the flags say what is there then.
#include "formats.h"

namespace bivouac::media {

namespace {

constexpr uint32_t kFlagAnimation = 0x02, kFlagExif = 0x08, kFlagAlpha = 0x10;
constexpr size_t kFrameHead = 16;

struct Chunk {
    std::string_view name, data;
};

class Chunks {
public:
    explicit Chunks(std::string_view bytes)
        : rest_(bytes)
    {
    }

    bool done() const { return rest_.empty(); }
    // false: it is cut off.
    bool next(Chunk& chunk)
    {
        if (rest_.size() < 8)
            return false;
        const uint32_t size = little32(rest_, 4);
        if (size > rest_.size() - 8)
            return false;
        chunk = {rest_.substr(0, 4), rest_.substr(8, size)};
        // Some writers leave the padding of the last one out.
        rest_.remove_prefix(std::min<size_t>(size_t(8) + size + (size & 1), rest_.size()));
        return true;
    }

private:
    std::string_view rest_;
};

void put_chunk(std::string& out, std::string_view name, std::string_view data)
{
    out += name;
    put_little32(out, static_cast<uint32_t>(data.size()));
    out += data;
    if (data.size() & 1)
        out += '\0';
}

bool is_image(std::string_view name)
{
    return name == "VP8 " || name == "VP8L";
}

// The chunks inside of a frame. Empty: damaged.
std::string clean_frame(std::string_view data, uint32_t& removed)
{
    if (data.size() < kFrameHead)
        return {};
    std::string out(data.substr(0, kFrameHead));
    bool image = false;
    Chunk chunk;
    for (Chunks chunks(data.substr(kFrameHead)); !chunks.done();) {
        if (!chunks.next(chunk))
            return {};
        if (!image && (chunk.name == "ALPH" || is_image(chunk.name)))
            put_chunk(out, chunk.name, chunk.data);
        else
            removed |= kOther;
        image = image || is_image(chunk.name);
    }
    return image ? out : std::string();
}

std::string_view tiff_of(std::string_view exif)
{
    return exif.starts_with(std::string_view("Exif\0\0", 6)) ? exif.substr(6) : exif;
}

}  // namespace

Picture clean_webp(std::string_view bytes)
{
    if (bytes.size() < 20 || !bytes.starts_with("RIFF") || bytes.substr(8, 4) != "WEBP")
        return refused(Refusal::Damaged);
    const size_t size = size_t(little32(bytes, 4)) + 8;
    if (size < 20 || size > bytes.size())
        return refused(Refusal::Damaged);
    Picture out;
    out.bytes.reserve(bytes.size() + 64);
    out.bytes = "RIFF....WEBP";
    if (size + (size & 1) < bytes.size())
        out.removed |= kTrailing;
    size_t flags_at = 0;
    uint32_t flags = 0;
    bool image = false, animation = false;
    int orientation = 1;
    Chunk chunk;
    for (Chunks chunks(bytes.substr(12, size - 12)); !chunks.done();) {
        const bool first = out.bytes.size() == 12 && flags_at == 0;
        if (!chunks.next(chunk))
            return refused(Refusal::Damaged);
        const auto& [name, data] = chunk;
        if (name == "VP8X") {
            if (!first || data.size() != 10)
                return refused(Refusal::Damaged);
            flags_at = out.bytes.size() + 8;
            flags = byte_at(data, 0) & (kFlagAnimation | kFlagAlpha);
            animation = flags & kFlagAnimation;
            put_chunk(out.bytes, name, std::string(4, '\0') + std::string(data.substr(4)));
        } else if (is_image(name) && !image && !animation) {
            put_chunk(out.bytes, name, data);
            image = true;
        } else if (name == "ALPH" && !image && !animation && flags_at != 0) {
            put_chunk(out.bytes, name, data);
        } else if (name == "ANIM" && animation) {
            if (data.size() != 6)
                return refused(Refusal::Damaged);
            put_chunk(out.bytes, name, data);
        } else if (name == "ANMF" && animation) {
            const std::string frame = clean_frame(data, out.removed);
            if (frame.empty())
                return refused(Refusal::Damaged);
            put_chunk(out.bytes, name, frame);
            image = true;
        } else if (name == "EXIF") {
            out.removed |= removed_with(tiff_of(data));
            if (data != tiff_of(data))
                out.removed |= kExif;
            orientation = read_exif(tiff_of(data)).orientation;
        } else if (name == "XMP ") {
            out.removed |= kXmp;
        } else if (name == "ICCP") {
            out.removed |= kColourProfile;
        } else {
            out.removed |= kOther;
        }
    }
    if (!image)
        return refused(Refusal::Damaged);
    if (flags_at != 0) {
        if (orientation != 1) {
            flags |= kFlagExif;
            put_chunk(out.bytes, "EXIF", minimal_exif(orientation));
        }
        out.bytes[flags_at] = static_cast<char>(flags);
    }
    std::string length;
    put_little32(length, static_cast<uint32_t>(out.bytes.size() - 8));
    out.bytes.replace(4, 4, length);
    return out;
}

}  // namespace bivouac::media
