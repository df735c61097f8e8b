// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/entities.h>

#include <bivouac/app/config.h>
#include <bivouac/store/sessions.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/entity_copy.h>

#include <bivouac/base/clock.h>
#include <bivouac/tent/moving.h>

#include <algorithm>
#include <cstdio>

#include <sodium.h>

#include "node_copy.h"

namespace bivouac::app {

namespace {

Result<store::LocalEntity> named(store::ReadTx& tx, const std::string& name)
{
    for (auto& entity : TRY(store::load_entities(tx)))
        if (entity.name == name)
            return std::move(entity);
    return fail(ErrorKind::NotFound, "there is no entity of the name " + name + "; see: bivouac entity list");
}

// A database file that is thrown away.
struct Scratch {
    std::string path;
    ~Scratch()
    {
        for (const char* suffix : {"", "-wal", "-shm", "-journal"})
            std::remove((path + suffix).c_str());
    }
};

store::StoreOptions small()
{
    store::StoreOptions options;
    options.readers = 1;
    return options;
}

bool fits(const std::string& hash, const Secret& passphrase)
{
    if (hash.empty())
        return passphrase.empty();
    return !passphrase.empty() &&
           crypto_pwhash_str_verify(hash.c_str(), reinterpret_cast<const char*>(passphrase.data()), passphrase.size()) == 0;
}

}  // namespace

Json entity_json(const Housed& one)
{
    return {{"name", one.name},
            {"entity", one.entity},
            {"has_owner", one.has_owner},
            {"created_at", one.created_at},
            {"posts", one.usage.posts},
            {"bytes", one.usage.bytes},
            {"most_posts", one.usage.most_posts == 0 ? Json() : Json(one.usage.most_posts)},
            {"most_bytes", one.usage.most_bytes == 0 ? Json() : Json(one.usage.most_bytes)}};
}

Result<void> check_entity_name(const std::string& name)
{
    constexpr size_t kLongest = 32;
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (name.empty() || name.size() > kLongest || !plain || name[0] < 'a' || name[0] > 'z')
        return fail(ErrorKind::Invalid, "a name has up to 32 of a-z, 0-9, - and _, and begins with a letter; only you see it");
    return {};
}

Result<std::string> add_entity(store::Store& store, const std::string& name, store::Door door)
{
    TRY(check_entity_name(name));
    for (const auto& one : TRY(store.read([](store::ReadTx& tx) { return store::load_entities(tx); })))
        if (one.name == name)
            return fail(ErrorKind::Conflict, "there is an entity of the name " + name + " already");
    InitOptions options;
    options.door = door;
    return make_entity(store, name, options);
}

Result<void> remove_entity(store::Store& store, const std::string& name)
{
    return store.write([&](store::WriteTx& tx) -> Result<void> {
        const auto entity = TRY(named(tx, name));
        if (TRY(store::load_entities(tx)).size() == 1)
            return fail(ErrorKind::Conflict, "this is the only entity of the node; to destroy the node: bivouac panic");
        TRY(store::remove_entity(tx, entity.id));
        return store::remove_orphans(tx, store::Orphans::OlderThanAnHour);
    });
}

Result<std::vector<Housed>> list_entities(store::Store& store)
{
    return store.read([](store::ReadTx& tx) -> Result<std::vector<Housed>> {
        std::vector<Housed> out;
        for (const auto& entity : TRY(store::load_entities(tx))) {
            Housed one{entity.name, entity.entity, !entity.owner_passphrase.empty(), entity.created_at, {}};
            if (auto quota = TRY(store::load_quota(tx, entity.id)))
                one.usage = *quota;
            else
                one.usage = TRY(store::count_usage(tx, entity.id));
            out.push_back(std::move(one));
        }
        return out;
    });
}

Result<std::string> move_to_new_address(store::Store& store, const std::string& name, int64_t serve_old_ms,
                                        const std::function<void(int64_t, int64_t)>& progress)
{
    std::string bytes = system_random().bytes(32);
    const Secret seed{std::string_view(bytes)};
    wipe(bytes);
    return store.write([&](store::WriteTx& tx) -> Result<std::string> {
        auto all = TRY(store::load_entities(tx));
        auto entity = std::find_if(all.begin(), all.end(),
                                   [&](const store::LocalEntity& e) { return name.empty() || e.name == name; });
        if (entity == all.end())
            return fail(ErrorKind::NotFound, "there is no entity of the name " + name + "; see: bivouac entity list");
        const auto self = tent::Self::of(*entity);
        TRY(tent::load_moves(tx, self));
        return tent::move_self(tx, self, entity->onion_seed, seed, tx.now_ms() + serve_old_ms, progress);
    });
}

Result<void> set_entity_quota(store::Store& store, const std::string& name, int64_t most_posts, int64_t most_bytes)
{
    return store.write([&](store::WriteTx& tx) -> Result<void> {
        return store::set_quota(tx, TRY(named(tx, name)).id, most_posts, most_bytes);
    });
}

Result<bool> has_owner(store::Store& store, const std::string& name)
{
    const auto entity = TRY(store.read([&](store::ReadTx& tx) { return named(tx, name); }));
    return !entity.owner_passphrase.empty();
}

Result<bool> is_owner(store::Store& store, const std::string& name, const Secret& passphrase)
{
    const auto entity = TRY(store.read([&](store::ReadTx& tx) { return named(tx, name); }));
    return entity.owner_passphrase.empty() || fits(entity.owner_passphrase, passphrase);
}

Result<void> check_owner(store::Store& store, const std::string& name, const Secret& passphrase)
{
    std::string whose = name;
    if (whose.empty())
        for (const auto& one : TRY(store.read([](store::ReadTx& tx) { return store::load_entities(tx); })))
            if (whose.empty())
                whose = one.name;
    if (TRY(is_owner(store, whose, passphrase)))
        return {};
    return fail(ErrorKind::Forbidden, passphrase.empty() ? "this entity belongs to somebody else: her passphrase is needed "
                                                           "(--owner-passphrase-file)"
                                                         : "wrong owner passphrase");
}

Result<void> set_owner_passphrase(store::Store& store, const std::string& name, const Secret& now, const Secret& fresh)
{
    const auto entity = TRY(store.read([&](store::ReadTx& tx) { return named(tx, name); }));
    if (!entity.owner_passphrase.empty() && !fits(entity.owner_passphrase, now))
        return fail(ErrorKind::Forbidden, "wrong owner passphrase; only she can change it");
    std::string hash;
    if (!fresh.empty()) {
        char text[crypto_pwhash_STRBYTES];
        if (crypto_pwhash_str(text, reinterpret_cast<const char*>(fresh.data()), fresh.size(),
                              crypto_pwhash_OPSLIMIT_MODERATE, crypto_pwhash_MEMLIMIT_MODERATE) != 0)
            return fail(ErrorKind::Unavailable, "not enough memory: 256 MiB are needed; close some programs and try again");
        hash = text;
    }
    return store.write([&](store::WriteTx& tx) -> Result<void> {
        TRY(store::end_all_sessions(tx, entity.id));  // who came in by the old one is out
        return store::set_owner_passphrase(tx, entity.id, hash);
    });
}

Result<BackupFacts> export_entity(const std::string& directory, const Secret& passphrase, const std::string& name,
                                  const Secret& owner, const BackupSecret& secret, const std::string& file,
                                  const BackupProgress& progress)
{
    if (file_exists(file))
        return fail(ErrorKind::Conflict, file + " is there already; nothing is overwritten");
    auto copy = TRY(NodeCopy::make(directory, passphrase, [&](int64_t done, int64_t all) {
        if (progress)
            progress("copying", done, all);
    }));
    {
        auto store = TRY(copy->open());
        TRY(check_owner(*store, name, owner));
    }
    // A key of its own: whoever gets the file must not be able to read the node that it came from.
    const store::DataKeys keys = store::make_data_keys(system_random());
    Scratch alone{copy->path() + ".alone"};
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
        std::remove((alone.path + suffix).c_str());
    TRY(store::Store::open(alone.path, keys, true, small()));
    TRY(store::copy_entity(copy->path(), copy->keys(), name, alone.path, keys, "default"));
    return seal_database(alone.path, keys, secret, file, progress);
}

Result<BackupFacts> adopt_entity(const std::string& directory, const Secret& passphrase, const std::string& file,
                                 const BackupSecret& secret, const std::string& new_name, const BackupProgress& progress)
{
    TRY(check_entity_name(new_name));
    FileLock lock = TRY(lock_data_directory(directory));
    const DataPaths paths = DataPaths::in(directory);
    TRY(open_store(directory, passphrase));  // whole, and of the newest schema
    const store::DataKeys keys = TRY(store::open_key_file(TRY(read_file(paths.keys, 64u << 10)), passphrase));
    TRY(verify_backup(file, secret, progress));
    Scratch unsealed{paths.database + ".adopted"};
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
        std::remove((unsealed.path + suffix).c_str());
    auto opened = TRY(unseal_database(file, secret, unsealed.path, progress));
    std::string name;
    {
        auto store = TRY(store::Store::open(unsealed.path, opened.keys, false, small()));
        auto all = TRY(store->read([](store::ReadTx& tx) { return store::load_entities(tx); }));
        if (all.size() != 1)
            return fail(ErrorKind::Invalid, file + " is a backup of a node with " + std::to_string(all.size()) +
                                                " entities; make one of one alone there: bivouac entity export NAME FILE");
        name = all.front().name;
    }
    TRY(store::copy_entity(unsealed.path, opened.keys, name, paths.database, keys, new_name));
    auto store = TRY(store::Store::open(paths.database, keys, false, small()));
    TRY(store->write([&](store::WriteTx& tx) { return store::note_restored(tx, opened.facts.made_at); }));
    return opened.facts;
}

}  // namespace bivouac::app
