// SPDX-License-Identifier: BSD-3-Clause
// Apps (Tent 0.3, section 6). Here: an app that the owner herself makes at her own machine, with everything
// granted at once.
#pragma once

#include <string>
#include <vector>

#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

struct LocalApp {
    std::string app_post;
    std::string hawk_id;
    std::string hawk_key;
};

// The app post, its app-auth post and the credentials of that, as an OAuth flow would have left them.
// Invalid for a malformed selector.
Result<LocalApp> create_local_app(store::WriteTx& tx, const Self& self, const std::string& name,
                                  std::vector<std::string> read_types, std::vector<std::string> write_types);

}  // namespace bivouac::tent
