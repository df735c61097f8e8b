// SPDX-License-Identifier: BSD-3-Clause
// Feeds and lists against a model that knows no SQL: plain vectors, written from sections 4.2, 4.4 and 8.3. Random
// posts, viewers and queries from fixed seeds; a failure names the seed, the viewer and the query.
#include <bivouac/base/bytes.h>
#include <bivouac/store/post_lists.h>

#include <algorithm>
#include <random>

#include "posts_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

const std::vector<std::string> kEntities = {kSelf, kBob, kCarol, "http://dan.onion"};
const std::vector<std::string> kTypes = {
    "https://tent.io/types/status/v0#",
    "https://tent.io/types/status/v0#reply",
    "https://vendor.example/note/v0#",
    "https://vendor.example/note/v0#https://x/v0%23y",
    "https://vendor.example/note/v0#https://x/v0#y",
    "https://tent.io/types/credentials/v0#https://tent.io/types/app/v0",
    "https://tent.io/types/meta/v0#",
};
const std::vector<std::string> kSelectors = {
    "https://tent.io/types/status/v0",
    "https://tent.io/types/status/v0#",
    "https://tent.io/types/status/v0#reply",
    "https://vendor.example/note/v0",
    "https://vendor.example/note/v0#https://x/v0%23y",
    "https://tent.io/types/credentials/v0",
    "https://nobody.example/has/v0",
};
const std::vector<std::string> kSortWords = {"received_at", "published_at", "version.received_at",
                                             "version.published_at"};

class Dice {
public:
    explicit Dice(uint32_t seed) : engine_(seed) {}
    size_t below(size_t n) { return engine_() % n; }
    bool chance(int percent) { return below(100) < static_cast<size_t>(percent); }
    template <typename T>
    const T& any(const std::vector<T>& from)
    {
        return from[below(from.size())];
    }

private:
    std::mt19937 engine_;
};

struct Circles {
    std::set<std::string> followings, followers, blocked;
    bool open_door = false;
};

// --- the model

struct Item {
    int64_t time = 0;
    const Post* post = nullptr;
    bool is_public = true;  // mentions list: the mention

    std::pair<int64_t, std::string> key() const { return {time, post->version.id}; }
};

struct World {
    std::vector<Post> posts;  // every stored version
    std::map<std::string, std::set<std::string>> groups;
    Circles people;

    static bool app(const Viewer& v) { return v.kind == Viewer::Kind::Everything || v.kind == Viewer::Kind::Types; }

    static std::string decoded(std::string fragment)
    {
        for (size_t at; (at = fragment.find("%23")) != std::string::npos;)
            fragment.replace(at, 3, "#");
        return fragment;
    }

    static bool covers(const std::string& selector, const std::string& type)
    {
        size_t hash = selector.find('#');
        size_t type_hash = type.find('#');
        if (selector.substr(0, hash) != type.substr(0, type_hash))
            return false;
        return hash == std::string::npos ||
               decoded(selector.substr(hash + 1)) == decoded(type.substr(type_hash + 1));
    }

    static bool granted(const Viewer& viewer, const std::string& type)
    {
        for (const auto& selector : viewer.types)
            if (selector == "all" ? !type.starts_with("https://tent.io/types/credentials/v0#") : covers(selector, type))
                return true;
        return false;
    }

    // Section 8.3.
    bool readable(const Viewer& viewer, const Post& post) const
    {
        if (viewer.kind == Viewer::Kind::Everything)
            return true;
        if (viewer.kind == Viewer::Kind::Types)
            return (post.permissions.is_public || granted(viewer, post.type)) && people.blocked.count(post.entity) == 0;
        if (post.entity != kSelf)
            return false;
        if (post.permissions.is_public &&
            (!viewer.shut_out || (covers("https://tent.io/types/meta/v0", post.type) && newest_public(post))))
            return true;
        if (viewer.kind == Viewer::Kind::Anonymous)
            return false;
        const auto& named = post.permissions.entities;
        if (std::find(named.begin(), named.end(), viewer.entity) != named.end() || post.id == viewer.own_post)
            return true;
        for (const auto& group : post.permissions.groups)
            if (auto it = groups.find(group); it != groups.end() && it->second.count(viewer.entity))
                return true;
        return false;
    }

    // Nothing but being public lets her see it.
    bool only_public(const Viewer& viewer, Post post) const
    {
        if (!post.permissions.is_public)
            return false;
        post.permissions.is_public = false;
        return !readable(viewer, post);
    }

