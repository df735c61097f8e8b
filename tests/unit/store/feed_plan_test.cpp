// SPDX-License-Identifier: BSD-3-Clause
// How SQLite goes about every shape of feed and list: by an index in the page's order, so that a page costs the
// same however many posts there are. Judged by EXPLAIN QUERY PLAN.
#include "../../../src/store/feed_sql.h"
#include "../../../src/store/post_list_sql.h"

#include "posts_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

const std::string kBobFilter = "http%3A%2F%2Fbob.onion";
const std::string kSelfFilter = "http%3A%2F%2Fself.onion";
const std::string kStatusFilter = "https%3A%2F%2Ftent.io%2Ftypes%2Fstatus%2Fv0";
const std::string kNoteFilter = "https%3A%2F%2Fvendor.example%2Fnote%2Fv0";

struct Plans : Posts {
    Plans()
    {
        Post post = make("p", 10);
        post.mentions = {{kBob, "", "x", "", "", true}};
        add(post);
        Post note = make("q", 20);
        note.entity = kBob;
        note.type = "https://vendor.example/note/v0#";
        add(note);
        relate(kBob, "approved", "approved");
        for (int i = 0; i < 30; ++i)
            relate("http://crowd" + std::to_string(i) + ".onion", "approved", "");
    }

    std::vector<std::string> plan(const Sql& sql)
    {
        std::vector<std::string> out;
        auto done = store->read([&](ReadTx& tx) -> Result<bool> {
            Sql explain = sql;
            explain.text = "EXPLAIN QUERY PLAN " + sql.text;
            Statement statement = explain.prepare(tx);
            while (TRY(statement.step()))
                out.push_back(statement.text(3));
            return true;
        });
        REQUIRE(done.ok());
        REQUIRE_FALSE(out.empty());
        return out;
    }
};

bool has(const std::string& text, const char* part)
{
    return text.find(part) != std::string::npos;
}

std::string joined(const std::vector<std::string>& lines)
{
    std::string out;
    for (const auto& line : lines)
        out += line + "\n";
    return out;
}

// Nothing is gone through from end to end but a row of constants.
void check_no_scan(const std::vector<std::string>& plan)
{
    for (const auto& line : plan) {
        CAPTURE(line);
        CHECK((!line.starts_with("SCAN") || line == "SCAN CONSTANT ROW"));
        CHECK_FALSE(has(line, "AUTOMATIC"));
    }
}

// "USE TEMP B-TREE FOR LAST 2 TERMS" sorts what has the same time, as it comes; one for all of ORDER BY, or for
// DISTINCT, would have to read everything first.
void check_ordered(const std::vector<std::string>& plan)
{
    for (const auto& line : plan) {
        CAPTURE(line);
        CHECK_FALSE(has(line, "USE TEMP B-TREE FOR ORDER BY"));
        CHECK_FALSE(has(line, "USE TEMP B-TREE FOR DISTINCT"));
        CHECK_FALSE(has(line, "UNION USING TEMP B-TREE"));
    }
}

// The rows come from `index`: the walks do, not just a condition.
size_t walks_over(const std::vector<std::string>& plan, const std::string& index)
{
    size_t count = 0;
    for (const auto& line : plan)
        count += has(line, (" USING INDEX " + index + " ").c_str()) ? 1 : 0;
    return count;
}

struct Filter {
    std::string query;
    const char* app;       // the index family that drives it for the owner and apps
    const char* stranger;  // for peers and anonymous readers; "" when nothing can match
};

