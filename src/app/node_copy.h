// SPDX-License-Identifier: BSD-3-Clause
// The database of a node, running or not, as it is at one moment: a copy, encrypted with the same key, beside the original.
// Goes away with the object; one that a crash left is removed by the next.
#pragma once

#include <memory>
#include <string>

#include <bivouac/app/data_directory.h>
#include <bivouac/base/files.h>
#include <bivouac/store/backup.h>

namespace bivouac::app {

class NodeCopy {
public:
    // NotFound: no node here. Forbidden: wrong passphrase. Conflict: another copy is being made. NoSpace.
    static Result<std::unique_ptr<NodeCopy>> make(const std::string& directory, const Secret& passphrase,
                                                  const store::Progress& progress);
    ~NodeCopy();
    // What a process that was killed has left in the directory; by whoever has locked it.
    static void clean(const std::string& directory);
    NodeCopy(const NodeCopy&) = delete;
    NodeCopy& operator=(const NodeCopy&) = delete;

    const std::string& path() const { return path_; }
    const store::DataKeys& keys() const { return keys_; }
    Result<std::unique_ptr<store::Store>> open() const;

private:
    NodeCopy(std::string path, store::DataKeys keys, FileLock lock)
        : path_(std::move(path))
        , keys_(std::move(keys))
        , lock_(std::move(lock))
    {
    }
    void remove() const;

    std::string path_;
    store::DataKeys keys_;
    FileLock lock_;
};

}  // namespace bivouac::app