    bool newest_public(const Post& post) const
    {
        return std::none_of(posts.begin(), posts.end(), [&](const Post& p) {
            return p.entity == post.entity && p.id == post.id && p.permissions.is_public &&
                   std::pair(p.version.received_at, p.version.id) > std::pair(post.version.received_at, post.version.id);
        });
    }

    // Whose mentions others get to see.
    bool known(const std::string& author) const
    {
        if (author == kSelf)
            return true;
        return people.blocked.count(author) == 0 &&
               (people.open_door || people.followers.count(author) > 0 || people.followings.count(author) > 0);
    }

    static int64_t version_time(const Post& post, bool received)
    {
        return received ? post.version.received_at : post.version.published_at;
    }

    // Of each post the greatest version that `may` be seen (section 2.6).
    template <typename May>
    std::vector<const Post*> latest(bool received, May may) const
    {
        std::map<std::pair<std::string, std::string>, const Post*> best;
        for (const auto& post : posts) {
            if (!may(post))
                continue;
            const Post*& now = best[{post.entity, post.id}];
            if (!now || std::pair(version_time(post, received), post.version.id) >
                            std::pair(version_time(*now, received), now->version.id))
                now = &post;
        }
        std::vector<const Post*> out;
        for (const auto& [key, post] : best)
            out.push_back(post);
        return out;
    }

    bool among(const Viewer& viewer, const std::string& word, const std::string& entity) const
    {
        bool following = people.followings.count(entity) > 0;
        bool follower = people.followers.count(entity) > 0;
        if (word == "followings" || word == "following")
            return app(viewer) && following;
        if (word == "followers")
            return app(viewer) && follower;
        if (word == "friends")
            return app(viewer) && following && follower;
        return word == entity;
    }

    bool mentions(const Viewer& viewer, const Post& post, const std::vector<MentionItem>& group) const
    {
        for (const auto& mention : post.mentions) {
            std::string entity = mention.entity.empty() ? post.entity : mention.entity;
            bool seen = mention.is_public || app(viewer) ||
                        (viewer.kind == Viewer::Kind::Peer && entity == viewer.entity);
            for (const auto& item : group)
                if (seen && among(viewer, item.entity, entity) && (item.post.empty() || item.post == mention.post))
                    return true;
        }
        return false;
    }

    // All that matches, newest first, cursors aside.
    std::vector<Item> feed(const FeedQuery& query, const Viewer& viewer) const
    {
        if (viewer.shut_out && viewer.kind == Viewer::Kind::Anonymous)
            return {};
        bool received = query.sort == FeedQuery::Sort::ReceivedAt || query.sort == FeedQuery::Sort::VersionReceivedAt;
        std::vector<Item> out;
        auto may = [&](const Post& p) { return readable(viewer, p) && !(viewer.shut_out && only_public(viewer, p)); };
        for (const Post* post : latest(received, may)) {
            auto any = [&](const std::vector<std::string>& list, auto matches) {
                return list.empty() || std::any_of(list.begin(), list.end(), matches);
            };
            bool match = any(query.types, [&](const std::string& s) { return covers(s, post->type); }) &&
                         any(query.entities, [&](const std::string& e) { return among(viewer, e, post->entity); });
            for (const auto& group : query.mentions)
                match = match && mentions(viewer, *post, group);
            int64_t times[] = {post->received_at, post->published_at, post->version.received_at,
                               post->version.published_at};
            if (match)
                out.push_back({times[static_cast<size_t>(query.sort)], post});
        }
        return sorted(std::move(out));
    }

