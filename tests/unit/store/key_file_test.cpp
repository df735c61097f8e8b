// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/base/bytes.h>
#include <bivouac/store/key_file.h>

#include <cstdlib>
#include <utility>

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

Secret words(std::string_view text)
{
    return Secret(text);
}

bool opens(const std::string& file, std::string_view passphrase)
{
    return open_key_file(file, words(passphrase)).ok();
}

// Made by the first version, for "correct horse"; the data key is 0123456789abcdef twice, the file salt fedcba9876543210.
constexpr const char* kFirstVersion =
    "QklWT1VBQ0sBCAAAAAAAAKCBhGt/YtOu6pvzQZQt+DABAAAACAAAAKutIVXRoSeKG3MD0RwvkwSJyIU/XnNPutLMfzLYuIqOUdSWN5Wv/hfo"
    "fMsihfxQNXzp091NjFQBHEPZCmuGmINmErjKBNEOfzFZcZp1TgSUCyVnS8ztn7QcastBd3Z6MSCH01aD0W6UgNEYK+8dRDiHCYdwokHJx2Xi"
    "UkGuhlBMiBGFFYMhbI5uTGfoX2ptgl1j8XkIHbOOAQAAAAgAAADOkOpTebQ2Gs7RlhSyMR/lyL6thjF1NME0CtqQ9v/KyLOKVRQlQVi6/t9T"
    "P9429Fd21vTytQPar9WK+kKQ/sY4On8F04m0Xb2WLeGb/vE8aMDqTpVsnAgiEhasqeQkfNMFv014reG19MT/08reXFFtSFVC7MDrkCSZzJsG"
    "b5PI+Fv72VU4E+iGeGhIu69qODFzxMJ/hmhXGQEAAAAIAAAAl1J+d9cA5sWiTk1pxd3ui7xScJrUW8jMEK1e2mPa8lihO2ivCjHe43Lk90iT"
    "qpAYeiMTv6jyuiNdrqrW6g3fwGFGvGsusjd3u5ptK8NjCFLWdndPgGybTaeX2AqYKdtzpBfJ/uIBB7zoiVV5cELdCdyKxOLoauHoqcZKm0Zz"
    "9958aWiVvQkuWVF1LK1We/OXImpvT3rnA1QBAAAACAAAAC+ySztKTzc1pJYIaKlMu3qquRdzX1vEV0QhzphoMupjCOxWYpbiiLAWZ67/SzTG"
    "0EQy9GGKPDShNhny6xHQzv2Eq9Jxau790xIReYkUt1JVtaxfvxm6z+VppJVP2W0DpLrqJYseWiBmVztAadywMJYOxwT/8pshdNg7rOs85XGK"
    "syTX3+2SVi7J36i98Z2AQ9A98l+I0akhAQAAAAgAAAAIGB0sGn/JM2rvTUXzTO8yXZMIzqdNMAHTxHZcTqA6BpgtvVLZxp3blRXc3KnZshl9"
    "1vnZlEuUK0oPaGDn0QfWZWpjjCPVPNj1/eka/qL58ycNCT6jlfvqayoEkc0FrIsNBRd2TqSoi4A9KxbW6YLo34O2PgETALCLnTH0+oV62GVX"
    "iB6jpoRQCW9n0SS08nkib1ecmp7lgQEAAAAIAAAAlqRYc6ooX4tDYAhlwVuiuF8U5pRizxIcqS0SWxx4x4Zd1wcEv+G+/prYXDZMKU+/lOg6"
    "2URVWYn05uQzDTzzpkkvnvXUvTP76AY2ZYqamW9ubKifpltWbcMnS/kIAXrSVBvtfNJsw2Hybks2Cay3taIediRu3hMPrfmdDaNV+ZmGevTd"
    "ZAiCUinsTCnJWKwnjaXtC/Q+7uQBAAAACAAAAA25HA4h/zwe4/l2V3EWhIAEUsNgLLNgqbKBHcQpmHdxJSaoEtlTO/VfYlg1p85a/3wwX+sb"
    "fcyV6CnWzzMRbiwJdcniNCC8cjn/BHGgu/ATtK1uVEgWQzAxGB9HxN/4bN6APpeasD9bcSXo7dBFH17ZziyGTO9WgiEiuW5ct+swElTGzRDD"
    "iPRrOyv+EkjsB1oSRnMk0SzTAQAAAAgAAAA0ByM9e4IFZh0bbk6pMssetg2asv0rySYbo4T6zJO6AH/Ti8QQwYtnSYtU2QqqbsOz4RTUqiMw"
    "qiVF+PY5BR/saS3tkXw6kd1U0l8Xqp2jxRlKR1dmL5/P/43fibu8xdURvVmfoqffeVtElcWQpkNs57OVtyNXtKLaRBEtka4xOo7z9DyXgJgJ"
    "iHqnrb6Pw67+8R3Th6tiTt0/bCLSuBlGK8UjrCpUZlGoe68qlPExFSueCS2jN9zq/Av/WFGLvcNudLM8gZ74Enb/a34HWS1MB9l3QuylTE0=";

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
    newer[8] = 3;
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

