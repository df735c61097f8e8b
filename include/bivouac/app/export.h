// SPDX-License-Identifier: BSD-3-Clause
// What a node holds, in open formats, in one tar file compressed with zstd (docs/export-format.md). Not encrypted, and
// without any key: for reading elsewhere.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <bivouac/app/data_directory.h>

namespace bivouac::app {

// Which versions of posts; attachments of those only.
struct ExportFilter {
    bool only_public = false;
    std::vector<std::string> without;  // posts of these entities stay out, and what is known of them
    std::vector<std::string> types;    // empty: all; as feeds have them, with or without a fragment
    int64_t since_ms = 0;              // received then or later
};

struct ExportFacts {
    std::string entity;
    int64_t versions = 0;
    int64_t attachments = 0;
    int64_t relationships = 0;
};

using ExportProgress = std::function<void(const char* what, int64_t done, int64_t all)>;

// While the node runs or not, of one moment, in constant memory. Conflict: FILE is there. Interrupted, it leaves nothing
// at FILE.
// `name`: of the entity, empty for the first; `owner`: her passphrase, where she has one (Forbidden otherwise).
Result<ExportFacts> export_node(const std::string& directory, const Secret& passphrase, const std::string& name,
                                const Secret& owner, const std::string& file,
                                const ExportFilter& filter, const ExportProgress& progress);

// The same into a descriptor that is open for writing, a pipe say; what it holds after a failure is for the caller to drop.
Result<ExportFacts> export_node_to(int fd, const std::string& directory, const Secret& passphrase, const std::string& name,
                                   const Secret& owner, const ExportFilter& filter, const ExportProgress& progress);

}  // namespace bivouac::app
