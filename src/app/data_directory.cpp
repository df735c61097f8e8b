// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/config.h>
#include <bivouac/app/data_directory.h>
#include <bivouac/base/bytes.h>
#include <bivouac/store/entities.h>
#include <bivouac/store/key_file.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/relationships.h>
#include <bivouac/tor/onion_address.h>

#include "node_copy.h"

#include <cstdio>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

namespace bivouac::app {

namespace {

store::LocalEntity draw_entity(const std::string& name, const InitOptions& options)
{
    Random& random = system_random();
    store::LocalEntity entity;
    entity.name = name;
    std::string seed = random.bytes(32);
    entity.onion_seed = Secret(seed);
    wipe(seed);
    entity.onion = tor::onion_address_of_seed(entity.onion_seed);
    entity.entity = options.entity.empty() ? "http://" + entity.onion + ".onion" : options.entity;
    entity.door = options.door;
    entity.bewit_id = random.id();
    entity.bewit_key = to_base64url(random.bytes(32));
    entity.followers_group = random.id();
    return entity;
}

void remove_database(const std::string& path)
{
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
        std::remove((path + suffix).c_str());
}

Result<void> check_node_is_there(const DataPaths& paths, const std::string& directory)
{
    if (!file_exists(paths.database))
        return fail(ErrorKind::NotFound, "there is no node in " + directory + "; make one with: bivouac init");
    if (!file_exists(paths.keys))
        return fail(ErrorKind::NotFound, "the key file " + paths.keys +
                                             " is missing; without it the database cannot be opened by anybody");
    return {};
}

Result<void> check_salt(const std::string& path, const std::string& salt)
{
    // Read before SQLite opens the file: closing a descriptor of it later would drop SQLite's locks.
    std::string first(16, '\0');
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : ::read(fd, first.data(), first.size());
    if (fd >= 0)
        ::close(fd);
    if (got != static_cast<ssize_t>(first.size()))
        return fail(ErrorKind::Invalid, "the database is cut off; restore a backup");
    if (first != salt)
        return fail(ErrorKind::Invalid, "the database and the key file do not belong together, or the database is "
                                        "damaged; put both files of one backup here");
    return {};
}

Result<std::string> read_key_file(const std::string& directory)
{
    const DataPaths paths = DataPaths::in(directory);
    if (!file_exists(paths.keys))
        return fail(ErrorKind::NotFound, "there is no node in " + directory + "; make one with: bivouac init");
    return read_file(paths.keys, 64u << 10);
}

Result<void> change_key_file(const std::string& directory,
                             const std::function<Result<std::string>(const std::string& file)>& change)
{
    const DataPaths paths = DataPaths::in(directory);
    TRY(read_key_file(directory));  // before a lock is made where there is no node
    auto lock = FileLock::acquire(paths.keys_lock);
    if (!lock.ok())
        return fail(ErrorKind::Conflict, "the passphrases are being changed by somebody else at this moment");
    return write_file_atomically(paths.keys, TRY(change(TRY(read_key_file(directory)))));
}

}  // namespace

Result<std::string> make_entity(store::Store& store, const std::string& name, const InitOptions& options)
{
    return store.write([&](store::WriteTx& tx) -> Result<std::string> {
        store::LocalEntity entity = draw_entity(name, options);
        entity.id = TRY(store::add_entity(tx, entity));
        tent::Self self = tent::Self::of(entity);
        TRY(tent::make_followers_group(tx, self));
        TRY(tent::publish_first_meta(tx, self));
        return entity.entity;
    });
}

Result<InitResult> init_data_directory(const std::string& directory, const Secret& passphrase,
                                       const InitOptions& options)
{
    const DataPaths paths = DataPaths::in(directory);
    if (passphrase.empty())
        return fail(ErrorKind::Invalid, "the passphrase is empty; choose one of several words");
    TRY(ensure_private_directory(directory));
    FileLock lock = TRY(FileLock::acquire(paths.lock));
    if (file_exists(paths.database))
        return fail(ErrorKind::Conflict, "there is a node in " + directory +
                                             " already; start it with: bivouac run (or choose another --data)");
    store::DataKeys keys = store::make_data_keys(system_random());
    const auto cost = options.cost ? *options.cost : TRY(store::measure_cost(system_clock()));
    std::string key_file =
        TRY(store::create_key_file(keys, passphrase, cost, system_random(), system_clock().now_ms()));
    // Keys first, the database last and under its name only when whole: a key file without a database is what a
    // cut-off init leaves, and holds nothing.
    TRY(write_file_atomically(paths.keys, key_file));
    const std::string unfinished = paths.database + ".new";
    remove_database(unfinished);
    Result<std::string> entity = [&]() -> Result<std::string> {
        store::StoreOptions small;
        small.readers = 1;
        auto store = TRY(store::Store::open(unfinished, keys, true, small));
        return make_entity(*store, "default", options);
    }();
    if (entity.ok() && std::rename(unfinished.c_str(), paths.database.c_str()) != 0)
        entity = fail(ErrorKind::Unavailable, "the database cannot be put in place: " +
                                                  std::string(std::strerror(errno)));
    if (!entity.ok()) {
        remove_database(unfinished);
        std::remove(paths.keys.c_str());
        return std::move(entity).error();
    }
    return InitResult{*entity};
}

Result<FileLock> lock_data_directory(const std::string& directory)
{
    const DataPaths paths = DataPaths::in(directory);
    TRY(check_node_is_there(paths, directory));
    TRY(ensure_private_directory(directory));
    // One that was just killed has it for a moment longer.
    for (int tenths = 0;; ++tenths) {
        auto lock = FileLock::acquire(paths.lock);
        if (lock.ok() || lock.error().kind != ErrorKind::Conflict || tenths == 10)
            return lock;
        ::usleep(100'000);
    }
}

Result<OpenedData> open_data_directory(const std::string& directory, const Secret& passphrase)
{
    FileLock lock = TRY(lock_data_directory(directory));
    auto store = TRY(open_store(directory, passphrase));
    NodeCopy::clean(directory);
    return OpenedData{std::move(lock), std::move(store)};
}

Result<std::unique_ptr<store::Store>> open_store(const std::string& directory, const Secret& passphrase)
{
    const DataPaths paths = DataPaths::in(directory);
    TRY(check_node_is_there(paths, directory));
    std::string key_file = TRY(read_file(paths.keys, 64u << 10));
    store::DataKeys keys = TRY(store::open_key_file(key_file, passphrase));
    TRY(check_salt(paths.database, keys.file_salt));
    auto opened = store::Store::open(paths.database, keys, false);
    if (!opened.ok()) {
        // The key is right (its file says so): what does not open is damaged.
        if (opened.error().kind == ErrorKind::Forbidden)
            return fail(ErrorKind::Invalid, "the database is damaged; restore a backup");
        return std::move(opened).error();
    }
    return std::move(*opened);
}

Result<void> check_passphrase(const std::string& directory, const Secret& passphrase)
{
    std::string key_file = TRY(read_file(DataPaths::in(directory).keys, 64u << 10));
    TRY(store::open_key_file(key_file, passphrase));
    return {};
}

Result<std::vector<store::KeySlot>> list_passphrases(const std::string& directory, const Secret& passphrase)
{
    return store::list_passphrases(TRY(read_key_file(directory)), passphrase);
}

Result<void> change_passphrase(const std::string& directory, const Secret& passphrase, const Secret& fresh)
{
    return change_key_file(directory, [&](const std::string& file) {
        return store::change_passphrase(file, passphrase, fresh, system_random(), system_clock().now_ms());
    });
}

Result<void> add_passphrase(const std::string& directory, const Secret& passphrase, const Secret& fresh,
                            const std::string& name)
{
    return change_key_file(directory, [&](const std::string& file) {
        return store::add_passphrase(file, passphrase, fresh, name, system_random(), system_clock().now_ms());
    });
}

Result<void> remove_passphrase(const std::string& directory, const Secret& passphrase, const std::string& which)
{
    return change_key_file(directory, [&](const std::string& file) -> Result<std::string> {
        size_t number = 0;
        for (const auto& slot : TRY(store::list_passphrases(file, passphrase)))
            if (std::to_string(slot.number) == which || (!slot.name.empty() && slot.name == which))
                number = slot.number;
        return store::remove_passphrase(file, passphrase, number, system_random());
    });
}

}  // namespace bivouac::app
