// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/json.h>
#include <bivouac/store/credentials.h>
#include <bivouac/store/entities.h>

namespace bivouac::store {

namespace {

std::vector<std::string> list_of(const std::string& text)
{
    std::vector<std::string> out;
    for (const auto& element : Json::parse(text, nullptr, false))
        if (element.is_string())
            out.push_back(element.get<std::string>());
    return out;
}

constexpr const char* kCredentialsColumns =
    "SELECT c.owner, c.hawk_id, c.hawk_key, c.kind, c.target_post, coalesce(n.entity, '') "
    "FROM credentials c LEFT JOIN names n ON n.id = c.peer WHERE c.owner = :owner AND ";

Result<std::optional<Credentials>> one_credentials(Statement& select)
{
    if (!TRY(select.step()))
        return std::optional<Credentials>();
    Credentials out{select.integer(0), select.text(1), select.text(2),
                    select.text(3),    select.text(4), select.text(5)};
    return std::optional<Credentials>(std::move(out));
}

constexpr const char* kGrantColumns =
    "SELECT app_auth_post, app_post, name, url, read_types, write_types, scopes, granted_at, key_code_until "
    "FROM app_grants WHERE owner = :owner AND ";

Result<std::optional<AppGrant>> one_grant(Statement& select)
{
    if (!TRY(select.step()))
        return std::optional<AppGrant>();
    AppGrant grant;
    grant.app_auth_post = select.text(0);
    grant.app_post = select.text(1);
    grant.name = select.text(2);
    grant.url = select.text(3);
    grant.read_types = list_of(select.text(4));
    grant.write_types = list_of(select.text(5));
    grant.scopes = list_of(select.text(6));
    grant.granted_at = select.integer(7);
    grant.key_code_until = select.integer(8);
    return std::optional<AppGrant>(std::move(grant));
}

}  // namespace

Result<void> add_credentials(WriteTx& tx, const Credentials& c)
{
    std::optional<int64_t> peer;
    if (!c.peer.empty())
        peer = TRY(name_id(tx, c.peer));
    auto insert = tx.prepare(R"(
        INSERT INTO credentials (owner, hawk_id, hawk_key, kind, target_post, peer, created_at)
        VALUES (:owner, :hawk_id, :hawk_key, :kind, :target, :peer, :now))");
    return insert.bind(":owner", c.owner)
        .bind(":hawk_id", c.hawk_id)
        .bind(":hawk_key", c.hawk_key)
        .bind(":kind", c.kind)
        .bind(":target", c.target_post)
        .bind(":peer", peer)
        .bind(":now", tx.now_ms())
        .run();
}

Result<std::optional<Credentials>> find_credentials(ReadTx& tx, int64_t owner, std::string_view hawk_id)
{
    auto select = tx.prepare(std::string(kCredentialsColumns) + "c.hawk_id = :hawk_id");
    select.bind(":hawk_id", hawk_id).bind(":owner", owner);
    return one_credentials(select);
}

Result<std::optional<Credentials>> find_credentials_of(ReadTx& tx, int64_t owner, std::string_view target_post)
{
    auto select = tx.prepare(std::string(kCredentialsColumns) + "c.target_post = :target ORDER BY c.id DESC LIMIT 1");
    select.bind(":target", target_post).bind(":owner", owner);
    return one_credentials(select);
}

Result<void> remove_credentials_of(WriteTx& tx, int64_t owner, std::string_view target_post)
{
    auto remove = tx.prepare("DELETE FROM credentials WHERE owner = :owner AND target_post = :target");
    return remove.bind(":owner", owner).bind(":target", target_post).run();
}

Result<void> remove_credentials(WriteTx& tx, int64_t owner, std::string_view hawk_id)
{
    auto remove = tx.prepare("DELETE FROM credentials WHERE owner = :owner AND hawk_id = :hawk_id");
    return remove.bind(":owner", owner).bind(":hawk_id", hawk_id).run();
}

Result<void> set_hawk_key(WriteTx& tx, int64_t owner, std::string_view hawk_id, std::string_view key)
{
    auto update = tx.prepare("UPDATE credentials SET hawk_key = :key WHERE owner = :owner AND hawk_id = :hawk_id");
    return update.bind(":key", key).bind(":owner", owner).bind(":hawk_id", hawk_id).run();
}

Result<void> set_app_grant(WriteTx& tx, int64_t owner, const AppGrant& grant)
{
    auto insert = tx.prepare(R"(
        INSERT OR REPLACE INTO app_grants (owner, app_auth_post, app_post, name, url, read_types, write_types,
                                           scopes, granted_at, key_code_until)
        VALUES (:owner, :auth, :app, :name, :url, :read, :write, :scopes, :granted_at, :key_code_until))");
    return insert.bind(":owner", owner)
        .bind(":auth", grant.app_auth_post)
        .bind(":app", grant.app_post)
        .bind(":name", grant.name)
        .bind(":url", grant.url)
        .bind(":read", Json(grant.read_types).dump())
        .bind(":write", Json(grant.write_types).dump())
        .bind(":scopes", Json(grant.scopes).dump())
        .bind(":granted_at", grant.granted_at == 0 ? tx.now_ms() : grant.granted_at)
        .bind(":key_code_until", grant.key_code_until)
        .run();
}

Result<std::optional<AppGrant>> find_app_grant(ReadTx& tx, int64_t owner, std::string_view app_auth_post)
{
    auto select = tx.prepare(std::string(kGrantColumns) + "app_auth_post = :auth");
    select.bind(":owner", owner).bind(":auth", app_auth_post);
    return one_grant(select);
}

Result<std::optional<AppGrant>> find_grant_of_app(ReadTx& tx, int64_t owner, std::string_view app_post)
{
    auto select = tx.prepare(std::string(kGrantColumns) + "app_post = :app ORDER BY granted_at DESC LIMIT 1");
    select.bind(":owner", owner).bind(":app", app_post);
    return one_grant(select);
}

Result<void> remove_app_grant(WriteTx& tx, int64_t owner, std::string_view app_auth_post)
{
    auto remove = tx.prepare("DELETE FROM app_grants WHERE owner = :owner AND app_auth_post = :auth");
    return remove.bind(":owner", owner).bind(":auth", app_auth_post).run();
}

Result<std::vector<RegisteredApp>> list_registered_apps(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare(R"(
        SELECT target_post, created_at, EXISTS (SELECT 1 FROM app_grants g
                                                WHERE g.owner = c.owner AND g.app_post = c.target_post)
        FROM credentials c WHERE owner = :owner AND kind = 'app' ORDER BY created_at, id)");
    select.bind(":owner", owner);
    std::vector<RegisteredApp> out;
    while (TRY(select.step()))
        out.push_back({select.text(0), select.integer(1), select.integer(2) != 0});
    return out;
}

Result<void> renew_registration(WriteTx& tx, int64_t owner, std::string_view app_post)
{
    auto update = tx.prepare(
        "UPDATE credentials SET created_at = :now WHERE owner = :owner AND kind = 'app' AND target_post = :app");
    return update.bind(":now", tx.now_ms()).bind(":owner", owner).bind(":app", app_post).run();
}

Result<void> add_oauth_code(WriteTx& tx, int64_t owner, const OauthCode& code)
{
    auto sweep = tx.prepare("DELETE FROM oauth_codes WHERE expires_at <= :now");
    TRY(sweep.bind(":now", tx.now_ms()).run());
    auto insert = tx.prepare("INSERT INTO oauth_codes VALUES (:owner, :hash, :app, :auth, :expires_at)");
    return insert.bind(":owner", owner)
        .bind(":hash", code.hash)
        .bind(":app", code.app_post)
        .bind(":auth", code.app_auth_post)
        .bind(":expires_at", code.expires_at)
        .run();
}

Result<std::optional<OauthCode>> find_oauth_code(ReadTx& tx, int64_t owner, std::string_view hash)
{
    auto select = tx.prepare(R"(
        SELECT code_hash, app_post, app_auth_post, expires_at FROM oauth_codes
        WHERE owner = :owner AND code_hash = :hash)");
    select.bind(":owner", owner).bind(":hash", hash);
    if (!TRY(select.step()))
        return std::optional<OauthCode>();
    OauthCode out{select.text(0), select.text(1), select.text(2), select.integer(3)};
    return std::optional<OauthCode>(std::move(out));
}

Result<void> remove_oauth_code(WriteTx& tx, int64_t owner, std::string_view hash)
{
    auto remove = tx.prepare("DELETE FROM oauth_codes WHERE owner = :owner AND code_hash = :hash");
    return remove.bind(":owner", owner).bind(":hash", hash).run();
}

Result<void> remove_oauth_codes_of(WriteTx& tx, int64_t owner, std::string_view app_auth_post)
{
    auto remove = tx.prepare("DELETE FROM oauth_codes WHERE owner = :owner AND app_auth_post = :auth");
    return remove.bind(":owner", owner).bind(":auth", app_auth_post).run();
}

}  // namespace bivouac::store