TEST_CASE("what is in a slot, used or not, looks like chance")
{
    std::string file = made(make_data_keys(system_random()));
    auto check_slots = [](std::string_view bytes) {
        for (size_t slot = 0; slot < kKeySlots; ++slot) {
            const std::string_view body = bytes.substr(32 + slot * 160 + 8, 152);
            int ones = 0;
            bool seen[256] = {};
            size_t kinds = 0;
            for (const char c : body) {
                ones += __builtin_popcount(static_cast<unsigned char>(c));
                kinds += !std::exchange(seen[static_cast<unsigned char>(c)], true);
            }
            // 1216 bits: ten standard deviations around the half.
            CHECK(std::abs(ones - 608) < 175);
            CHECK(kinds > 70);
            for (size_t other = 0; other < slot; ++other)
                CHECK(body.substr(0, 8) != bytes.substr(32 + other * 160 + 8, 8));
        }
    };
    check_slots(file);
    file = *add_passphrase(file, words("correct horse"), words("another"), "n", system_random(), 1);
    check_slots(file);
    const auto listed = list_passphrases(file, words("correct horse"));
    for (const auto& slot : *listed)
        if (!slot.is_this)
            file = *remove_passphrase(file, words("correct horse"), slot.number, system_random());
    check_slots(file);
}

TEST_CASE("an empty passphrase is refused")
{
    CHECK_FALSE(create_key_file(make_data_keys(system_random()), Secret(), kCheap, system_random()).ok());
}

TEST_CASE("a file of the first version opens, and becomes one of this when it is changed")
{
    const std::string old = *from_base64(kFirstVersion);
    auto opened = open_key_file(old, words("correct horse"));
    REQUIRE(opened.ok());
    CHECK(opened->key.view() == "0123456789abcdef0123456789abcdef");
    CHECK(opened->file_salt == "fedcba9876543210");
    auto listed = list_passphrases(old, words("correct horse"));
    REQUIRE(listed.ok());
    CHECK(listed->size() == 1);
    auto added = add_passphrase(old, words("correct horse"), words("another"), "spare", system_random(), 77);
    REQUIRE(added.ok());
    CHECK(added->size() == kKeyFileBytes);
    for (const char* passphrase : {"correct horse", "another"}) {
        auto again = open_key_file(*added, words(passphrase));
        REQUIRE(again.ok());
        CHECK(again->key.view() == opened->key.view());
        CHECK(again->file_salt == opened->file_salt);
    }
}

TEST_CASE("a changed passphrase opens, the old one no longer, and the data key stays")
{
    DataKeys keys = make_data_keys(system_random());
    auto changed = change_passphrase(made(keys), words("correct horse"), words("battery staple"), system_random(), 5);
    REQUIRE(changed.ok());
    CHECK_FALSE(opens(*changed, "correct horse"));
    auto opened = open_key_file(*changed, words("battery staple"));
    REQUIRE(opened.ok());
    CHECK(opened->key.view() == keys.key.view());
    CHECK(opened->file_salt == keys.file_salt);
    CHECK(list_passphrases(*changed, words("battery staple"))->at(0).since == 5);
    CHECK(change_passphrase(*changed, words("correct horse"), words("x"), system_random(), 5).error().kind ==
          ErrorKind::Forbidden);
    CHECK(change_passphrase(*changed, words("battery staple"), Secret(), system_random(), 5).error().kind ==
          ErrorKind::Invalid);
    CHECK(change_passphrase(*changed, words("battery staple"), words("battery staple"), system_random(), 5)
              .error().kind == ErrorKind::Conflict);
}

