// SPDX-License-Identifier: BSD-3-Clause
// English and French as people see them; and, of the two languages that only tests have, that they are there.
#include <doctest/doctest.h>

#include <bivouac/words/words.h>

#include <atomic>
#include <set>
#include <thread>

#include "words/catalogue.h"
#include "words/runtime_texts.h"

using namespace bivouac;

namespace {

const Words& english() { return words_for("", "en"); }
const Words& french() { return words_for("", "fr"); }

constexpr int64_t kMoment = 1'795'899'905'000;  // 2026-11-28T21:05:05Z

}  // namespace

TEST_CASE("a language is chosen by the person, or else by her browser")
{
    CHECK(words_for("", "").tag() == "en");
    CHECK(words_for("fr-CA,en;q=0.5", "").tag() == "fr");
    CHECK(words_for("fr", "en").tag() == "en");
    CHECK(words_for("en", "FR").tag() == "fr");
    CHECK(words_for("fr", "xx").tag() == "fr");
    CHECK(words_for("fr", std::string(100'000, 'e')).tag() == "fr");
    CHECK(known_language("fr") == "fr");
    CHECK(known_language("Fr") == "fr");
    CHECK(known_language("en") == "en");
    CHECK(known_language("") == "");
    CHECK(known_language("fr-CA") == "");
    CHECK(known_language("fr; Path=/x") == "");
}

TEST_CASE("texts: translated, or as they are")
{
    CHECK(english()(T("Timeline")) == "Timeline");
    CHECK(french()(T("Timeline")) == "Fil");
    CHECK(french()(T("this is in no catalogue")) == "this is in no catalogue");
    // The same word in two meanings.
    CHECK(french()(T("Post")) == "Publication");
    CHECK(french()(Tc("button", "Post")) == "Publier");
    CHECK(english()(Tc("button", "Post")) == "Post");
    CHECK(french()(Tc("no such context", "Post")) == "Post");
}

TEST_CASE("plurals: each language has its own idea of one")
{
    auto members = [](const Words& words, int64_t n) { return filled(words.plural(T("{0} member"), T("{0} members"), n), {words.number(n)}); };
    CHECK(members(english(), 0) == "0 members");
    CHECK(members(english(), 1) == "1 member");
    CHECK(members(english(), 2) == "2 members");
    CHECK(members(french(), 0) == "0 membre");
    CHECK(members(french(), 1) == "1 membre");
    CHECK(members(french(), 2) == "2 membres");
    CHECK(members(french(), 1'000'000) == "1\u202f000\u202f000 membres");
    CHECK(french().plural(T("one of no catalogue"), T("many of no catalogue"), 0) == "many of no catalogue");
    // A text that the catalogue knows with one form only.
    CHECK(french().plural(T("Timeline"), T("Timelines"), 5) == "Fil");
}

TEST_CASE("numbers and sizes")
{
    CHECK(english().number(0) == "0");
    CHECK(english().number(999) == "999");
    CHECK(english().number(1000) == "1,000");
    CHECK(english().number(1'234'567) == "1,234,567");
    CHECK(english().number(-1234) == "-1,234");
    CHECK(english().number(-123) == "-123");
    CHECK(english().number(INT64_MIN) == "-9,223,372,036,854,775,808");
    CHECK(french().number(1'234'567) == "1\u202f234\u202f567");
    CHECK(english().size(0) == "0\u00a0B");
    CHECK(english().size(1023) == "1,023\u00a0B");
    CHECK(english().size(1024) == "1\u00a0KiB");
    CHECK(english().size(1536) == "1.5\u00a0KiB");
    CHECK(english().size(15 * 1024 + 512) == "15\u00a0KiB");
    CHECK(english().size(10ll << 20) == "10\u00a0MiB");
    CHECK(english().size(INT64_MAX) == "8,388,607\u00a0TiB");
    CHECK(english().size(-5) == "0\u00a0B");
    CHECK(french().size(1536) == "1,5\u00a0Kio");
    CHECK(french().size(12) == "12\u00a0o");
    CHECK(french().size(10ll << 20) == "10\u00a0Mio");
}

TEST_CASE("dates, in UTC wherever the machine is")
{
    CHECK(english().date(kMoment) == "28 Nov 2026");
    CHECK(english().date_time(kMoment) == "28 Nov 2026, 21:05");
    CHECK(french().date(kMoment) == "28 nov. 2026");
    CHECK(french().date_time(kMoment) == "28 nov. 2026 à 21:05");
    constexpr int64_t kFirst = 1'796'083'200'000;  // 2026-12-01T00:00Z
    CHECK(english().date(kFirst) == "1 Dec 2026");
    CHECK(french().date_time(kFirst) == "1er déc. 2026 à 00:00");
    CHECK(english().date_time(0) == "1 Jan 1970, 00:00");
    CHECK(english().date_time(-1) == "31 Dec 1969, 23:59");
    // Whatever somebody's server says a time is.
    for (int64_t odd : {INT64_MAX, INT64_MIN, INT64_MAX / 1000, int64_t(1) << 53})
        CHECK(!english().date_time(odd).empty());
}

TEST_CASE("what deeper layers say: as it is listed, with something in its places, within brackets")
{
    CHECK(french().runtime("tor has no network") == "Tor n’a pas de réseau");
    CHECK(english().runtime("tor has no network") == "tor has no network");
    CHECK(french().runtime("answered 503") == "a répondu 503");
    CHECK(french().runtime("mentioned, but may not read it: http://a.onion") == "personne mentionnée, mais qui ne peut pas la lire\u00a0: http://a.onion");
    CHECK(french().runtime("tor's control port at 127.0.0.1:9051 refuses: 510 no: never") == "le port de contrôle de Tor à 127.0.0.1:9051 refuse\u00a0: 510 no: never");
    CHECK(french().runtime("no tor answers at unix:/x; is it running?") == "aucun Tor ne répond à unix:/x\u202f; est-il lancé\u202f?");
    CHECK(french().runtime("the onion is not there at the moment (a directory of tor refused to say where it is)") ==
          "l’adresse .onion n’est pas là pour le moment (un annuaire de Tor a refusé de dire où elle est)");
    // Somebody's name stays a name, whatever it means.
    CHECK(french().runtime("there is an entity of the name open already") == "Une identité porte déjà le nom open.");
    CHECK(french().runtime("nobody listed this") == "nobody listed this");
    CHECK(french().runtime("answered ") == "answered ");
    CHECK(french().runtime("") == "");
    const std::string long_text = "answered " + std::string(10'000, '{');
    CHECK(french().runtime(long_text) == long_text);
}

TEST_CASE("each text of deeper layers is in every catalogue")
{
    for (const auto& words : languages())
        for (auto list : {runtime_texts(), runtime_patterns()})
            for (const Msg& msg : list)
                if (words.tag() != "en" && msg.text() != "{0} ({1})") {
                    CAPTURE(msg.text());
                    CHECK(words(msg) != msg.text());
                }
    // A pattern that comes behind one which fits as well would never be used.
    for (const Msg& msg : runtime_patterns()) {
        std::string text;
        for_pieces(
            msg.text(), [&](std::string_view piece) { text += piece; }, [&](size_t) { text += "x y"; });
        CAPTURE(text);
        const std::string translated = words_for("", "en-XA").runtime(text);
        std::string wanted;
        for_pieces(
            words_for("", "en-XA")(msg), [&](std::string_view piece) { wanted += piece; }, [&](size_t) { wanted += "x y"; });
        CHECK(translated == wanted);
    }
}

TEST_CASE("every text is found, and no catalogue has it twice")
{
    for (const auto& catalogue : catalogues()) {
        std::set<uint64_t> seen;
        uint64_t before = 0;
        for (const auto& entry : catalogue.entries) {
            CHECK(seen.insert(entry.hash).second);
            CHECK(entry.hash >= before);
            before = entry.hash;
            CHECK(entry.count >= 1);
            for (size_t i = 0; i < entry.count; ++i)
                CHECK(!entry.forms[i].empty());
        }
        CHECK(seen.size() > 400);
    }
}

TEST_CASE("languages of the tests: one to find what is not translated, one from right to left")
{
    const Words& longer = words_for("", "en-XA");
    CHECK(longer.tag() == "en-XA");
    CHECK(longer(T("Timeline")).starts_with("⟦Timeline"));
    CHECK(longer(T("Timeline")).ends_with("⟧"));
    CHECK(!longer.right_to_left());
    const Words& arabic = words_for("", "ar-XB");
    CHECK(arabic.tag() == "ar-XB");
    CHECK(arabic.right_to_left());
    CHECK(arabic(T("Timeline")).find_first_of("Timeln") == std::string_view::npos);
    CHECK(filled(arabic.plural(T("{0} member"), T("{0} members"), 7), {"7"}).starts_with("7 "));
    CHECK(!french().right_to_left());
}

TEST_CASE("several threads at once")
{
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&, i] {
            const char* tags[] = {"en", "fr", "en-XA", "ar-XB"};
            for (int round = 0; round < 2000; ++round) {
                const Words& words = words_for("", tags[i]);
                wrong += words.tag() != tags[i] || words.date_time(kMoment).empty() || words(T("Timeline")).empty();
            }
        });
    for (auto& thread : threads)
        thread.join();
    CHECK(wrong == 0);
}
