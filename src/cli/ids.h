// SPDX-License-Identifier: BSD-3-Clause
// Ids on the command line. Those that bivouac makes begin with a letter or a digit; those of other servers are any base64url (section 2.2 of
// the protocol says nothing of their form), so one in 64 begins with '-' and looks like options.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace bivouac::cli {

// As app.parse(), with the words after the program's name in their order; a word that begins with '-' and can only be an id is one.
// Throws what CLI11 throws. Once for each app.
void parse_with_ids(CLI::App& app, const std::vector<std::string>& words);

}  // namespace bivouac::cli
