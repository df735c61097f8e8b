// SPDX-License-Identifier: BSD-3-Clause
#include "node_copy.h"

#include <bivouac/app/config.h>

#include <cstdio>

namespace bivouac::app {

Result<std::unique_ptr<NodeCopy>> NodeCopy::make(const std::string& directory, const Secret& passphrase,
                                                 const store::Progress& progress)
{
    const DataPaths paths = DataPaths::in(directory);
    if (!file_exists(paths.keys) || !file_exists(paths.database))
        return fail(ErrorKind::NotFound, "there is no node in " + directory + "; make one with: bivouac init");
    store::DataKeys keys = TRY(store::open_key_file(TRY(read_file(paths.keys, 64u << 10)), passphrase));
    auto lock = FileLock::acquire(directory + "/backup.lock");
    if (!lock.ok())
        return fail(ErrorKind::Conflict, "a backup or an export of this node is being made already");
    auto copy = std::unique_ptr<NodeCopy>(
        new NodeCopy(paths.database + ".backup", std::move(keys), std::move(*lock)));
    copy->remove();
    auto copied = store::copy_database(paths.database, copy->keys_, copy->path_, progress);
    if (!copied.ok() && copied.error().kind == ErrorKind::NoSpace)
        return fail(ErrorKind::NoSpace, "for a backup or an export there must be room for a second database in " + directory +
                                            "; free some space and try again");
    TRY(std::move(copied));
    return copy;
}

void NodeCopy::clean(const std::string& directory)
{
    const std::string database = DataPaths::in(directory).database;
    auto lock = FileLock::acquire(directory + "/backup.lock");
    for (const char* name : {".backup", ".backup.alone", ".download", ".download.part", ".adopted"})
        if (lock.ok() || std::string_view(name) == ".adopted")
            for (const char* suffix : {"", "-wal", "-shm", "-journal"})
                std::remove((database + name + suffix).c_str());
}

NodeCopy::~NodeCopy()
{
    remove();
}

Result<std::unique_ptr<store::Store>> NodeCopy::open() const
{
    store::StoreOptions small;
    small.readers = 1;
    return store::Store::open(path_, keys_, false, small);
}

void NodeCopy::remove() const
{
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
        std::remove((path_ + suffix).c_str());
}

}  // namespace bivouac::app
