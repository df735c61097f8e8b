// SPDX-License-Identifier: BSD-3-Clause
// Every way into the search index and out of it; what is typed; excerpts.
#include "../../../src/store/database.h"
#include "../../../src/store/migrations.h"
#include "../../../src/store/search_words.h"

#include <bivouac/base/files.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post_words.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/entity_copy.h>
#include <bivouac/store/moves.h>
#include <bivouac/store/search.h>

#include <algorithm>
#include <map>
#include <random>

#include "posts_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

struct Searching : Posts {
    Post status(const std::string& id, const std::string& text, const std::string& author = kSelf, int64_t time = 10)
    {
        Post post = make(id, time);
        post.entity = author;
        post.content = Json({{"text", text}}).dump();
        return add(post);
    }
    void index()
    {
        auto left = index_waiting(*store, std::chrono::seconds(20));
        REQUIRE(left.ok());
        REQUIRE(*left == 0);
    }
    FoundPosts page(const std::string& text, SearchPage at = {}, int64_t of = 0)
    {
        index();
        auto out = store->read([&](ReadTx& tx) { return search_posts(tx, of == 0 ? owner : of, parse_wanted(text), at); });
        if (!out.ok())
            FAIL(out.error().detail);
        return *out;
    }
    Ids found(const std::string& text, FoundOrder order = FoundOrder::Newest, int64_t of = 0)
    {
        SearchPage at;
        at.order = order;
        Ids out;
        for (const auto& one : page(text, at, of).posts)
            out.push_back(one.post.id);
        return out;
    }
    std::vector<FoundPerson> people(const std::string& text, int64_t of = 0)
    {
        index();
        auto out = store->read([&](ReadTx& tx) { return search_people(tx, of == 0 ? owner : of, parse_wanted(text), 50, 0); });
        REQUIRE(out.ok());
        return *out;
    }
    std::vector<std::pair<std::string, int64_t>> tags(const std::string& text, int64_t of = 0)
    {
        index();
        auto all = store->read([&](ReadTx& tx) { return search_tags(tx, of == 0 ? owner : of, parse_wanted(text), 50); });
        REQUIRE(all.ok());
        std::vector<std::pair<std::string, int64_t>> out;
        for (const auto& tag : *all)
            out.emplace_back(tag.tag, tag.posts);
        return out;
    }
    void note(const std::string& peer, const std::string& text, const std::string& follower = "pending")
    {
        write([&](WriteTx& tx) -> Result<bool> {
            Relationship r;
            r.owner = owner;
            r.peer = peer;
            r.note = text;
            r.follower = follower;
            TRY(save_relationship(tx, r));
            return true;
        });
    }
    Post meta(const std::string& author, const std::string& name, int64_t time = 10)
    {
        Post post = make("meta", time);
        post.entity = author;
        post.type = "https://tent.io/types/meta/v0#";
        post.content = Json({{"entity", author}, {"profile", {{"name", name}}}}).dump();
        return add(post);
    }
    int64_t add_other(const std::string& name)
    {
        return write([&](WriteTx& tx) {
            LocalEntity entity;
            entity.name = name;
            entity.entity = "http://" + name + ".onion";
            entity.onion = name;
            entity.onion_seed = Secret(size_t(32));
            entity.bewit_id = "bewit-" + name;
            entity.bewit_key = "key";
            entity.followers_group = "group-" + name;
            return add_entity(tx, entity);
        });
    }
    // The words that are in the index, whoever they belong to, and that it holds together.
    std::vector<std::string> terms(const char* index = "search_index")
    {
        return write([&](WriteTx& tx) -> Result<std::vector<std::string>> {
            const std::string name = index;
            TRY(tx.prepare("INSERT INTO " + name + " (" + name + ") VALUES ('integrity-check')").run());
            TRY(tx.prepare("CREATE VIRTUAL TABLE temp.terms_of_" + name + " USING fts5vocab('main', '" + name + "', 'row')").run());
            std::vector<std::string> out;
            {
                auto select = tx.prepare("SELECT term FROM temp.terms_of_" + name);
                while (TRY(select.step()))
                    out.push_back(select.text(0));
            }
            TRY(tx.prepare("DROP TABLE temp.terms_of_" + name).run());
            return out;
        });
    }
    bool has_term(const std::string& word, const char* index = "search_index")
    {
        const auto all = terms(index);
        return std::find(all.begin(), all.end(), word) != all.end();
    }
    void remove(const std::string& id, const std::string& author = kSelf, const std::string& version = "")
    {
        write([&](WriteTx& tx) { return delete_post(tx, owner, author, id, version); });
    }
};

