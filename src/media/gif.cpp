// SPDX-License-Identifier: BSD-3-Clause
// GIF (89a): frames, how long each is shown and how often all of them; no comments, texts, or data of applications.
#include "formats.h"

namespace bivouac::media {

namespace {

constexpr size_t kHead = 13;

size_t table_bytes(uint32_t flags)
{
    return flags & 0x80 ? size_t(3) << ((flags & 7) + 1) : 0;
}

class Gif {
public:
    explicit Gif(std::string_view bytes)
        : bytes_(bytes)
    {
    }

    Picture run()
    {
        const auto whole = copy_head();
        if (!whole)
            return refused(Refusal::Damaged);
        for (;;) {
            if (at_ >= bytes_.size())
                return refused(Refusal::Damaged);
            switch (byte_at(bytes_, at_)) {
            case 0x2c:
                if (!frame())
                    return refused(Refusal::Damaged);
                break;
            case 0x21:
                if (!extension())
                    return refused(Refusal::Damaged);
                break;
            case 0x3b:
                if (!frame_seen_)
                    return refused(Refusal::Damaged);
                out_.bytes += ';';
                if (at_ + 1 != bytes_.size())
                    out_.removed |= kTrailing;
                return std::move(out_);
            default:
                return refused(Refusal::Damaged);
            }
        }
    }

private:
    bool holds(size_t count) const { return count <= bytes_.size() - at_; }

    bool copy_head()
    {
        if ((!bytes_.starts_with("GIF87a") && !bytes_.starts_with("GIF89a")) || bytes_.size() < kHead)
            return false;
        const size_t size = kHead + table_bytes(byte_at(bytes_, 10));
        if (!holds(size))
            return false;
        out_.bytes.reserve(bytes_.size());
        out_.bytes += bytes_.substr(0, size);
        at_ = size;
        return true;
    }

    // Past the blocks that begin at at_; false: they do not end.
    bool skip_blocks()
    {
        for (;;) {
            if (!holds(1))
                return false;
            const size_t size = byte_at(bytes_, at_);
            if (!holds(size + 1))
                return false;
            at_ += size + 1;
            if (size == 0)
                return true;
        }
    }

    bool frame()
    {
        const size_t begin = at_;
        if (!holds(10))
            return false;
        const size_t head = 10 + table_bytes(byte_at(bytes_, at_ + 9)) + 1;
        if (!holds(head))
            return false;
        at_ += head;
        if (!skip_blocks())
            return false;
        out_.bytes += control_;
        control_ = {};
        out_.bytes += bytes_.substr(begin, at_ - begin);
        frame_seen_ = true;
        return true;
    }

    bool extension()
    {
        const size_t begin = at_;
        if (!holds(3))
            return false;
        const uint32_t label = byte_at(bytes_, at_ + 1);
        at_ += 2;
        const size_t blocks = at_;
        if (!skip_blocks())
            return false;
        const std::string_view whole = bytes_.substr(begin, at_ - begin), data = bytes_.substr(blocks, at_ - blocks);
        switch (label) {
        case 0xf9:  // of the frame that follows
            if (data.size() != 6 || data[0] != 4)
                return false;
            control_ = whole;
            return true;
        case 0xff:
            application(data);
            return true;
        case 0x01:  // a text as a frame of its own: what stands before is about it
            control_ = {};
            out_.removed |= kComment;
            return true;
        case 0xfe:
            out_.removed |= kComment;
            return true;
        default:
            out_.removed |= kOther;
            return true;
        }
    }

    void application(std::string_view data)
    {
        const std::string_view who = data.size() > 12 && data[0] == 11 ? data.substr(1, 11) : std::string_view();
        // How often it is shown: three bytes, of which the first is 1.
        if ((who == "NETSCAPE2.0" || who == "ANIMEXTS1.0") && data.size() >= 16 && data[12] == 3 && data[13] == 1) {
            if (data.size() != 17)
                out_.removed |= kOther;
            out_.bytes += "\x21\xff";
            out_.bytes += data.substr(0, 16);
            out_.bytes += '\0';
        } else if (who.starts_with("XMP Data")) {
            out_.removed |= kXmp;
        } else if (who.starts_with("ICCRGBG1")) {
            out_.removed |= kColourProfile;
        } else {
            out_.removed |= kOther;
        }
    }

    std::string_view bytes_;
    size_t at_ = 0;
    std::string_view control_;  // waits for its frame
    bool frame_seen_ = false;
    Picture out_;
};

}  // namespace

Picture clean_gif(std::string_view bytes)
{
    return Gif(bytes).run();
}

}  // namespace bivouac::media
