// SPDX-License-Identifier: BSD-3-Clause
// The local entity in whose name something is done, without its onion's secret.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <bivouac/store/entities.h>

namespace bivouac::tent {

// Addresses that were left for others, as far as this entity knows: her own, and those of people. From any thread.
class Moves {
public:
    // The address of today; most are.
    std::string current(std::string entity) const
    {
        if (none_)
            return entity;
        std::lock_guard lock(mutex_);
        for (auto next = moves_.find(entity); next != moves_.end(); next = moves_.find(entity))
            entity = next->second;  // no circles: an address is left once
        return entity;
    }
    // (left, its successor)
    std::vector<std::pair<std::string, std::string>> all() const
    {
        if (none_)
            return {};
        std::lock_guard lock(mutex_);
        return {moves_.begin(), moves_.end()};
    }
    void add(const std::string& from, const std::string& to)
    {
        std::lock_guard lock(mutex_);
        moves_.emplace(from, to);
        none_ = false;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::string> moves_;
    std::atomic<bool> none_{true};
};

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

    std::shared_ptr<Moves> moves = std::make_shared<Moves>();  // one for all copies, too

    std::string current(std::string other) const { return moves->current(std::move(other)); }

    // As it stands in a Host header: "<56>.onion".
    std::string host() const
    {
        size_t start = entity.find("://") + 3;
        return entity.substr(start, entity.find('/', start) - start);
    }

    static Self of(const store::LocalEntity& e)
    {
        return {e.id, e.name, e.entity, e.onion, e.bewit_id, e.bewit_key, e.followers_group,
                std::make_shared<std::atomic<store::Door>>(e.door), std::make_shared<Moves>()};
    }
};

}  // namespace bivouac::tent
