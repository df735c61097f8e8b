// SPDX-License-Identifier: BSD-3-Clause
// The local entity in whose name something is done, without its onion's secret.
#pragma once

#include <cstdint>
#include <string>

#include <bivouac/store/entities.h>

namespace bivouac::tent {

struct Self {
    int64_t id = 0;
    std::string name;
    std::string entity;  // also the base of all its URLs
    std::string onion;
    std::string bewit_id;
    std::string bewit_key;
    std::string followers_group;

    static Self of(const store::LocalEntity& e)
    {
        return {e.id, e.name, e.entity, e.onion, e.bewit_id, e.bewit_key, e.followers_group};
    }
};

}  // namespace bivouac::tent
