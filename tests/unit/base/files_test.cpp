// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/base/files.h>

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

using namespace bivouac;

namespace {

struct Folder {
    std::string path;
    Folder()
    {
        char name[] = "/tmp/bivouac-files-XXXXXX";
        path = mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("an atomic write leaves one file with the new bytes and mode 0600")
{
    Folder folder;
    std::string path = folder.path + "/f";
    REQUIRE(write_file_atomically(path, "one").ok());
    REQUIRE(write_file_atomically(path, "two").ok());
    CHECK(*read_file(path, 100) == "two");
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("a file over the limit is refused, a missing one is not found")
{
    Folder folder;
    REQUIRE(write_file_atomically(folder.path + "/f", std::string(11, 'x')).ok());
    CHECK(read_file(folder.path + "/f", 10).error().kind == ErrorKind::TooLarge);
    CHECK(read_file(folder.path + "/g", 10).error().kind == ErrorKind::NotFound);
}

TEST_CASE("a private directory is made 0700; one that is open to others is refused and left as it is")
{
    Folder folder;
    std::string path = folder.path + "/a/b";
    REQUIRE(ensure_private_directory(path).ok());
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0700);
    REQUIRE(chmod(path.c_str(), 0755) == 0);
    CHECK(ensure_private_directory(path).error().kind == ErrorKind::Conflict);
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0755);
    REQUIRE(write_file_atomically(folder.path + "/f", "").ok());
    CHECK(ensure_private_directory(folder.path + "/f").error().kind == ErrorKind::Conflict);
}

TEST_CASE("a lock is exclusive and goes with its object")
{
    Folder folder;
    std::string path = folder.path + "/lock";
    {
        auto first = FileLock::acquire(path);
        REQUIRE(first.ok());
        CHECK(FileLock::acquire(path).error().kind == ErrorKind::Conflict);
        CHECK(FileLock::is_held(path));
    }
    CHECK(!FileLock::is_held(path));
    CHECK(FileLock::acquire(path).ok());
    CHECK(!FileLock::is_held(folder.path + "/another"));
    CHECK(!file_exists(folder.path + "/another"));
}