    static std::vector<Item> sorted(std::vector<Item> items)
    {
        std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.key() > b.key(); });
        return items;
    }

    // Section 4.4.
    std::vector<Item> mention_list(const Post& of, const Viewer& viewer) const
    {
        std::vector<Item> out;
        auto may = [&](const Post& p) { return app(viewer) ? readable(viewer, p) : p.permissions.is_public; };
        for (const Post* post : latest(app(viewer), may)) {
            if (!app(viewer) && (viewer.shut_out || !known(post->entity)))
                continue;
            bool open = false;
            bool hidden = false;
            for (const auto& mention : post->mentions)
                if ((mention.entity.empty() ? post->entity : mention.entity) == of.entity && mention.post == of.id)
                    (mention.is_public ? open : hidden) = true;
            bool told = viewer.kind == Viewer::Kind::Everything ||
                        (viewer.kind == Viewer::Kind::Types && granted(viewer, of.type) && post->entity == kSelf);
            if (open || (hidden && told))
                out.push_back({app(viewer) ? post->received_at : post->published_at, post, open});
        }
        return sorted(std::move(out));
    }

    std::vector<Item> version_list(const Post& of, const Viewer& viewer) const
    {
        std::vector<Item> out;
        for (const auto& post : posts)
            if (post.entity == of.entity && post.id == of.id && readable(viewer, post))
                out.push_back({version_time(post, app(viewer)), &post});
        return sorted(std::move(out));
    }

    std::vector<Item> child_list(const Post& of, const Viewer& viewer) const
    {
        std::vector<Item> out;
        for (const auto& post : posts)
            for (const auto& parent : post.version.parents)
                if (parent.version == of.version.id && (parent.entity.empty() ? post.entity : parent.entity) == of.entity &&
                    (parent.post.empty() ? post.id : parent.post) == of.id && readable(viewer, post)) {
                    out.push_back({version_time(post, app(viewer)), &post});
                    break;
                }
        return sorted(std::move(out));
    }
};

bool beyond(const Item& item, const Cursor& cursor, bool newer)
{
    if (item.time != cursor.time || cursor.version.empty())
        return newer ? item.time > cursor.time : item.time < cursor.time;
    return newer ? item.post->version.id > cursor.version : item.post->version.id < cursor.version;
}

std::vector<Item> within(const std::vector<Item>& all, const std::optional<Cursor>& newer_than,
                         const std::optional<Cursor>& older_than)
{
    std::vector<Item> out;
    for (const auto& item : all)
        if ((!newer_than || beyond(item, *newer_than, true)) && (!older_than || beyond(item, *older_than, false)))
            out.push_back(item);
    return out;
}

std::vector<Item> cut(std::vector<Item> items, int limit, bool oldest)
{
    auto keep = std::min(items.size(), static_cast<size_t>(limit));
    return oldest ? std::vector<Item>(items.end() - static_cast<long>(keep), items.end())
                  : std::vector<Item>(items.begin(), items.begin() + static_cast<long>(keep));
}

Ids ids_of(const std::vector<Item>& items)
{
    Ids out;
    for (const auto& item : items)
        out.push_back(item.post->version.id + (item.is_public ? "" : "!"));
    return out;
}

// --- random worlds, viewers, queries

struct RandomStore : Posts {
    Dice dice;
    World world;
    std::map<std::pair<std::string, std::string>, std::pair<int64_t, int64_t>> post_times;

    explicit RandomStore(uint32_t seed) : dice(seed)
    {
        for (const char* group : {"group1", "group2"})
            for (const auto& entity : kEntities)
                if (dice.chance(40)) {
                    world.groups[group].insert(entity);
                    write([&](WriteTx& tx) -> Result<bool> {
                        TRY(add_group_member(tx, owner, group, entity, "m"));
                        return true;
                    });
                }
        for (const auto& entity : kEntities) {
            bool blocked = entity != kSelf && dice.chance(20);
            bool follower = !blocked && dice.chance(50), following = dice.chance(50);
            relate(entity, blocked ? "blocked" : follower ? "approved" : dice.chance(50) ? "pending" : "",
                   following ? "requested" : "");
            if (blocked)
                world.people.blocked.insert(entity);
            if (follower)
                world.people.followers.insert(entity);
            if (following)
                world.people.followings.insert(entity);
        }
        world.people.open_door = dice.chance(30);
        write([&](WriteTx& tx) -> Result<bool> {
            TRY(set_door(tx, owner, world.people.open_door ? Door::Open : Door::Sealed));
            return true;
        });
        size_t versions = 60 + dice.below(80);
        for (size_t i = 0; i < versions; ++i) {
            add_random();
            if (dice.chance(8))
                delete_random();
        }
    }

    int64_t time() { return 1 + static_cast<int64_t>(dice.below(40)); }
    std::string post_id() { return "p" + std::to_string(dice.below(12)); }

    std::string new_version_id()
    {
        std::string hex;
        for (int i = 0; i < 64; ++i)
            hex += "0123456789abcdef"[dice.below(16)];
        return "sha512t256-" + hex;
    }