TEST_CASE("eight passphrases, each opens; any but the last can go")
{
    DataKeys keys = make_data_keys(system_random());
    std::string file = made(keys);
    for (int i = 1; i < 8; ++i) {
        auto more = add_passphrase(file, words("correct horse"), words("number " + std::to_string(i)),
                                   "n" + std::to_string(i), system_random(), 1000 + i);
        REQUIRE(more.ok());
        CHECK(more->size() == kKeyFileBytes);
        file = *more;
    }
    for (int i = 1; i < 8; ++i)
        CHECK(opens(file, "number " + std::to_string(i)));
    CHECK(add_passphrase(file, words("correct horse"), words("ninth"), "", system_random(), 1).error().kind ==
          ErrorKind::Conflict);
    auto listed = list_passphrases(file, words("number 3"));
    REQUIRE(listed.ok());
    REQUIRE(listed->size() == 8);
    size_t third = 0;
    for (const auto& slot : *listed) {
        CHECK(slot.is_this == (slot.name == "n3"));
        if (slot.name == "n3") {
            third = slot.number;
            CHECK(slot.since == 1003);
        }
    }
    auto without = remove_passphrase(file, words("correct horse"), third, system_random());
    REQUIRE(without.ok());
    CHECK_FALSE(opens(*without, "number 3"));
    CHECK(opens(*without, "number 4"));
    CHECK(remove_passphrase(*without, words("number 4"), third, system_random()).error().kind == ErrorKind::NotFound);
    CHECK(remove_passphrase(*without, words("number 4"), 0, system_random()).error().kind == ErrorKind::NotFound);
    CHECK(remove_passphrase(*without, words("number 4"), 9, system_random()).error().kind == ErrorKind::NotFound);

    // One's own may go as well, but not the last.
    std::string left = *without;
    const auto there = list_passphrases(left, words("number 4"));
    for (const auto& slot : *there)
        if (!slot.is_this)
            left = *remove_passphrase(left, words("number 4"), slot.number, system_random());
    auto last = list_passphrases(left, words("number 4"));
    REQUIRE(last->size() == 1);
    CHECK(remove_passphrase(left, words("number 4"), last->at(0).number, system_random()).error().kind ==
          ErrorKind::Conflict);
    CHECK(opens(left, "number 4"));
}

TEST_CASE("names of passphrases are bounded, unique, and not to be read without a passphrase")
{
    const std::string file = made(make_data_keys(system_random()));
    auto add = [&](const std::string& to, const char* fresh, const std::string& name) {
        return add_passphrase(to, words("correct horse"), words(fresh), name, system_random(), 1);
    };
    CHECK(add(file, "a", std::string(33, 'x')).error().kind == ErrorKind::Invalid);
    CHECK(add(file, "a", std::string("a\0b", 3)).error().kind == ErrorKind::Invalid);
    auto named = add(file, "a", std::string(32, 'x'));
    REQUIRE(named.ok());
    CHECK(named->find("xxxx") == std::string::npos);
    CHECK(add(*named, "b", std::string(32, 'x')).error().kind == ErrorKind::Conflict);
    CHECK(add(*named, "a", "other").error().kind == ErrorKind::Conflict);
    // The costs are the only thing in a slot that is not random, and they are the same everywhere.
    for (size_t slot = 1; slot < kKeySlots; ++slot)
        CHECK(named->substr(32 + slot * 160, 8) == named->substr(32, 8));
}

TEST_CASE("the cost is moderate at least")
{
    auto cost = measure_cost(system_clock());
    REQUIRE(cost.ok());
    CHECK(cost->passes >= 3);
    CHECK(cost->memory_kib == 256u << 10);
}
