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
    bool open_door = false;  // whoever wants to follow is approved at once

    // As it stands in a Host header: "<56>.onion".
    std::string host() const
    {
        size_t start = entity.find("://") + 3;
        return entity.substr(start, entity.find('/', start) - start);
    }

    static Self of(const store::LocalEntity& e)
    {
        return {e.id, e.name, e.entity, e.onion, e.bewit_id, e.bewit_key, e.followers_group, e.door == "open"};
    }
};

}  // namespace bivouac::tent