const std::vector<Filter> kFilters = {
    {"", "versions_time_", "versions_author_"},
    {"types=" + kStatusFilter, "versions_type_", "versions_author_"},
    {"types=" + kStatusFilter + "%23", "versions_type_", "versions_author_"},
    {"types=" + kStatusFilter + "%23reply", "versions_type_", "versions_author_"},
    {"types=" + kStatusFilter + "%23reply," + kNoteFilter, "versions_type_", "versions_author_"},
    {"entities=" + kSelfFilter, "versions_author_", "versions_author_"},
    {"entities=" + kBobFilter, "versions_author_", ""},
    {"entities=" + kBobFilter + "," + kSelfFilter, "versions_author_", "versions_author_"},
    {"entities=followings", "versions_author_", ""},
    {"entities=followers", "versions_time_", ""},
    {"entities=followers," + kSelfFilter + "&types=" + kStatusFilter, "versions_type_", "versions_author_"},
    {"entities=" + kSelfFilter + "&types=" + kStatusFilter, "versions_author_", "versions_author_"},
    {"mentions=" + kBobFilter + "+x", "mentions_target_", "mentions_"},
    {"mentions=" + kBobFilter, "mentions_target_", ""},
    {"mentions=" + kBobFilter + "," + kSelfFilter + "+p", "mentions_target_", ""},
    {"mentions=" + kBobFilter + "&mentions=" + kSelfFilter + "+p", "mentions_target_", "mentions_"},
    {"mentions=followings", "mentions_target_", ""},
    {"mentions=followers", "versions_time_", ""},
    {"mentions=followers&entities=" + kSelfFilter, "versions_author_", ""},
    {"mentions=" + kBobFilter + "&entities=" + kSelfFilter + "&types=" + kStatusFilter, "versions_author_", ""},
};

const std::vector<std::string> kCursors = {"",        "since=5",          "since=5+v",         "until=5+v",
                                           "before=9", "before=9+v&since=0", "before=9+v&until=5"};
const std::vector<std::string> kSorts = {"received_at", "published_at", "version.received_at", "version.published_at"};

}  // namespace

TEST_CASE("every shape of feed walks an index in the page's order")
{
    Plans plans;
    const Viewer few = app_of({"https://tent.io/types/status/v0", "https://vendor.example/note/v0#x"});
    for (const auto& viewer : {kAll, few, app_of({"all"}), app_of({}), peer_of(kBob), kAnonymous}) {
        const bool app = viewer.kind == Viewer::Kind::Everything || viewer.kind == Viewer::Kind::Types;
        for (const auto& filter : kFilters)
            for (const auto& cursor : kCursors)
                for (size_t sort = 0; sort < kSorts.size(); ++sort) {
                    FeedQuery query =
                        *parse_feed_query(filter.query + "&" + cursor + "&sort_by=" + kSorts[sort]);
                    auto feed = plans.store->read(
                        [&](ReadTx& tx) { return feed_select(tx, plans.owner, query, viewer); });
                    auto count = plans.store->read(
                        [&](ReadTx& tx) { return feed_count(tx, plans.owner, query, viewer); });
                    REQUIRE(feed.ok());
                    REQUIRE(count.ok());
                    auto plan = plans.plan(feed->sql);
                    CAPTURE(int(viewer.kind));
                    CAPTURE(filter.query);
                    CAPTURE(cursor);
                    CAPTURE(kSorts[sort]);
                    CAPTURE(joined(plan));
                    check_no_scan(plan);
                    check_ordered(plan);
                    // Going over a UNION's rows to count them is what counting is.
                    for (const auto& line : plans.plan(count->text.empty() ? feed->sql : *count))
                        CHECK((!line.starts_with("SCAN") || line == "SCAN CONSTANT ROW" || line.starts_with("SCAN (")));

                    const std::string number = std::to_string(sort + 1);
                    const std::string family = app ? filter.app : filter.stranger;
                    if (family == "mentions_")
                        CHECK(walks_over(plan, "mentions_target_" + number) + walks_over(plan, "mentions_own_" + number) > 0);
                    else if (!family.empty())
                        CHECK(walks_over(plan, family + number) > 0);
                    // The cursor narrows the walk itself.
                    if (!cursor.empty() && !family.empty())
                        CHECK((has(joined(plan), "_at>?") || has(joined(plan), "_at<?")));
                }
    }
}

