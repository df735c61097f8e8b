// SPDX-License-Identifier: BSD-3-Clause
#include "attaching.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <memory>
#include <utility>

#include <bivouac/base/bytes.h>
#include <bivouac/base/spool.h>
#include <bivouac/media/cleaner.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "progress_bar.h"

namespace bivouac::cli {

namespace {

constexpr size_t kPiece = 64u << 10;

struct OpenFile {
    int fd = -1;
    uint64_t size = 0;

    OpenFile() = default;
    OpenFile(OpenFile&& other) noexcept
        : fd(std::exchange(other.fd, -1))
        , size(other.size)
    {
    }
    OpenFile& operator=(OpenFile&&) = delete;
    ~OpenFile()
    {
        if (fd >= 0)
            ::close(fd);
    }

    static Result<OpenFile> open(const std::string& path)
    {
        OpenFile out;
        struct stat info {};
        // Not to wait for whoever writes into a pipe.
        out.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (out.fd < 0 || ::fstat(out.fd, &info) != 0 || !S_ISREG(info.st_mode))
            return fail(ErrorKind::NotFound, path + " is not a file that can be read");
        out.size = static_cast<uint64_t>(info.st_size);
        return out;
    }

    Result<std::string> read(const std::string& path, size_t most = kPiece) const
    {
        std::string piece(most, '\0');
        ssize_t n = -1;
        do
            n = ::read(fd, piece.data(), piece.size());
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return fail(ErrorKind::NotFound, path + " cannot be read");
        piece.resize(static_cast<size_t>(n));
        return piece;
    }
};

std::string name_of(const std::string& path)
{
    return path.substr(path.rfind('/') + 1);
}

Result<AttachedFile> as_it_is(const std::string& path, size_t number)
{
    const OpenFile file = TRY(OpenFile::open(path));
    const std::string beginning = TRY(file.read(path, media::kBeginning));
    const media::Type& type = *media::find_type(media::type_of(beginning, name_of(path)));
    AttachedFile out;
    out.upload = {path, media::neutral_name(type, number), type.content_type, nullptr};
    out.path = path;
    out.as_is = true;
    return out;
}

bool agrees(const std::string& path, const char* why)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    const std::string question = printable(path) + " cannot be cleaned. " + why + "\nSend it exactly as it is? [y/N] ";
    std::fputs(question.c_str(), stderr);
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

Result<AttachedFile> cleaned(const Context& context, media::Cleaner& cleaner, const std::string& path, size_t number)
{
    const OpenFile file = TRY(OpenFile::open(path));
    auto bytes = std::make_shared<Spool>(context.data_directory);
    auto bar = std::make_unique<ProgressBar>();
    uint64_t done = 0;
    auto source = [&]() -> Result<std::string> {
        std::string piece = TRY(file.read(path));
        done += piece.size();
        bar->show("cleaning", static_cast<int64_t>(done), static_cast<int64_t>(file.size));
        return piece;
    };
    auto outcome = cleaner.clean(file.size, name_of(path), source, [&](std::string_view piece) { return bytes->append(piece); });
    bar.reset();
    if (!outcome.ok())
        return std::move(outcome).error().in(path);
    if (outcome->refusal != media::Refusal::None) {
        const char* why = media::words_of(outcome->refusal);
        if (!context.json && agrees(path, why))
            return as_it_is(path, number);
        return fail(ErrorKind::Invalid, path + ": " + why + " To send it exactly as it is: --as-is " + path);
    }
    TRY(bytes->finish());
    const media::Type& type = outcome->what();
    AttachedFile out;
    out.upload = {path, media::neutral_name(type, number), type.content_type, std::move(bytes)};
    out.path = path;
    out.removed = std::move(outcome->removed);
    return out;
}

}  // namespace

Result<std::vector<AttachedFile>> prepare_files(const Context& context, const std::vector<std::string>& attach,
                                                const std::vector<std::string>& as_is)
{
    auto is_as_is = [&](const std::string& path) { return std::find(as_is.begin(), as_is.end(), path) != as_is.end(); };
    std::vector<std::string> all = attach;
    for (const auto& path : as_is)
        if (std::find(attach.begin(), attach.end(), path) == attach.end())
            all.push_back(path);
    std::unique_ptr<media::Cleaner> cleaner;
    std::vector<AttachedFile> out;
    for (const auto& path : all) {
        const size_t number = out.size() + 1;
        if (is_as_is(path)) {
            out.push_back(TRY(as_it_is(path, number)));
            continue;
        }
        if (!cleaner)
            cleaner = TRY(media::Cleaner::start());
        out.push_back(TRY(cleaned(context, *cleaner, path, number)));
    }
    return out;
}

void print_files(const std::vector<AttachedFile>& files)
{
    for (const auto& file : files) {
        std::string taken;
        for (const auto& one : file.removed)
            taken += (taken.empty() ? "" : ", ") + one;
        print("attached: " + printable(name_of(file.path)) + " as " + file.upload.name + "; " +
              (file.as_is          ? "exactly as it is, not cleaned"
               : file.removed.empty() ? "there was nothing to take out"
                                      : "taken out: " + taken));
    }
}

Json files_json(const std::vector<AttachedFile>& files)
{
    Json out = Json::array();
    for (const auto& file : files)
        out.push_back({{"file", is_valid_utf8(file.path) ? file.path : printable(file.path)},
                       {"name", file.upload.name},
                       {"content_type", file.upload.content_type},
                       {"as_is", file.as_is},
                       {"removed", file.removed}});
    return out;
}

}  // namespace bivouac::cli
