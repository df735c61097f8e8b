// SPDX-License-Identifier: BSD-3-Clause
#include "export_reader.h"

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstring>

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <bivouac/model/post.h>

namespace bivouac::app {

namespace {

constexpr size_t kPiece = 64u << 10;
constexpr size_t kMostWords = 1000;
constexpr char kFolder[] = "bivouac-export/";

// A frame: its kind, four bytes of length, the bytes.
enum Kind : char {
    kMember = 'M',  // eight bytes of size, the name
    kData = 'D',
    kEnd = 'E',
    kProblem = 'X',  // words for a person
};

bool write_all(int fd, const char* bytes, size_t count)
{
    while (count > 0) {
        const ssize_t n = ::write(fd, bytes, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        count -= static_cast<size_t>(n);
    }
    return true;
}

bool send(int fd, char kind, std::string_view bytes)
{
    char head[5] = {kind};
    for (int i = 0; i < 4; ++i)
        head[i + 1] = static_cast<char>((bytes.size() >> (8 * i)) & 255);
    return write_all(fd, head, sizeof head) && write_all(fd, bytes.data(), bytes.size());
}

bool read_all(int fd, char* bytes, size_t count)
{
    while (count > 0) {
        const ssize_t n = ::read(fd, bytes, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        count -= static_cast<size_t>(n);
    }
    return true;
}

int problem(int out, const std::string& words)
{
    send(out, kProblem, words.substr(0, kMostWords));
    return 0;
}

int problem(int out, archive* from)
{
    const char* words = archive_error_string(from);
    return problem(out, std::string("it is no export of bivouac, cut off or damaged") + (words ? std::string(" (") + words + ")" : ""));
}

}  // namespace

bool is_member_name(const std::string& name)
{
    if (name == "export.json" || name == "relationships.jsonl")
        return true;
    constexpr std::string_view kPosts = "posts/", kLines = ".jsonl", kAttachments = "attachments/";
    if (name.starts_with(kPosts) && name.ends_with(kLines)) {
        const std::string number = name.substr(kPosts.size(), name.size() - kPosts.size() - kLines.size());
        return number.size() >= 6 && number.size() <= 9 &&
               std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
    }
    if (name.starts_with(kAttachments)) {
        const std::string digest = name.substr(kAttachments.size());
        return !digest.empty() && normal_digest(digest) == digest;
    }
    return false;
}

int write_members(int in, int out)
{
    archive* from = archive_read_new();
    if (!from || archive_read_support_filter_zstd(from) != ARCHIVE_OK || archive_read_support_format_tar(from) != ARCHIVE_OK ||
        archive_read_open_fd(from, in, kPiece) != ARCHIVE_OK)
        return from ? problem(out, from) : 1;
    std::string piece(kPiece, '\0');
    for (;;) {
        archive_entry* entry = nullptr;
        const int code = archive_read_next_header(from, &entry);
        if (code == ARCHIVE_EOF)
            break;
        if (code != ARCHIVE_OK)
            return problem(out, from);
        const char* path = archive_entry_pathname(entry);
        std::string name = path ? path : "";
        if (archive_entry_filetype(entry) == AE_IFDIR && name.starts_with(kFolder))
            continue;  // whoever packed it once more has folders in it
        if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) || archive_entry_symlink(entry) ||
            !name.starts_with(kFolder) || !archive_entry_size_is_set(entry))
            return problem(out, "there is something in it that no export has");
        name = name.substr(sizeof kFolder - 1);
        if (!is_member_name(name))
            return problem(out, "there is something in it that no export has");
        const int64_t size = archive_entry_size(entry);
        std::string head;
        for (int i = 0; i < 8; ++i)
            head.push_back(static_cast<char>((static_cast<uint64_t>(size) >> (8 * i)) & 255));
        if (!send(out, kMember, head + name))
            return 1;
        for (int64_t left = size; left > 0;) {
            const la_ssize_t n = archive_read_data(from, piece.data(), piece.size());
            if (n <= 0)
                return problem(out, from);
            if (!send(out, kData, std::string_view(piece).substr(0, static_cast<size_t>(n))))
                return 1;
            left -= n;
        }
    }
    return send(out, kEnd, {}) ? 0 : 1;
}

Result<ExportReader> ExportReader::start(int input)
{
    // Names are UTF-8, here as there: no tables for converting, which the child could not open.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    return ExportReader(TRY(Sandbox::start(input, write_members)));
}

Result<ExportReader::Frame> ExportReader::frame()
{
    char head[5];
    if (!read_all(sandbox_.output(), head, sizeof head)) {
        TRY(sandbox_.finish());
        return fail(ErrorKind::Invalid, "it cannot be read");
    }
    size_t length = 0;
    for (int i = 0; i < 4; ++i)
        length |= static_cast<size_t>(static_cast<unsigned char>(head[i + 1])) << (8 * i);
    if (length > kPiece)
        return fail(ErrorKind::Invalid, "it cannot be read");
    Frame out{head[0], std::string(length, '\0')};
    if (!read_all(sandbox_.output(), out.bytes.data(), length)) {
        TRY(sandbox_.finish());
        return fail(ErrorKind::Invalid, "it cannot be read");
    }
    if (out.kind == kProblem) {
        std::string words = out.bytes.substr(0, kMostWords);
        std::replace_if(words.begin(), words.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
        return fail(ErrorKind::Invalid, words);
    }
    return out;
}

Result<bool> ExportReader::next(Member& member)
{
    for (std::string rest; in_member_;)
        TRY(read(rest));
    if (ended_)
        return false;
    Frame got = TRY(frame());
    if (got.kind == kEnd) {
        ended_ = true;
        TRY(sandbox_.finish());
        return false;
    }
    if (got.kind != kMember || got.bytes.size() < 9)
        return fail(ErrorKind::Invalid, "it cannot be read");
    uint64_t size = 0;
    for (int i = 0; i < 8; ++i)
        size |= static_cast<uint64_t>(static_cast<unsigned char>(got.bytes[static_cast<size_t>(i)])) << (8 * i);
    member.name = got.bytes.substr(8);
    member.size = static_cast<int64_t>(size);
    if (!is_member_name(member.name) || member.size < 0)
        return fail(ErrorKind::Invalid, "it cannot be read");
    left_ = member.size;
    in_member_ = true;
    return true;
}

Result<bool> ExportReader::read(std::string& piece)
{
    if (left_ == 0) {
        in_member_ = false;
        return false;
    }
    Frame got = TRY(frame());
    if (got.kind != kData || got.bytes.empty() || static_cast<int64_t>(got.bytes.size()) > left_)
        return fail(ErrorKind::Invalid, "it cannot be read");
    left_ -= static_cast<int64_t>(got.bytes.size());
    piece = std::move(got.bytes);
    return true;
}

}  // namespace bivouac::app
