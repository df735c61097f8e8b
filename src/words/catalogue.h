// SPDX-License-Identifier: BSD-3-Clause
// One language as po/compile.py writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace bivouac {

struct Catalogue {
    struct Entry {
        uint64_t hash;  // of the context, U+0004 and the English text; of the text alone without a context
        std::string_view english;  // without context; of a plural its singular
        const std::string_view* forms;
        size_t count;  // of forms: one, or one for each plural form
    };
    std::string_view tag;
    std::span<const Entry> entries;  // by hash
    size_t (*plural_form)(uint64_t n);
};

std::span<const Catalogue> catalogues();

}  // namespace bivouac
