// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/store/notifications.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/notifications.h>

#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::tent;

namespace {

const std::string kNote = "https://vendor.example/types/note/v0";
const std::string kReply = "https://tent.io/types/status/v0#reply";

struct HookHome : Home {
    // An app that wants to be told of `types`.
    std::string app(std::vector<std::string> types, Grant grant,
                    const std::string& url = "http://127.0.0.1:9000/hook")
    {
        Json content = {{"name", "Notepad"},
                        {"url", "https://notepad.example"},
                        {"redirect_uri", "https://notepad.example/back"},
                        {"notification_url", url},
                        {"notification_types", types}};
        Post draft;
        draft.type = type::kApp;
        draft.content = content.dump();
        return write([&](store::WriteTx& tx) -> Result<std::string> {
            auto made = TRY(register_app(tx, self, draft));
            TRY(authorize_app(tx, self, made.app.id, grant));
            TRY(store::drop_notifications(tx, self.id, made.app.id));
            return made.app.id;
        });
    }

    // Types of what the app is still to be told, in order.
    std::vector<std::string> told(const std::string& app)
    {
        return write([&](store::WriteTx& tx) -> Result<std::vector<std::string>> {
            std::vector<std::string> out;
            while (auto next = TRY(store::next_notification(tx, self.id, app))) {
                auto post = TRY(store::load_version(tx, next->version_row));
                out.push_back(post->type);
                TRY(store::end_notification(tx, next->id));
            }
            return out;
        });
    }

    Post of_type(const std::string& type, bool is_public)
    {
        Post draft = status(is_public);
        draft.type = type;
        return draft;
    }
};

const std::vector<std::string> kNothing;

}  // namespace

TEST_CASE("notifications: an app is told of what matches its types and what it may read, public or not (section 6.7)")
{
    HookHome home;
    const std::string all = home.app({"all"}, {{"all"}, {}, {}});
    const std::string base = home.app({type::kStatusBase}, {{"all"}, {}, {}});
    const std::string exact = home.app({kReply}, {{"all"}, {}, {}});
    const std::string writer = home.app({"all"}, {{}, {type::kStatusBase}, {}});
    const std::string unread = home.app({"all"}, {{kNote}, {}, {}});
    for (const std::string& one : {all, base, exact, writer, unread})
        home.told(one);
    for (bool is_public : {true, false}) {
        home.publish(home.of_type(type::kStatus, is_public));
        home.publish(home.of_type(kReply, is_public));
        const std::vector<std::string> both = {type::kStatus, kReply};
        CHECK(home.told(all) == both);
        CHECK(home.told(base) == both);
        CHECK(home.told(exact) == std::vector<std::string>{kReply});
        CHECK(home.told(writer) == both);
        // Public posts too are withheld from whoever may not read their type.
        CHECK(home.told(unread) == kNothing);
    }
}

TEST_CASE("notifications: own versions, delivered and deleted posts are all told (section 6.7)")
{
    HookHome home;
    home.know(home.bob);
    const std::string app = home.app({"all"}, {{"all"}, {}, {}});
    Post post = home.publish(home.status(true));
    Post next = home.status(true);
    next.id = post.id;
    Parent parent;
    parent.version = post.version.id;
    next.version.parents.push_back(parent);
    home.publish(next);
    REQUIRE(home.deliver(home.remote(home.bob, "theirs", "https://vendor.example/types/note/v0#")).ok());
    CHECK(home.told(app) == std::vector<std::string>{type::kStatus, type::kStatus, kNote + "#"});
    home.write([&](store::WriteTx& tx) { return delete_own(tx, home.self, post.id, ""); });
    CHECK(home.told(app) == std::vector<std::string>{type::kDelete});
}

TEST_CASE("notifications: a post that is deleted before an app was told of it is not told (section 6.7)")
{
    HookHome home;
    const std::string app = home.app({type::kStatusBase}, {{"all"}, {}, {}});
    Post post = home.publish(home.status(true));
    home.write([&](store::WriteTx& tx) { return delete_own(tx, home.self, post.id, ""); });
    CHECK(home.told(app) == kNothing);
}

TEST_CASE("notifications: keys only for apps that may read them by name (section 5.8)")
{
    HookHome home;
    const std::string all = home.app({"all"}, {{"all"}, {"all"}, {}});
    const std::string named = home.app({type::kCredentialsBase}, {{type::kCredentialsBase}, {}, {}});
    home.told(all);
    home.told(named);
    home.know(home.carol);
    const std::string key_type = type::kCredentialsForRelationship;
    CHECK(home.told(named) == std::vector<std::string>{key_type});
    for (const auto& type : home.told(all))
        CHECK(type != key_type);
}