std::string marked(const std::vector<Piece>& pieces)
{
    std::string out;
    for (const auto& piece : pieces)
        out += piece.marked ? "[" + piece.text + "]" : piece.text;
    return out;
}

}  // namespace

TEST_CASE("words: all of them, in any order, without case and diacritics, the last one may be unfinished")
{
    Searching s;
    s.status("a", "We meet at the **harbour**, née Müller.");
    s.status("b", "The HARBOUR is closed; meeting elsewhere");
    s.status("c", "nothing of it");
    CHECK(s.found("harbour") == Ids{"b", "a"});
    CHECK(s.found("harb") == Ids{"b", "a"});
    CHECK(s.found("harb meet").empty());  // "harb" is not the last word
    CHECK(s.found("meet harb") == Ids{"a"});
    CHECK(s.found("HARBOUR meet") == Ids{"b", "a"});
    CHECK(s.found("nee muller") == Ids{"a"});
    CHECK(s.found("NÉE MÜLLER") == Ids{"a"});
    CHECK(s.found("ne\xcc\x81" "e") == Ids{"a"});  // decomposed
    CHECK(s.found("harbour nothing").empty());
    CHECK(s.found("arbour").empty());
    // A mark that stands alone is no word, neither in what is looked for nor in what is found.
    CHECK(s.found("nee) \xcc\x81 muller") == Ids{"a"});
    CHECK(s.found("\xcc\x81").empty());
    s.status("d", "old )\xcc\x81 pier");
    CHECK(s.found("\"old pier\"") == Ids{"d"});
    CHECK(s.found("\"old )\xcc\x81 pier\"") == Ids{"d"});
}

TEST_CASE("quotes keep the order of words")
{
    Searching s;
    s.status("a", "the old harbour wall");
    s.status("b", "the wall of the old harbour");
    CHECK(s.found("\"harbour wall\"") == Ids{"a"});
    CHECK(s.found("\"old harbour\" wall") == Ids{"b", "a"});
    CHECK(s.found("\"harbour wa") == Ids{"a"});        // still being typed
    CHECK(s.found("\"harbour wa\"").empty());
    CHECK(s.found("e-mail").empty());
    s.status("c", "send an e-mail");
    s.status("d", "mail and e");
    CHECK(s.found("e-mail") == Ids{"c"});
}

TEST_CASE("scripts without spaces: any part of the text is found, and marked; words with vowel signs stay whole")
{
    Searching s;
    s.status("ja", "明日は東京で会いましょう");
    s.status("zh", "我们在东京见面");
    s.status("th", "เราพบกันที่ท่าเรือ");
    s.status("hi", "हिन्दी में लिखा");
    s.status("hu", "हन कुछ और");
    s.status("ko", "한국어로 씁니다");
    CHECK(s.found("東京") == Ids{"ja"});
    CHECK(s.found("京で会") == Ids{"ja"});
    CHECK(s.found("京") == Ids{"zh", "ja"});
    CHECK(s.found("京東").empty());
    CHECK(s.found("ท่าเรือ") == Ids{"th"});
    CHECK(s.found("हिन्दी") == Ids{"hi"});
    CHECK(s.found("हि") == Ids{"hi"});
    CHECK(s.found("한국") == Ids{"ko"});
    CHECK(marked(excerpt("明日は東京で会いましょう", parse_wanted("東京"), 200)) == "明日は[東京]で会いましょう");
    CHECK(marked(excerpt("Im MÜLLER'schen Haus", parse_wanted("muller"), 200)) == "Im [MÜLLER]'schen Haus");
}

