// SPDX-License-Identifier: BSD-3-Clause
// Which apps are told of a new version (Tent 0.3, section 6.7). The relay sends what is queued here.
#pragma once

#include <cstdint>
#include <string_view>

#include <bivouac/model/post.h>
#include <bivouac/store/notifications.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

// What waits for one app: the oldest of more goes.
constexpr int64_t kNotificationsPerApp = 10'000;

// A version was stored, by whomever: queued for the apps that want it and may read it, in the same transaction. A
// version of one of our app posts says where that app is told from now on.
Result<void> notify_apps(store::WriteTx& tx, const Self& self, const Post& post, int64_t version_row);

// What the current version of an app post says about notifications holds. Done by notify_apps; for versions that
// come or go without a notification.
Result<void> follow_app_hook(store::WriteTx& tx, const Self& self, const Post& app);

// Asked again when its turn comes: what an app may read and wants to be told may have changed.
bool is_told(const store::AppHook& hook, const Self& self, std::string_view author, std::string_view type);

}  // namespace bivouac::tent