TEST_CASE("notifications: our meta post goes to every app with a notification URL (sections 1.3 and 6.7)")
{
    HookHome home;
    const std::string app = home.app({}, {{}, {}, {}});
    const std::string nowhere = home.app({"all"}, {{"all"}, {}, {}}, "https://clearnet.example/hook");
    auto meta = home.store->read([&](store::ReadTx& tx) -> Result<std::optional<Post>> {
        return store::load_version(tx, TRY(store::find_version(tx, home.self.id, home.self.entity, "meta", "")));
    });
    Post next = **meta;
    next.version = {};
    Parent parent;
    parent.version = (**meta).version.id;
    next.version.parents.push_back(parent);
    home.publish(next);
    CHECK(home.told(app) == std::vector<std::string>{type::kMeta});
    CHECK(home.told(nowhere) == kNothing);
}

TEST_CASE("notifications: a new version of the app post changes URL and types at once, never the grant (section 6.2)")
{
    HookHome home;
    const std::string app = home.app({kNote}, {{type::kStatusBase}, {}, {}});
    home.publish(home.status(true));
    CHECK(home.told(app) == kNothing);
    auto change = [&](const Json& changes) {
        home.write([&](store::WriteTx& tx) -> Result<bool> {
            Post draft = *TRY(store::load_version(tx, TRY(store::find_version(tx, home.self.id, home.self.entity, app, ""))));
            Json content = Json::parse(draft.content);
            content.update(changes);
            draft.content = content.dump();
            draft.version = {};
            TRY(update_app(tx, home.self, draft));
            return true;
        });
    };
    change({{"notification_types", {"all"}}});
    home.publish(home.status(false));
    home.publish(home.of_type(kNote + "#", true));
    CHECK(home.told(app) == std::vector<std::string>{type::kStatus});

    // A narrowed app is asked about again when its turn comes.
    home.publish(home.status(true));
    auto hook = home.store->read([&](store::ReadTx& tx) { return store::find_app_hook(tx, home.self.id, app); });
    CHECK(is_told(**hook, home.self, home.self.entity, type::kStatus));
    home.write([&](store::WriteTx& tx) { return change_grant(tx, home.self, app, {{kNote}, {}, {}}); });
    hook = home.store->read([&](store::ReadTx& tx) { return store::find_app_hook(tx, home.self.id, app); });
    CHECK_FALSE(is_told(**hook, home.self, home.self.entity, type::kStatus));

    change({{"notification_url", "https://clearnet.example/hook"}});
    home.publish(home.of_type(kNote + "#", true));
    CHECK(home.told(app) == kNothing);
}

TEST_CASE("notifications: a revoked app is told nothing more (section 6.6)")
{
    HookHome home;
    const std::string app = home.app({"all"}, {{"all"}, {}, {}});
    home.write([&](store::WriteTx& tx) { return revoke_app(tx, home.self, app); });
    home.write([&](store::WriteTx& tx) { return store::drop_notifications(tx, home.self.id, app); });
    home.publish(home.status(true));
    CHECK(home.told(app) == kNothing);
    const bool found =
        home.store->read([&](store::ReadTx& tx) { return store::find_app_hook(tx, home.self.id, app); })->has_value();
    CHECK_FALSE(found);
}

TEST_CASE("notifications: of more than an app's share the oldest go")
{
    HookHome home;
    const std::string app = home.app({type::kStatusBase}, {{"all"}, {}, {}});
    std::vector<int64_t> rows;
    for (int i = 0; i < 5; ++i) {
        Post post = home.publish(home.status(true));
        rows.push_back(home.write([&](store::WriteTx& tx) {
            return store::find_version(tx, home.self.id, home.self.entity, post.id, "");
        }));
    }
    home.write([&](store::WriteTx& tx) -> Result<bool> {
        TRY(store::drop_notifications(tx, home.self.id, app));
        for (int64_t row : rows)
            TRY(store::enqueue_notification(tx, home.self.id, app, row, 3));
        CHECK(TRY(store::count_notifications(tx, home.self.id, app)) == 3);
        CHECK(TRY(store::next_notification(tx, home.self.id, app))->version_row == rows[2]);
        return true;
    });
}

TEST_CASE("notifications: an app that fails waits by itself, and its turn comes again (section 6.7)")
{
    HookHome home;
    const std::string app = home.app({type::kStatusBase}, {{"all"}, {}, {}});
    const std::string other = home.app({type::kStatusBase}, {{"all"}, {}, {}});
    home.publish(home.status(true));
    home.write([&](store::WriteTx& tx) -> Result<bool> {
        CHECK(TRY(store::due_apps(tx, tx.now_ms(), 10)).size() == 2);
        CHECK(TRY(store::count_app_failure(tx, home.self.id, app)) == 1);
        CHECK(TRY(store::count_app_failure(tx, home.self.id, app)) == 2);
        TRY(store::set_app_wait(tx, home.self.id, app, 2, tx.now_ms() + 1000));
        auto due = TRY(store::due_apps(tx, tx.now_ms(), 10));
        REQUIRE(due.size() == 1);
        CHECK(due[0].app_post == other);
        TRY(store::drop_notifications(tx, home.self.id, other));
        CHECK(TRY(store::next_app_due_at(tx, tx.now_ms())) == tx.now_ms() + 1000);
        CHECK(TRY(store::due_apps(tx, tx.now_ms() + 1000, 10)).size() == 1);
        return true;
    });
}
