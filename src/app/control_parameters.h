// SPDX-License-Identifier: BSD-3-Clause
// What the command line sends over the control socket, read. Pure, but for address().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bivouac/model/json.h>
#include <bivouac/model/post.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/audience.h>
#include <bivouac/tent/self.h>

namespace bivouac::app {

// All values of a query parameter, decoded; the first one, or "".
std::vector<std::string> parameters(std::string_view query, std::string_view name);
std::string parameter(std::string_view query, std::string_view name);

Result<std::string> entity_in(const tent::Self& self, const Json& body);  // "entity", as the entity URL that we use
Result<std::vector<std::string>> list_in(const Json& body, const char* name);
size_t code_points(std::string_view text);

// To whom a draft goes: ?to= as often as needed (followers when nothing is said), ?reply_entity= and ?reply_post=.
Result<void> address(store::ReadTx& tx, const tent::Self& self, Post& draft, std::string_view query);
Json readers_json(const tent::Readers& readers);

}  // namespace bivouac::app