TEST_CASE("what is indexed: statuses, essays without markup, captions, names of files, strings of other types; no bookkeeping")
{
    Searching s;
    s.status("st", "status **word** ^[mentioned](0) [linked](http://x.example)");
    Post essay = s.make("es", 10);
    essay.type = "https://tent.io/types/essay/v0#";
    essay.content = Json({{"title", "Titleword"}, {"excerpt", "<b>excerptword</b>"}, {"body", "<p class=\"hiddenattribute\">body&amp;word</p>"}}).dump();
    s.add(essay);
    Post photo = s.make("ph", 10);
    photo.type = "https://tent.io/types/photo/v0#";
    photo.content = Json({{"caption", "captionword"}, {"artist", {{"name", "artistword"}}}}).dump();
    photo.attachments.push_back({"photo", "image/jpeg", "filenameword.jpg", "sha512t256-" + std::string(64, '0'), 3});
    s.add(photo);
    Post other = s.make("ot", 10);
    other.type = "https://other.example/note/v0#";
    other.content = Json({{"keyword", {{"deep", Json::array({"deepword", 7})}}}}).dump();
    s.add(other);
    Post group = s.make("gr", 10);
    group.type = "https://tent.io/types/group/v0#";
    group.content = Json({{"name", "groupword"}}).dump();
    s.add(group);
    CHECK(s.found("word") == Ids{"es", "st"});
    CHECK(s.found("mentioned linked") == Ids{"st"});
    for (const char* word : {"titleword", "excerptword", "body"})
        CHECK(s.found(word) == Ids{"es"});
    CHECK(s.found("hiddenattribute").empty());
    CHECK(s.found("class").empty());
    CHECK(s.found("captionword") == Ids{"ph"});
    CHECK(s.found("filenameword") == Ids{"ph"});
    CHECK(s.found("artistword").empty());
    CHECK(s.found("deepword") == Ids{"ot"});
    CHECK(s.found("groupword").empty());
    CHECK(!s.has_term("groupword"));
    // The columns and what tells entities apart are not words.
    CHECK(s.found("o1").empty());
    CHECK(s.found("owner").empty());
    CHECK(s.found("words").empty());
}

