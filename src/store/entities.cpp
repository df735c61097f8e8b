// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/entities.h>
#include <bivouac/store/search.h>

namespace bivouac::store {

std::string_view name_of(Door door)
{
    switch (door) {
    case Door::Open: return "open";
    case Door::Vetted: return "vetted";
    case Door::Sealed: return "sealed";
    }
    return "vetted";
}

std::optional<Door> door_of(std::string_view name)
{
    for (Door door : {Door::Open, Door::Vetted, Door::Sealed})
        if (name == name_of(door))
            return door;
    return std::nullopt;
}

Result<Door> load_door(ReadTx& tx, int64_t id)
{
    auto select = tx.prepare("SELECT door FROM entities WHERE id = :id");
    select.bind(":id", id);
    if (!TRY(select.step()))
        return fail(ErrorKind::Internal, "the entity is gone");
    return door_of(select.text(0)).value_or(Door::Vetted);
}

Result<void> set_door(WriteTx& tx, int64_t id, Door door)
{
    auto update = tx.prepare("UPDATE entities SET door = :door WHERE id = :id");
    return update.bind(":door", name_of(door)).bind(":id", id).run();
}

Result<int64_t> add_entity(WriteTx& tx, const LocalEntity& entity)
{
    auto insert = tx.prepare(R"(
        INSERT INTO entities (name, entity, onion, onion_seed, bewit_id, bewit_key, door, followers_group,
                              created_at)
        VALUES (:name, :entity, :onion, :seed, :bewit_id, :bewit_key, :door, :group, :now))");
    TRY(insert.bind(":name", entity.name)
            .bind(":entity", entity.entity)
            .bind(":onion", entity.onion)
            .bind_blob(":seed", entity.onion_seed.view())
            .bind(":bewit_id", entity.bewit_id)
            .bind(":bewit_key", entity.bewit_key)
            .bind(":door", name_of(entity.door))
            .bind(":group", entity.followers_group)
            .bind(":now", tx.now_ms())
            .run());
    int64_t id = tx.last_insert_id();
    TRY(name_id(tx, entity.entity));
    return id;
}

Result<std::vector<LocalEntity>> load_entities(ReadTx& tx)
{
    std::vector<LocalEntity> out;
    auto select = tx.prepare(R"(
        SELECT id, name, entity, onion, onion_seed, bewit_id, bewit_key, door, followers_group, owner_passphrase,
            created_at
        FROM entities ORDER BY id)");
    while (TRY(select.step())) {
        LocalEntity entity;
        entity.id = select.integer(0);
        entity.name = select.text(1);
        entity.entity = select.text(2);
        entity.onion = select.text(3);
        std::string seed = select.blob(4);
        entity.onion_seed = Secret(seed);
        wipe(seed);
        entity.bewit_id = select.text(5);
        entity.bewit_key = select.text(6);
        entity.door = door_of(select.text(7)).value_or(Door::Vetted);
        entity.followers_group = select.text(8);
        entity.owner_passphrase = select.text(9);
        entity.created_at = select.integer(10);
        out.push_back(std::move(entity));
    }
    return out;
}

Result<void> set_owner_passphrase(WriteTx& tx, int64_t id, std::string_view hash)
{
    return tx.prepare("UPDATE entities SET owner_passphrase = :hash WHERE id = :id").bind(":hash", hash).bind(":id", id).run();
}

Result<void> remove_entity(WriteTx& tx, int64_t id)
{
    TRY(forget_before_removal(tx, id));
    TRY(tx.prepare("DELETE FROM entities WHERE id = :id").bind(":id", id).run());
    // Whoever is named nowhere any more; all columns that name somebody say so in the schema, but versions.author, which
    // says what posts.author says.
    std::string named = "SELECT n.id FROM names n JOIN entities e USING (entity)";
    {
        auto select = tx.prepare(R"(
            SELECT t.name, k."from" FROM sqlite_schema t, pragma_foreign_key_list(t.name) k
            WHERE t.type = 'table' AND k."table" = 'names')");
        while (TRY(select.step()))
            named += " UNION SELECT " + select.text(1) + " FROM " + select.text(0) + " WHERE " + select.text(1) + " IS NOT NULL";
    }
    return tx.prepare("DELETE FROM names WHERE id NOT IN (" + named + ")").run();
}

Result<int64_t> name_id(WriteTx& tx, std::string_view entity)
{
    int64_t known = TRY(find_name(tx, entity));
    if (known != 0)
        return known;
    auto insert = tx.prepare("INSERT INTO names (entity) VALUES (:entity)");
    TRY(insert.bind(":entity", entity).run());
    return tx.last_insert_id();
}

Result<int64_t> find_name(ReadTx& tx, std::string_view entity)
{
    auto select = tx.prepare("SELECT id FROM names WHERE entity = :entity");
    select.bind(":entity", entity);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

Result<std::string> load_name(ReadTx& tx, int64_t id)
{
    auto select = tx.prepare("SELECT entity FROM names WHERE id = :id");
    select.bind(":id", id);
    return TRY(select.step()) ? select.text(0) : std::string();
}

Result<void> note_restored(WriteTx& tx, int64_t made_at)
{
    auto insert = tx.prepare("INSERT INTO restorations (restored_at, made_at) VALUES (:now, :made_at)");
    return insert.bind(":now", tx.now_ms()).bind(":made_at", made_at).run();
}

Result<std::optional<Restored>> unconfirmed_restoration(ReadTx& tx)
{
    auto select = tx.prepare(
        "SELECT restored_at, made_at FROM restorations WHERE confirmed_at = 0 ORDER BY id DESC LIMIT 1");
    if (!TRY(select.step()))
        return std::optional<Restored>();
    return std::optional<Restored>(Restored{select.integer(0), select.integer(1)});
}

Result<void> confirm_restoration(WriteTx& tx)
{
    return tx.prepare("UPDATE restorations SET confirmed_at = :now WHERE confirmed_at = 0").bind(":now", tx.now_ms()).run();
}

}  // namespace bivouac::store
