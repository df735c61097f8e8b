// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/store/key_file.h>

#include <sodium.h>

using namespace bivouac;
using namespace bivouac::store;

namespace {

constexpr PassphraseCost kCheap{1, 8};

std::string made(const DataKeys& keys, std::string_view passphrase = "correct horse")
{
    auto file = create_key_file(keys, Secret(passphrase), kCheap, system_random());
    REQUIRE(file.ok());
    return *file;
}

// What an attacker who knows the format can do: make the checksum right again.
std::string with_checksum(std::string file)
{
    file.resize(file.size() - 32);
    std::string sum(32, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(sum.data()), 32,
                       reinterpret_cast<const unsigned char*>(file.data()), file.size(), nullptr, 0);
    return file + sum;
}

}  // namespace

TEST_CASE("the passphrase opens what it closed, and another does not")
{
    DataKeys keys = make_data_keys(system_random());
    std::string file = made(keys);
    CHECK(file.size() == kKeyFileBytes);
    auto opened = open_key_file(file, Secret(std::string_view("correct horse")));
    REQUIRE(opened.ok());
    CHECK(opened->key.view() == keys.key.view());
    CHECK(opened->file_salt == keys.file_salt);
    auto wrong = open_key_file(file, Secret(std::string_view("correct horsf")));
    REQUIRE_FALSE(wrong.ok());
    CHECK(wrong.error().kind == ErrorKind::Forbidden);
    CHECK(wrong.error().detail == "wrong passphrase");
}

TEST_CASE("every single altered byte is noticed")
{
    DataKeys keys = make_data_keys(system_random());
    const std::string file = made(keys);
    for (size_t i = 0; i < file.size(); ++i) {
        std::string altered = file;
        altered[i] = static_cast<char>(altered[i] ^ 1);
        auto opened = open_key_file(altered, Secret(std::string_view("correct horse")));
        REQUIRE_FALSE(opened.ok());
        CHECK(opened.error().kind == ErrorKind::Invalid);
    }
}

TEST_CASE("an altered byte with the checksum put right never opens")
{
    DataKeys keys = make_data_keys(system_random());
    const std::string file = made(keys);
    for (size_t i = 0; i + 32 < file.size(); i += 7) {
        // The costs of a slot may turn into something expensive: left to the next test.
        if (i >= 32 && (i - 32) % 160 < 8)
            continue;
        std::string altered = file;
        altered[i] = static_cast<char>(altered[i] ^ 0x40);
        CHECK_FALSE(open_key_file(with_checksum(altered), Secret(std::string_view("correct horse"))).ok());
    }
}

TEST_CASE("a cost that would swallow the machine is refused before it is paid")
{
    std::string altered = made(make_data_keys(system_random()));
    altered[32 + 7] = '\x7f';  // 2 TiB of memory
    auto opened = open_key_file(with_checksum(altered), Secret(std::string_view("correct horse")));
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().kind == ErrorKind::Invalid);
}

TEST_CASE("a file that is cut off anywhere, or empty, or longer, is named as damaged")
{
    const std::string file = made(make_data_keys(system_random()));
    for (size_t length = 0; length < file.size(); length += 13) {
        auto opened = open_key_file(file.substr(0, length), Secret(std::string_view("x")));
        REQUIRE_FALSE(opened.ok());
        CHECK(opened.error().detail.find("damaged") != std::string::npos);
    }
    CHECK_FALSE(open_key_file(file + "x", Secret(std::string_view("correct horse"))).ok());
}

TEST_CASE("a file of a newer version says so")
{
    std::string newer = made(make_data_keys(system_random()));
    newer[8] = 2;
    auto opened = open_key_file(with_checksum(newer), Secret(std::string_view("correct horse")));
    REQUIRE_FALSE(opened.ok());
    CHECK(opened.error().detail.find("newer version") != std::string::npos);
}

TEST_CASE("used and unused slots cannot be told apart by their form, and the used one is chosen by chance")
{
    // The same passphrase and keys many times: the file never repeats.
    DataKeys keys = make_data_keys(system_random());
    CHECK(made(keys) != made(keys));
    const std::string file = made(keys);
    for (size_t slot = 0; slot < kKeySlots; ++slot) {
        std::string_view head = std::string_view(file).substr(32 + slot * 160, 8);
        CHECK(head == std::string_view(file).substr(32, 8));
    }
}

TEST_CASE("an empty passphrase is refused")
{
    CHECK_FALSE(create_key_file(make_data_keys(system_random()), Secret(), kCheap, system_random()).ok());
}
