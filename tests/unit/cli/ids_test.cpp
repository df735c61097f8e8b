// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "ids.h"

using namespace bivouac;

namespace {

struct Verbs {
    CLI::App app{"test", "test"};
    std::string entity, id, reply;
    std::vector<std::string> more;
    bool json = false;

    explicit Verbs(const std::vector<std::string>& words)
    {
        app.require_subcommand(1);
        auto* show = app.add_subcommand("show");
        show->add_option("ENTITY", entity)->required();
        show->add_option("ID", id)->required();
        show->add_option("MORE", more);
        show->add_option("--reply-to", reply);
        show->add_option("--a-name-as-long-as-id");
        show->add_flag("--json,-j", json);
        cli::parse_with_ids(app, words);
    }
};

}  // namespace

TEST_CASE("ids of other servers may begin with a hyphen")
{
    for (const std::string id : {"-BcdefghijklmnopqrstuA", "--cdefghijklmnopqrstuA", "-bcdefgh", "AbcdefghijklmnopqrstuA", "-_--__--__--__--__--_A"}) {
        Verbs verbs({"show", "http://a.onion", id, "--json", "--reply-to", id, id, id});
        CHECK(verbs.id == id);
        CHECK(verbs.reply == id);
        CHECK(verbs.more == std::vector<std::string>{id, id});
        CHECK(verbs.json);
    }
    Verbs after({"show", "--json", "--", "http://a.onion", "-BcdefghijklmnopqrstuA"});
    CHECK(after.id == "-BcdefghijklmnopqrstuA");
}

TEST_CASE("options stay options, and mistyped ones mistakes")
{
    CHECK(Verbs({"show", "http://a.onion", "id", "-j"}).json);
    CHECK(Verbs({"show", "http://a.onion", "id", "--reply-to=x"}).reply == "x");
    CHECK(Verbs({"show", "http://a.onion", "id", "--a-name-as-long-as-id", "x"}).id == "id");
    CHECK_THROWS_AS(Verbs({"show", "http://a.onion", "id", "--repply-to", "x"}), CLI::ParseError);
    CHECK_THROWS_AS(Verbs({"show", "http://a.onion", "id", "-x"}), CLI::ParseError);
    CHECK_THROWS_AS(Verbs({"show", "http://a.onion", "id", "--jsn"}), CLI::ParseError);
}

TEST_CASE("other words arrive as they were typed")
{
    const std::string id = "-BcdefghijklmnopqrstuA";
    for (const std::string word : {"\x01", "\x01\x7f", "\x01\x01x", "\x01-bcdefgh", " \x01", ""}) {
        CAPTURE(word);
        Verbs verbs({"show", "http://a.onion", id, "--reply-to", word, word, id});
        CHECK(verbs.id == id);
        CHECK(verbs.reply == word);
        CHECK(verbs.more == std::vector<std::string>{word, id});
        Verbs after({"show", "--json", "--", "http://a.onion", word, word, id});
        CHECK(after.id == word);
        CHECK(after.more == std::vector<std::string>{word, id});
        CHECK(Verbs({"show", "http://a.onion", id, "--reply-to=" + word + "."}).reply == word + ".");
    }
}
