// SPDX-License-Identifier: BSD-3-Clause
#include "cli.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <bsd/readpassphrase.h>
#include <fcntl.h>
#include <unistd.h>

namespace bivouac::cli {

namespace {

constexpr size_t kLongestPassphrase = 4096;

Result<Secret> read_from(int fd)
{
    Secret buffer(kLongestPassphrase + 2);
    size_t length = 0;
    for (;;) {
        ssize_t n = ::read(fd, buffer.data() + length, buffer.size() - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(ErrorKind::Unavailable, std::string("the passphrase cannot be read: ") + std::strerror(errno));
        if (n == 0)
            break;
        length += static_cast<size_t>(n);
        if (length == buffer.size())
            return fail(ErrorKind::TooLarge, "the passphrase is longer than 4096 bytes");
    }
    if (length > 0 && buffer.data()[length - 1] == '\n')
        --length;
    if (length > 0 && buffer.data()[length - 1] == '\r')
        --length;
    if (length == 0)
        return fail(ErrorKind::Invalid, "the passphrase is empty; choose one of several words");
    buffer.shorten(length);
    return buffer;
}

Result<Secret> ask_terminal(const char* prompt)
{
    Secret buffer(kLongestPassphrase);
    if (!readpassphrase(prompt, reinterpret_cast<char*>(buffer.data()), buffer.size(), RPP_REQUIRE_TTY))
        return fail(ErrorKind::Invalid,
                    "there is no terminal to ask for the passphrase; use --passphrase-file FILE (or - for standard "
                    "input)");
    size_t length = std::strlen(reinterpret_cast<const char*>(buffer.data()));
    if (length == 0)
        return fail(ErrorKind::Invalid, "the passphrase is empty; choose one of several words");
    buffer.shorten(length);
    return buffer;
}

}  // namespace

Result<Secret> read_passphrase(const std::string& file, Ask ask, const char* prompt)
{
    if (file == "-")
        return read_from(STDIN_FILENO);
    if (!file.empty()) {
        int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return fail(ErrorKind::NotFound, "the passphrase file " + file + " cannot be opened: " + std::strerror(errno));
        auto secret = read_from(fd);
        ::close(fd);
        return secret;
    }
    Secret first = TRY(ask_terminal(prompt ? prompt : ask == Ask::Twice ? "New passphrase: " : "Passphrase: "));
    if (ask == Ask::Once)
        return first;
    Secret second = TRY(ask_terminal("The same again: "));
    if (first.view() != second.view())
        return fail(ErrorKind::Invalid, "the two passphrases differ; nothing was done");
    return first;
}

Result<std::string> credential_file(const std::string& name)
{
    if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..")
        return fail(ErrorKind::Invalid, "the name of a credential has no / in it; see systemd-creds(1)");
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (!directory || directory[0] != '/')
        return std::string();
    std::string path = std::string(directory) + "/" + name;
    if (::access(path.c_str(), F_OK) == 0)
        return path;
    // A unit that was given none may have a directory that it cannot look into.
    if (errno == ENOENT || errno == EACCES)
        return std::string();
    return fail(ErrorKind::Unavailable, "the credential " + name + " cannot be read: " + std::strerror(errno));
}

}  // namespace bivouac::cli
