// SPDX-License-Identifier: BSD-3-Clause
// Hawk keys that we gave out, and what the apps behind them may do (Tent 0.3, sections 5.8 and 6).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bivouac/store/transaction.h>

namespace bivouac::store {

struct Credentials {
    int64_t owner = 0;
    std::string hawk_id;  // the id of the credentials post
    std::string hawk_key;
    std::string kind;         // "app", "app-auth", "relationship"
    std::string target_post;  // id of the post they belong to
    std::string peer;         // relationship: the entity
};

Result<void> add_credentials(WriteTx& tx, const Credentials& credentials);
Result<std::optional<Credentials>> find_credentials(ReadTx& tx, int64_t owner, std::string_view hawk_id);
// Those of one app, app-auth or relationship post: at most one.
Result<std::optional<Credentials>> find_credentials_of(ReadTx& tx, int64_t owner, std::string_view target_post);
Result<void> remove_credentials_of(WriteTx& tx, int64_t owner, std::string_view target_post);
Result<void> remove_credentials(WriteTx& tx, int64_t owner, std::string_view hawk_id);
Result<void> set_hawk_key(WriteTx& tx, int64_t owner, std::string_view hawk_id, std::string_view key);

struct AppGrant {
    std::string app_auth_post;
    std::string app_post;
    std::string name;
    std::string url;
    std::vector<std::string> read_types;
    std::vector<std::string> write_types;
    std::vector<std::string> scopes;
    int64_t granted_at = 0;      // ms; set_app_grant writes now for 0
    int64_t key_code_until = 0;  // ms: until then the Hawk key itself passes once as a code (section 6.3)
};

Result<void> set_app_grant(WriteTx& tx, int64_t owner, const AppGrant& grant);
Result<std::optional<AppGrant>> find_app_grant(ReadTx& tx, int64_t owner, std::string_view app_auth_post);
Result<std::optional<AppGrant>> find_grant_of_app(ReadTx& tx, int64_t owner, std::string_view app_post);
Result<void> remove_app_grant(WriteTx& tx, int64_t owner, std::string_view app_auth_post);

// Every app post that has credentials, oldest registration first.
struct RegisteredApp {
    std::string app_post;
    int64_t registered_at = 0;  // ms; of an app that was revoked: when that was
    bool granted = false;
};
Result<std::vector<RegisteredApp>> list_registered_apps(ReadTx& tx, int64_t owner);
// From now on it counts as registered today.
Result<void> renew_registration(WriteTx& tx, int64_t owner, std::string_view app_post);

// Codes of the OAuth flow, by their hash (section 6.3).
struct OauthCode {
    std::string hash;
    std::string app_post;
    std::string app_auth_post;
    int64_t expires_at = 0;  // ms
};
// Expired ones go at the same time.
Result<void> add_oauth_code(WriteTx& tx, int64_t owner, const OauthCode& code);
Result<std::optional<OauthCode>> find_oauth_code(ReadTx& tx, int64_t owner, std::string_view hash);
Result<void> remove_oauth_code(WriteTx& tx, int64_t owner, std::string_view hash);
Result<void> remove_oauth_codes_of(WriteTx& tx, int64_t owner, std::string_view app_auth_post);

}  // namespace bivouac::store
