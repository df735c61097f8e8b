// SPDX-License-Identifier: BSD-3-Clause
// Nobody is shown what was not meant for her: random posts, versions, groups, members, blocks, removals and doors; then
// every endpoint is asked by everybody, and what comes back is searched for what it must not hold (section 8.3).
// What ought to be is worked out here, from what was done, and not asked of the store.
#include <doctest/doctest.h>

#include <bivouac/tent/groups.h>

#include <algorithm>
#include <map>
#include <random>
#include <regex>
#include <set>

#include "api_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

// Long enough that no random id, key or digest holds it: a shorter one was found in them now and then.
const std::string kMark = "postmark-no.";

struct Written {
    std::string mark;  // in its text, nowhere else
    std::string id;
    std::string version;
    bool is_public = false;
    std::set<std::string> entities;
    std::set<std::string> groups;
    std::string digest;  // of its attachment; empty: none
    bool deleted = false;
};

// An app that may read another type only: it is shown refs and profiles, and nothing private.
const std::string kApp = "an app";

struct World : ApiHome {
    std::mt19937 dice;
    const std::vector<std::string> people = {bob, carol, onion_entity('d'), onion_entity('e')};
    std::map<std::string, std::string> standing;  // "", pending, approved, denied, blocked, removed
    std::map<std::string, HawkKey> keys;
    std::map<std::string, std::set<std::string>> members;  // by group
    std::vector<std::string> groups;
    std::vector<Written> all;
    store::Door door = store::Door::Vetted;
    std::set<std::string> without_keys;
    HawkKey owner;
    int64_t last_delivery = 0;

    explicit World(unsigned seed)
        : dice(seed)
    {
        owner = full_app();
        for (const auto& one : people)
            keys[one] = peer(one);
        keys[kApp] = app({"https://vendor.example/types/note/v0"});
        groups.push_back(self.followers_group);
        for (const char* name : {"Kitchen", "Choir"})
            groups.push_back(write([&](store::WriteTx& tx) { return make_group(tx, self, name); }).id);
        note_deliveries();
    }

