// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/protocol.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/notifications.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

bool any_matches(const std::vector<std::string>& selectors, std::string_view type, bool by_name_only = false)
{
    return std::any_of(selectors.begin(), selectors.end(), [&](const std::string& selector) {
        return !(by_name_only && selector == kAllTypes) && type_matches(selector, type);
    });
}

bool has_base(std::string_view type, const char* base)
{
    auto parsed = parse_type(type);
    return parsed.ok() && parsed->base == base;
}

}  // namespace

bool is_told(const store::AppHook& hook, const Self& self, std::string_view author, std::string_view type)
{
    // Where we are and who we are matters to all of them.
    if (author == self.entity && has_base(type, type::kMetaBase))
        return true;
    // Keys are for those to whom they were granted by name (section 5.8).
    const bool keys = has_base(type, type::kCredentialsBase);
    return any_matches(hook.types, type, keys) &&
           (any_matches(hook.read_types, type, keys) || any_matches(hook.write_types, type, keys));
}

Result<void> follow_app_hook(store::WriteTx& tx, const Self& self, const Post& app)
{
    auto content = app_content(app);
    std::string url;
    if (content.ok()) {
        const auto place = notification_place(content->notification_url);
        if (place == NotificationPlace::Onion || place == NotificationPlace::ThisMachine)
            url = content->notification_url;
    }
    return store::set_app_hook(tx, self.id, app.id, url,
                               content.ok() ? content->notification_types : std::vector<std::string>());
}

Result<void> notify_apps(store::WriteTx& tx, const Self& self, const Post& post, int64_t version_row)
{
    if (post.entity == self.entity && has_base(post.type, type::kAppBase))
        TRY(follow_app_hook(tx, self, post));
    for (const auto& hook : TRY(store::list_app_hooks(tx, self.id)))
        if (is_told(hook, self, post.entity, post.type))
            TRY(store::enqueue_notification(tx, self.id, hook.app_post, version_row, kNotificationsPerApp));
    return {};
}

}  // namespace bivouac::tent
