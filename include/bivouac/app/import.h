// SPDX-License-Identifier: BSD-3-Clause
// What `bivouac export` wrote, taken back (docs/export-format.md): into the node of the same entity, or into another one,
// where what was by the old address is by the new one and keeps the old one as original_entity.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/store/store.h>

namespace bivouac::app {

struct ImportFacts {
    std::string entity;        // of the export
    bool same_entity = false;  // as the one that takes it
    int64_t taken = 0;         // versions of posts
    int64_t here = 0;          // were here before
    int64_t deleted = 0;       // were deleted here, and stay so
    int64_t left_out = 0;      // belong to the old address: keys, subscriptions, meta posts
    int64_t refused = 0;       // are not valid
    int64_t attachments = 0;
    int64_t attachments_here = 0;
    int64_t attachments_refused = 0;  // do not have their digest, or belong to no post
    int64_t attachments_missing = 0;  // posts list them, and they are not here
    int64_t relationships = 0;
    int64_t relationships_here = 0;   // somebody of whom something was known
    std::vector<std::string> following;  // who were followed, if it is another entity
    std::vector<std::string> problems;   // the first of what was refused, in words
};

using ImportProgress = std::function<void(const char* what, int64_t done, int64_t all)>;

// Two halves, because the file is read in a child that must be started before there are threads or secrets: open() first, then
// the store, then run(). Twice is as once; killed at any moment, the next run completes it. Nothing is delivered to anybody.
class Import {
public:
    // NotFound, Unavailable; what is in the file shows only in run().
    static Result<Import> open(const std::string& file);
    Import(Import&&) noexcept;
    Import& operator=(Import&&) = delete;
    ~Import();

    // Into the entity of that name (empty: the first). `follow`: whoever was followed is asked again, if it is another entity.
    // Invalid: no export, damaged, of a newer version; what came before the damage stays.
    Result<ImportFacts> run(store::Store& store, const std::string& name, bool follow, const ImportProgress& progress);

private:
    struct Impl;
    explicit Import(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace bivouac::app
