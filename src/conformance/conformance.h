// SPDX-License-Identifier: BSD-3-Clause
// What only a conformance build has (docs/developer.md).
#pragma once

#include "../cli/cli.h"

namespace bivouac::cli {

void add_conformance_server(CLI::App& app, Context& context);

}  // namespace bivouac::cli
