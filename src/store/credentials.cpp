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
    auto select = tx.prepare(R"(
        SELECT c.owner, c.hawk_id, c.hawk_key, c.kind, c.target_post, coalesce(n.entity, '')
        FROM credentials c LEFT JOIN names n ON n.id = c.peer
        WHERE c.hawk_id = :hawk_id AND c.owner = :owner)");
    select.bind(":hawk_id", hawk_id).bind(":owner", owner);
    if (!TRY(select.step()))
        return std::optional<Credentials>();
    Credentials out{select.integer(0), select.text(1), select.text(2),
                    select.text(3),    select.text(4), select.text(5)};
    return std::optional<Credentials>(std::move(out));
}

Result<void> remove_credentials_of(WriteTx& tx, int64_t owner, std::string_view target_post)
{
    auto remove = tx.prepare("DELETE FROM credentials WHERE owner = :owner AND target_post = :target");
    return remove.bind(":owner", owner).bind(":target", target_post).run();
}

Result<void> set_app_grant(WriteTx& tx, int64_t owner, const AppGrant& grant)
{
    auto insert = tx.prepare(R"(
        INSERT OR REPLACE INTO app_grants VALUES (:owner, :auth, :app, :name, :url, :read, :write, :scopes))");
    return insert.bind(":owner", owner)
        .bind(":auth", grant.app_auth_post)
        .bind(":app", grant.app_post)
        .bind(":name", grant.name)
        .bind(":url", grant.url)
        .bind(":read", Json(grant.read_types).dump())
        .bind(":write", Json(grant.write_types).dump())
        .bind(":scopes", Json(grant.scopes).dump())
        .run();
}

Result<std::optional<AppGrant>> find_app_grant(ReadTx& tx, int64_t owner, std::string_view app_auth_post)
{
    auto select = tx.prepare(R"(
        SELECT app_auth_post, app_post, name, url, read_types, write_types, scopes
        FROM app_grants WHERE owner = :owner AND app_auth_post = :auth)");
    select.bind(":owner", owner).bind(":auth", app_auth_post);
    if (!TRY(select.step()))
        return std::optional<AppGrant>();
    AppGrant grant{select.text(0),          select.text(1),          select.text(2),         select.text(3),
                   list_of(select.text(4)), list_of(select.text(5)), list_of(select.text(6))};
    return std::optional<AppGrant>(std::move(grant));
}

}  // namespace bivouac::store
