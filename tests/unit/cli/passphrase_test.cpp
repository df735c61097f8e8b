// SPDX-License-Identifier: BSD-3-Clause
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bivouac/base/files.h>

#include "cli.h"

using namespace bivouac;

namespace {

struct Credentials {
    std::string directory;

    Credentials()
    {
        char path[] = "/tmp/bivouac-credentials-XXXXXX";
        REQUIRE(mkdtemp(path) != nullptr);
        directory = path;
        setenv("CREDENTIALS_DIRECTORY", path, 1);
    }

    ~Credentials()
    {
        unsetenv("CREDENTIALS_DIRECTORY");
        unlink((directory + "/words").c_str());
        rmdir(directory.c_str());
    }
};

}  // namespace

TEST_CASE("a credential of the unit is found by its name and read as a passphrase file is")
{
    Credentials credentials;
    REQUIRE(write_file_atomically(credentials.directory + "/words", "seven words that nobody else would ever choose\n").ok());
    auto path = cli::credential_file("words");
    REQUIRE(path.ok());
    CHECK(*path == credentials.directory + "/words");
    auto secret = cli::read_passphrase(*path, cli::Ask::Once);
    REQUIRE(secret.ok());
    CHECK(secret->view() == "seven words that nobody else would ever choose");
}

TEST_CASE("without the credential, or without any, there is none and that is no error")
{
    {
        Credentials credentials;
        auto path = cli::credential_file("words");
        REQUIRE(path.ok());
        CHECK(path->empty());
    }
    auto path = cli::credential_file("words");
    REQUIRE(path.ok());
    CHECK(path->empty());
    setenv("CREDENTIALS_DIRECTORY", "relative", 1);
    CHECK(cli::credential_file("words")->empty());
    unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_CASE("the name of a credential leads nowhere else")
{
    Credentials credentials;
    for (const char* name : {"", ".", "..", "../words", "a/b", "/etc/passwd"})
        CHECK_FALSE(cli::credential_file(name).ok());
}