TEST_CASE("what a person wants to read is walked by time")
{
    Plans plans;
    FeedQuery query;
    query.for_person = true;
    auto feed = plans.store->read([&](ReadTx& tx) { return feed_select(tx, plans.owner, query, kAll); });
    REQUIRE(feed.ok());
    auto plan = plans.plan(feed->sql);
    CAPTURE(joined(plan));
    check_ordered(plan);
    CHECK(walks_over(plan, "versions_time_1") == 2);
    // The types of the protocol are a short list.
    for (const auto& line : plan)
        CHECK((!line.starts_with("SCAN") || line == "SCAN types"));
}

TEST_CASE("every index of the feeds is used by some feed or list, and no other exists")
{
    Plans plans;
    std::set<std::string> used = {"versions_meta"};  // profiles name it
    for (const auto& viewer : {kAll, kAnonymous})
        for (const auto& filter : kFilters)
            for (const auto& sort : kSorts) {
                auto feed = plans.store->read([&](ReadTx& tx) {
                    return feed_select(tx, plans.owner, *parse_feed_query(filter.query + "&sort_by=" + sort), viewer);
                });
                for (size_t at = 0; (at = feed->sql.text.find("INDEXED BY ", at)) != std::string::npos; at += 11)
                    used.insert(feed->sql.text.substr(at + 11, feed->sql.text.find(' ', at + 11) - at - 11));
            }
    std::set<std::string> there;
    auto read = plans.store->read([&](ReadTx& tx) -> Result<bool> {
        auto select = tx.prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
                                 " AND tbl_name IN ('versions', 'mentions')");
        while (TRY(select.step()))
            there.insert(select.text(0));
        return true;
    });
    REQUIRE(read.ok());
    CHECK(used == there);
}

TEST_CASE("lists of a post walk what belongs to it only")
{
    Plans plans;
    for (const auto& viewer : {kAll, app_of({"https://tent.io/types/status/v0"}), app_of({}), peer_of(kBob), kAnonymous}) {
        CAPTURE(int(viewer.kind));
        auto of = plans.store->read([&](ReadTx& tx) {
            return load_post_text(tx, plans.owner, kSelf, "p", "", viewer, Audience::owner());
        });
        REQUIRE(*of);
        for (auto side : {std::optional<ListPosition>(), std::optional(ListPosition{ListPosition::Side::Older, {5, "v"}}),
                          std::optional(ListPosition{ListPosition::Side::Newer, {5, "v"}})})
            for (auto source : {mention_source, version_source, child_source}) {
                auto list = plans.store->read([&](ReadTx& tx) { return source(tx, plans.owner, **of, viewer); });
                REQUIRE(list.ok());
                auto plan = plans.plan(list_page(*list, side, 25));
                auto count = plans.plan(list_count(*list));
                CAPTURE(joined(plan));
                check_no_scan(plan);
                check_no_scan(count);
                if (source == mention_source) {
                    check_ordered(plan);
                    CHECK(has(plan[0], "USING INDEX mentions_target_"));
                }
                // Versions of one post and children of one version are sorted when asked for: they are few.
                if (source == version_source)
                    CHECK(has(plan[0], "sqlite_autoindex_versions_1 (post=?)"));
                if (source == child_source)
                    CHECK(has(joined(plan), "parents_by_parent (parent_version=?)"));
            }
    }
}

TEST_CASE("storing a version looks at its own post only")
{
    Plans plans;
    for (const auto& sql : kVersionUpdates) {
        auto plan = plans.plan(Sql{sql, {}});
        CAPTURE(joined(plan));
        // The rows that were found by post before.
        for (const auto& line : plan)
            CHECK((!line.starts_with("SCAN") || line.starts_with("SCAN (subquery") || line == "SCAN ranked"));
        CHECK(has(joined(plan), "sqlite_autoindex_versions_1 (post=?)"));
    }
}
