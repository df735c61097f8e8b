// SPDX-License-Identifier: BSD-3-Clause
// The entities of one node: each has an onion of its own and shares nothing with the others that shows. One that has an
// owner passphrase belongs to somebody else than whoever runs the node: without it the program shows nothing of hers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <bivouac/app/backup.h>
#include <bivouac/base/secret.h>
#include <bivouac/model/json.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/quotas.h>
#include <bivouac/store/store.h>

namespace bivouac::app {

// What a host may know of each.
struct Housed {
    std::string name;
    std::string entity;
    bool has_owner = false;
    int64_t created_at = 0;  // Unix ms
    store::Quota usage;      // limits 0: none
};

Json entity_json(const Housed& one);

// a-z, 0-9, '-' and '_', at most 32, beginning with a letter. Invalid: why not.
Result<void> check_entity_name(const std::string& name);

// The address. Conflict: the name is taken.
Result<std::string> add_entity(store::Store& store, const std::string& name, store::Door door);
// All of hers goes. NotFound; Conflict: she is the last one.
Result<void> remove_entity(store::Store& store, const std::string& name);
Result<std::vector<Housed>> list_entities(store::Store& store);
// A new address, the old one served for so long; everybody who follows or is followed is told (tent/moving.h). The whole is
// one transaction. Gives the new address.
Result<std::string> move_to_new_address(store::Store& store, const std::string& name, int64_t serve_old_ms,
                                        const std::function<void(int64_t, int64_t)>& progress = {});
// 0: no limit. NotFound.
Result<void> set_entity_quota(store::Store& store, const std::string& name, int64_t most_posts, int64_t most_bytes);

// `now`: the one she has, empty if she has none; `fresh` empty: none any more. Forbidden: it is not the one.
Result<void> set_owner_passphrase(store::Store& store, const std::string& name, const Secret& now, const Secret& fresh);
Result<bool> has_owner(store::Store& store, const std::string& name);
// True also when she has none and none is given. About as slow as opening a node.
Result<bool> is_owner(store::Store& store, const std::string& name, const Secret& passphrase);
// The same for a verb that needs her. `name` empty: the first. Forbidden: she has one and it was not given, or another one.
Result<void> check_owner(store::Store& store, const std::string& name, const Secret& passphrase);

// One entity alone in a sealed file, as make_backup() makes it; `restore` makes a node of it, adopt_entity() brings it to
// another one. `owner`: her passphrase, where she has one. Errors: those of make_backup, NotFound, Forbidden.
Result<BackupFacts> export_entity(const std::string& directory, const Secret& passphrase, const std::string& name,
                                  const Secret& owner, const BackupSecret& secret, const std::string& file,
                                  const BackupProgress& progress);
// Into a node that is off. Errors: those of verify_backup and open_data_directory; Conflict: the name or she herself is
// there; Invalid: the file holds several.
Result<BackupFacts> adopt_entity(const std::string& directory, const Secret& passphrase, const std::string& file,
                                 const BackupSecret& secret, const std::string& new_name, const BackupProgress& progress);

}  // namespace bivouac::app
