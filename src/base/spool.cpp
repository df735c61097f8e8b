// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/secret.h>
#include <bivouac/base/spool.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

namespace bivouac {

namespace {

constexpr size_t kPieceBytes = 64 << 10;
constexpr size_t kSealedBytes = kPieceBytes + crypto_secretstream_xchacha20poly1305_ABYTES;

Error disk_error(int number)
{
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        return fail(ErrorKind::NoSpace, "the disk is full; free some space and try again");
    return fail(ErrorKind::Unavailable, std::string("a temporary file failed: ") + std::strerror(number));
}

}  // namespace

struct Spool::File {
    int fd = -1;
    uint64_t sealed_bytes = 0;
    Secret key{crypto_secretstream_xchacha20poly1305_KEYBYTES};
    crypto_secretstream_xchacha20poly1305_state stream{};
    unsigned char header[crypto_secretstream_xchacha20poly1305_HEADERBYTES]{};

    ~File()
    {
        if (fd >= 0)
            ::close(fd);
        sodium_memzero(&stream, sizeof stream);
    }
};

Spool::Spool(std::string directory, size_t memory_limit_bytes)
    : directory_(std::move(directory))
    , memory_limit_(std::max(memory_limit_bytes, kPieceBytes))
{
}

std::shared_ptr<Spool> Spool::of_text(std::string_view text)
{
    auto spool = std::make_shared<Spool>(std::string(), text.size());
    spool->memory_.assign(text);
    spool->size_ = text.size();
    spool->finished_ = true;
    return spool;
}

Spool::~Spool() = default;

Result<void> Spool::append(std::string_view bytes)
{
    size_ += bytes.size();
    if (!file_) {
        if (memory_.size() + bytes.size() <= memory_limit_) {
            memory_.append(bytes);
            return {};
        }
        TRY(spill());
    }
    while (!bytes.empty()) {
        size_t take = std::min(bytes.size(), kPieceBytes - memory_.size());
        memory_.append(bytes.substr(0, take));
        bytes.remove_prefix(take);
        if (memory_.size() == kPieceBytes) {
            TRY(write_piece(memory_, false));
            memory_.clear();
        }
    }
    return {};
}

Result<void> Spool::finish()
{
    if (finished_)
        return {};
    finished_ = true;
    if (!file_)
        return {};
    TRY(write_piece(memory_, true));
    std::string().swap(memory_);
    return {};
}

Result<void> Spool::spill()
{
    auto file = std::make_unique<File>();
    file->fd = ::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file->fd < 0)
        return disk_error(errno);
    crypto_secretstream_xchacha20poly1305_keygen(file->key.data());
    crypto_secretstream_xchacha20poly1305_init_push(&file->stream, file->header, file->key.data());
    file_ = std::move(file);
    std::string held = std::move(memory_);
    memory_.clear();
    for (size_t at = 0; at < held.size(); at += kPieceBytes) {
        std::string_view piece = std::string_view(held).substr(at, kPieceBytes);
        if (piece.size() < kPieceBytes) {
            memory_.assign(piece);
            break;
        }
        TRY(write_piece(piece, false));
    }
    return {};
}

Result<void> Spool::write_piece(std::string_view piece, bool last)
{
    unsigned char sealed[kSealedBytes];
    unsigned long long length = 0;
    crypto_secretstream_xchacha20poly1305_push(
        &file_->stream, sealed, &length, reinterpret_cast<const unsigned char*>(piece.data()), piece.size(),
        nullptr, 0,
        last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
             : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
    size_t done = 0;
    while (done < length) {
        ssize_t n = ::pwrite(file_->fd, sealed + done, length - done,
                             static_cast<off_t>(file_->sealed_bytes + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_error(n < 0 ? errno : ENOSPC);
        done += static_cast<size_t>(n);
    }
    file_->sealed_bytes += length;
    return {};
}

struct Spool::Reader::State {
    const Spool& spool;
    size_t memory_at = 0;
    uint64_t file_at = 0;
    bool ended = false;
    crypto_secretstream_xchacha20poly1305_state stream{};
};

Spool::Reader::Reader(const Spool& spool)
    : state_(new State{.spool = spool})
{
    if (spool.file_)
        crypto_secretstream_xchacha20poly1305_init_pull(&state_->stream, spool.file_->header,
                                                        spool.file_->key.data());
}

Spool::Reader::~Reader()
{
    sodium_memzero(&state_->stream, sizeof state_->stream);
}

Result<std::string> Spool::Reader::next()
{
    const Spool& spool = state_->spool;
    if (!spool.file_) {
        std::string piece = spool.memory_.substr(std::min(state_->memory_at, spool.memory_.size()), kPieceBytes);
        state_->memory_at += piece.size();
        return piece;
    }
    if (state_->ended)
        return std::string();
    unsigned char sealed[kSealedBytes];
    size_t want = static_cast<size_t>(
        std::min<uint64_t>(kSealedBytes, spool.file_->sealed_bytes - state_->file_at));
    size_t done = 0;
    while (done < want) {
        ssize_t n = ::pread(spool.file_->fd, sealed + done, want - done,
                            static_cast<off_t>(state_->file_at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return disk_error(n < 0 ? errno : EIO);
        done += static_cast<size_t>(n);
    }
    std::string piece(kPieceBytes, '\0');
    unsigned long long length = 0;
    unsigned char tag = 0;
    if (crypto_secretstream_xchacha20poly1305_pull(&state_->stream,
                                                   reinterpret_cast<unsigned char*>(piece.data()), &length,
                                                   &tag, sealed, want, nullptr, 0) != 0)
        return fail(ErrorKind::Internal, "a temporary file was changed behind our back");
    state_->file_at += want;
    state_->ended = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    piece.resize(length);
    return piece;
}

Result<std::string> Spool::text(size_t limit_bytes) const
{
    if (size_ > limit_bytes)
        return fail(ErrorKind::TooLarge, "the body is over " + std::to_string(limit_bytes) + " bytes");
    std::string out;
    out.reserve(size_);
    Reader reader(*this);
    for (;;) {
        std::string piece = TRY(reader.next());
        if (piece.empty())
            return out;
        out += piece;
    }
}

}  // namespace bivouac
