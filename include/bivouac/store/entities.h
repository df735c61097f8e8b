// SPDX-License-Identifier: BSD-3-Clause
// Who lives on this node, and the interned names of everybody else.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/secret.h>
#include <bivouac/store/transaction.h>

namespace bivouac::store {

// Who may follow, and what strangers learn.
enum class Door {
    Open,    // whoever asks is approved
    Vetted,  // whoever asks waits for the owner's word
    Sealed,  // as Vetted; and who is not approved learns nothing but where to ask
};
std::string_view name_of(Door door);
std::optional<Door> door_of(std::string_view name);

struct LocalEntity {
    int64_t id = 0;
    std::string name;    // what the person calls it ("default")
    std::string entity;  // http://<56>.onion
    std::string onion;   // <56>, without suffix
    Secret onion_seed;
    std::string bewit_id;  // looks like a post id and is none (Tent 0.3, section 5.7)
    std::string bewit_key;
    Door door = Door::Vetted;
    std::string followers_group;  // post id of the group whose members are the approved followers
    std::string owner_passphrase;  // hashed; empty: she belongs to whoever runs the node
    int64_t created_at = 0;
};

Result<int64_t> add_entity(WriteTx& tx, const LocalEntity& entity);
Result<std::vector<LocalEntity>> load_entities(ReadTx& tx);
// Everything that is hers, and the names of those whom nobody else here has to do with.
Result<void> remove_entity(WriteTx& tx, int64_t id);
Result<void> set_owner_passphrase(WriteTx& tx, int64_t id, std::string_view hash);

// This file came out of a backup, and nobody has said yet that the node it was made from is gone.
struct Restored {
    int64_t restored_at = 0;
    int64_t made_at = 0;  // the backup
};
Result<void> note_restored(WriteTx& tx, int64_t made_at);
Result<std::optional<Restored>> unconfirmed_restoration(ReadTx& tx);
Result<void> confirm_restoration(WriteTx& tx);

Result<Door> load_door(ReadTx& tx, int64_t id);
Result<void> set_door(WriteTx& tx, int64_t id, Door door);

Result<int64_t> name_id(WriteTx& tx, std::string_view entity);     // makes it if needed
Result<int64_t> find_name(ReadTx& tx, std::string_view entity);    // 0 when unknown
Result<std::string> load_name(ReadTx& tx, int64_t id);

}  // namespace bivouac::store