    void add_random()
    {
        Post post = make(post_id(), time(), dice.chance(60));
        post.entity = dice.chance(50) ? kSelf : dice.any(kEntities);
        // Most posts keep their type.
        post.type = dice.chance(20) ? dice.any(kTypes) : kTypes[(post.id.back() - '0') % kTypes.size()];
        post.version.id = new_version_id();
        auto times = post_times.emplace(std::pair(post.entity, post.id), std::pair(time(), time())).first->second;
        post.published_at = times.first;
        post.received_at = times.second;
        post.version.published_at = time();
        post.version.received_at = time();
        for (size_t i = dice.below(4); i > 0; --i) {
            Mention m;
            m.entity = dice.chance(30) ? "" : dice.any(kEntities);
            m.post = dice.chance(60) ? post_id() : "";
            m.is_public = dice.chance(60);
            post.mentions.push_back(m);
        }
        if (!world.posts.empty())
            for (size_t i = dice.below(3); i > 0; --i) {
                const Post& parent = dice.any(world.posts);
                post.version.parents.push_back({parent.version.id, parent.entity == post.entity ? "" : parent.entity, "",
                                                parent.id == post.id ? "" : parent.id});
            }
        if (!post.permissions.is_public) {
            for (const auto& entity : kEntities)
                if (dice.chance(25))
                    post.permissions.entities.push_back(entity);
            if (dice.chance(30))
                post.permissions.groups.push_back(dice.chance(50) ? "group1" : "group2");
        }
        write([&](WriteTx& tx) { return insert_version(tx, owner, post); });
        world.posts.push_back(std::move(post));
    }

    void delete_random()
    {
        if (world.posts.empty())
            return;
        const Post victim = dice.any(world.posts);
        bool one = dice.chance(60);
        write([&](WriteTx& tx) {
            return delete_post(tx, owner, victim.entity, victim.id, one ? victim.version.id : "");
        });
        auto is_same_post = [&](const Post& p) { return p.entity == victim.entity && p.id == victim.id; };
        std::erase_if(world.posts,
                      [&](const Post& p) { return is_same_post(p) && (!one || p.version.id == victim.version.id); });
        if (std::none_of(world.posts.begin(), world.posts.end(), is_same_post))
            post_times.erase({victim.entity, victim.id});
    }

    Viewer viewer()
    {
        switch (dice.below(5)) {
        case 0: return kAll;
        case 1:
        case 2: {
            std::vector<std::string> types;
            for (size_t i = dice.below(4); i > 0; --i)
                types.push_back(dice.chance(20) ? "all" : dice.any(kSelectors));
            return app_of(types);
        }
        case 3: {
            Viewer peer = peer_of(dice.chance(15) ? "" : dice.any(kEntities));
            if (dice.chance(40))
                peer.own_post = post_id();
            peer.shut_out = dice.chance(30);
            return peer;
        }
        default: {
            Viewer anonymous = kAnonymous;
            anonymous.shut_out = dice.chance(30);
            return anonymous;
        }
        }
    }

    std::string entity_word()
    {
        static const std::vector<std::string> kWords = {"followings", "following", "followers", "friends",
                                                        "http://nobody.onion"};
        return dice.chance(25) ? dice.any(kWords) : dice.any(kEntities);
    }

    std::string cursor()
    {
        std::string out = std::to_string(dice.below(42));
        if (dice.chance(50) && !world.posts.empty())
            out += "+" + dice.any(world.posts).version.id;
        return out;
    }

    std::string query()
    {
        std::string out = "sort_by=" + dice.any(kSortWords) + "&limit=" + std::to_string(1 + dice.below(12));
        auto list = [&](const char* name, auto one) {
            out += std::string("&") + name + "=";
            for (size_t i = 1 + dice.below(3); i > 0; --i)
                out += percent_encode(one()) + (i > 1 ? "," : "");
        };
        if (dice.chance(35))
            list("types", [&] { return dice.any(kSelectors); });
        if (dice.chance(30))
            list("entities", [&] { return entity_word(); });
        for (int percent : {35, 20})
            if (dice.chance(percent))
                list("mentions", [&] {
                    std::string word = entity_word();
                    return word.starts_with("http") && dice.chance(50) ? word + " " + post_id() : word;
                });
        if (dice.chance(25))
            out += "&since=" + cursor();
        else if (dice.chance(20))
            out += "&until=" + cursor();
        if (dice.chance(30))
            out += "&before=" + cursor();
        return out;
    }

