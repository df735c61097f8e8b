// SPDX-License-Identifier: BSD-3-Clause
// Files on their way to a post: cleaned (media/cleaner.h) and under another name, or, where somebody said so, as they are.
#pragma once

#include <string>
#include <vector>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

struct AttachedFile {
    UploadFile upload;
    std::string path;                  // as it was given
    std::vector<std::string> removed;  // in words
    bool as_is = false;
};

// Before a passphrase is in memory. `attach`: cleaned or refused; at a terminal it is asked whether what cannot be cleaned is
// to go as it is. `as_is`: not looked into; whatever stands in both goes as it is.
Result<std::vector<AttachedFile>> prepare_files(const Context& context, const std::vector<std::string>& attach,
                                                const std::vector<std::string>& as_is);
void print_files(const std::vector<AttachedFile>& files);
Json files_json(const std::vector<AttachedFile>& files);

}  // namespace bivouac::cli
