// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/files.h>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bivouac {

namespace {

struct Descriptor {
    int fd;
    ~Descriptor()
    {
        if (fd >= 0)
            ::close(fd);
    }
};

Error system_error(const std::string& path, int number)
{
    if (number == ENOENT)
        return fail(ErrorKind::NotFound, path + " does not exist");
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        return fail(ErrorKind::NoSpace, "the disk is full; free some space and try again");
    return fail(ErrorKind::Unavailable, path + ": " + std::strerror(number));
}

Result<void> write_all(int fd, std::string_view bytes, const std::string& path)
{
    while (!bytes.empty()) {
        ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(path, errno);
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
}

std::string directory_of(const std::string& path)
{
    size_t slash = path.rfind('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t limit_bytes)
{
    Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0)
        return system_error(path, errno);
    std::string out;
    char buffer[16 << 10];
    for (;;) {
        ssize_t n = ::read(file.fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(path, errno);
        if (n == 0)
            return out;
        out.append(buffer, static_cast<size_t>(n));
        if (out.size() > limit_bytes)
            return fail(ErrorKind::TooLarge,
                        path + " is larger than " + std::to_string(limit_bytes) + " bytes");
    }
}

Result<void> write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode)
{
    std::string beside = path + ".new";
    ::unlink(beside.c_str());
    Descriptor file{::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
    if (file.fd < 0)
        return system_error(beside, errno);
    auto written = write_all(file.fd, bytes, beside);
    if (written.ok() && ::fsync(file.fd) != 0)
        written = system_error(beside, errno);
    if (written.ok() && ::rename(beside.c_str(), path.c_str()) != 0)
        written = system_error(path, errno);
    if (!written.ok()) {
        ::unlink(beside.c_str());
        return written;
    }
    Descriptor directory{::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (directory.fd >= 0)
        ::fsync(directory.fd);
    return {};
}

bool file_exists(const std::string& path)
{
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
}

Result<void> ensure_private_directory(const std::string& path)
{
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        if (errno != ENOENT)
            return system_error(path, errno);
        std::string parent = directory_of(path);
        if (parent != path && !file_exists(parent))
            TRY(ensure_private_directory(parent));
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
            return system_error(path, errno);
        if (::stat(path.c_str(), &info) != 0)
            return system_error(path, errno);
    }
    if (!S_ISDIR(info.st_mode))
        return fail(ErrorKind::Conflict, path + " is not a directory");
    if (info.st_uid != ::geteuid())
        return fail(ErrorKind::Conflict, path + " belongs to another user; choose another --data");
    // Not closed by us: a mistyped --data may name a directory that others need.
    if ((info.st_mode & 077) != 0)
        return fail(ErrorKind::Conflict, path + " is open to others; name a new directory, or run: chmod 700 " + path);
    return {};
}

Result<FileLock> FileLock::acquire(const std::string& path)
{
    int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return system_error(path, errno);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int number = errno;
        ::close(fd);
        if (number == EWOULDBLOCK)
            return fail(ErrorKind::Conflict, "another bivouac is using this data directory");
        return system_error(path, number);
    }
    return FileLock(fd);
}

bool FileLock::is_held(const std::string& path)
{
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(fd);
    return held;
}

FileLock::FileLock(FileLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1))
{
}

FileLock::~FileLock()
{
    if (fd_ >= 0)
        ::close(fd_);
}

}  // namespace bivouac
