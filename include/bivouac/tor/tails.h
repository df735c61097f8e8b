// SPDX-License-Identifier: BSD-3-Clause
// Tails has one tor for all its programs, behind a filter, and a firewall that stops every other.
#pragma once

#include <string>

namespace bivouac::tor {

bool is_tails(const std::string& os_release = "/etc/os-release");

constexpr const char* kTailsControl = "127.0.0.1:951";  // of the filter

}  // namespace bivouac::tor
