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
Result<void> remove_credentials_of(WriteTx& tx, int64_t owner, std::string_view target_post);

struct AppGrant {
    std::string app_auth_post;
    std::string app_post;
    std::string name;
    std::string url;
    std::vector<std::string> read_types;
    std::vector<std::string> write_types;
    std::vector<std::string> scopes;
};

Result<void> set_app_grant(WriteTx& tx, int64_t owner, const AppGrant& grant);
Result<std::optional<AppGrant>> find_app_grant(ReadTx& tx, int64_t owner, std::string_view app_auth_post);

}  // namespace bivouac::store
