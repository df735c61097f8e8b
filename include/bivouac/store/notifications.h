// SPDX-License-Identifier: BSD-3-Clause
// Apps that want to be told of posts, and what they are still to be told (Tent 0.3, section 6.7). Rows are written in
// the transaction that stores the version; the relay works each app's queue in order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bivouac/store/transaction.h>

namespace bivouac::store {

// Where an app wants to be told and of what. An empty url: nowhere (any more); what waited is dropped.
Result<void> set_app_hook(WriteTx& tx, int64_t owner, std::string_view app_post, std::string_view url,
                          const std::vector<std::string>& types);

// An app with a hook and a grant: only such are told anything.
struct AppHook {
    std::string app_post;
    std::string url;
    std::vector<std::string> types;
    std::vector<std::string> read_types;
    std::vector<std::string> write_types;
};
Result<std::vector<AppHook>> list_app_hooks(ReadTx& tx, int64_t owner);
Result<std::optional<AppHook>> find_app_hook(ReadTx& tx, int64_t owner, std::string_view app_post);

// Twice the same is once. Of more than `most` the oldest go.
Result<void> enqueue_notification(WriteTx& tx, int64_t owner, std::string_view app_post, int64_t version_row,
                                  int64_t most);

struct DueApp {
    int64_t owner = 0;
    std::string app_post;
};
Result<std::vector<DueApp>> due_apps(ReadTx& tx, int64_t now_ms, int64_t limit);
// When the next one that waits is due, of those that are not due yet.
Result<std::optional<int64_t>> next_app_due_at(ReadTx& tx, int64_t now_ms);

struct Notification {
    int64_t id = 0;
    int64_t version_row = 0;
    int64_t created_at = 0;
};
Result<std::optional<Notification>> next_notification(ReadTx& tx, int64_t owner, std::string_view app_post);
Result<void> end_notification(WriteTx& tx, int64_t id);
Result<int64_t> count_notifications(ReadTx& tx, int64_t owner, std::string_view app_post);

// After a failure not before `next_try_at`; how often it failed in a row.
Result<int64_t> count_app_failure(WriteTx& tx, int64_t owner, std::string_view app_post);
Result<void> set_app_wait(WriteTx& tx, int64_t owner, std::string_view app_post, int64_t tries, int64_t next_try_at);

// All that waits for the app.
Result<void> drop_notifications(WriteTx& tx, int64_t owner, std::string_view app_post);

}  // namespace bivouac::store
