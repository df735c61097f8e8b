// SPDX-License-Identifier: BSD-3-Clause
// A file of an older version is brought up to date with its posts.
#include "../../../src/store/database.h"
#include "../../../src/store/migrations.h"

#include "posts_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

// The SQL with which version 1 of the schema stored a post, by hand.
std::string insert_old(int row, int post, const Post& post_value, int author, int64_t received, int64_t published)
{
    std::string body = write_post(post_value, Audience::owner());
    for (size_t at = 0; (at = body.find('\'', at)) != std::string::npos; at += 2)
        body.insert(at, "'");
    TypeUri type = *parse_type(post_value.type);
    auto number = [](int64_t n) { return std::to_string(n); };
    return "INSERT OR IGNORE INTO posts VALUES (" + number(post) + ", 1, " + number(author) + ", '" + post_value.id +
           "', 10, 10);"
           "INSERT INTO versions VALUES (" + number(row) + ", " + number(post) + ", 1, " + number(author) + ", '" +
           post_value.version.id + "', 1, '" + type.fragment + "', 10, 10, " + number(published) + ", " +
           number(received) + ", " + (post_value.permissions.is_public ? "1" : "0") + ", 0);"
           "INSERT INTO bodies VALUES (" + number(row) + ", '" + body + "');";
}

}  // namespace

TEST_CASE("a file of the first schema is brought up to date: latest versions, mentions, types, texts")
{
    Posts posts;
    posts.store.reset();
    std::filesystem::remove_all(posts.folder);
    std::filesystem::create_directory(posts.folder);

    Post first = posts.make("p", 10);
    first.type = "https://tent.io/types/status/v0#https://x/v0%23y";
    first.version.id = "sha512t256-1";
    first.mentions = {{kBob, "", "x", "", "", true}, {kBob, "", "", "", "", false}};
    Post second = posts.make("p", 10, false);
    second.type = "https://tent.io/types/status/v0#reply";
    second.version.id = "sha512t256-2";
    Post foreign = posts.make("f", 10);
    foreign.entity = kBob;
    foreign.version.id = "sha512t256-3";
    {
        auto database = Database::open(posts.path(), posts.keys, Database::Access::Create, 1024);
        REQUIRE(database.ok());
        REQUIRE(migrate(**database, 1).ok());
        auto filled = (*database)->execute(
            "INSERT INTO entities VALUES (1, 'default', 'http://self.onion', 'self', x'00', 'b', 'k', 'vetted', 'g', 1);"
            "INSERT INTO names VALUES (1, 'http://self.onion'), (2, 'http://bob.onion');"
            "INSERT INTO types VALUES (1, 'https://tent.io/types/status/v0', 0);" +
            insert_old(1, 1, first, 1, 10, 30) + insert_old(2, 1, second, 1, 20, 20) +
            insert_old(3, 2, foreign, 2, 10, 10) +
            "UPDATE versions SET latest = 1 WHERE id IN (2, 3);"
            "INSERT INTO mentions VALUES (1, 0, 2, 'x', 1), (1, 1, 2, '', 0), (3, 0, 1, '', 1);");
        if (!filled.ok())
            FAIL(filled.error().detail);
    }
    posts.owner = 1;
    posts.open(false);

    auto shown = [&](const char* query, const Viewer& viewer) {
        auto page = posts.store->read(
            [&](ReadTx& tx) { return load_feed(tx, 1, *parse_feed_query(query), viewer); });
        REQUIRE(page.ok());
        Ids out;
        for (const auto& post : page->posts)
            out.push_back(post.version.id);
        return out;
    };
    const std::string a = first.version.id, b = second.version.id, f = foreign.version.id;
    CHECK(shown("", kAll) == Ids{f, b});
    CHECK(shown("sort_by=version.published_at", kAll) == Ids{a, f});
    CHECK(shown("", kAnonymous) == Ids{a});
    CHECK(shown("", app_of({})) == Ids{f, a});
    CHECK(shown("mentions=http%3A%2F%2Fbob.onion&sort_by=published_at", kAnonymous) == Ids{a});
    CHECK(shown("mentions=http%3A%2F%2Fbob.onion+x&sort_by=published_at", kAll) == Ids{a});
    CHECK(shown("mentions=http%3A%2F%2Fbob.onion", kAll).empty());
    CHECK(shown("mentions=http%3A%2F%2Fself.onion", kAll) == Ids{f});
    CHECK(shown("mentions=http%3A%2F%2Fself.onion&sort_by=published_at", kAnonymous).empty());
    for (const auto& audience : {Audience::everybody(), Audience::peer(kBob), Audience::owner()}) {
        auto text = posts.store->read(
            [&](ReadTx& tx) { return load_post_text(tx, 1, kSelf, "p", "", kAnonymous, audience); });
        REQUIRE(text.ok());
        REQUIRE(*text);
        CHECK((*text)->type == first.type);
        CHECK((*text)->json == write_post(first, audience));
    }
}