    size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(dice); }
    bool chance(int percent) { return below(100) < static_cast<size_t>(percent); }
    const std::string& somebody() { return people[below(people.size())]; }

    bool may(const std::string& who, const Written& w) const
    {
        if (w.deleted)
            return false;
        if (who == kApp)
            return w.is_public;
        if (who.empty())
            return w.is_public && door != store::Door::Sealed;
        const std::string& state = standing.at(who);
        if (w.is_public && (door != store::Door::Sealed || state == "approved"))
            return true;
        if (state == "blocked")
            return false;
        if (w.entities.count(who) > 0)
            return true;
        return std::any_of(w.groups.begin(), w.groups.end(), [&](const std::string& group) {
            auto of = members.find(group);
            return of != members.end() && of->second.count(who) > 0;
        });
    }

    // ---- what happens

    void leave_all(const std::string& who)
    {
        for (auto& [group, of] : members)
            of.erase(who);
    }

    void post()
    {
        Written w;
        // A number that is a part of no other.
        w.mark = kMark + std::to_string(100'000 + all.size());
        Post draft = status(false);
        if (!all.empty() && chance(35)) {
            const Written& before = all[below(all.size())];
            if (!before.deleted) {
                draft.id = before.id;
                Parent parent;
                parent.version = before.version;
                draft.version.parents.push_back(parent);
            }
        }
        clock.now += 1000;
        const size_t kind = below(5);
        w.is_public = kind == 0;
        if (kind == 1)
            w.groups.insert(self.followers_group);
        if (kind == 2)
            w.groups.insert(groups[below(groups.size())]);
        if (kind >= 3)
            for (size_t i = below(3); i > 0; --i)
                w.entities.insert(somebody());
        draft.permissions.is_public = w.is_public;
        draft.permissions.groups.assign(w.groups.begin(), w.groups.end());
        draft.permissions.entities.assign(w.entities.begin(), w.entities.end());
        if (!all.empty() && chance(40)) {
            const Written& about = all[below(all.size())];
            Mention mention;
            mention.entity = self.entity;
            mention.post = about.id;
            draft.mentions.push_back(mention);
            Ref ref;
            ref.entity = self.entity;
            ref.post = about.id;
            draft.refs.push_back(ref);
        }
        if (chance(40)) {
            draft.attachments.push_back(file("bytes of " + w.mark, "file.txt"));
            w.digest = draft.attachments[0].digest;
        }
        draft.content = Json({{"text", w.mark}}).dump();
        Post made = publish(std::move(draft));
        w.id = made.id;
        w.version = made.version.id;
        all.push_back(w);
    }

    void change_standing()
    {
        const std::string& who = somebody();
        std::string& state = standing[who];
        auto tell = [&](auto function) {
            write([&](store::WriteTx& tx) -> Result<void> { return function(tx); });
        };
        switch (below(6)) {
        case 0:
            if (state == "blocked" || state == "approved")
                return;
            if (state.empty() || state == "removed") {
                know(who);  // a new handshake, where the old keys are gone
                without_keys.erase(who);
                if (!deliver(subscription(who, "s" + std::to_string(below(1'000'000)))).ok())
                    return;
            }
            if (state.empty())
                state = door == store::Door::Open ? "approved" : "pending";
            if (state == "approved")
                members[self.followers_group].insert(who);
            break;
        case 1:
        case 2:
            if (state.empty())
                return;
            tell([&](store::WriteTx& tx) { return approve(tx, self, who); });
            state = "approved";
            members[self.followers_group].insert(who);
            break;
        case 3:
            if (state.empty() || state == "blocked")
                return;
            tell([&](store::WriteTx& tx) { return deny(tx, self, who); });
            state = "denied";
            leave_all(who);
            break;
        case 4:
            tell([&](store::WriteTx& tx) { return block(tx, self, who); });
            state = "blocked";
            leave_all(who);
            break;
        case 5:
            if (state != "approved")
                return;
            tell([&](store::WriteTx& tx) -> Result<void> {
                TRY(remove_follower(tx, self, who));
                return {};
            });
            state = "removed";
            leave_all(who);
            without_keys.insert(who);
            break;
        }
    }

    void change_group()
    {
        const std::string& group = groups[1 + below(groups.size() - 1)];
        const std::string& who = somebody();
        const bool in = chance(60);
        if (in && standing[who] == "blocked")
            return;
        write([&](store::WriteTx& tx) {
            return in ? join_group(tx, self, group, who) : leave_group(tx, self, group, who);
        });
        if (in)
            members[group].insert(who);
        else
            members[group].erase(who);
    }

    void change_door_now()
    {
        door = std::array{store::Door::Open, store::Door::Vetted, store::Door::Sealed}[below(3)];
        write([&](store::WriteTx& tx) { return change_door(tx, self, door); });
    }

    void remove_post()
    {
        if (all.empty())
            return;
        const Written gone = all[below(all.size())];
        if (gone.deleted)
            return;
        const bool whole = chance(50);
        write([&](store::WriteTx& tx) -> Result<void> {
            TRY(delete_own(tx, self, gone.id, whole ? "" : gone.version));
            return {};
        });
        for (auto& w : all)
            if (w.id == gone.id && (whole || w.version == gone.version))
                w.deleted = true;
    }

    // ---- what may be seen

    // Of the others it is not told here what else keeps it from them.
    bool sees_all_that_she_may(const std::string& who) { return who.empty() || who == kApp || standing[who] == "approved"; }

    // What is queued since the last look is for people who may have it.
    void note_deliveries()
    {
        struct Row {
            int64_t id = 0;
            std::string peer;
            std::string version;
        };
        std::vector<Row> rows;
        auto read = store->read([&](store::ReadTx& tx) -> Result<void> {
            auto select = tx.prepare(R"(
                SELECT d.id, n.entity, v.version_id FROM deliveries d JOIN names n ON n.id = d.peer
                JOIN versions v ON v.id = d.version WHERE d.id > :last ORDER BY d.id)");
            select.bind(":last", last_delivery);
            while (TRY(select.step()))
                rows.push_back({select.integer(0), select.text(1), select.text(2)});
            return {};
        });
        REQUIRE(read.ok());
        for (const Row& row : rows) {
            last_delivery = row.id;
            for (const auto& w : all)
                if (w.version == row.version) {
                    CAPTURE(w.mark);
                    CHECK(may(row.peer, w));
                    CHECK(standing[row.peer] != "blocked");
                }
        }
    }

    std::set<std::string> marks_in(const net::HttpResponse& response)
    {
        std::string text = body(response);
        for (const auto& header : response.headers)
            text += "\n" + header.value;
        std::set<std::string> out;
        for (size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + 1))
            out.insert(text.substr(at, kMark.size() + 6));
        return out;
    }

    static Json without_date(const net::HttpResponse& response)
    {
        Json out = {{"status", response.status}, {"body", response.body}};
        for (const auto& header : response.headers)
            if (header.name != "Date" && header.name != "Server-Authorization")
                out[header.name] = header.value;
        return out;
    }

    void look(const std::string& who)
    {
        const HawkKey key = who.empty() ? nobody : keys.at(who);
        // While she is blocked, or when there was no handshake after she was removed, no key of hers opens anything.
        const bool dead = get(key, "/posts").status == 403;
        CHECK(dead == (without_keys.count(who) == 1 || (!who.empty() && standing[who] == "blocked")));
        std::set<std::string> allowed;
        std::set<std::string> allowed_versions;
        std::set<std::string> allowed_posts;
        std::map<std::string, std::set<std::string>> allowed_digests;  // by post
        for (const auto& w : all)
            if (may(who, w)) {
                allowed_digests[w.id].insert(w.digest);
                allowed.insert(w.mark);
                allowed_versions.insert(w.version);
                allowed_posts.insert(w.id);
            }
        auto check_marks = [&](const std::string& target, const net::HttpResponse& response) {
            for (const auto& mark : marks_in(response)) {
                CAPTURE(target);
                CAPTURE(mark);
                CAPTURE(standing[who]);
                CHECK(allowed.count(mark) == 1);
            }
        };
        auto ids = [](const Json& list, const char* member) {
            std::vector<std::string> out;
            for (const auto& one : list)
                if (!one.value("type", std::string()).starts_with(type::kDeleteBase))  // for those who had what is gone
                    out.push_back(one.value(member, std::string()));
            return out;
        };
        const Json nothing = without_date(get(key, post_path(self.entity, "there-is-none-of-it")));

        for (const std::string query :
             {"", "?sort_by=published_at", "?sort_by=version.received_at", "?max_refs=10", "?types=https%3A%2F%2Ftent.io%2Ftypes%2Fstatus%2Fv0",
              "?mentions=", "?max_refs=10&sort_by=version.published_at&profiles=entity,refs,mentions,permissions"}) {
            std::string target = "/posts" + query;
            if (query == "?mentions=")
                target += percent_encode(self.entity);
            target += (query.empty() ? "?" : "&") + std::string("limit=200");
            auto feed = get(key, target);
            check_marks(target, feed);
            if (feed.status != 200)
                continue;
            const Json shown = json(feed);
            auto head = ask(key, "HEAD", target);
            CHECK(header(head, "Count") == std::to_string(shown["posts"].size()));
        }
        std::set<std::string> seen;
        for (const auto& w : all) {
            if (!seen.insert(w.id).second)
                continue;
            const std::string target = post_path(self.entity, w.id);
            auto answer = get(key, target);
            check_marks(target, answer);
            CAPTURE(w.mark);
            CAPTURE(who);
            CAPTURE(standing[who]);
            const bool permitted = allowed_posts.count(w.id) == 1;
            if (!permitted || dead)
                CHECK(without_date(answer) == nothing);
            else if (sees_all_that_she_may(who))
                CHECK(answer.status == 200);
            for (const auto& [accept, list] :
                 {std::pair("application/vnd.tent.post-versions.v0+json", "versions"),
                  std::pair("application/vnd.tent.post-mentions.v0+json", "mentions"),
                  std::pair("application/vnd.tent.post-children.v0+json", "children")}) {
                auto listed = get(key, target + "?limit=200", {{"Accept", accept}});
                check_marks(target, listed);
                if (!permitted || dead)
                    CHECK(listed.status == (dead ? 403 : 404));
                if (listed.status != 200)
                    continue;
                const Json elements = json(listed)[list];
                auto head = ask(key, "HEAD", target + "?limit=200", {{"Accept", accept}});
                CHECK(header(head, "Count") == std::to_string(elements.size()));
                const bool posts = std::string(list) == "mentions";
                for (const auto& one : ids(elements, posts ? "post" : "id")) {
                    CAPTURE(elements.dump());
                    CHECK((posts ? allowed_posts : allowed_versions).count(one) == 1);
                }
            }
        }
        const std::string unknown(64, 'a');
        const Json no_file = without_date(get(key, attachment_path(self.entity, "sha512t256-" + unknown)));
        for (const auto& w : all) {
            const std::string version = post_path(self.entity, w.id) + "?version=" + w.version;
            auto answer = get(key, version);
            check_marks(version, answer);
            CAPTURE(who);
            CAPTURE(w.mark);
            CAPTURE(standing[who]);
            if (allowed.count(w.mark) == 0 || dead)
                CHECK(without_date(answer) == nothing);
            else if (sees_all_that_she_may(who))
                CHECK(marks_in(answer).count(w.mark) == 1);
            if (w.digest.empty())
                continue;
            auto file = get(key, attachment_path(self.entity, w.digest));
            check_marks("attachment", file);
            if (allowed.count(w.mark) == 0 || dead)
                CHECK(without_date(file) == no_file);
            else if (sees_all_that_she_may(who))
                CHECK(body(file) == "bytes of " + w.mark);
            const std::string name = post_path(self.entity, w.id) + "/attachments/file.txt";
            auto newest = get(key, name);
            if (newest.status == 302)
                CHECK(allowed_digests[w.id].count(header(newest, "Attachment-Digest")) == 1);
            else
                CHECK(without_date(newest) == nothing);
            auto named = get(key, name + "?version=" + w.version);
            if (allowed.count(w.mark) == 0 || dead)
                CHECK(without_date(named) == nothing);
            else if (sees_all_that_she_may(who))
                CHECK(header(named, "Attachment-Digest") == w.digest);
        }
    }
};

}  // namespace