    FeedText page(const FeedQuery& query, const Viewer& viewer)
    {
        auto audience = World::app(viewer) ? Audience::owner()
                        : viewer.entity.empty() ? Audience::everybody() : Audience::peer(viewer.entity);
        auto text =
            store->read([&](ReadTx& tx) { return load_feed_text(tx, owner, query, viewer, audience); });
        REQUIRE(text.ok());
        // The text is the post's own, cut for this reader.
        for (const auto& post : text->posts) {
            auto it = std::find_if(world.posts.begin(), world.posts.end(),
                                   [&](const Post& p) { return p.version.id == post.version_id; });
            REQUIRE(it != world.posts.end());
            CHECK(post.json == write_post(*it, audience));
            CHECK(post.type == it->type);
        }
        return std::move(*text);
    }
};

Ids ids_of(const FeedText& text)
{
    Ids out;
    for (const auto& post : text.posts)
        out.push_back(post.version_id);
    return out;
}

std::string name_of(const Viewer& viewer)
{
    std::string out = std::to_string(static_cast<int>(viewer.kind)) + (viewer.shut_out ? " shut out " : " ") + viewer.entity + " " + viewer.own_post;
    for (const auto& type : viewer.types)
        out += " " + type;
    return out;
}

FeedQuery link_query(const std::string& link)
{
    auto query = parse_feed_query(link.substr(1));
    REQUIRE(query.ok());
    return *query;
}

// Following next from the first page and prev from the last gives everything once.
void walk_feed(RandomStore& random, FeedQuery query, const Viewer& viewer, const std::vector<Item>& all)
{
    query.since.reset();
    query.until.reset();
    query.before.reset();
    Ids forwards;
    FeedText page = random.page(query, viewer);
    FeedQuery at = query;
    for (size_t pages = 0; pages <= all.size(); ++pages) {
        Ids ids = ids_of(page);
        forwards.insert(forwards.end(), ids.begin(), ids.end());
        std::string next = feed_links(at, page.ends).next;
        if (next.empty())
            break;
        at = link_query(next);
        page = random.page(at, viewer);
    }
    CHECK(forwards == ids_of(all));
    Ids backwards;
    for (size_t pages = 0; pages <= all.size(); ++pages) {
        Ids ids = ids_of(page);
        backwards.insert(backwards.begin(), ids.begin(), ids.end());
        std::string prev = feed_links(at, page.ends).prev;
        if (prev.empty())
            break;
        at = link_query(prev);
        page = random.page(at, viewer);
    }
    CHECK(backwards == ids_of(all));
}

struct ListPage {
    Ids ids;
    FeedEnds ends;
    int64_t count = 0;
};

enum class ListKind { Mentions, Versions, Children };

Ids ids_of(const VersionList& list)
{
    Ids out;
    for (const auto& entry : list.entries)
        out.push_back(entry.version.id);
    return out;
}

Result<ListPage> read_list(ReadTx& tx, const RandomStore& random, ListKind kind, const PostText& of, const ListQuery& query,
                           const Viewer& viewer)
{
    ListPage out;
    if (kind == ListKind::Mentions) {
        auto list = TRY(load_mention_list(tx, random.owner, of, query, viewer));
        for (const auto& entry : list.entries)
            out.ids.push_back(entry.entity + " " + entry.post + " " + entry.type + (entry.is_public ? "" : "!"));
        out.ends = list.ends;
        out.count = TRY(count_mention_list(tx, random.owner, of, viewer));
        return out;
    }
    const bool versions = kind == ListKind::Versions;
    auto list = versions ? TRY(load_version_list(tx, random.owner, of, query, viewer))
                         : TRY(load_child_list(tx, random.owner, of, query, viewer));
    out.ids = ids_of(list);
    out.ends = list.ends;
    out.count = versions ? TRY(count_version_list(tx, random.owner, of, viewer))
                         : TRY(count_child_list(tx, random.owner, of, viewer));
    return out;
}

Ids expected_ids(ListKind kind, const std::vector<Item>& items)
{
    if (kind != ListKind::Mentions)
        return ids_of(items);
    Ids out;
    for (const auto& item : items)
        out.push_back(item.post->entity + " " + item.post->id + " " + item.post->type + (item.is_public ? "" : "!"));
    return out;
}

