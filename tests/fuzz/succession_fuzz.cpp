// SPDX-License-Identifier: BSD-3-Clause
// The message of a meta post that claims to succeed another address: nothing that is not signed is believed, and what is
// kept of it is written and read the same.
#include "target.h"

#include <bivouac/tent/succession.h>

#include <sodium.h>

using namespace bivouac;
using namespace bivouac::tent;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static const int ready = sodium_init();
    HOLDS(ready >= 0);
    static const Secret old_seed(std::string(32, 'a')), new_seed(std::string(32, 'n'));
    static const Succession real = make_succession(old_seed, new_seed, 1000, 2000);
    Post meta;
    meta.version.message = std::string(view(data, size));
    meta.content = Json({{"entity", real.to}, {"previous_entities", Json::array({real.from})}}).dump();
    const auto way = way_from(meta, real.from, real.to, 1500);
    // Only the one statement that the keys have signed.
    HOLDS(!way || (way->size() == 1 && (*way)[0].at == real.at && (*way)[0].until == real.until));
    const Json list = successions_in(meta.version.message);
    HOLDS(list.is_array());
    const std::string again = with_successions(meta.version.message, list);
    HOLDS(successions_in(again) == list);
    meta.version.message = with_successions(meta.version.message, Json::array({succession_to_json(real)}));
    HOLDS(way_from(meta, real.from, real.to, 1500).has_value());
    return 0;
}
