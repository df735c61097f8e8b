// SPDX-License-Identifier: BSD-3-Clause
// One line a record on standard error, with systemd's "<N>" priority in front when it is not a terminal.
// By default nothing that names an entity, an address or content is written: such text goes through
// log::name(), which gives a placeholder until the user asks for names (--log-names).
#pragma once

#include <string>
#include <string_view>

namespace bivouac::log {

enum class Level { Error = 3, Warning = 4, Info = 6, Debug = 7 };

void set_level(Level least);
void set_names(bool shown);

void write(Level level, std::string_view text);
inline void error(std::string_view text) { write(Level::Error, text); }
inline void warning(std::string_view text) { write(Level::Warning, text); }
inline void info(std::string_view text) { write(Level::Info, text); }
inline void debug(std::string_view text) { write(Level::Debug, text); }

// The text itself when names are shown, else "(name)".
std::string name(std::string_view text);

}  // namespace bivouac::log
