// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/json.h>
#include <bivouac/store/notifications.h>

namespace bivouac::store {

namespace {

constexpr const char* kHookColumns = R"(
    SELECT h.app_post, h.url, h.types, g.read_types, g.write_types
    FROM app_hooks h JOIN app_grants g ON g.owner = h.owner AND g.app_post = h.app_post
    WHERE h.owner = :owner)";

std::vector<std::string> strings(const std::string& json)
{
    std::vector<std::string> out;
    Json list = Json::parse(json, nullptr, false);
    for (const auto& item : list.is_array() ? list : Json::array())
        if (item.is_string())
            out.push_back(item.get<std::string>());
    return out;
}

AppHook hook_of(const Statement& select)
{
    return {select.text(0), select.text(1), strings(select.text(2)), strings(select.text(3)), strings(select.text(4))};
}

}  // namespace

Result<void> set_app_hook(WriteTx& tx, int64_t owner, std::string_view app_post, std::string_view url,
                          const std::vector<std::string>& types)
{
    if (url.empty()) {
        auto remove = tx.prepare("DELETE FROM app_hooks WHERE owner = :owner AND app_post = :app");
        TRY(remove.bind(":owner", owner).bind(":app", app_post).run());
        return drop_notifications(tx, owner, app_post);
    }
    // Another address may well answer at once.
    auto set = tx.prepare(R"(
        INSERT INTO app_hooks (owner, app_post, url, types) VALUES (:owner, :app, :url, :types)
        ON CONFLICT (owner, app_post) DO UPDATE SET
            tries = CASE WHEN url = excluded.url THEN tries ELSE 0 END,
            next_try_at = CASE WHEN url = excluded.url THEN next_try_at ELSE 0 END,
            url = excluded.url, types = excluded.types)");
    return set.bind(":owner", owner)
        .bind(":app", app_post)
        .bind(":url", url)
        .bind(":types", Json(types).dump())
        .run();
}

Result<std::vector<AppHook>> list_app_hooks(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare(kHookColumns);
    select.bind(":owner", owner);
    std::vector<AppHook> out;
    while (TRY(select.step()))
        out.push_back(hook_of(select));
    return out;
}

Result<std::optional<AppHook>> find_app_hook(ReadTx& tx, int64_t owner, std::string_view app_post)
{
    auto select = tx.prepare(std::string(kHookColumns) + " AND h.app_post = :app ORDER BY g.granted_at DESC LIMIT 1");
    select.bind(":owner", owner).bind(":app", app_post);
    if (!TRY(select.step()))
        return std::optional<AppHook>();
    return std::optional<AppHook>(hook_of(select));
}

Result<void> enqueue_notification(WriteTx& tx, int64_t owner, std::string_view app_post, int64_t version_row,
                                  int64_t most)
{
    auto insert = tx.prepare(R"(
        INSERT OR IGNORE INTO app_notifications (owner, app_post, version, created_at)
        VALUES (:owner, :app, :version, :now))");
    TRY(insert.bind(":owner", owner)
            .bind(":app", app_post)
            .bind(":version", version_row)
            .bind(":now", tx.now_ms())
            .run());
    auto trim = tx.prepare(R"(
        DELETE FROM app_notifications WHERE owner = :owner AND app_post = :app AND id <= (
            SELECT id FROM app_notifications WHERE owner = :owner AND app_post = :app
            ORDER BY id DESC LIMIT 1 OFFSET :most))");
    return trim.bind(":owner", owner).bind(":app", app_post).bind(":most", most).run();
}

Result<std::vector<DueApp>> due_apps(ReadTx& tx, int64_t now_ms, int64_t limit)
{
    auto select = tx.prepare(R"(
        SELECT h.owner, h.app_post FROM app_hooks h WHERE h.next_try_at <= :now
          AND EXISTS (SELECT 1 FROM app_notifications n WHERE n.owner = h.owner AND n.app_post = h.app_post)
        ORDER BY h.next_try_at LIMIT :limit)");
    select.bind(":now", now_ms).bind(":limit", limit);
    std::vector<DueApp> out;
    while (TRY(select.step()))
        out.push_back({select.integer(0), select.text(1)});
    return out;
}

Result<std::optional<int64_t>> next_app_due_at(ReadTx& tx, int64_t now_ms)
{
    auto select = tx.prepare(R"(
        SELECT min(h.next_try_at) FROM app_hooks h WHERE h.next_try_at > :now
          AND EXISTS (SELECT 1 FROM app_notifications n WHERE n.owner = h.owner AND n.app_post = h.app_post))");
    select.bind(":now", now_ms);
    if (!TRY(select.step()) || select.is_null(0))
        return std::optional<int64_t>();
    return std::optional<int64_t>(select.integer(0));
}

Result<std::optional<Notification>> next_notification(ReadTx& tx, int64_t owner, std::string_view app_post)
{
    auto select = tx.prepare(R"(
        SELECT id, version, created_at FROM app_notifications
        WHERE owner = :owner AND app_post = :app ORDER BY id LIMIT 1)");
    select.bind(":owner", owner).bind(":app", app_post);
    if (!TRY(select.step()))
        return std::optional<Notification>();
    return std::optional<Notification>(Notification{select.integer(0), select.integer(1), select.integer(2)});
}

Result<void> end_notification(WriteTx& tx, int64_t id)
{
    return tx.prepare("DELETE FROM app_notifications WHERE id = :id").bind(":id", id).run();
}

Result<int64_t> count_notifications(ReadTx& tx, int64_t owner, std::string_view app_post)
{
    auto select = tx.prepare("SELECT count(*) FROM app_notifications WHERE owner = :owner AND app_post = :app");
    select.bind(":owner", owner).bind(":app", app_post);
    TRY(select.step());
    return select.integer(0);
}

Result<int64_t> count_app_failure(WriteTx& tx, int64_t owner, std::string_view app_post)
{
    auto update = tx.prepare(R"(
        UPDATE app_hooks SET tries = tries + 1 WHERE owner = :owner AND app_post = :app RETURNING tries)");
    update.bind(":owner", owner).bind(":app", app_post);
    int64_t tries = 1;
    while (TRY(update.step()))
        tries = update.integer(0);
    return tries;
}

Result<void> set_app_wait(WriteTx& tx, int64_t owner, std::string_view app_post, int64_t tries, int64_t next_try_at)
{
    auto update = tx.prepare(R"(
        UPDATE app_hooks SET tries = :tries, next_try_at = :next WHERE owner = :owner AND app_post = :app)");
    return update.bind(":tries", tries)
        .bind(":next", next_try_at)
        .bind(":owner", owner)
        .bind(":app", app_post)
        .run();
}

Result<void> drop_notifications(WriteTx& tx, int64_t owner, std::string_view app_post)
{
    auto remove = tx.prepare("DELETE FROM app_notifications WHERE owner = :owner AND app_post = :app");
    return remove.bind(":owner", owner).bind(":app", app_post).run();
}

}  // namespace bivouac::store
