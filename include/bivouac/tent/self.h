// SPDX-License-Identifier: BSD-3-Clause
// The local entity in whose name something is done, without its onion's secret.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
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
    // One for all copies: the owner may change it while the node runs.
    std::shared_ptr<std::atomic<store::Door>> door = std::make_shared<std::atomic<store::Door>>(store::Door::Vetted);

    // As it stands in a Host header: "<56>.onion".
    std::string host() const
    {
        size_t start = entity.find("://") + 3;
        return entity.substr(start, entity.find('/', start) - start);
    }

    static Self of(const store::LocalEntity& e)
    {
        return {e.id, e.name, e.entity, e.onion, e.bewit_id, e.bewit_key, e.followers_group,
                std::make_shared<std::atomic<store::Door>>(e.door)};
    }
};

}  // namespace bivouac::tent