TEST_CASE("the words of one post are bounded")
{
    Searching s;
    std::string text;
    for (int i = 0; text.size() < kWordsOfPost + 50'000; ++i)
        text += "w" + std::to_string(i) + " ";
    Post post = s.make("long", 10);
    post.type = "https://other.example/note/v0#";
    post.content = Json({{"text", text + "lastword"}}).dump();
    s.add(post);
    CHECK(s.found("w1") == Ids{"long"});
    CHECK(s.found("lastword").empty());
    CHECK(words_of_post(post).size() <= kWordsOfPost);
    s.remove("long");
    CHECK(s.terms().empty());
}

TEST_CASE("another version takes the place of the one before; a deleted one gives it back")
{
    Searching s;
    Post first = s.status("a", "firstword stays");
    CHECK(s.found("firstword") == Ids{"a"});
    Post second = first;
    second.content = Json({{"text", "secondword stays"}}).dump();
    second.version.parents.push_back({first.version.id, "", "", ""});
    second.version.published_at = second.version.received_at = 20;
    second = s.add(second);
    CHECK(s.found("firstword").empty());
    CHECK(s.found("secondword") == Ids{"a"});
    CHECK(s.found("stays") == Ids{"a"});
    CHECK(!s.has_term("firstword"));
    // A late version that does not become the newest changes nothing.
    Post late = first;
    late.content = Json({{"text", "lateword"}}).dump();
    late.version.published_at = late.version.received_at = 15;
    s.add(late);
    CHECK(s.found("lateword").empty());
    CHECK(s.found("secondword") == Ids{"a"});
    s.remove("a", kSelf, second.version.id);
    CHECK(!s.has_term("secondword"));  // before anybody searches
    CHECK(s.found("secondword").empty());
    CHECK(s.found("lateword") == Ids{"a"});
}

TEST_CASE("what is deleted is gone from the index at once, tags and all")
{
    Searching s;
    s.status("a", "secretplace #secrettag common");
    s.status("b", "common ground");
    REQUIRE(s.found("secretplace") == Ids{"a"});
    REQUIRE(s.tags("#secret").size() == 1);
    REQUIRE(s.has_term("secretplace"));
    s.remove("a");
    CHECK(!s.has_term("secretplace"));
    CHECK(!s.has_term("secrettag"));
    CHECK(s.has_term("common"));
    CHECK(s.found("common") == Ids{"b"});
    CHECK(s.tags("#secret").empty());
    s.remove("b");
    CHECK(s.terms().empty());
}

TEST_CASE("no byte of deleted words is left in the decrypted rows of the index, and freed pages are overwritten")
{
    Searching s;
    s.meta(kBob, "Namexyzzy");
    s.note(kBob, "notexyzzy");
    for (int i = 0; i < 300; ++i)
        s.status("p" + std::to_string(i), "filler" + std::to_string(i) + " words around");
    s.status("a", "xyzzyplace plain");
    s.index();
    s.remove("a");
    s.remove("meta", kBob);
    s.note(kBob, "");
    s.index();
    s.store.reset();  // the log goes into the file
    {
        auto database = Database::open(s.path(), s.keys, Database::Access::ReadWrite, 1024);
        REQUIRE(database.ok());
        int64_t seen = 0;
        for (const char* table : {"search_index_data", "search_people_index_data"}) {
            const int64_t rows = *(*database)->integer(std::string("SELECT count(*) FROM ") + table);
            const int64_t with = *(*database)->integer(std::string("SELECT count(*) FROM ") + table + " WHERE instr(block, CAST('xyzzy' AS BLOB)) > 0");
            CHECK(with == 0);
            seen += rows;
        }
        CHECK(seen > 0);
        CHECK(*(*database)->integer("SELECT count(*) FROM search_index_data WHERE instr(block, CAST('filler' AS BLOB)) > 0") > 0);
        CHECK(*(*database)->integer("SELECT count(*) FROM search_people WHERE words LIKE '%xyzzy%'") == 0);
        // What leaves a page is overwritten, and so is a page that becomes free.
        CHECK(*(*database)->integer("PRAGMA secure_delete") == 1);
    }
    s.open(false);
}

TEST_CASE("rows that are free again are not taken for posts that were looked at")
{
    Searching s;
    s.status("a", "one");
    s.status("b", "two");
    s.index();
    s.remove("b");
    s.remove("a");
    s.status("c", "three");
    CHECK(s.found("three") == Ids{"c"});
    s.remove("c");
    s.status("d", "four");
    s.status("e", "five");
    CHECK(s.found("four") == Ids{"d"});
    CHECK(s.found("five") == Ids{"e"});
}

TEST_CASE("shown is what the timeline shows: the blocked and strangers are not")
{
    Searching s;
    s.relate(kBob, "approved", "");
    s.relate(kCarol, "", "approved");
    s.status("mine", "apples");
    s.status("b", "apples #apples", kBob);
    s.status("c", "apples", kCarol);
    s.status("d", "apples", "http://stranger.onion");
    CHECK(s.found("apples") == Ids{"c", "b", "mine"});
    CHECK(s.tags("apples").size() == 1);
    s.relate(kBob, "blocked", "");
    CHECK(s.found("apples") == Ids{"c", "mine"});
    CHECK(s.found("#apples").empty());
    CHECK(s.tags("apples").empty());
    CHECK(s.people("bob").empty());
    s.relate(kBob, "approved", "");
    CHECK(s.found("apples") == Ids{"c", "b", "mine"});
    CHECK(s.people("bob").size() == 1);
    s.relate(kCarol, "denied", "");
    CHECK(s.found("apples") == Ids{"b", "mine"});
}

TEST_CASE("entities on one node never find each other's posts, people and tags")
{
    Searching s;
    const int64_t other = s.add_other("guest");
    s.status("mine", "shared words #shared");
    s.note(kBob, "shared note");
    Post theirs = s.make("theirs", 10);
    theirs.entity = "http://guest.onion";
    theirs.content = Json({{"text", "shared words #shared"}}).dump();
    theirs.version.id = version_id_of(theirs);
    s.write([&](WriteTx& tx) { return insert_version(tx, other, theirs); });
    CHECK(s.found("shared") == Ids{"mine"});
    CHECK(s.found("shared", FoundOrder::Closest) == Ids{"mine"});
    CHECK(s.found("shared", FoundOrder::Newest, other) == Ids{"theirs"});
    CHECK(s.found("#shared") == Ids{"mine"});
    CHECK(s.people("shared").size() == 1);
    CHECK(s.people("shared", other).empty());
    REQUIRE(s.tags("shared").size() == 1);
    CHECK(s.tags("shared")[0].second == 1);
    SUBCASE("what is removed with one leaves the other's")
    {
        s.write([&](WriteTx& tx) -> Result<bool> {
            TRY(remove_entity(tx, other));
            return true;
        });
        CHECK(s.found("shared") == Ids{"mine"});
        CHECK(!s.has_term("o" + std::to_string(other)));
    }
}

TEST_CASE("an entity with many posts is removed at once, and the other's come back into the index")
{
    Searching s;
    s.status("mine", "shared words #shared");
    const int64_t other = s.add_other("guest");
    s.write([&](WriteTx& tx) -> Result<bool> {
        for (int i = 0; i < 700; ++i) {
            Post post = s.make("t" + std::to_string(i), 10);
            post.entity = "http://guest.onion";
            post.content = Json({{"text", "guestword #guesttag"}}).dump();
            post.version.id = version_id_of(post);
            TRY(insert_version(tx, other, post));
        }
        return true;
    });
    s.index();
    REQUIRE(s.has_term("guestword"));
    s.write([&](WriteTx& tx) -> Result<bool> {
        TRY(remove_entity(tx, other));
        return true;
    });
    CHECK(!s.has_term("guestword"));
    CHECK(s.found("shared") == Ids{"mine"});
    CHECK(s.tags("shared").size() == 1);
    CHECK(s.terms().size() == 3);  // o1, shared, words
}

TEST_CASE("an entity that goes to another file is found there")
{
    Searching s, target;
    s.status("a", "travelling words #tag");
    s.note(kBob, "a note");
    s.index();
    target.status("x", "other words");
    target.index();
    s.store.reset();
    target.store.reset();
    // Both are of one address here; the source moves under another.
    {
        auto database = Database::open(s.path(), s.keys, Database::Access::ReadWrite, 1024);
        REQUIRE(database.ok());
        REQUIRE((*database)->execute("UPDATE entities SET entity = 'http://moved.onion', onion = 'moved', bewit_id = 'b2'; UPDATE names SET entity = 'http://moved.onion' WHERE entity = '" + kSelf + "'").ok());
    }
    auto copied = copy_entity(s.path(), s.keys, "default", target.path(), target.keys, "second");
    if (!copied.ok())
        FAIL(copied.error().detail);
    target.open(false);
    const int64_t second = target.write([](WriteTx& tx) -> Result<int64_t> {
        auto select = tx.prepare("SELECT id FROM entities WHERE name = 'second'");
        TRY(select.step());
        return select.integer(0);
    });
    CHECK(target.found("words") == Ids{"x"});
    CHECK(target.found("travelling", FoundOrder::Newest, second) == Ids{"a"});
    CHECK(target.tags("tag", second).size() == 1);
    CHECK(target.people("note", second).size() == 1);
    s.open(false);
}

TEST_CASE("a person who moves keeps her posts and is found by her new address")
{
    Searching s;
    s.relate(kBob, "approved", "approved");
    s.meta(kBob, "Robertine");
    s.status("b", "before the move", kBob);
    s.meta(kCarol, "Robertine");  // came from the new address before the move was known
    s.status("b", "before the move", kCarol, 20);
    s.index();
    s.write([&](WriteTx& tx) -> Result<bool> {
        TRY(move_entity(tx, s.owner, kBob, kCarol, 5));
        while (TRY(rewrite_posts(tx, s.owner))) {
        }
        return true;
    });
    CHECK(s.found("before") == Ids{"b"});
    REQUIRE(s.people("robertine").size() == 1);
    CHECK(s.people("robertine")[0].entity == kCarol);
    CHECK(s.people("bob").empty());
    CHECK(s.terms().size() == 4);
}

TEST_CASE("people: by name, address and note; the newest of each; nobody twice, never the owner")
{
    Searching s;
    s.meta(kSelf, "Myself");
    s.meta(kBob, "Bobbie Tables");
    s.note(kBob, "we met at the harbour");
    s.note(kCarol, "from the choir");
    CHECK(s.people("bobbie").size() == 1);
    CHECK(s.people("tabl")[0].entity == kBob);
    CHECK(s.people("harbour")[0].name == "Bobbie Tables");
    CHECK(s.people("carol")[0].note == "from the choir");
    CHECK(s.people("http://carol.onion").size() == 1);
    CHECK(s.people("onion").size() == 2);
    CHECK(s.people("myself").empty());
    s.meta(kBob, "Roberta", 20);
    CHECK(s.people("bobbie").empty());
    CHECK(s.people("roberta").size() == 1);
    s.note(kCarol, "");
    CHECK(s.people("choir").empty());
    CHECK(!s.has_term("choir", "search_people_index"));
    s.remove("meta", kBob);
    CHECK(s.people("roberta").empty());
    CHECK(s.people("harbour").size() == 1);
}

TEST_CASE("tags: exact, folded, by their beginning; tag posts and posts that mention one")
{
    Searching s;
    s.status("a", "#Freedom now");
    s.status("b", "#freedom_now and #other");
    s.status("c", "freedom without a sign");
    Post tag = s.make("t", 10);
    tag.type = "https://tent.io/types/tag/v0#";
    tag.content = Json({{"name", "Döner"}}).dump();
    s.add(tag);
    Post mentioning = s.make("m", 10);
    mentioning.mentions.push_back({kSelf, "", "t", "", "https://tent.io/types/tag/v0#", true});
    s.add(mentioning);
    CHECK(s.found("#freedom") == Ids{"a"});
    CHECK(s.found("#FREEDOM_now") == Ids{"b"});
    CHECK(s.found("#freedom now") == Ids{"a"});
    CHECK(s.found("#free").empty());
    CHECK(s.found("#freedom_now #other") == Ids{"b"});
    CHECK(s.found("#freedom #other").empty());
    CHECK(s.found("freedom") == Ids{"c", "b", "a"});
    CHECK(s.found("#doner") == Ids{"m", "t"});
    CHECK(s.tags("free") == std::vector<std::pair<std::string, int64_t>>{{"Freedom", 1}, {"freedom_now", 1}});
    CHECK(s.tags("#don") == std::vector<std::pair<std::string, int64_t>>{{"Döner", 2}});
}

TEST_CASE("pages: older and newer meet, and closest first pages by number")
{
    Searching s;
    for (int i = 0; i < 9; ++i)
        s.status("p" + std::to_string(i), std::string(i % 3 == 0 ? "pear pear pear" : "a pear among many other words"));
    SearchPage at;
    at.limit = 4;
    auto ids = [](const FoundPosts& found) {
        Ids out;
        for (const auto& one : found.posts)
            out.push_back(one.post.id);
        return out;
    };
    auto first = s.page("pear", at);
    CHECK(ids(first) == Ids{"p8", "p7", "p6", "p5"});
    CHECK(first.older);
    CHECK(!first.newer);
    at.before = first.posts.back().row;
    auto second = s.page("pear", at);
    CHECK(ids(second) == Ids{"p4", "p3", "p2", "p1"});
    CHECK(second.older);
    CHECK(second.newer);
    at.before = second.posts.back().row;
    auto third = s.page("pear", at);
    CHECK(ids(third) == Ids{"p0"});
    CHECK(!third.older);
    CHECK(third.newer);
    at.before = 0;
    at.after = third.posts.front().row;
    auto back = s.page("pear", at);
    CHECK(ids(back) == ids(second));
    CHECK(back.older);
    CHECK(back.newer);
    SearchPage closest;
    closest.order = FoundOrder::Closest;
    closest.limit = 4;
    CHECK(ids(s.page("pear", closest)) == Ids{"p6", "p3", "p0", "p8"});
    closest.skip = 8;
    auto last = s.page("pear", closest);
    CHECK(ids(last) == Ids{"p1"});
    CHECK(!last.older);
    CHECK(last.newer);
}

TEST_CASE("whatever is typed: no error, nothing of the language of the index")
{
    Searching s;
    s.status("a", "plain text or not and near owner");
    for (std::string text : {std::string(), std::string(" "), std::string("\"\""), std::string("\""), std::string("\"\"\""), std::string("'"), std::string("*"), std::string("a*"),
                             std::string("^a"), std::string("a AND"), std::string("OR"), std::string("NOT"), std::string("NEAR(a b)"), std::string("owner:o1"), std::string("words : x"),
                             std::string("{owner words}: x"), std::string("(a"), std::string(")"), std::string("-a"), std::string("a + b"), std::string("#"), std::string("##"), std::string("#\"x"),
                             std::string("!?.,;"), std::string("\0", 1), std::string("a\0b", 3), std::string("\xff\xfe"), std::string("a\xc3"), std::string("\xf0\x9f\x98\x80"),
                             std::string("'; DROP TABLE posts; --"), std::string(1'000'000, 'x'), std::string(1'000'000, '"'), std::string(1'000'000, '#'), std::string(400, ' ') + "x"}) {
        CAPTURE(text.substr(0, 40));
        for (auto order : {FoundOrder::Newest, FoundOrder::Closest})
            s.found(text, order);
        s.people(text);
        s.tags(text);
        const auto wanted = parse_wanted(text);
        CHECK(wanted.was_cut == (text.size() > kSearchBytes));
        CHECK(wanted.phrases.size() <= kSearchWords);
        excerpt(text, wanted, 100);
    }
    CHECK(s.found("OR") == Ids{"a"});
    CHECK(s.found("and NOT near") == Ids{"a"});
    CHECK(s.found("owner") == Ids{"a"});
    CHECK(s.found("owner:o1").empty());
    std::string many;
    for (int i = 0; i < 100; ++i)
        many += "w" + std::to_string(i) + " ";
    CHECK(parse_wanted(many).phrases.size() == kSearchWords);
    CHECK(parse_wanted(many).was_cut);
    const Wanted wanted = parse_wanted("now and no");
    CHECK(!wanted.phrases[0].is_prefix);
    CHECK(wanted.phrases[2].is_prefix);
    CHECK(!parse_wanted("now ").phrases[0].is_prefix);
}

TEST_CASE("excerpts: around the first place, cut at characters, everything marked")
{
    const std::string text = std::string(300, 'x') + " over the hill\nand under the bridge, over and over " + std::string(300, 'y');
    const std::string shown = marked(excerpt(text, parse_wanted("bridge over"), 90));
    CHECK(shown.find("[bridge], [over] and [over]") != std::string::npos);
    CHECK(shown.starts_with("\u2026"));
    CHECK(shown.ends_with("\u2026"));
    CHECK(shown.find('\n') == std::string::npos);
    CHECK(marked(excerpt("short", parse_wanted("nothing"), 90)) == "short");
    CHECK(marked(excerpt("äöüäöü", parse_wanted("zzz"), 5)) == "äö\u2026");
    CHECK(marked(excerpt("harbour", parse_wanted("harb"), 90)) == "[harbour]");
    CHECK(marked(excerpt("old harbour", parse_wanted("\"old harbour\" harbour"), 90)) == "[old harbour]");
    CHECK(marked(excerpt("", parse_wanted("x"), 90)).empty());
}

TEST_CASE("an older file: what is in it is found, after the migration")
{
    Searching s;
    s.relate(kBob, "approved", "");
    s.meta(kBob, "Roberta");
    s.status("a", "from before #old");
    s.index();
    s.store.reset();
    {
        // Back to the schema before, with the posts.
        auto database = Database::open(s.path(), s.keys, Database::Access::ReadWrite, 1024);
        REQUIRE(database.ok());
        std::string drop;
        for (const char* trigger : {"search_person_added", "search_person_gone", "search_person_changed", "search_other_version", "search_version_gone",
                                    "search_post_gone", "search_last_post_gone", "search_version_moved", "search_body_changed", "search_relationship_added",
                                    "search_relationship_changed", "search_relationship_gone", "search_profile_added", "search_profile_moved", "search_profile_gone"})
            drop += std::string("DROP TRIGGER ") + trigger + ";";
        for (const char* table : {"search_index", "search_people_index", "search_state", "search_queue", "search_tags", "search_people", "search_people_queue"})
            drop += std::string("DROP TABLE ") + table + ";";
        auto done = (*database)->execute(drop + "ALTER TABLE posts DROP COLUMN indexed; PRAGMA user_version=15");
        if (!done.ok())
            FAIL(done.error().detail);
        CHECK(*(*database)->integer("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'search%'") == 0);
    }
    s.open(false);
    CHECK(s.found("before") == Ids{"a"});
    CHECK(s.tags("old").size() == 1);
    CHECK(s.people("roberta").size() == 1);
}

TEST_CASE("an index whose words were made by another version of the program is made anew")
{
    Searching s;
    s.status("a", "some words");
    s.index();
    s.store.reset();
    {
        auto database = Database::open(s.path(), s.keys, Database::Access::ReadWrite, 1024);
        REQUIRE(database.ok());
        REQUIRE((*database)->execute("UPDATE search_state SET words_version = 999").ok());
    }
    s.open(false);
    CHECK(s.terms().empty());
    CHECK(s.found("words") == Ids{"a"});
    s.store.reset();
    s.open(false);
    CHECK(!s.terms().empty());  // and only once
}

TEST_CASE("at random: the index finds exactly the posts that have the word")
{
    Searching s;
    std::mt19937 random(7);
    const std::vector<std::string> vocabulary = {"fog", "harbour", "gull", "tea", "coat", "née", "東京", "door", "key", "night"};
    std::map<std::string, std::pair<Post, std::string>> here;
    for (int round = 0; round < 200; ++round) {
        const int deeds = 1 + static_cast<int>(random() % 4);
        for (int i = 0; i < deeds; ++i) {
            const std::string id = "p" + std::to_string(random() % 25);
            auto known = here.find(id);
            if (known != here.end() && random() % 3 == 0) {
                s.remove(id);
                here.erase(known);
                continue;
            }
            std::string text;
            for (size_t k = 0; k < 1 + random() % 6; ++k)
                text += vocabulary[random() % vocabulary.size()] + " ";
            Post post = s.make(id, 10);
            post.content = Json({{"text", text}}).dump();
            post.version.published_at = post.version.received_at = 100 + round * 10 + i;
            here[id] = {s.add(post), text};
        }
        if (round % 4 != 0)
            continue;
        for (const auto& word : vocabulary) {
            Ids expected;
            for (const auto& [id, post] : here)
                if (post.second.find(word) != std::string::npos)
                    expected.push_back(id);
            auto got = s.found("\"" + word + "\"");
            std::sort(got.begin(), got.end());
            std::sort(expected.begin(), expected.end());
            CAPTURE(word);
            CHECK(got == expected);
        }
    }
    for (const auto& [id, post] : here)
        s.remove(id);
    CHECK(s.terms().empty());
}
