// SPDX-License-Identifier: BSD-3-Clause
// How a file is offered to whoever opens its address in a browser (section 4.8 of Tent 0.3). Pure.
#pragma once

#include <string>
#include <string_view>

namespace bivouac::api {

// The type as it may stand in a header; what is no media type becomes bytes without meaning.
std::string safe_content_type(const std::string& type);

// "inline" for pictures, sound, film and plain text, which no browser runs; "attachment" for everything else, so for
// HTML, SVG, XML, scripts, styles and PDF. The name follows: as it is, or as much of it as ASCII can say and then whole
// in the extended form of RFC 6266.
std::string content_disposition(const std::string& type, std::string_view name);

}  // namespace bivouac::api