void check_list(RandomStore& random, ListKind kind, const Post& of, const PostText& text, const Viewer& viewer)
{
    const std::vector<Item> all = kind == ListKind::Mentions   ? random.world.mention_list(of, viewer)
                                  : kind == ListKind::Versions ? random.world.version_list(of, viewer)
                                                               : random.world.child_list(of, viewer);
    auto load = [&](const ListQuery& query) {
        auto page = random.store->read([&](ReadTx& tx) { return read_list(tx, random, kind, text, query, viewer); });
        REQUIRE(page.ok());
        CHECK(page->count == static_cast<int64_t>(all.size()));
        return std::move(*page);
    };
    ListQuery query;
    query.limit = static_cast<int>(1 + random.dice.below(4));
    const size_t limit = static_cast<size_t>(query.limit);
    Ids walked, back;
    ListQuery at = query;
    ListPage page = load(at);
    FeedLinks links = list_links(at, page.ends);
    if (!links.last.empty()) {
        auto rest = std::vector<Item>(all.begin() + static_cast<long>(limit), all.end());
        CHECK(load(*parse_list_query(links.last.substr(1))).ids == expected_ids(kind, cut(rest, query.limit, true)));
    }
    for (size_t pages = 0; pages <= all.size(); ++pages) {
        walked.insert(walked.end(), page.ids.begin(), page.ids.end());
        links = list_links(at, page.ends);
        CHECK(links.first.empty() == (pages == 0));
        if (links.next.empty())
            break;
        at = *parse_list_query(links.next.substr(1));
        page = load(at);
    }
    CHECK(walked == expected_ids(kind, all));
    for (size_t pages = 0; pages <= all.size(); ++pages) {
        back.insert(back.begin(), page.ids.begin(), page.ids.end());
        links = list_links(at, page.ends);
        if (links.prev.empty())
            break;
        at = *parse_list_query(links.prev.substr(1));
        page = load(at);
    }
    CHECK(back == expected_ids(kind, all));
}

constexpr uint32_t kWorlds = 12;
constexpr int kQueries = 300;
constexpr int kListsPerWorld = 60;

}  // namespace

TEST_CASE("feeds agree with a model that knows no SQL (sections 4.2 and 8.3)")
{
    size_t found = 0;
    for (uint32_t seed = 1; seed <= kWorlds; ++seed) {
        CAPTURE(seed);
        RandomStore random(seed);
        for (int i = 0; i < kQueries; ++i) {
            const std::string text = random.query();
            const Viewer viewer = random.viewer();
            const std::string who = name_of(viewer);
            CAPTURE(text);
            CAPTURE(who);
            FeedQuery query = *parse_feed_query(text);
            const auto all = random.world.feed(query, viewer);
            const auto selected = within(within(all, query.since, query.before), query.until, {});
            const auto expected = cut(selected, query.limit, query.since.has_value());
            const FeedText page = random.page(query, viewer);
            CHECK(ids_of(page) == ids_of(expected));
            auto count =
                random.store->read([&](ReadTx& tx) { return count_feed(tx, random.owner, query, viewer); });
            REQUIRE(count.ok());
            CHECK(*count == static_cast<int64_t>(selected.size()));
            CHECK(page.ends.empty == expected.empty());
            if (!expected.empty()) {
                const Cursor first{expected.front().time, expected.front().post->version.id};
                const Cursor last{expected.back().time, expected.back().post->version.id};
                CHECK(page.ends.first.time == first.time);
                CHECK(page.ends.last.version == last.version);
                CHECK(page.ends.newer == !within(all, first, {}).empty());
                CHECK(page.ends.older == !within(all, {}, last).empty());
            }
            if (i % 6 == 0)
                walk_feed(random, query, viewer, all);
            found += expected.size();
        }
    }
    // The model is no use when nothing ever matches.
    CHECK(found > kWorlds * kQueries);
}

TEST_CASE("lists of mentions, versions and children agree with the model (section 4.4)")
{
    for (uint32_t seed = 101; seed < 101 + kWorlds; ++seed) {
        CAPTURE(seed);
        RandomStore random(seed);
        for (int i = 0; i < kListsPerWorld && !random.world.posts.empty(); ++i) {
            const Post of = random.dice.any(random.world.posts);
            const Viewer viewer = random.viewer();
            const std::string who = name_of(viewer);
            CAPTURE(of.id);
            CAPTURE(of.entity);
            CAPTURE(of.version.id);
            CAPTURE(who);
            auto text = random.store->read([&](ReadTx& tx) {
                return load_post_text(tx, random.owner, of.entity, of.id, of.version.id, viewer, Audience::owner());
            });
            REQUIRE(text.ok());
            CHECK(text->has_value() == random.world.readable(viewer, of));
            if (!*text)
                continue;
            for (ListKind kind : {ListKind::Mentions, ListKind::Versions, ListKind::Children}) {
                CAPTURE(int(kind));
                check_list(random, kind, of, **text, viewer);
            }
        }
    }
}
