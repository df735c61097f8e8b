// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/sealed_stream.h>

#include <cerrno>
#include <cstring>

#include <sodium.h>
#include <unistd.h>

namespace bivouac {

namespace {

constexpr size_t kHeaderBytes = crypto_secretstream_xchacha20poly1305_HEADERBYTES;
constexpr size_t kMoreBytes = crypto_secretstream_xchacha20poly1305_ABYTES;

Result<void> write_all(int fd, std::string_view bytes)
{
    while (!bytes.empty()) {
        ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(errno == ENOSPC || errno == EDQUOT ? ErrorKind::NoSpace : ErrorKind::Unavailable,
                        std::string("writing: ") + std::strerror(errno));
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
}

// As many as there are, up to the size.
Result<std::string> read_up_to(int fd, size_t size)
{
    std::string out(size, '\0');
    size_t length = 0;
    while (length < size) {
        ssize_t n = ::read(fd, out.data() + length, size - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(ErrorKind::Unavailable, std::string("reading: ") + std::strerror(errno));
        if (n == 0)
            break;
        length += static_cast<size_t>(n);
    }
    out.resize(length);
    return out;
}

using State = crypto_secretstream_xchacha20poly1305_state;

Secret new_state()
{
    return Secret(sizeof(State));
}

State* state_in(Secret& bytes)
{
    return reinterpret_cast<State*>(bytes.data());
}

const unsigned char* data_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Result<SealedWriter> SealedWriter::begin(int fd, const Secret& key, std::string_view bound)
{
    SealedWriter out;
    out.state_ = new_state();
    out.fd_ = fd;
    out.bound_ = std::string(bound);
    std::string header(kHeaderBytes, '\0');
    crypto_secretstream_xchacha20poly1305_init_push(state_in(out.state_), reinterpret_cast<unsigned char*>(header.data()),
                                                    key.data());
    TRY(write_all(fd, header));
    return out;
}

Result<void> SealedWriter::push(std::string_view piece, unsigned char tag)
{
    std::string sealed(piece.size() + kMoreBytes, '\0');
    crypto_secretstream_xchacha20poly1305_push(state_in(state_), reinterpret_cast<unsigned char*>(sealed.data()), nullptr,
                                               data_of(piece), piece.size(), data_of(bound_), bound_.size(), tag);
    return write_all(fd_, sealed);
}

Result<void> SealedWriter::write(std::string_view bytes)
{
    waiting_.append(bytes);
    // One piece stays back: the last one is marked.
    size_t at = 0;
    while (waiting_.size() - at > kSealedPieceBytes) {
        TRY(push(std::string_view(waiting_).substr(at, kSealedPieceBytes), 0));
        at += kSealedPieceBytes;
    }
    waiting_.erase(0, at);
    return {};
}

Result<void> SealedWriter::finish()
{
    return push(waiting_, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
}

Result<SealedReader> SealedReader::begin(int fd, const Secret& key, std::string_view bound)
{
    SealedReader out;
    out.state_ = new_state();
    out.fd_ = fd;
    out.bound_ = std::string(bound);
    const std::string header = TRY(read_up_to(fd, kHeaderBytes));
    if (header.size() != kHeaderBytes ||
        crypto_secretstream_xchacha20poly1305_init_pull(state_in(out.state_), data_of(header), key.data()) != 0)
        return fail(ErrorKind::Invalid, "it is cut off");
    return out;
}

Result<std::string> SealedReader::read()
{
    if (ended_)
        return std::string();
    const std::string sealed = TRY(read_up_to(fd_, kSealedPieceBytes + kMoreBytes));
    if (sealed.empty())
        return fail(ErrorKind::Invalid, "it is cut off");
    std::string piece(sealed.size() > kMoreBytes ? sealed.size() - kMoreBytes : 0, '\0');
    unsigned char tag = 0;
    if (sealed.size() < kMoreBytes ||
        crypto_secretstream_xchacha20poly1305_pull(state_in(state_), reinterpret_cast<unsigned char*>(piece.data()), nullptr, &tag,
                                                   data_of(sealed), sealed.size(), data_of(bound_), bound_.size()) != 0) {
        if (pieces_ == 0)
            return fail(ErrorKind::Forbidden, "it does not open: another passphrase or key, or it was altered");
        return fail(ErrorKind::Invalid, sealed.size() < kSealedPieceBytes + kMoreBytes ? "it is cut off or was altered"
                                                                                      : "it was altered");
    }
    ++pieces_;
    if (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL) {
        ended_ = true;
        if (!TRY(read_up_to(fd_, 1)).empty())
            return fail(ErrorKind::Invalid, "there is something behind its end");
    } else if (piece.size() != kSealedPieceBytes) {
        return fail(ErrorKind::Invalid, "it was altered");
    }
    return piece;
}

}  // namespace bivouac