TEST_CASE("no endpoint and no delivery shows anybody what is not for her (section 8.3)")
{
    size_t forbidden = 0, shown = 0;
    for (unsigned seed = 1; seed <= 8; ++seed) {
        CAPTURE(seed);
        World world(seed);
        for (int step = 0; step < 90; ++step) {
            const size_t what = world.below(100);
            if (what < 50)
                world.post();
            else if (what < 75)
                world.change_standing();
            else if (what < 87)
                world.change_group();
            else if (what < 92)
                world.change_door_now();
            else
                world.remove_post();
            world.note_deliveries();
        }
        // Keys as they are now; of whoever was removed the old ones, which open nothing.
        for (const auto& who : world.people) {
            auto known = world.store->read([&](store::ReadTx& tx) {
                return store::find_credentials(tx, world.self.id, world.relationship(who).our_hawk_id);
            });
            if (known.ok() && known->has_value())
                world.keys[who] = {(**known).hawk_id, (**known).hawk_key, ""};
        }
        for (auto door : {store::Door::Vetted, store::Door::Sealed, store::Door::Open}) {
            world.door = door;
            world.write([&](store::WriteTx& tx) { return change_door(tx, world.self, door); });
            world.look("");
            world.look(kApp);
            for (const auto& who : world.people)
                world.look(who);
        }
        for (const auto& who : world.people)
            for (const auto& w : world.all)
                ++(world.may(who, w) ? shown : forbidden);
    }
    // Both happen, and often.
    CHECK(shown > 200);
    CHECK(forbidden > 200);
}
